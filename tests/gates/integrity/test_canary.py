"""Canaries: where they are put, and that a run which does not report their failure is not believed."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import CoverageGateSection, GatesSection, TestGateSection
from coordinator.gates.integrity.canary import (
    SIGNALS,
    Canary,
    Fault,
    choose_signal,
    examine,
    make_canaries,
    plant,
    take_away,
)
from coordinator.gates.python.test_layout import TestLayout, layout_of
from coordinator.gates.reports.junit import TestCase, TestReport
from tests.gates.integrity.dynamic_support import BASE, BROKEN, CALC, NO_MUTANTS, OFF, TEST, judge_change, notes, state
from tests.gates.support import judge_files, result_of
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.gates.protocol import GateResult

TESTS = GatesSection(build=OFF, lint=OFF, coverage=CoverageGateSection(enabled=False))
SIGNAL = 70
CANARY = Canary("tests/test_abc.py", "test_xyz", "message")
DIED = TestCase(
    classname="tests.test_abc", name="test_xyz", file="tests/test_abc.py", outcome="failure", message="message"
)


def folders(folder: Path, files: Mapping[str, str], args: tuple[str, ...] = ()) -> list[str]:
    write_files(folder, files)
    return [canary.folder for canary in make_canaries(folder, layout_of(folder, args))]


def test_nobody_can_guess_them(tmp_path: Path) -> None:
    write_files(tmp_path, BASE)
    one, other = (make_canaries(tmp_path, TestLayout())[0] for _ in range(2))
    assert one.folder == other.folder == "tests"
    assert len({one.path, other.path, one.function, other.function, one.said, other.said}) == 6
    assert "canary" not in f"{one.path}{one.content.decode()}"
    assert one.said not in f"{one.path}{one.function}"


def test_the_exit_code_is_none_that_means_anything_else() -> None:
    drawn = {choose_signal() for _ in range(200)}
    assert drawn <= set(SIGNALS)
    assert len(drawn) > 10


@pytest.mark.parametrize(
    ("files", "args", "expected"),
    [
        ({"tests/test_a.py": "", "tests/deep/test_b.py": ""}, (), ["tests"]),
        ({"tests/data/test_b.py": "", "tests/unit/test_a.py": "", "tests/unit/test_c.py": ""}, (), ["tests/unit"]),
        ({"test_a.py": "", "pkg/tests/test_b.py": "", "build/test_c.py": ""}, (), [".", "pkg/tests"]),
        ({"pytest.ini": "[pytest]\ntestpaths = a b c\n", "a/test_a.py": "", "b/test_b.py": ""}, (), ["a", "b"]),
        ({"pytest.ini": "[pytest]\ntestpaths = a\n", "a/x.txt": "", "b/test_b.py": ""}, (), ["a"]),
        ({"pytest.ini": "[pytest]\ntestpaths = .\n", "test_a.py": "", "b/c/test_b.py": ""}, (), [".", "b/c"]),
        ({"a/test_a.py": "", "b/test_b.py": ""}, ("b/test_b.py",), ["b"]),
        ({"README.md": ""}, (), ["."]),
    ],
)
def test_they_lie_where_pytest_starts(
    tmp_path: Path, files: dict[str, str], args: tuple[str, ...], expected: list[str]
) -> None:
    assert folders(tmp_path, files, args) == expected


def test_there_are_not_more_than_a_few(tmp_path: Path) -> None:
    assert len(folders(tmp_path, {f"d{number}/test_a.py": "" for number in range(20)})) == 8


@pytest.mark.parametrize(
    ("files", "functions"),
    [
        (("check_*.py",), ("check",)),
        (("*_spec.py",), ("it_*", "x")),
        (("tests.py",), ("test",)),
        (("sub/t_*.py",), ("test_",)),
        (("x_?.py", "test_*.py"), ("t[ae]st*",)),
    ],
)
def test_they_are_named_as_the_project_names_its_tests(
    tmp_path: Path, files: tuple[str, ...], functions: tuple[str, ...]
) -> None:
    canary = make_canaries(tmp_path, TestLayout(files=files, functions=functions))[0]
    assert any(fnmatch(canary.path.rpartition("/")[2], pattern.rpartition("/")[2]) for pattern in files)
    prefix = functions[0].partition("*")[0] if "[" not in functions[0] else "test_"
    assert canary.function.startswith(prefix)
    assert canary.function.isidentifier()
    plant(tmp_path, [canary])
    compile((tmp_path / canary.path).read_bytes(), canary.path, "exec")


@pytest.mark.parametrize(
    ("files", "prefix"),
    [(("tests.py", "unit_*.py"), "unit_"), (("*.txt", "x_*.py"), "x_"), (("x_[ab]*.py",), "test_"), (("x_?.py",), "")],
)
def test_their_file_names_have_a_random_part_where_a_pattern_leaves_room(
    tmp_path: Path, files: tuple[str, ...], prefix: str
) -> None:
    name = make_canaries(tmp_path, TestLayout(files=files))[0].path
    assert name.rpartition("/")[2].startswith(prefix or "test_")
    assert not set(name) & set("*?[")
    assert len(name) > 16


def passed(file: str = "tests/test_a.py") -> TestCase:
    return TestCase(classname="tests.test_a", name="test_a", file=file)


def failed() -> TestCase:
    return TestCase(classname="tests.test_a", name="test_b", file="tests/test_a.py", outcome="failure")


@pytest.mark.parametrize(
    ("cases", "code", "expected", "fault"),
    [
        ([passed(), DIED], SIGNAL, 0, None),
        ([DIED], SIGNAL, 5, None),
        ([passed(), failed(), DIED], 1, 1, None),
        ([passed(), failed(), DIED], SIGNAL, 0, None),
        ([passed(), DIED], 0, 0, Fault.EXIT),
        ([passed(), DIED], 5, 5, Fault.EXIT),
        ([passed(), DIED], 1, 1, None),
        ([passed()], 0, 0, Fault.HIDDEN),
        ([passed("other/test_a.py")], 0, 0, Fault.HIDDEN),
        ([passed(), failed()], 1, 1, Fault.HIDDEN),
        ([], 5, 5, None),
        ([], 3, 3, None),
    ],
)
def test_a_run_is_believed_when_they_failed(
    cases: list[TestCase], code: int, expected: int, fault: Fault | None
) -> None:
    examined = examine(TestReport(list(cases)), code, [CANARY], SIGNAL)
    assert examined.exit_code == expected
    assert (examined.doubt.fault if examined.doubt is not None else None) is fault
    assert DIED not in examined.report.cases
    assert len(examined.report.cases) == sum(case is not DIED for case in cases)


@pytest.mark.parametrize(("outcome", "fault"), [("passed", Fault.PASSED), ("skipped", Fault.SKIPPED)])
def test_another_outcome_is_a_lie(outcome: str, fault: Fault) -> None:
    lie = TestCase(name="test_xyz", exact_id="tests/test_abc.py::test_xyz", outcome=outcome)
    examined = examine(TestReport([passed(), lie]), 0, [CANARY], SIGNAL)
    assert examined.doubt is not None
    assert examined.doubt.fault is fault


def test_words_alone_are_no_failure() -> None:
    lie = TestCase(name="test_xyz", exact_id="tests/test_abc.py::test_xyz", outcome="passed", message="message")
    doubt = examine(TestReport([passed(), lie]), SIGNAL, [CANARY], SIGNAL).doubt
    assert doubt is not None
    assert doubt.fault is Fault.PASSED


def test_a_canary_that_is_tried_again_fails_in_the_end() -> None:
    """The report of pytest-rerunfailures has an entry without a failure for each try but the last."""
    tried = TestCase(name="test_xyz", exact_id="tests/test_abc.py::test_xyz")
    assert examine(TestReport([passed(), tried, tried, DIED]), SIGNAL, [CANARY], SIGNAL).doubt is None


def test_another_failure_than_its_own_does_not_count() -> None:
    other = TestCase(name="test_xyz", file="tests/test_abc.py", outcome="failure", message="made up")
    doubt = examine(TestReport([passed(), other]), SIGNAL, [CANARY], SIGNAL).doubt
    assert doubt is not None
    assert doubt.fault is Fault.HIDDEN


def test_a_fixture_that_fails_for_all_tests_fails_for_it_too() -> None:
    broken = TestCase(name="test_xyz", file="tests/test_abc.py", outcome="error", message='failed on setup with "x"')
    assert examine(TestReport([passed(), broken]), SIGNAL, [CANARY], SIGNAL).doubt is None


def test_a_folder_that_is_not_collected_needs_none() -> None:
    """One of two canaries ran; no test of the other's folder did either."""
    other = Canary("examples/test_x.py", "test_x", "x")
    assert examine(TestReport([passed(), DIED]), SIGNAL, [CANARY, other], SIGNAL).doubt is None
    shown = examine(TestReport([passed(), passed("examples/test_b.py"), DIED]), SIGNAL, [CANARY, other], SIGNAL)
    assert shown.doubt is not None
    assert "examples/" in shown.doubt.message


def test_what_fails_at_the_end_of_the_session_stays() -> None:
    late = TestCase(name="test_xyz", file="tests/test_abc.py", outcome="error", message='failed on teardown with "x"')
    examined = examine(TestReport([passed(), DIED, late]), 1, [CANARY], SIGNAL)
    assert [case.node_id for case in examined.report.broken()] == ["the end of the session"]


FORCED = """import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""
SKIPPING = """import pytest


@pytest.fixture(autouse=True)
def choose(request):
    if request.node.name not in {"test_big", "test_small[1]", "test_small[2]", "test_small[3]"}:
        pytest.skip("no")
"""
DROPPING = "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if 'divide' not in i.name and \
'small' in i.name]\n"
LEAVING = """import os


def pytest_sessionfinish(session):
    session.config.pluginmanager.get_plugin("terminalreporter").write_line("done")


def pytest_unconfigure(config):
    os._exit(0)
"""
ENDING = "import pytest\n\n\ndef pytest_runtest_setup(item):\n    if item.name == 'test_divide':\n        \
pytest.exit('done', returncode=0)\n"
ORDERED = TEST.replace("def test_divide", "def test_zzz_divide")


@pytest.mark.parametrize(
    ("conftest", "words"),
    [
        (FORCED, "was reported as passed"),
        (SKIPPING, "was skipped"),
        (DROPPING, "pytest never ran it"),
    ],
)
def test_hooks_that_change_what_is_run_or_said_are_seen(tmp_path: Path, conftest: str, words: str) -> None:
    verdict = judge_change(tmp_path, {"calc.py": BROKEN, "tests/conftest.py": conftest})
    result = result_of(verdict, "test")
    assert state(result) == "failed"
    assert words in result.message


def test_a_process_that_leaves_with_a_good_exit_code_is_seen(tmp_path: Path) -> None:
    """The report is there, all in it passed, and the exit code is 0: only the code that was asked for is missing."""
    result = result_of(judge_change(tmp_path, {"tests/conftest.py": LEAVING}), "test")
    assert state(result) == "failed"
    assert "exit code 0, though a test that must fail did" in result.message


def test_a_session_that_is_ended_early_is_seen(tmp_path: Path) -> None:
    last = TEST.replace("def test_big", "def test_a_big").replace(
        "def test_divide() -> None:\n    assert divide(6, 3) == 2\n\n\n", ""
    )
    files = {"tests/test_calc.py": f"{last}\n\ndef test_divide() -> None:\n    assert divide(6, 3) == 2\n"}
    verdict = judge_change(tmp_path, {"calc.py": BROKEN, "tests/conftest.py": ENDING}, base={**BASE, **files})
    result = result_of(verdict, "test")
    assert state(result) == "failed"
    assert "pytest never ran it" in result.message


def test_what_the_base_does_as_well_is_the_project_s_nature(tmp_path: Path) -> None:
    base = {**BASE, "tests/conftest.py": DROPPING}
    verdict = judge_change(tmp_path, {"README.md": "More.\n"}, base=base)
    assert verdict.passed
    assert "pytest never ran it: something changes" in notes(verdict, "test")
    assert "it is so on the base, too" in notes(verdict, "test")


def test_without_a_base_it_cannot_be_told_from_a_set_up(tmp_path: Path) -> None:
    hidden = result_of(judge_files(tmp_path / "a", {**BASE, "tests/conftest.py": DROPPING}, TESTS), "test")
    assert state(hidden) == "error"
    forced = result_of(judge_files(tmp_path / "b", {**BASE, "tests/conftest.py": FORCED}, TESTS), "test")
    assert state(forced) == "failed"


def test_a_base_that_does_not_come_to_its_end_says_nothing_about_it(tmp_path: Path) -> None:
    base = {**BASE, "tests/conftest.py": "import no_such_module\n"}
    verdict = judge_change(tmp_path, {"tests/conftest.py": DROPPING}, base=base)
    result = result_of(verdict, "test")
    assert state(result) == "error"
    assert "on the base it cannot be seen: pytest ended with exit code 4" in result.message


def plain(files: Mapping[str, str], folder: Path, *args: str) -> GateResult:
    section = GatesSection(
        build=OFF, lint=OFF, test=TestGateSection(args=args), coverage=CoverageGateSection(enabled=False)
    )
    return result_of(judge_files(folder, files, section), "test")


INSIDE = {"calc/__init__.py": CALC, "calc/tests/__init__.py": "", "calc/tests/test_calc.py": TEST}
CONFIGURED = "[tool.pytest.ini_options]\n"


@pytest.mark.parametrize(
    ("files", "args", "message"),
    [
        (BASE, ("-x", "-v"), "5 tests passed"),
        (BASE, ("-k", "divide"), "1 test passed"),
        (BASE, ("-m", "not slow"), "5 tests passed"),
        (BASE, ("-k", "no_such_test"), "no tests in the target: pytest found none to run"),
        (BASE, ("tests/test_calc.py",), "5 tests passed"),
        (BASE, ("tests",), "5 tests passed"),
        (BASE, ("tests/test_calc.py::test_big",), "1 test passed"),
        (BASE, ("-p", "no:cacheprovider", "--strict-config"), "5 tests passed"),
        (BASE, ("--import-mode=importlib",), "5 tests passed"),
        (BASE, ("--durations=3", "-ra", "-q"), "5 tests passed"),
        (INSIDE, (), "5 tests passed"),
        ({**BASE, "tests/__init__.py": "", "tests/deep/test_more.py": "def test_a(): ...\n"}, (), "6 tests passed"),
        ({"calc.py": '"""\n>>> 1 + 1\n2\n"""\n'}, ("--doctest-modules",), "1 test passed"),
        ({**BASE, "pyproject.toml": f"{CONFIGURED}testpaths = ['tests', 'none']\n"}, (), "5 tests passed"),
        ({**BASE, "pyproject.toml": f"{CONFIGURED}cache_dir = 'x'\naddopts = '--lf --strict-config'\n"}, (), "5 tests"),
        ({**BASE, "pyproject.toml": f"{CONFIGURED}confcutdir = 'tests'\n"}, (), "5 tests passed"),
        (
            {**BASE, "tests/conftest.py": "def pytest_collection_modifyitems(items):\n    items.reverse()\n"},
            ("-x",),
            "5 tests passed",
        ),
    ],
)
def test_honest_set_ups_are_not_disturbed(
    tmp_path: Path, files: dict[str, str], args: tuple[str, ...], message: str
) -> None:
    result = plain(files, tmp_path, *args)
    assert result.message.startswith(message), result
    assert result.passed is not message.startswith("no tests")


def test_a_run_that_stops_at_the_first_failure_stops_there(tmp_path: Path) -> None:
    files = {**BASE, "calc.py": BROKEN, "tests/test_aaa.py": "def test_first() -> None:\n    assert False\n"}
    result = plain(files, tmp_path, "-x")
    assert result.message == "1 of 1 test failed: tests/test_aaa.py::test_first"


def test_the_other_failures_are_counted_alone(tmp_path: Path) -> None:
    result = plain({**BASE, "calc.py": BROKEN}, tmp_path, "--maxfail=2")
    assert result.message == "1 of 5 tests failed: tests/test_calc.py::test_divide"
    assert result.details["failed"] == 1


def test_no_test_sees_their_files_and_no_output_names_them(tmp_path: Path) -> None:
    looking = (
        "from pathlib import Path\n\n\ndef test_look() -> None:\n"
        "    names = [p.name for p in Path(__file__).parent.glob('*.py')]\n"
        "    assert sorted(names) == ['conftest.py', 'test_calc.py', 'test_look.py']\n"
    )
    late = "def pytest_sessionfinish(session):\n    session.exitstatus = 3\n"
    files = {**BASE, "tests/test_look.py": looking, "tests/conftest.py": late}
    result = plain(files, tmp_path, "-vv", "--durations=0")
    assert result.message == "pytest ended with exit code 3, though its report names none that failed"
    output = str(result.details["output"])
    assert "6 passed" in output
    assert "fail" not in output.lower()
    assert "a test that must fail" not in output.lower()


def test_what_the_session_s_fixtures_do_in_the_end_is_not_lost(tmp_path: Path) -> None:
    conftest = (
        "import pytest\n\n\n@pytest.fixture(autouse=True, scope='session')\ndef ending():\n    yield\n"
        "    raise RuntimeError('not closed')\n"
    )
    result = plain({**BASE, "tests/conftest.py": conftest}, tmp_path)
    assert state(result) == "failed"
    assert result.message == "1 of 6 tests failed: the end of the session"


def test_they_do_not_change_what_is_measured(tmp_path: Path) -> None:
    """Tests inside the package are measured like the package; the canary beside them is not."""
    section = GatesSection(build=OFF, lint=OFF, coverage=CoverageGateSection(threshold=100))
    code = CALC + '\n\ndef unused() -> None:\n    """Do nothing."""\n    print(1)\n'
    branch = "[tool.coverage.run]\nbranch = true\n"
    files = {**INSIDE, "calc/__init__.py": code, "pyproject.toml": branch}
    result = result_of(judge_files(tmp_path, files, section), "coverage")
    assert (result.details["files"], result.details["covered_lines"], result.details["statements"]) == (3, 14, 15)
    assert result.details["percent"] == pytest.approx(100 * 14 / 15)


def test_a_session_finish_hook_that_fails_the_run_is_still_heard(tmp_path: Path) -> None:
    conftest = "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n"
    result = plain({**BASE, "tests/conftest.py": conftest}, tmp_path)
    assert state(result) == "error"
    assert NO_MUTANTS.integrity.enabled


def test_a_folder_of_its_own_is_cleared_as_well(tmp_path: Path) -> None:
    canary = make_canaries(tmp_path, TestLayout(files=("tests.py",)))[0]
    plant(tmp_path, [canary])
    assert (tmp_path / canary.path).is_file()
    take_away(tmp_path, [canary])
    assert not (tmp_path / canary.path).exists()


def test_plain_names_are_those_of_modules_that_exist_only_once(tmp_path: Path) -> None:
    """Where the project's tests all have the same name, the canary's folder tells it from them."""
    files = {"pyproject.toml": "[tool.pytest.ini_options]\npython_files = ['tests.py']\n", "calc.py": CALC}
    result = plain({**files, "a/__init__.py": "", "a/tests.py": TEST}, tmp_path)
    assert result.message == "5 tests passed"


def test_a_cache_that_the_tree_brings_along_chooses_no_tests(tmp_path: Path) -> None:
    last = '{"tests/test_calc.py::test_big": true}'
    pyproject = f"{CONFIGURED}addopts = '--lf'\n"
    files = {**BASE, "pyproject.toml": pyproject, ".pytest_cache/v/cache/lastfailed": last}
    assert plain(files, tmp_path).message == "5 tests passed"
