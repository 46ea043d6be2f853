"""Reading and writing below a folder whose content somebody else decided.

A judged tree may hold symbolic links that point anywhere. The coordinator may be root, so it follows none of them:
neither the last part of a path nor one of its folders.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_LIMIT = 4 * 1024 * 1024
"""Bytes of a configuration file that are read at most; larger ones count as absent."""


def place_below(root: Path, relative: str) -> Path | None:
    """Return the path of `relative` below `root`; None when a folder on the way is a link or the path leaves `root`."""
    parts = PurePosixPath(relative).parts
    if not parts or ".." in parts or PurePosixPath(relative).is_absolute():
        return None
    folder = root
    for part in parts[:-1]:
        folder /= part
        if folder.is_symlink():
            return None
    return folder / parts[-1]


def read_below(root: Path, relative: str, limit: int = TEXT_LIMIT) -> bytes | None:
    """Return the bytes of a regular file below `root`; None when there is none, it is a link, or it is over `limit`."""
    path = place_below(root, relative)
    return None if path is None else read_regular(path, limit)


def read_regular(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a regular file of at most `limit` bytes, not following a link in the last part; else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def text_below(root: Path, relative: str) -> str | None:
    """Return the text of a file below `root`, None as with `read_below` or when it is no UTF-8."""
    data = read_below(root, relative)
    if data is None:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def write_below(root: Path, relative: str, data: bytes, mode: int = 0o644) -> bool:
    """Put a file below `root` in place of what is there; False when a folder on the way is a link or a file."""
    path = place_below(root, relative)
    if path is None:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_below(root, relative)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, mode)
    return True


def remove_below(root: Path, relative: str) -> None:
    """Remove a file, link or folder below `root`, if it is there."""
    path = place_below(root, relative)
    if path is None:
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def files_below(root: Path) -> Iterator[str]:
    """Yield the regular files below `root`, sorted, ``/``-separated, without following links or entering ``.git``."""
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink() and path.is_file():
                yield path.relative_to(root).as_posix()


def take_back(folder: Path) -> None:
    """Make a folder and all in it the coordinator's own again: readable by all, writable by nobody else.

    For folders that confined commands have written; call it when none of them runs any more.
    """
    for parent, folders, names in os.walk(folder, followlinks=False):
        for name in [*folders, *names]:
            _own(Path(parent, name))
    _own(folder)


def _own(path: Path) -> None:
    os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
    if path.is_symlink():
        return
    mode = stat.S_IMODE(path.lstat().st_mode)
    reading = 0o555 if path.is_dir() or mode & 0o111 else 0o444
    path.chmod((mode | reading | 0o200) & 0o755)
