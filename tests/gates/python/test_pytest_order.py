from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.gates.python import pytest_order
from tests.support import write_files

pytest_plugins = ["pytester"]

TESTS = {
    "test_a.py": "def test_one(): pass\ndef test_two(): pass\n",
    "test_b.py": "def test_one(): pass\ndef test_two(): pass\n",
    "sub/test_c.py": "def test_one(): pass\ndef test_two(): pass\n",
    "pytest.ini": "[pytest]\n",
}


def ran(folder: Path, *first: str, **files: str) -> tuple[int, list[str], bool]:
    """Run pytest; returns its exit code, the outcomes in order, and whether tests were left out."""
    tests, support = folder / "tests", folder / "support"
    write_files(tests, {**TESTS, **{name.replace("__", "/") + ".py": text for name, text in files.items()}})
    support.mkdir()
    (support / f"{pytest_order.NAME}.py").write_bytes(Path(pytest_order.__file__).read_bytes())
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(support),
        pytest_order.VARIABLE: json.dumps({"first": first, "cut": str(folder / "cut")}),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-p", pytest_order.NAME, f"--rootdir={tests}"],
        cwd=tests,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split() for line in done.stdout.splitlines() if "::" in line and "%]" in line]
    return done.returncode, [f"{line[0]} {line[1]}" for line in lines], (folder / "cut").exists()


def test_tests_of_changed_files_go_first_and_all_the_others_follow(tmp_path: Path) -> None:
    code, outcomes, cut = ran(tmp_path, "test_b.py", "sub/test_c.py", "setup.py")
    assert [outcome.split("::")[0] for outcome in outcomes] == [
        "sub/test_c.py", "sub/test_c.py", "test_b.py", "test_b.py", "test_a.py", "test_a.py",
    ]  # fmt: skip
    assert (code, cut) == (0, False)


def test_when_a_changed_test_fails_all_changed_ones_are_run_and_no_others(tmp_path: Path) -> None:
    code, outcomes, cut = ran(tmp_path, "test_b.py", test_b="def test_one(): assert 0\ndef test_two(): pass\n")
    assert outcomes == ["test_b.py::test_one FAILED", "test_b.py::test_two PASSED"]
    assert (code, cut) == (1, True)


def test_a_broken_fixture_of_a_changed_test_counts_as_its_failure(tmp_path: Path) -> None:
    broken = "import pytest\n@pytest.fixture\ndef f(): raise ValueError\ndef test_one(f): pass\n"
    code, outcomes, cut = ran(tmp_path, "test_b.py", test_b=broken)
    assert (code, outcomes, cut) == (1, ["test_b.py::test_one ERROR"], True)


def test_when_another_test_fails_nothing_is_left_out(tmp_path: Path) -> None:
    code, outcomes, cut = ran(tmp_path, "test_b.py", test_a="def test_one(): assert 0\ndef test_two(): pass\n")
    assert len(outcomes) == 6
    assert (code, cut) == (1, False)


def test_when_all_tests_are_of_changed_files_nothing_is_left_out(tmp_path: Path) -> None:
    code, outcomes, cut = ran(tmp_path, "test_a.py", "test_b.py", "sub/test_c.py", test_b="def test_one(): assert 0\n")
    assert len(outcomes) == 5
    assert (code, cut) == (1, False)


@pytest.mark.parametrize("mark", ["xfail(strict=False)", "skip"])
def test_a_failure_that_is_expected_leaves_nothing_out(tmp_path: Path, mark: str) -> None:
    text = f"import pytest\n@pytest.mark.{mark}\ndef test_one(): assert 0\n"
    code, outcomes, cut = ran(tmp_path, "test_b.py", test_b=text)
    assert len(outcomes) == 5
    assert (code, cut) == (0, False)


def test_a_pytest_that_a_test_starts_is_left_alone(tmp_path: Path) -> None:
    text = "import os\ndef test_one():\n    assert 'COORDINATOR_ORDER' not in os.environ\n"
    code, _, _ = ran(tmp_path, "test_b.py", test_b=text)
    assert code == 0


@pytest.mark.parametrize(("body", "code", "names"), [("pass", 0, "bac"), ("assert 0", 1, "b")])
def test_in_this_process_it_does_the_same(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str, code: int, names: str
) -> None:
    """The other tests are a process each, as the coordinator starts it, where nothing counts the lines."""
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(
        **{f"test_order_{name}": f"def test_{name}(): {body if name == 'b' else 'pass'}" for name in "abc"}
    )
    cut = pytester.path / "cut"
    monkeypatch.setenv(pytest_order.VARIABLE, json.dumps({"first": ["test_order_b.py"], "cut": str(cut)}))
    run = pytester.inline_run("-p", "no:cacheprovider", plugins=[pytest_order])
    assert run.ret == code
    order = [report.nodeid[-1] for report in run.getreports("pytest_runtest_logreport") if report.when == "call"]
    assert "".join(order) == names
    assert cut.exists() == (names == "b")
