"""Which files in the agent's checkout are new, and which of them count as work."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from coordinator.workspace.beneath import Beneath, Unreadable
from coordinator.workspace.changes import Change, ChangeLimits, Notes, object_id
from coordinator.workspace.git import Git, GitCall
from coordinator.workspace.objects import LINK, SUBMODULE, TreeEntry, TrustedRepository
from coordinator.workspace.paths import Leftover, is_git_name, leftover
from coordinator.workspace.tracked import file_mode, read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_REPOSITORY_PARTS = frozenset({"HEAD", "objects", "refs"})
"""What makes a folder a bare repository for git (setup.c, `is_git_directory`)."""


class UntrackedFiles:
    """Finds what no commit has yet, without going into caches, build folders, submodules and other repositories."""

    def __init__(self, checkout: Beneath, entries: Sequence[TreeEntry], notes: Notes, limits: ChangeLimits) -> None:
        self._checkout = checkout
        self._notes = notes
        self._limits = limits
        self._files = {entry.path for entry in entries if entry.mode != SUBMODULE}
        self._submodules = {entry.path for entry in entries if entry.mode == SUBMODULE}
        self._folders = {folder for entry in entries for folder in folders_above(entry.path)}
        self._left = limits.new_entries

    def find(self) -> list[str]:
        """Return the paths of new files and links, sorted."""
        found = sorted(self._below("", 0))
        if self._left < 0:
            self._notes.refuse(".", f"more than {self._limits.new_entries} new entries: the rest was not looked at")
        return found

    def _below(self, folder: str, depth: int) -> Iterator[str]:
        prefix = f"{folder}/" if folder else ""
        folders: list[str] = []
        for name, mode in self._listed(folder):
            path = prefix + name
            if stat.S_ISDIR(mode):
                if self._enters(path, name, depth):
                    folders.append(path)
            elif path not in self._files and self._takes(path, name, mode):
                yield path
        for path in folders:
            yield from self._below(path, depth + 1)

    def _listed(self, folder: str) -> list[tuple[str, int]]:
        """List a folder, as far as the bound on new entries lets us."""
        prefix = f"{folder}/" if folder else ""
        listed: list[tuple[str, int]] = []
        try:
            for name, mode in self._checkout.entries(folder):
                known = prefix + name in self._files or prefix + name in self._folders
                self._left -= not known
                if known or self._left >= 0:
                    listed.append((name, mode))
        except Unreadable as error:
            self._notes.refuse(folder or ".", str(error))
        return self._own(folder, listed)

    def _own(self, folder: str, listed: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Drop what belongs to a repository of its own, and the checkout's own git directory."""
        names = {name for name, _ in listed}
        nested = any(map(is_git_name, names)) or names >= _REPOSITORY_PARTS
        if folder and nested and folder not in self._folders:
            self._notes.refuse(f"{folder}/", "a repository of its own")
            return []
        for name in names if folder else ():
            if is_git_name(name):
                self._notes.refuse(f"{folder}/{name}", "a name that belongs to git")
        return [(name, mode) for name, mode in listed if not is_git_name(name)]

    def _enters(self, path: str, name: str, depth: int) -> bool:
        if path in self._folders:
            return True
        if path in self._submodules:
            return False
        if depth >= self._limits.depth:
            self._notes.refuse(f"{path}/", f"deeper than {self._limits.depth} folders")
            return False
        kind = leftover(name, folder=True)
        if kind is Leftover.BUILD:
            self._notes.leave_out(f"{path}/", "left by a build")
        return kind is None

    def _takes(self, path: str, name: str, mode: int) -> bool:
        if leftover(name, folder=False):
            return False
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            return True
        self._notes.refuse(path, "neither a file nor a symbolic link")
        return False


def folders_above(path: str) -> Iterator[str]:
    """Give the folders on the way to a path, the nearest one first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def new_changes(
    checkout: Beneath, paths: Iterable[str], notes: Notes, limits: ChangeLimits, *, like: str
) -> Iterator[Change]:
    """Read new files and links. What cannot be read is noted. `like` is an object id of the repository."""
    for path in paths:
        try:
            yield _new_change(checkout, path, limits, like)
        except Unreadable as error:
            notes.refuse(path, str(error))


def _new_change(checkout: Beneath, path: str, limits: ChangeLimits, like: str) -> Change:
    seen = checkout.look(path)
    if seen is not None and stat.S_ISLNK(seen.st_mode):
        target = checkout.read_link(path)
        return Change(path, LINK, object_id(target, like), target)
    with checkout.open_file(path) as file:
        executable = os.fstat(file.fileno()).st_mode & 0o100 != 0
        data = read_bounded(file, limits)
    return Change(path, file_mode(data, executable=executable), object_id(data, like), data)


class IgnoreRules:
    """The ``.gitignore`` files of one commit, applied by git itself to paths that need not exist."""

    def __init__(self, repository: TrustedRepository, commit: str, folder: Path) -> None:
        """Write the rules of the commit into an empty folder of ours."""
        self._git: Git = repository.git
        self._git_dir = repository.git_dir
        self._folder = folder
        entries = [entry for entry in repository.entries(commit) if _holds_rules(entry)]
        folder.mkdir()
        with Beneath(folder) as inside:
            for entry, blob in zip(entries, repository.blobs([each.object_id for each in entries]), strict=True):
                with inside.create_file(entry.path, executable=False) as file:
                    blob.copy_to(file)

    def ignored(self, paths: Sequence[str]) -> frozenset[str]:
        """Return those of the paths that the rules ignore."""
        asked = b"".join(b"./%b\0" % os.fsencode(path) for path in paths)  # "./": a name is no pathspec magic
        call = GitCall(repository=self._git_dir, work_tree=self._folder, cwd=self._folder, stdin=asked, accept=(0, 1))
        found = self._git.run("check-ignore", "--no-index", "--stdin", "-z", call=call)
        return frozenset(os.fsdecode(path.removeprefix(b"./")) for path in found.split(b"\0") if path)


def _holds_rules(entry: TreeEntry) -> bool:
    return entry.is_file and entry.path.rpartition("/")[2] == ".gitignore"
