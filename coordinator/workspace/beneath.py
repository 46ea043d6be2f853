"""Access to what lies below one folder, and to nothing else.

The folder belongs to somebody else: at any moment a part of a path may turn into a symbolic link, and what looks like
a file may be a pipe or a device. So every part of a path is opened by itself, relative to the one before, and never
through a link (openat(2) with ``O_NOFOLLOW``).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Unreadable(Exception):
    """What is there is not a file or link that may be read. The message is the reason."""


class Beneath:
    """The inside of one folder. Paths are relative, ``/``-separated, and hold no ``.`` and no ``..``.

    Neighbouring paths are cheap: the folders on the way to the last one stay open.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FOLDER)
        self._open: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._keep(0)
        os.close(self._root)

    def _keep(self, depth: int) -> None:
        while len(self._open) > depth:
            os.close(self._open.pop()[1])

    def _folder(self, path: str, *, create: bool = False) -> int:
        """Open the folder of that path ("" is the root) and return its descriptor, which stays ours."""
        parts = path.split("/") if path else []
        shared = 0
        while shared < min(len(parts), len(self._open)) and parts[shared] == self._open[shared][0]:
            shared += 1
        self._keep(shared)
        for part in parts[shared:]:
            above = self._open[-1][1] if self._open else self._root
            if create:
                _make_folder(above, part)
            self._open.append((part, os.open(part, _FOLDER, dir_fd=above)))
        return self._open[-1][1] if self._open else self._root

    def look(self, path: str) -> os.stat_result | None:
        """Return what is at the path, of a link the link itself; None when nothing can be there.

        Raises `Unreadable` when it cannot be told.
        """
        folder, _, name = path.rpartition("/")
        try:
            return os.stat(name, dir_fd=self._folder(folder), follow_symlinks=False)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise Unreadable(_reason(error)) from error

    def entries(self, path: str) -> Iterator[tuple[str, int]]:
        """Give the names in a folder and their ``st_mode``, in the order of the disk.

        Raises `Unreadable` when the folder cannot be listed.
        """
        try:
            with os.scandir(self._folder(path)) as listing:
                for entry in listing:
                    try:
                        yield entry.name, entry.stat(follow_symlinks=False).st_mode
                    except FileNotFoundError:
                        continue
        except OSError as error:
            raise Unreadable(_reason(error)) from error

    def open_file(self, path: str) -> IO[bytes]:
        """Open a regular file with one name for reading. Raises `Unreadable` for everything else."""
        seen = self.look(path)
        if seen is None or not stat.S_ISREG(seen.st_mode):
            raise Unreadable("not a regular file")
        folder, _, name = path.rpartition("/")
        try:
            descriptor = os.open(name, _READ, dir_fd=self._folder(folder))
        except OSError as error:
            raise Unreadable(_reason(error)) from error
        file = os.fdopen(descriptor, "rb", buffering=0)
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode) or opened.st_nlink != 1:
            file.close()
            raise Unreadable("a hard link: the file has another name elsewhere")
        return file

    def read_link(self, path: str) -> bytes:
        """Return the target of a symbolic link. Raises `Unreadable` when there is none."""
        folder, _, name = path.rpartition("/")
        try:
            return os.fsencode(os.readlink(name, dir_fd=self._folder(folder)))
        except OSError as error:
            raise Unreadable(_reason(error)) from error

    def create_file(self, path: str, *, executable: bool) -> IO[bytes]:
        """Create a new file, and the folders on the way to it, with mode 0644 or 0755 whatever the umask."""
        folder, _, name = path.rpartition("/")
        descriptor = os.open(name, _CREATE, 0o600, dir_fd=self._folder(folder, create=True))
        os.fchmod(descriptor, 0o755 if executable else 0o644)
        return os.fdopen(descriptor, "wb")

    def create_link(self, path: str, target: bytes) -> None:
        """Create a symbolic link, and the folders on the way to it."""
        folder, _, name = path.rpartition("/")
        os.symlink(target, os.fsencode(name), dir_fd=self._folder(folder, create=True))


def _make_folder(above: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=above)
    except FileExistsError:
        return
    descriptor = os.open(name, _FOLDER, dir_fd=above)
    try:
        os.fchmod(descriptor, 0o755)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return f"cannot be read ({os.strerror(error.errno or 0).lower()})"
