"""Reading a git repository by its objects: never its work tree, its index, its hooks, its filters or its attributes.

Good for a clone of ours and for a person's own repository alike: nothing is written there. Plumbing only, which runs no
external diff and no textconv unless told to (git-diff-tree(1)). What git prints is read in
its NUL-separated formats only (git-ls-tree(1), git-diff-tree(1), git-cat-file(1), "BATCH OUTPUT").
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Self

from coordinator.errors import Misconfigured
from coordinator.workspace.git import Git, GitCall, GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

REGULAR = "100644"
EXECUTABLE = "100755"
LINK = "120000"
SUBMODULE = "160000"

_MEGABYTE = 1024 * 1024
_CHUNK = _MEGABYTE
_LINK_BYTES = 4096
_BATCH_HEADER = re.compile(rb"[0-9a-f]+ \w+ (?P<size>\d+)\n")
_LACKING = re.compile(
    r"promisor remote|transport '\w+' not allowed"
    r"|is corrupt|unable to (?:read|stream)|Could not read|invalid object type"
)
"""What git says, with ``LC_ALL=C``, of an object that is not there or cannot be read (promisor-remote.c, transport.c,
object-file.c, builtin/cat-file.c). An older git than `FIXED_ENVIRONMENT` asks for tries to fetch, and may not."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, link or submodule of a tree.

    `path` holds bytes that are not UTF-8 as lone surrogates, as `os.fsdecode` does.
    """

    path: str
    mode: str
    """Six octal digits; old trees have regular files with other modes than 100644 and 100755."""
    object_id: str
    size: int
    """Bytes of content; 0 for a submodule."""

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode.startswith("100")

    @property
    def is_executable(self) -> bool:
        """Whether it is a regular file that may be executed."""
        return self.is_file and int(self.mode, 8) & 0o100 != 0


@dataclass(frozen=True, slots=True)
class Blob:
    """One object while it is being read: exactly `size` bytes stand in the stream.

    Of a damaged object fewer may come out; then `TrustedRepository.blobs` raises when the next one is asked for.
    """

    size: int
    stream: IO[bytes]

    def read(self) -> bytes:
        """Return the content."""
        return self.stream.read(self.size)

    def copy_to(self, target: IO[bytes]) -> None:
        """Write the content, piece by piece."""
        left = self.size
        while piece := self.stream.read(min(left, _CHUNK)):
            target.write(piece)
            left -= len(piece)


class TrustedRepository:
    """The objects of one repository, read-only.

    Methods raise `GitFailed` when an object id given to them is none of this repository, and
    `coordinator.errors.Misconfigured` when the repository lacks what its own trees name: nothing is fetched.
    """

    def __init__(self, git_dir: Path, git: Git | None = None) -> None:
        self.git_dir = git_dir
        self.git = git or Git()
        self._call = GitCall(repository=git_dir)

    @classmethod
    def discover(cls, folder: Path, git: Git | None = None) -> Self:
        """Find the repository that a folder belongs to, as git itself would, whoever owns it.

        Raises `coordinator.errors.Misconfigured` when there is none.
        """
        return cls(find_git_dir(folder, git or Git()), git)

    def resolve(self, revision: str = "HEAD") -> str:
        """Return the commit that a name stands for.

        Raises `coordinator.errors.Misconfigured` when there is no such commit.
        """
        try:
            found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except GitFailed as failure:
            if revision == "HEAD":
                raise Misconfigured(f"{self.git_dir} has no commits", mend="Commit the project first") from failure
            raise Misconfigured(
                f"{self.git_dir} has no commit {revision!r}",
                mend="Give a branch, a tag or a commit that is there, or fetch it",
            ) from failure
        return found.decode().strip()

    def tree_of(self, commit: str) -> str:
        """Return the id of a commit's tree."""
        return self._git("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").decode().strip()

    def merge_base(self, first: str, second: str) -> str | None:
        """Return the best common ancestor of two commits; None when they share no history."""
        found = self._git("merge-base", first, second, accept=(0, 1)).decode().split()
        return found[0] if found else None

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether everything in the first commit's history is in the second's."""
        return self.merge_base(ancestor, commit) == ancestor

    def entries(self, tree: str) -> tuple[TreeEntry, ...]:
        """Return all files, links and submodules of a tree or commit, at any depth, in git's order."""
        listing = self._git("ls-tree", "-r", "-l", "-z", "--full-tree", tree)
        return tuple(self._tree_entry(line) for line in listing.split(b"\0") if line)

    def entry(self, tree: str, path: str) -> TreeEntry | None:
        """Return what is at a path of a tree or commit; None for nothing, and for a folder."""
        call = replace(self._call, env={"GIT_LITERAL_PATHSPECS": "1"})
        line = self._run("ls-tree", "-l", "-z", "--full-tree", tree, "--", path, call=call).partition(b"\0")[0]
        if not line or b" tree " in line.partition(b"\t")[0]:
            return None
        entry = self._tree_entry(line)
        return entry if entry.path == path else None

    def read_file(self, commit: str, path: str, *, limit: int = 10 * _MEGABYTE) -> bytes | None:
        """Return a regular file of a commit; None when there is none.

        Raises `coordinator.errors.Misconfigured` when it has more than `limit` bytes.
        """
        entry = self.entry(commit, path)
        if entry is None or not entry.is_file:
            return None
        if entry.size > limit:
            raise Misconfigured(
                f"{path} has {entry.size} bytes, more than the {limit} that are read", mend=f"Make {path} smaller"
            )
        return self._git("cat-file", "blob", entry.object_id)

    def blobs(self, object_ids: Sequence[str]) -> Iterator[Blob]:
        """Give objects one after the other; each has to be read completely before the next one is asked for.

        Raises `coordinator.errors.Misconfigured` when the repository lacks one of them, or holds it damaged.
        """
        if not object_ids:
            return
        wanted = "".join(f"{object_id}\n" for object_id in object_ids).encode()
        call = replace(self._call, stdin=wanted, seconds=600)
        with self._complete(), self.git.stream("cat-file", "--batch", "--buffer", call=call) as stream:
            for object_id in object_ids:
                header = stream.readline()
                if not header:
                    break  # git has ended: leaving the stream tells why
                found = _BATCH_HEADER.fullmatch(header)
                if found is None:
                    raise self._lacks(f"the object {object_id}")
                yield Blob(int(found["size"]), stream)
                stream.read(1)

    def link_targets(self, entries: Sequence[TreeEntry]) -> dict[str, bytes]:
        """Return where the symbolic links among the entries lead, by path.

        A target that is longer than any system takes comes out empty.
        """
        links = [entry for entry in entries if entry.mode == LINK and entry.size <= _LINK_BYTES]
        targets = {entry.path: b"" for entry in entries if entry.mode == LINK}
        blobs = self.blobs([entry.object_id for entry in links])
        return targets | {entry.path: blob.read() for entry, blob in zip(links, blobs, strict=True)}

    def changed_files(self, old: str, new: str) -> tuple[str, ...]:
        """Return the paths in which two commits or trees differ, sorted. A renamed file is two paths."""
        listing = self._git("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
        return tuple(sorted(os.fsdecode(path) for path in listing.split(b"\0") if path))

    def line_counts(self, old: str, new: str) -> tuple[int, int]:
        """Return how many lines were added and removed between two commits or trees; binary files count as none."""
        listing = self._git("diff-tree", "-r", "-z", "--numstat", "--no-renames", old, new)
        counts = [line.split(b"\t")[:2] for line in listing.split(b"\0") if line]
        return sum(_count(added) for added, _ in counts), sum(_count(removed) for _, removed in counts)

    def diff(self, old: str, new: str, *, limit: int = 200_000) -> str:
        """Return the difference of two commits or trees as a patch for people, at most `limit` bytes of it."""
        call = replace(self._call, output_bytes=limit + 1)
        patch = self._run("diff-tree", "-r", "-p", "--no-renames", old, new, call=call)
        text = patch[:limit].decode(errors="replace")
        return text if len(patch) <= limit else f"{text}\n[cut off after {limit} bytes]\n"

    def stat(self, old: str, new: str, *, limit: int = 8_000) -> str:
        """Return which files differ between two commits or trees and by how much, as ``git diff --stat`` shows it.

        At most `limit` bytes, of a hundred files; which ones are new or gone comes last. Empty for no difference.
        """
        call = replace(self._call, output_bytes=limit)
        options = ("--stat=120,90", "--stat-count=100", "--summary", "--no-renames")
        shown = self._run("diff-tree", "-r", *options, old, new, call=call)
        return shown.decode(errors="replace").rstrip()

    def _git(self, *arguments: str, accept: Sequence[int] = (0,)) -> bytes:
        return self._run(*arguments, call=replace(self._call, accept=accept))

    def _run(self, *arguments: str, call: GitCall) -> bytes:
        with self._complete():
            return self.git.run(*arguments, call=call)

    @contextmanager
    def _complete(self) -> Iterator[None]:
        """Tell what git says of an object that it cannot read as what it is: a fault of the repository."""
        try:
            yield
        except GitFailed as failure:
            if _LACKING.search(failure.stderr):
                raise self._lacks("an object that is needed") from failure
            raise

    def _lacks(self, what: str) -> Misconfigured:
        return Misconfigured(
            f"{self.git_dir} lacks {what}, or cannot read it (a partial clone?)",
            mend="Fetch all of it: git fetch --refetch --no-filter. git fsck names what is damaged",
        )

    def _tree_entry(self, line: bytes) -> TreeEntry:
        r"""Read one line of ``ls-tree -l -z``, like ``100644 blob 2f7e…   12\tsrc/a.py``.

        A submodule's size is ``-``, that of an object which cannot be read ``BAD`` (git's builtin/ls-tree.c).
        """
        about, _, path = line.partition(b"\t")
        mode, _, object_id, size = about.decode().split()
        if size == "BAD":
            raise self._lacks(f"the object {object_id}")
        return TreeEntry(os.fsdecode(path), mode, object_id, 0 if size == "-" else int(size))


def _count(field: bytes) -> int:
    return 0 if field == b"-" else int(field)


def find_git_dir(folder: Path, git: Git) -> Path:
    """Return the git directory of a folder inside a checkout, or of a bare repository.

    The repository may belong to another user: exactly the folder and those above it are declared safe (git-config(1),
    ``safe.directory``), since a person named the folder. Raises `coordinator.errors.Misconfigured` for no repository.
    """
    place = folder.resolve()
    bare = (place / "HEAD").is_file() and (place / "objects").is_dir() and (place / "refs").is_dir()
    safe = tuple(f"safe.directory={each}" for each in (place, *place.parents))
    call = GitCall(repository=place) if bare else GitCall(repository=None, cwd=place, config=safe)
    try:
        found = git.run("rev-parse", "--absolute-git-dir", call=call) if place.is_dir() else b""
    except GitFailed as failure:
        raise _no_repository(folder) from failure
    if not found:
        raise _no_repository(folder)
    return type(place)(os.fsdecode(found.removesuffix(b"\n")))


def _no_repository(folder: Path) -> Misconfigured:
    return Misconfigured(
        f"{folder} is not a git repository",
        mend="Name the folder of a git repository, or run `git init` and commit there",
    )
