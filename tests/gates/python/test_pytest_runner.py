"""The runner as the tests' process sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from coordinator.gates.python import pytest_runner
from coordinator.gates.python.pytest_runner import PROGRESS_BYTES, VARIABLE, Progress, SourceFinder
from tests.support import write_files


def test_only_the_named_top_level_modules_are_found(tmp_path: Path) -> None:
    write_files(tmp_path, {"own/__init__.py": "", "pytest.py": ""})
    finder = SourceFinder(["own", "gone"], [str(tmp_path)])
    spec = finder.find_spec("own", None)
    assert spec is not None
    assert spec.origin == str(tmp_path / "own" / "__init__.py")
    assert finder.find_spec("pytest", None) is None
    assert finder.find_spec("gone", None) is None
    assert finder.find_spec("own", [str(tmp_path)]) is None


def test_pytest_runs_with_the_sources_first_and_tells_its_progress(tmp_path: Path) -> None:
    test = (
        "import os\nimport sys\n\nimport click\n\n\ndef test_a() -> None:\n    assert click.OWN\n"
        "    assert 'COORDINATOR_SOURCES' not in os.environ\n    assert os.environ['PYTHONPATH'] == 'the-path'\n"
        "    assert sys.path[0].endswith('src')\n"
    )
    ini = "[pytest]\nfilterwarnings =\n    error\n    ignore::click.OwnWarning\n"
    code = "OWN = True\n\n\nclass OwnWarning(Warning): ...\n"
    write_files(tmp_path, {"src/click/__init__.py": code, "test_a.py": test, "pytest.ini": ini})
    settings = {
        "roots": [str(tmp_path / "src")],
        "names": ["click"],
        "path": "the-path",
        "progress": str(tmp_path / "now"),
    }
    done = subprocess.run(
        [sys.executable, pytest_runner.__file__, "--import-mode=importlib", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={VARIABLE: json.dumps(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(tmp_path / "now").read_bytes().rstrip(b"\0") == b"test_a.py::test_a"


def test_what_is_left_at_the_end_is_not_looked_through_for_garbage(tmp_path: Path) -> None:
    conftest = """
import atexit
import gc
from pathlib import Path

NOTE = Path(__file__).with_name("frozen")


def at_the_end() -> None:
    NOTE.write_text(f"{len(gc.get_objects())} {gc.get_freeze_count()}")


atexit.register(at_the_end)
"""
    write_files(
        tmp_path, {"conftest.py": conftest, "test_a.py": "def test_a() -> None: ...\n", "pytest.ini": "[pytest]\n"}
    )
    settings = {"roots": [], "names": [], "path": "", "progress": str(tmp_path / "now")}
    subprocess.run(
        [sys.executable, pytest_runner.__file__, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={VARIABLE: json.dumps(settings)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    looked_at, frozen = map(int, (tmp_path / "frozen").read_text().split())
    assert looked_at < frozen / 10


def test_the_progress_is_the_last_test_also_after_a_longer_one_and_never_more_than_its_file(tmp_path: Path) -> None:
    progress = Progress(str(tmp_path / "now"))
    progress.note("tests/test_a.py::test_with_a_long_name")
    progress.note("tests/test_b.py::t")
    assert (tmp_path / "now").read_bytes() == b"tests/test_b.py::t".ljust(PROGRESS_BYTES, b"\0")
    progress.note("\udc80" + "x" * 2 * PROGRESS_BYTES)
    assert (tmp_path / "now").read_bytes() == b"?".ljust(PROGRESS_BYTES, b"x")


def test_without_a_file_that_can_be_mapped_the_tests_go_on() -> None:
    Progress("/dev/null").note("tests/test_a.py::test_a")
