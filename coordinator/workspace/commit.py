"""Writing a commit from bytes: no work tree, no index of anyone's, no filter, no hook."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.workspace.git import GitCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coordinator.workspace.changes import Change
    from coordinator.workspace.objects import TrustedRepository


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a commit says it is from. Nobody may conclude anything from it."""

    name: str = "coordinator"
    email: str = "coordinator@noreply.invalid"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which git learns author and committer (git-commit-tree(1))."""
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
        }


COORDINATOR = Identity()


def write_tree(repository: TrustedRepository, start: str, changes: Sequence[Change]) -> str:
    """Return the id of the tree that a commit has with the changes applied; all objects are written.

    git itself leaves out a path that is no safe file name (read-cache.c, `verify_path`); that is a `ValueError` here.
    """
    repository.git.run("fast-import", "--quiet", "--done", call=_call(repository, b"".join(_blobs(changes))))
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        repository.git.run("read-tree", start, call=_call(repository, env=env))
        lines = b"".join(_index_line(change, start) for change in changes)
        repository.git.run("update-index", "-z", "--index-info", call=_call(repository, lines, env))
        tree = repository.git.run("write-tree", call=_call(repository, env=env)).decode().strip()
    missing = {change.path for change in changes} - set(repository.changed_files(start, tree))
    if missing:
        raise ValueError(f"git did not take the paths {sorted(missing)}")
    return tree


def write_commit(repository: TrustedRepository, tree: str, parents: Sequence[str], message: str, by: Identity) -> str:
    """Write a commit object, dated now, and return its id."""
    options = [part for parent in parents for part in ("-p", parent)]
    call = _call(repository, message.encode(), by.environment)
    return repository.git.run("commit-tree", *options, tree, call=call).decode().strip()


def _call(repository: TrustedRepository, stdin: bytes = b"", env: dict[str, str] | None = None) -> GitCall:
    return GitCall(repository=repository.git_dir, stdin=stdin, env=env or {})


def _blobs(changes: Sequence[Change]) -> Iterator[bytes]:
    """Give the stream that writes each content as an object (git-fast-import(1), "blob")."""
    for change in changes:
        if change.mode is not None:
            yield b"blob\ndata %d\n%b\n" % (len(change.data), change.data)
    yield b"done\n"


def _index_line(change: Change, like: str) -> bytes:
    """Return ``mode SP id TAB path NUL``; mode 0 takes the path out (git-update-index(1), "--index-info")."""
    about = f"{change.mode or '0'} {change.object_id or '0' * len(like)}\t"
    return about.encode() + os.fsencode(change.path) + b"\0"
