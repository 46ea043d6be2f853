"""The cache of mypy, kept between judgements of one project.

Why a kept cache cannot carry a lie from one tree into the next verdict:

- mypy parses the judged tree and runs nothing of it. What it writes is a function of the files that it read. With
  plugins, which are code, nothing is lent or kept (see `coordinator.gates.python.build_gate`).
- mypy works on a private copy, in a folder whose name no other confined command can learn. The tests, which run at the
  same time as the same uid, can write neither there nor to what is kept: that is the coordinator's own.
- Only a copy of a tree that passed all gates, by the rules of its base, is kept.
- mypy believes an entry when size and time of the file are those of the entry, the time in whole seconds, and compares
  hashes otherwise. So each judgement gives its files a time that nobody can foresee, and hashes decide.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.gates.cache.kept_files import is_ours_alone
from coordinator.gates.files import files_below, read_below, write_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.gates.protocol import Verdict
    from coordinator.sandbox.protocol import Sandbox

MOST_PROJECTS = 20
"""Caches that are kept; the one used longest ago goes first. Each has 2 to 30 MB."""

MOST_BYTES = 256 * 1024 * 1024
"""Of one cache: more is not kept."""

NAME = re.compile(r"[0-9a-f]{64}")
EARLIEST, LATEST = 1_000_000_000, 2**31 - 1
"""Times that every file system can hold."""


@dataclass(slots=True)
class MypyCache:
    """What is kept of earlier judgements in `folder`, and what this judgement leaves for later ones."""

    folder: Path
    _staged: list[tuple[str, Path]] = field(default_factory=list)

    def lend(self, name: str, target: Path, sandbox: Sandbox) -> None:
        """Make `target` a folder that confined commands can write, with a copy of the cache of that name, if any.

        `name` is a SHA-256 in hexadecimal of all that makes caches differ.
        """
        target.mkdir(mode=0o700)
        with self._locked(fcntl.LOCK_SH) as is_ours:
            if is_ours and (self.folder / name).is_dir():
                copy_files(self.folder / name, target)
                os.utime(self.folder / name)
        sandbox.give(target)

    def take(self, name: str, source: Path) -> None:
        """Put a copy of what mypy left in `source` aside. To be called when mypy has ended."""
        with self._locked(fcntl.LOCK_SH) as is_ours:
            if not is_ours or not NAME.fullmatch(name):
                return
            fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
            self._staged.append((name, fresh))
            if not copy_files(source, fresh):
                self.drop()

    def conclude(self, verdict: Verdict) -> None:
        """Keep what was put aside if the tree passed all gates, else delete it."""
        with self._locked(fcntl.LOCK_EX) as is_ours:
            if is_ours and verdict.passed and self._staged:
                for name, fresh in self._staged:
                    shutil.rmtree(self.folder / name, ignore_errors=True)
                    fresh.rename(self.folder / name)
                self._staged.clear()
                self._prune()
        self.drop()

    def drop(self) -> None:
        """Delete what was put aside and not kept."""
        for _, fresh in self._staged:
            shutil.rmtree(fresh, ignore_errors=True)
        self._staged.clear()

    def _prune(self) -> None:
        """Delete the caches above the number, and what a kill left half made a day ago or longer."""
        entries = sorted(self.folder.iterdir(), key=lambda entry: entry.stat(follow_symlinks=False).st_mtime)
        kept = [entry for entry in entries if NAME.fullmatch(entry.name)]
        newest = entries[-1].stat(follow_symlinks=False).st_mtime
        left = [
            entry
            for entry in entries
            if entry.name.startswith(".new-") and entry.stat(follow_symlinks=False).st_mtime < newest - 86400
        ]
        for entry in (*kept[:-MOST_PROJECTS], *left):
            shutil.rmtree(entry, ignore_errors=True)

    @contextmanager
    def _locked(self, kind: int) -> Iterator[bool]:
        """Hold the lock of the folder; gives whether the folder is there and the coordinator's alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            yield False
            return
        try:
            fcntl.flock(descriptor, kind)
            yield is_ours_alone(os.fstat(descriptor))
        finally:
            os.close(descriptor)


def copy_files(source: Path, target: Path) -> bool:
    """Copy the regular files below a folder, without following links; False when they are more than `MOST_BYTES`."""
    left = MOST_BYTES
    for name in files_below(source):
        data = read_below(source, name, left)
        if data is None:
            return False
        left -= len(data)
        write_below(target, name, data, 0o600)
    return True


def set_unforeseeable_time(folder: Path) -> None:
    """Give all files below a folder that only the coordinator can write one random time of change."""
    moment = EARLIEST + secrets.randbelow(LATEST - EARLIEST)
    for name in files_below(folder):
        os.utime(folder / name, (moment, moment), follow_symlinks=False)
