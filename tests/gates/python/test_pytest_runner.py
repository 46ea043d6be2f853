"""The runner as the tests' process sees it."""

from __future__ import annotations

import _thread
import contextvars
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.assertion import rewrite

from coordinator.gates.python import pytest_runner
from coordinator.gates.python.pytest_runner import (
    PROGRESS_BYTES,
    VARIABLE,
    Progress,
    SourceFinder,
    rewriting_untraced,
    untraced,
)
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping


def run_python(folder: Path, settings: Mapping[str, object], *argv: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder with the runner's settings, to which the file of the progress, `now`, is added."""
    return subprocess.run(
        [sys.executable, *argv],
        cwd=folder,
        env={VARIABLE: json.dumps({**settings, "progress": str(folder / "now")})},
        capture_output=True,
        text=True,
        check=False,
    )


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
    settings = {"roots": [str(tmp_path / "src")], "names": ["click"], "path": "the-path"}
    done = run_python(tmp_path, settings, pytest_runner.__file__, "--import-mode=importlib", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert Path(tmp_path / "now").read_bytes().rstrip(b"\0") == b"test_a.py::test_a"


WATCHED = """
import sys
import threading

from coordinator.gates.python.pytest_runner import untraced

seen = []


def trace(frame, event, argument):
    seen.append(frame.f_code.co_name)


def inner(number):
    return number + 1


def outer(number):
    return inner(number)


threading.settrace(trace)
sys.settrace(trace)
result = untraced(outer)(1)
inner(0)
sys.settrace(None)
assert result == 2
assert seen.count("inner") == 1, seen
assert "outer" not in seen, seen
"""


def test_nobody_who_traces_sees_what_an_untraced_function_calls_and_all_else_goes_on() -> None:
    subprocess.run([sys.executable, "-c", WATCHED], check=True)


def test_what_an_untraced_function_raises_comes_out() -> None:
    def refuse() -> object:
        raise SystemExit("not today")

    with pytest.raises(SystemExit, match="not today"):
        untraced(refuse)()


def test_an_untraced_function_knows_the_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("here")
    assert untraced(variable.get)() == "here"


def test_a_syntax_tree_may_be_as_deep_as_in_the_main_thread() -> None:
    def deep(levels: object) -> object:
        assert isinstance(levels, int)
        return levels if levels == 0 else deep(levels - 1)

    before = _thread.stack_size()
    assert untraced(deep)(sys.getrecursionlimit() - 50) == 0
    assert _thread.stack_size() == before


def test_where_no_thread_can_be_started_it_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    assert untraced(len)("abc") == 3


TRACING = """
import sys
from pathlib import Path

SEEN = Path(__file__).with_name("seen")


def trace(frame, event, argument):
    if frame.f_code.co_name in ("rewrite_asserts", "test_a"):
        SEEN.write_text(SEEN.read_text() + frame.f_code.co_name + " ")


SEEN.write_text("")
if sys.argv.pop() == "traced":
    sys.settrace(trace)
import runpy
runpy.run_path(sys.argv.pop(), run_name="__main__")
"""


@pytest.mark.parametrize(("names", "seen"), [([], "test_a "), (["_pytest"], "rewrite_asserts test_a ")])
def test_assertions_are_rewritten_untraced_unless_pytest_itself_is_measured(
    tmp_path: Path, names: list[str], seen: str
) -> None:
    test = (
        "from _pytest.assertion import rewrite\n\nCOLLECTING = rewrite._rewrite_test.__module__\n\n\n"
        "def test_a() -> None:\n    left = 1\n"
        "    assert rewrite._rewrite_test.__module__ == '_pytest.assertion.rewrite'\n"
        f"    assert (COLLECTING == '__main__') is {not names}\n    assert left == 2\n"
    )
    write_files(tmp_path, {"traced.py": TRACING, "test_a.py": test, "pytest.ini": "[pytest]\n"})
    settings = {"roots": [], "names": names, "path": ""}
    done = run_python(tmp_path, settings, "traced.py", "-p", "no:cacheprovider", pytest_runner.__file__, "traced")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "assert 1 == 2" in done.stdout
    assert (tmp_path / "seen").read_text() == seen


def test_a_pytest_without_that_function_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest_runner, "REWRITING", "_no_such_function")
    with rewriting_untraced():
        assert not hasattr(rewrite, "_no_such_function")


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
    settings = {"roots": [], "names": [], "path": ""}
    done = run_python(tmp_path, settings, pytest_runner.__file__, "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
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
