"""Small files that the coordinator keeps for its next run, in a folder where only it may write.

What is read back decides about verdicts, so it counts only where nobody else can have written it: the folder and the
file have to belong to the coordinator's own uid and be closed to all others, and no link is followed. Where confined
commands share the coordinator's uid, this proves nothing: see `coordinator.commands.confining`.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OTHERS = stat.S_IRWXG | stat.S_IRWXO
MOST_BYTES = 8 * 1024 * 1024
"""Of one file: a verdict of 5 gates with 50 findings each has some 600 kB at the most."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """A folder of files with names of our own choice, bounded in number and age."""

    folder: Path
    most: int = 200
    """Files; the oldest go first."""
    days: float = 14.0
    """How long a file counts."""
    now: Callable[[], float] = time.time

    def read(self, name: str) -> bytes | None:
        """Return the content of a file that counts, else None."""
        folder = self._opened()
        if folder is None:
            return None
        try:
            return self._content(name, folder)
        except OSError:
            return None
        finally:
            os.close(folder)

    def write(self, name: str, data: bytes) -> bool:
        """Put a file in place, whole or not at all; False where it cannot be kept."""
        if len(data) > MOST_BYTES:
            return False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = self._opened()
            if folder is None:
                return False
            os.close(folder)
            self._put(name, data)
            self._prune()
        except OSError:
            return False
        return True

    def _opened(self) -> int | None:
        """Return a descriptor of the folder if it is ours alone."""
        try:
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        if is_ours_alone(os.fstat(folder)):
            return folder
        os.close(folder)
        return None

    def _content(self, name: str, folder: int) -> bytes | None:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not is_ours_alone(status) or not self._is_current(status.st_mtime):
                return None
            data = file.read(MOST_BYTES + 1)
        return data if len(data) <= MOST_BYTES else None

    def _is_current(self, changed: float) -> bool:
        """Say whether a time of change is within the days that count; one in the future is a clock set back."""
        return 0 <= self.now() - changed + 1 <= self.days * 86400

    def _put(self, name: str, data: bytes) -> None:
        descriptor, fresh = tempfile.mkstemp(prefix=".new-", dir=self.folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(fresh).rename(self.folder / name)
        except OSError:
            Path(fresh).unlink(missing_ok=True)
            raise

    def _prune(self) -> None:
        """Delete what does not count any more, what a kill left half written, and the oldest above the number."""
        found = sorted((entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in os.scandir(self.folder))
        for place, (changed, path) in enumerate(reversed(found)):
            if place >= self.most or not self._is_current(changed):
                Path(path).unlink(missing_ok=True)


def is_ours_alone(status: os.stat_result) -> bool:
    """Say whether a file or folder is of our own uid and closed to all others."""
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & OTHERS
