"""Sandboxes for tests, and coverage of the launcher, which runs in processes of its own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest

from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.running import PACKAGE_ROOT, Launcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.sandbox.confined import ConfinedSandbox

_MEASURE = """
import os, sys
sys.path += sys.argv[1:3]
import coverage, random, sqlite3
measure = coverage.Coverage(
    data_file=sys.argv[3], data_suffix=True, branch=True, config_file=False, source=[sys.argv[1] + "/coordinator/sandbox"]
)
measure.start()
def saving(leave):
    def save_and_leave(*arguments):
        measure.stop()
        measure.save()
        try:
            leave(*arguments)
        finally:
            measure.start()
    return save_and_leave
os._exit, os.execve = saving(os._exit), saving(os.execve)
from coordinator.sandbox.launcher.supervisor import main
main()
os._exit(0)
"""


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Start launchers as they are, or, under coverage, so that they are measured too."""
    measuring = coverage.Coverage.current()
    if measuring is None:
        yield Launcher()
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        library = str(Path(coverage.__file__).parents[1])
        argv = (sys.executable, "-I", "-S", "-c", _MEASURE, str(PACKAGE_ROOT), library, f"{folder}/data")
        yield Launcher(argv=argv)
        for name in Path(folder).iterdir():
            piece = coverage.CoverageData(str(name))
            piece.read()
            measuring.get_data().update(piece)
            piece.close()


@pytest.fixture(scope="session")
def sandbox(launcher: Launcher) -> Iterator[ConfinedSandbox]:
    """Give the sandbox that this machine allows; one for all tests, as in a run of the coordinator."""
    with open_sandbox(visible=interpreter_paths(), launcher=launcher, processes=128) as opened:
        yield opened
