"""Coverage of what runs in processes of its own: launchers with a clean environment, and whole coordinators."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import coverage

from coordinator.sandbox.running import PACKAGE_ROOT, Launcher

_START = """
import os, sys
sys.path += [{root!r}, {library!r}]
import coverage, random, sqlite3
source = [{root!r} + "/coordinator/sandbox"]
measure = coverage.Coverage({data!r}, data_suffix=True, branch=True, config_file=False, source=source)
measure.start()
"""

_LAUNCHER = """
def saving(leave):
    def save_and_leave(*arguments):
        measure.save()
        leave(*arguments)
    return save_and_leave
os._exit, os.execve = saving(os._exit), saving(os.execve)
from coordinator.sandbox.launcher.supervisor import main
main()
os._exit(0)
"""

_COORDINATOR = """
import atexit, functools
atexit.register(lambda: (measure.stop(), measure.save()))
"""

_LAUNCHERS = """
from coordinator.sandbox.running import Launcher
open_sandbox = functools.partial(open_sandbox, launcher=Launcher(argv={argv!r}))
"""


@cache
def folder() -> Path:
    """Make the folder of the pieces, for every uid."""
    made = Path(tempfile.mkdtemp(prefix="coverage-"))
    made.chmod(0o777)
    return made


def launcher() -> Launcher:
    """Start launchers as they are, or, under coverage, so that they are measured too."""
    if coverage.Coverage.current() is None:
        return Launcher()
    return Launcher(argv=(sys.executable, "-I", "-S", "-c", _start() + _LAUNCHER))


def coordinator_head() -> str:
    """Give what a script that opens sandboxes begins with, so that it is measured too under coverage."""
    return "" if coverage.Coverage.current() is None else _start() + _COORDINATOR


def launchers_head() -> str:
    """Give what it begins with in addition when its launchers are to be measured, which costs time for each."""
    return "" if coverage.Coverage.current() is None else _LAUNCHERS.format(argv=launcher().argv)


def merge() -> None:
    """Add all pieces to the measurement of this process. One that was killed while it was written is left out."""
    measuring = coverage.Coverage.current()
    if measuring is None:
        return
    for name in folder().iterdir():
        with suppress(coverage.CoverageException):
            piece = coverage.CoverageData(str(name))
            piece.read()
            measuring.get_data().update(piece)
        name.unlink()
    folder().rmdir()


def _start() -> str:
    library = Path(coverage.__file__).parents[1]
    return _START.format(root=str(PACKAGE_ROOT), library=str(library), data=str(folder() / "data"))
