"""Trying out that a test fails when what it is about is gone: in a copy of the source, in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHILD_SECONDS = 120.0
CHILD = """
import sys, coordinator, pytest
if not coordinator.__file__.startswith(sys.argv[1]):
    sys.exit(f"not the copy: {coordinator.__file__}")
sys.exit(pytest.main(sys.argv[2:]))
"""
FAILED_BY = r"(AssertionError|assert |Failed: DID NOT RAISE)"
"""How the summary of pytest begins for a test that found what it looks for. Any other exception is an accident."""


@dataclass(frozen=True)
class Change:
    """One change to the source, and the test that has to notice it."""

    module: str
    """Below the package, as in ``agent/loop.py``."""
    text: str
    """Stands in the module exactly once."""
    replacement: str
    node: str
    """The test as pytest names it, as in ``tests/agent/test_loop.py::test_that``."""

    def apply_to(self, folder: Path) -> None:
        """Make the change in a copy of the source."""
        path = folder / "coordinator" / self.module
        source = path.read_text(encoding="utf-8")
        assert source.count(self.text) == 1, f"{self.module} has {source.count(self.text)} times: {self.text}"
        path.write_text(source.replace(self.text, self.replacement), encoding="utf-8")
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()


def copy_to(folder: Path) -> Path:
    """Copy what the tests need, and what of it is compiled already: that stays valid, as times are kept too."""
    for name in ("coordinator", "tests"):
        half_written = shutil.ignore_patterns("*.pyc.*")
        shutil.copytree(ROOT / name, folder / name, ignore=half_written)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run_tests(folder: Path, *nodes: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a process that has the source of this folder, and no plugin, as these take seconds to load."""
    options = ("-q", "-rf", "--tb=short", "-p", "no:cacheprovider", f"--basetemp={folder / 'kept'}")
    left_out = ("PYTEST_", "COV", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment |= {"PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "1000"}
    command = [sys.executable, "-c", CHILD, str(folder), *options, *nodes]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=CHILD_SECONDS
    )


def check_all_pass(folder: Path, *nodes: str) -> None:
    """See that tests pass with the source as it is."""
    ended = run_tests(copy_to(folder), *nodes)
    said = ended.stdout + ended.stderr
    assert ended.returncode == pytest.ExitCode.OK, said
    assert re.search(rf"(?m)^{len(set(nodes))} passed", ended.stdout), said


def check_is_noticed(folder: Path, change: Change) -> None:
    """See that the test of a change fails, and by what it asserts."""
    change.apply_to(copy_to(folder))
    ended = run_tests(folder, change.node)
    said = ended.stdout + ended.stderr
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, said
    assert re.search(rf"(?m)^FAILED {re.escape(change.node)} - {FAILED_BY}", said), said
