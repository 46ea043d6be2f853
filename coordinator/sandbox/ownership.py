"""Changing the owner of a tree that strangers may have filled."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path


def change_owner(folder: Path, uid: int, *, was: int | None = None) -> None:
    """Make uid and gid of a folder and all its content `uid`. Symbolic links are changed themselves, never followed.

    A file with a second hard link may be somebody else's file under a new name: it is changed only when `was` owns it,
    else `Misconfigured` is raised. The kernel clears setuid and setgid bits of programs with the change (chown(2)).
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, uid, uid)
        for place, folders, files, inside in os.fwalk(".", dir_fd=descriptor, follow_symlinks=False, onerror=_fail):
            for name in (*folders, *files):
                _change_entry(name, inside, uid, was=was, shown=folder / place / name)
    finally:
        os.close(descriptor)


def _change_entry(name: str, inside: int, uid: int, *, was: int | None, shown: Path) -> None:
    state = os.stat(name, dir_fd=inside, follow_symlinks=False)
    if (state.st_uid, state.st_gid) == (uid, uid):
        return
    if not stat.S_ISDIR(state.st_mode) and state.st_nlink > 1 and state.st_uid not in {was, uid}:
        raise Misconfigured(
            f"{shown} has a second hard link and cannot be given to another user",
            mend="Copy the file instead of linking it",
        )
    os.chown(name, uid, uid, dir_fd=inside, follow_symlinks=False)


def _fail(error: OSError) -> None:
    raise error
