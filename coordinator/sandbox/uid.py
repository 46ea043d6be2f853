"""A uid of its own for the confined side, held for as long as the coordinator lives."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UIDS = range(60600, 61100)
"""In a range that no distribution or tool hands out (systemd, "Users, Groups, UIDs and GIDs": 60578 to 61183 unused),
and below 65536, so that it exists in containers whose user namespace maps no more."""


@dataclass(frozen=True, slots=True)
class UidLease:
    """A uid, which is also the number of its only group. Ends with `release` or with this process."""

    uid: int
    lock: int
    """Descriptor whose lock holds the uid."""

    def release(self) -> None:
        """Let others have the uid. Only when no process of it is left."""
        os.close(self.lock)


def lock_folders() -> tuple[Path, ...]:
    """Places for the lock files, best first; the second is for containers with a read-only /run."""
    return Path("/run/coordinator"), Path(tempfile.gettempdir()) / "coordinator-uids"


def lease_uid(folders: Sequence[Path] | None = None, uids: Iterable[int] = UIDS) -> UidLease:
    """Take the first uid that no account and no other coordinator has. Only root can use it.

    Raises `Misconfigured` when there is no folder for locks, or no uid left.
    """
    folder = _open_lock_folder(lock_folders() if folders is None else folders)
    try:
        for uid in uids:
            if not _has_account(uid) and (lock := _try_lock(folder, str(uid))) is not None:
                return UidLease(uid, lock)
    finally:
        os.close(folder)
    raise Misconfigured(
        "every uid for confined commands is taken by another coordinator or an account",
        mend="Let fewer coordinators run on this machine at once",
    )


def _open_lock_folder(folders: Sequence[Path]) -> int:
    """Open the first folder that can be made and that only we can write; a stranger's folder is not used."""
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        state = os.fstat(descriptor)
        if state.st_uid == os.geteuid() and not stat.S_IMODE(state.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
            return descriptor
        os.close(descriptor)
    raise Misconfigured(
        f"no private folder for locks can be made at {' or '.join(map(str, folders))}",
        mend="Make one of them writable for root alone",
    )


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        try:
            grp.getgrgid(uid)
        except KeyError:
            return False
    return True


def _try_lock(folder: int, name: str) -> int | None:
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
