"""What of a person's checkout is not in a commit. The files' bytes are compared here: git would run filters on them."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from coordinator.workspace.git import GitCall, GitFailed
from coordinator.workspace.objects import SUBMODULE

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.workspace.objects import TreeEntry, TrustedRepository

_SHA1_DIGITS = 40


def uncommitted(repository: TrustedRepository, commit: str, checkout: Path) -> tuple[str, ...]:
    """Return the paths that differ from the commit or are new, sorted; nothing for a bare repository.

    A folder of new files is one path with a slash at its end. What the project's own ignore rules name is left out,
    and so are virtual environments.
    """
    if not (checkout / ".git").exists():
        return ()
    entries = repository.entries(commit)
    changed = {entry.path for entry in entries if entry.mode != SUBMODULE and not _is_same(entry, checkout)}
    return tuple(sorted(changed | (_listed(repository, checkout) - {entry.path for entry in entries})))


def _is_same(entry: TreeEntry, checkout: Path) -> bool:
    path = checkout / entry.path
    try:
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
    except OSError:
        return False
    digest = hashlib.sha1(usedforsecurity=False) if len(entry.object_id) == _SHA1_DIGITS else hashlib.sha256()
    digest.update(b"blob %d\0" % len(content) + content)
    return digest.hexdigest() == entry.object_id


def _listed(repository: TrustedRepository, checkout: Path) -> set[str]:
    """Return what is in the index, and what is not but is not ignored either (git-ls-files(1))."""
    call = GitCall(repository=repository.git_dir, work_tree=checkout, cwd=checkout)
    options = ("--cached", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    try:
        listing = repository.git.run("ls-files", *options, call=call)
    except GitFailed:  # the index is broken, or another process is writing it: what is left out is a note only
        return set()
    paths = {os.fsdecode(path) for path in listing.split(b"\0") if path}
    return {path for path in paths if not (checkout / path / "pyvenv.cfg").exists()}
