"""Whole trees, judged by the real mypy, ruff, pytest and coverage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import (
    CoverageGateSection,
    GateSection,
    GatesSection,
    TestGateSection,
)
from coordinator.errors import Misconfigured, Unreachable
from coordinator.gates.suite import NO_BASE, build_suite
from tests.gates.support import PlainSandbox, exporter, judge, judge_files, own_environment, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.gates.target.environment import TargetEnvironment

PYPROJECT = '[project]\nname = "toy"\nversion = "1.0"\n'
CODE = '"""Toy."""\n\n\ndef double(number: int) -> int:\n    return 2 * number\n'
TEST = "from toy import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n"
GREEN = {"pyproject.toml": PYPROJECT, "toy/__init__.py": CODE, "tests/test_toy.py": TEST}
OFF = GateSection(enabled=False)
NO_COVERAGE = CoverageGateSection(enabled=False)
ONLY_TEST = GatesSection(build=OFF, lint=OFF, coverage=NO_COVERAGE)
TESTS = GatesSection(build=OFF, lint=OFF)
NO_TEST = TestGateSection(enabled=False)
ONLY_BUILD = GatesSection(lint=OFF, test=NO_TEST, coverage=NO_COVERAGE)
ONLY_LINT = GatesSection(build=OFF, test=NO_TEST, coverage=NO_COVERAGE)


def state(result: GateResult) -> object:
    return result.details["state"]


def states(verdict: Verdict) -> dict[str, object]:
    return {result.gate: state(result) for result in verdict.gates}


def test_a_green_tree_passes_every_gate(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", GREEN)
    verdict = judge(repository, tmp_path / "home")
    assert verdict.passed
    assert verdict.tree == git(repository, "rev-parse", "HEAD^{tree}")
    assert [result.gate for result in verdict.gates] == ["build", "lint", "test", "coverage"]
    assert [result.message for result in verdict.gates] == [
        "mypy --strict finds nothing in 1 file",
        "ruff finds nothing in 2 files",
        "1 test passed",
        "100.00 % of toy is covered, 85 % is needed",
    ]
    assert result_of(verdict, "coverage").details["percent"] == 100.0
    assert result_of(verdict, "test").details["command"] == "python -m pytest"


def test_every_fault_is_found_at_its_place(tmp_path: Path) -> None:
    files = {
        **GREEN,
        "toy/__init__.py": "import os\n\n\ndef double(number: int) -> str:\n    return 2 * number\n",
        "tests/test_toy.py": "from toy import double\n\n\ndef test_double() -> None:\n"
        "    n = double(2)\n\n    assert n == 5\n",
    }
    verdict = judge_files(tmp_path, files)
    assert states(verdict) == {"build": "failed", "lint": "failed", "test": "failed", "coverage": "passed"}
    build, lint, test = (result_of(verdict, gate).details["findings"] for gate in ("build", "lint", "test"))
    assert isinstance(build, list)
    assert isinstance(lint, list)
    assert isinstance(test, list)
    assert build == [
        {
            "path": "toy/__init__.py", "line": 5, "column": 12, "code": "return-value",
            "message": 'Incompatible return value type (got "int", expected "str")',
        }
    ]  # fmt: skip
    assert lint == [
        {"path": "toy/__init__.py", "line": 1, "column": 8, "code": "F401", "message": "`os` imported but unused"}
    ]
    assert isinstance(test[0], dict)
    assert (test[0]["path"], test[0]["line"]) == ("tests/test_toy.py", 7)
    assert test[0]["code"] == "tests/test_toy.py::test_double"
    assert "assert 4 == 5" in str(test[0]["message"])
    assert result_of(verdict, "test").message == "1 of 1 test failed: tests/test_toy.py::test_double"


def test_the_second_answer_on_an_unchanged_tree_is_the_same(tmp_path: Path) -> None:
    files = {
        **GREEN,
        "tests/test_toy.py": "import os\n\n\ndef test_set(tmp_path: object) -> None:\n"
        "    here = os.getcwd()\n    assert {'a', 'b', 'c'} == (object(), here, tmp_path)\n",
    }
    repository = make_repository(tmp_path / "repository", files)
    section = GatesSection(coverage=CoverageGateSection(threshold=100))
    answers = [judge(repository, tmp_path / name, section) for name in ("one", "two")]
    plain = [
        json.dumps([result.model_copy(update={"seconds": 0.0}).model_dump() for result in answer.gates])
        for answer in answers
    ]
    assert plain[0] == plain[1]
    assert str(tmp_path) not in plain[0]


def test_a_tree_without_tests_is_named_so(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, {"toy/__init__.py": CODE}, TESTS)
    assert not verdict.passed
    assert result_of(verdict, "test").message == "no tests in the target: pytest found none to run"
    assert result_of(verdict, "coverage").message == "nothing was measured: no test ran"


def test_skipped_tests_are_no_passed_tests(tmp_path: Path) -> None:
    skipped = "import pytest\n\n\n@pytest.mark.skip\ndef test_a() -> None: ...\n"
    verdict = judge_files(tmp_path, {**GREEN, "tests/test_toy.py": skipped}, TESTS)
    assert result_of(verdict, "test").message == "no test passed: all 1 were skipped"
    assert not result_of(verdict, "coverage").passed


def test_a_broken_test_module_is_a_failure_that_names_it(tmp_path: Path) -> None:
    files = {**GREEN, "tests/test_other.py": "import nothing_like_this\n"}
    result = result_of(judge_files(tmp_path, files, ONLY_TEST), "test")
    assert state(result) == "failed"
    assert result.message == "the tests could not be collected: 1 error: tests/test_other.py"
    assert "No module named 'nothing_like_this'" in str(result.details["findings"])


def test_a_syntax_error_is_a_finding_of_build_and_lint(tmp_path: Path) -> None:
    section = GatesSection(test=NO_TEST, coverage=NO_COVERAGE)
    verdict = judge_files(tmp_path, {**GREEN, "toy/__init__.py": "x = (\n"}, section)
    assert states(verdict) == {"build": "failed", "lint": "failed"}
    assert "toy/__init__.py:2" in result_of(verdict, "build").message


UNCOVERED = "def used() -> None:\n" + "    x = 1\n    del x\n" * 5 + "\n\ndef unused() -> None:\n    x = 1\n    del x\n"
COVER = "from toy import used\n\n\ndef test_used() -> None:\n    used()\n"


def test_coverage_is_compared_without_rounding(tmp_path: Path) -> None:
    files = {**GREEN, "toy/__init__.py": UNCOVERED, "tests/test_toy.py": COVER}
    repository = make_repository(tmp_path / "repository", files)
    low = result_of(judge(repository, tmp_path / "home", TESTS), "coverage")
    assert low.passed
    percent = low.details["percent"]
    assert isinstance(percent, float)
    section = GatesSection(build=OFF, lint=OFF, coverage=CoverageGateSection(threshold=percent + 1e-9))
    high = result_of(judge(repository, tmp_path / "home", section), "coverage")
    assert state(high) == "failed"
    assert high.details["missing"] == [{"path": "toy/__init__.py", "percent": percent, "lines": "15-16"}]
    assert "most is missing in toy/__init__.py (2 lines)" in high.message


def test_84_6_per_cent_is_not_85(tmp_path: Path) -> None:
    code = "def used() -> None:\n" + "    print(1)\n" * 9 + "\n\ndef unused() -> None:\n    print(2)\n    print(3)\n"
    files = {**GREEN, "toy/__init__.py": code, "tests/test_toy.py": COVER}
    result = result_of(judge_files(tmp_path, files, TESTS), "coverage")
    assert result.details["percent"] == pytest.approx(100 * 11 / 13)
    assert state(result) == "failed"
    assert result.message.startswith("84.61 % of toy is covered, 85 % is needed")


def test_coverage_stands_on_its_own_when_a_test_fails(tmp_path: Path) -> None:
    failing = f"{TEST}\n\ndef test_wrong() -> None:\n    assert double(1) == 3\n"
    verdict = judge_files(tmp_path, {**GREEN, "tests/test_toy.py": failing}, TESTS)
    assert states(verdict) == {"test": "failed", "coverage": "passed"}


def test_a_hanging_test_is_ended_and_named(tmp_path: Path) -> None:
    hanging = "import time\n\n\ndef test_hang() -> None:\n    time.sleep(600)\n"
    section = GatesSection(build=OFF, lint=OFF, test=TestGateSection(minutes=0.08))
    verdict = judge_files(tmp_path, {**GREEN, "tests/test_toy.py": hanging}, section)
    test = result_of(verdict, "test")
    assert state(test) == "error"
    assert "reached its time limit during tests/test_toy.py::test_hang" in test.message
    assert "reached its time limit" in result_of(verdict, "coverage").message


@pytest.mark.parametrize("code", [0, 3])
def test_a_run_that_ends_early_counts_as_no_run(tmp_path: Path, code: int) -> None:
    leaving = f"import os\n\n\ndef test_leave() -> None:\n    os._exit({code})\n"
    verdict = judge_files(tmp_path, {**GREEN, "tests/test_toy.py": leaving}, TESTS)
    assert states(verdict) == {"test": "error", "coverage": "error"}
    assert "during tests/test_toy.py::test_leave: pytest wrote no report" in result_of(verdict, "test").message


def test_an_exit_code_alone_is_not_believed(tmp_path: Path) -> None:
    lying = "def pytest_sessionfinish(session: object) -> None:\n    session.exitstatus = 0  # type: ignore\n"
    files = {**GREEN, "tests/conftest.py": lying, "tests/test_toy.py": TEST.replace("4", "5")}
    result = result_of(judge_files(tmp_path, files, ONLY_TEST), "test")
    assert state(result) == "error"
    assert result.message == "pytest ended with exit code 0, though its report names failures"


def test_a_failure_that_the_report_does_not_hold_is_not_passed(tmp_path: Path) -> None:
    failing = "def pytest_sessionfinish(session: object) -> None:\n    session.exitstatus = 1  # type: ignore\n"
    result = result_of(judge_files(tmp_path, {**GREEN, "tests/conftest.py": failing}, ONLY_TEST), "test")
    assert state(result) == "error"
    assert "output" in result.details


def test_a_tree_without_python_passes_no_gate(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, {"README.md": "# Nothing\n"})
    assert not any(result.passed for result in verdict.gates)
    assert "no Python file" in result_of(verdict, "build").message
    assert "no Python file" in result_of(verdict, "lint").message
    assert "no tests in the target" in result_of(verdict, "test").message


def test_a_project_of_tests_only_has_nothing_to_build_or_measure(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, {"tests/test_a.py": "def test_a() -> None:\n    assert True\n"})
    assert states(verdict) == {"build": "error", "lint": "passed", "test": "passed", "coverage": "error"}
    assert result_of(verdict, "coverage").message == "no package or module found to measure"


def test_an_empty_package_has_nothing_to_measure(tmp_path: Path) -> None:
    files = {"toy/__init__.py": "", "tests/test_a.py": "import toy\n\n\ndef test_a() -> None:\n    assert toy\n"}
    result = result_of(judge_files(tmp_path, files, TESTS), "coverage")
    assert state(result) == "error"
    assert result.message == "there is no statement to measure in the packages"


def test_the_package_in_src_and_a_module_at_the_top_are_found(tmp_path: Path) -> None:
    source = {"src/toy/__init__.py": CODE, "tests/test_toy.py": TEST}
    assert judge_files(tmp_path / "src-layout", source).passed
    module = {"toy.py": CODE, "tests/test_toy.py": TEST}
    verdict = judge_files(tmp_path / "module", module)
    assert verdict.passed
    assert result_of(verdict, "coverage").details["files"] == 1


def test_the_sources_win_over_an_installed_copy_also_in_commands_that_tests_start(tmp_path: Path) -> None:
    """`click` is installed beside these tests; the tree has one of its own."""
    test = (
        "import subprocess\nimport sys\n\nimport click\n\n\ndef test_own() -> None:\n    assert click.OWN == 1\n"
        "    command = [sys.executable, '-c', 'import click; print(click.OWN)']\n"
        "    assert subprocess.check_output(command) == b'1\\n'\n"
    )
    for layout in ("src/click", "click"):
        files = {f"{layout}/__init__.py": "OWN = 1\n", "tests/test_own.py": test}
        verdict = judge_files(tmp_path / layout.replace("/", "-"), files, TESTS)
        assert verdict.passed, verdict


def test_a_module_or_plugin_planted_in_the_tree_does_not_take_over_the_run(tmp_path: Path) -> None:
    """A `pytest.py` at the top, and a distribution with a plugin in `src`, that would make every test pass."""
    planted = "def pytest_runtest_makereport(item, call):\n    raise SystemExit(0)\n"
    files = {
        **GREEN,
        "pytest.py": "raise SystemExit(0)\n",
        "evil.py": planted,
        "evil-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n",
        "evil-1.0.dist-info/entry_points.txt": "[pytest11]\nevil = evil\n",
        "sitecustomize.py": "import os\nos._exit(0)\n",
    }
    result = result_of(judge_files(tmp_path, files, ONLY_TEST), "test")
    assert result.passed, result


WEAK = """
[project]
name = "toy"
version = "1.1"

[tool.mypy]
ignore_errors = true

[tool.ruff]
exclude = ["*"]

[tool.pytest.ini_options]
addopts = "-k nothing"

[tool.coverage.report]
exclude_also = ["."]
"""


def test_the_rules_of_the_base_count(tmp_path: Path) -> None:
    base_files = {**GREEN, "pyproject.toml": f"{PYPROJECT}\n[tool.ruff.lint]\nselect = ['F']\n", "setup.cfg": ""}
    repository = make_repository(tmp_path / "repository", base_files)
    base = git(repository, "rev-parse", "HEAD")
    commit_files(
        repository,
        {
            "pyproject.toml": WEAK,
            "mypy.ini": "[mypy]\nignore_errors = true\n",
            "pytest.ini": "[pytest]\naddopts = -k nothing\n",
            "ruff.toml": "exclude = ['*']\n",
            "toy/ruff.toml": "exclude = ['*']\n",
            ".coveragerc": "[report]\nexclude_also =\n    .\n",
            "setup.cfg": "[mypy]\nignore_errors = true\n[metadata]\nname = toy\n",
            "toy/__init__.py": "import os\n\n\ndef double(number: int) -> str:\n    return 2 * number\n",
            "toy/more.py": "".join(f"a{number} = {number}\n" for number in range(50)),
            "tests/test_toy.py": TEST.replace("4", "5"),
        },
    )
    verdict = judge(repository, tmp_path / "home", base=base)
    assert states(verdict) == dict.fromkeys(("build", "lint", "test", "coverage", "integrity"), "failed")
    notes = result_of(verdict, "build").details["notes"]
    assert isinstance(notes, list)
    assert [str(note).split(":")[0] for note in notes] == [
        ".coveragerc", "mypy.ini", "pyproject.toml", "pytest.ini", "ruff.toml", "setup.cfg", "toy/ruff.toml",
    ]  # fmt: skip
    fooled = judge(repository, tmp_path / "home")
    assert states(fooled)["build"] == "passed"


def test_what_mypy_says_about_its_configuration_is_an_error(tmp_path: Path) -> None:
    files = {**GREEN, "mypy.ini": "[mypy]\nnonsense = 1\n"}
    result = result_of(judge_files(tmp_path, files, ONLY_BUILD), "build")
    assert state(result) == "error"
    assert "Unrecognized option: nonsense" in result.message


def test_files_of_the_mypy_configuration_are_the_scope(tmp_path: Path) -> None:
    files = {**GREEN, "mypy.ini": "[mypy]\nfiles = toy, tests\n"}
    result = result_of(judge_files(tmp_path, files, ONLY_BUILD), "build")
    assert result.message == "mypy --strict finds nothing in 2 files"
    assert result.details["command"] == "mypy --strict"


def test_a_folder_among_the_arguments_of_mypy_is_checked_beside_the_packages(tmp_path: Path) -> None:
    section = ONLY_BUILD.model_copy(update={"build": GateSection(args=("--warn-unreachable", "tests"))})
    result = result_of(judge_files(tmp_path, GREEN, section), "build")
    assert result.message == "mypy --strict finds nothing in 2 files"
    assert result.details["command"] == "mypy --strict --warn-unreachable tests toy"


def test_a_mypy_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    section = ONLY_BUILD.model_copy(update={"build": GateSection(args=("--no-such-flag",))})
    result = result_of(judge_files(tmp_path, GREEN, section), "build")
    assert state(result) == "error"
    assert "ended with exit code 2 and gave no usable result" in result.message
    assert "--no-such-flag" in str(result.details["command"])


def test_a_mypy_that_checks_nothing_is_an_error(tmp_path: Path) -> None:
    files = {**GREEN, "mypy.ini": "[mypy]\nplugins = quiet.py\n", "quiet.py": "raise SystemExit(0)\n"}
    section = GatesSection(lint=OFF, test=NO_TEST, coverage=NO_COVERAGE)
    result = result_of(judge_files(tmp_path, files, section), "build")
    assert state(result) == "error"
    assert result.message == "mypy checked no file at all"


def test_mypy_plugins_run_with_the_mypy_of_the_project(tmp_path: Path) -> None:
    files = {**GREEN, "mypy.ini": "[mypy]\nplugins = pydantic.mypy\n"}
    result = result_of(judge_files(tmp_path, files, ONLY_BUILD), "build")
    assert result.passed
    assert result.details["notes"] == [NO_BASE, "the project's own mypy ran, as its plugins need"]


def test_a_ruff_that_looks_at_nothing_is_an_error(tmp_path: Path) -> None:
    result = result_of(judge_files(tmp_path, {**GREEN, "ruff.toml": "exclude = ['*.py']\n"}, ONLY_LINT), "lint")
    assert state(result) == "error"
    assert result.message == "ruff looked at no file: all of them are excluded"


def test_a_ruff_with_a_broken_configuration_is_an_error(tmp_path: Path) -> None:
    result = result_of(judge_files(tmp_path, {**GREEN, "ruff.toml": "nonsense = 1\n"}, ONLY_LINT), "lint")
    assert state(result) == "error"
    assert "ended with exit code 2" in result.message


def test_ruff_mends_nothing_and_its_arguments_cannot_hide_findings(tmp_path: Path) -> None:
    files = {**GREEN, "ruff.toml": "fix = true\nshow-fixes = true\n", "toy/more.py": "import os\n"}
    section = ONLY_LINT.model_copy(update={"lint": GateSection(args=("--exit-zero",))})
    result = result_of(judge_files(tmp_path, files, section), "lint")
    assert state(result) == "failed"
    assert result.details["findings_total"] == 1


def test_coverage_of_several_processes_is_put_together(tmp_path: Path) -> None:
    test = (
        "import subprocess\nimport sys\n\n\ndef test_run() -> None:\n"
        "    subprocess.run([sys.executable, '-m', 'toy'], check=True)\n"
    )
    files = {
        "pyproject.toml": "[tool.coverage.run]\nparallel = true\nbranch = true\npatch = ['subprocess']\n",
        "toy/__init__.py": CODE,
        "toy/__main__.py": "from toy import double\n\nprint(double(1))\n",
        "tests/test_toy.py": test,
    }
    result = result_of(judge_files(tmp_path, files, TESTS), "coverage")
    assert result.details["percent"] == 100.0


def test_the_project_s_own_pytest_options_work(tmp_path: Path) -> None:
    pyproject = (
        "[tool.pytest.ini_options]\ntestpaths = ['checks']\npython_files = ['check_*.py']\n"
        "addopts = '-m \"not slow\"'\n"
        "pythonpath = ['lib']\nmarkers = ['slow: slow']\nfilterwarnings = ['error']\n"
    )
    check = (
        "import helper\nimport pytest\nfrom toy import double\n\n\n"
        "def test_a() -> None:\n    assert double(2) == helper.FOUR\n"
        "\n\n@pytest.mark.slow\ndef test_b() -> None:\n    assert False\n"
    )
    files = {
        "pyproject.toml": pyproject,
        "toy/__init__.py": CODE,
        "lib/helper.py": "FOUR = 4\n",
        "checks/check_toy.py": check,
        "tests/test_wrong.py": "def test_wrong() -> None:\n    assert False\n",
    }
    result = result_of(judge_files(tmp_path, files, ONLY_TEST), "test")
    assert result.message == "1 test passed"


def test_a_configuration_of_ruff_above_the_export_has_no_say(tmp_path: Path) -> None:
    """Whoever can write to the folder for temporary files could leave one there, and ruff looks in all of them."""
    (tmp_path / "ruff.toml").write_text('lint.per-file-ignores = {"*" = ["ALL"]}\n')
    files = {**GREEN, "toy/more.py": "import os\n", "toy/old.py": "from typing import List\n\nX: List[int] = []\n"}
    (tmp_path / "one").mkdir()
    result = result_of(judge_files(tmp_path / "one", files, ONLY_LINT), "lint")
    assert "F401" in result.message
    old = {**files, "pyproject.toml": f'{PYPROJECT}requires-python = ">=3.8"\n', "toy/more.py": ""}
    (tmp_path / "two").mkdir()
    assert "FA100" in result_of(judge_files(tmp_path / "two", old, ONLY_LINT), "lint").message, "a rule for Python 3.8"
    test = "import os\n\nimport pytest\n\nimport toy\n\n\ndef test_a() -> None:\n    assert all((os, pytest, toy))\n"
    for name, folder in (("three", "toy"), ("four", "src/toy")):
        (tmp_path / name).mkdir()
        own = {f"{folder}/__init__.py": CODE, "tests/test_toy.py": test}
        assert result_of(judge_files(tmp_path / name, own, ONLY_LINT), "lint").passed, "its own modules are known"


def test_disabled_gates_are_left_out(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, GREEN, ONLY_LINT)
    assert [result.gate for result in verdict.gates] == ["lint"]


def test_a_suite_that_cannot_judge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="All quality gates are disabled"):
        judge_files(tmp_path, GREEN, ONLY_LINT.model_copy(update={"lint": OFF}))
    assert list((tmp_path / "home").iterdir()) == []


def test_a_project_that_has_no_gate_left_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """Known when the tree is there: the one gate that is on, coverage, is none of a project in Go."""
    section = ONLY_LINT.model_copy(update={"lint": OFF, "coverage": CoverageGateSection()})
    with pytest.raises(Misconfigured, match="All quality gates are disabled"):
        judge_files(tmp_path, {"go.mod": "module toy\n"}, section)
    assert list((tmp_path / "home").iterdir()) == []


def test_an_environment_that_cannot_be_prepared_is_an_error_of_the_gates_that_need_it(tmp_path: Path) -> None:
    asked: list[Path] = []

    def broken(source: Path) -> TargetEnvironment:
        asked.append(source)
        raise Unreachable("No index", mend="Run again")

    repository = make_repository(tmp_path / "repository", GREEN)
    verdict = judge(repository, tmp_path / "home", environment=broken)
    assert states(verdict) == {"build": "error", "lint": "passed", "test": "error", "coverage": "error"}
    assert result_of(verdict, "test").message == "No index. Run again."
    assert len(asked) == 1


def test_version_and_compiled_modules_come_from_the_installed_copy_or_the_checkout(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "toy/__init__.py": "from toy._version import version\n\nassert version\n",
        "tests/test_toy.py": "from toy import version\n\n\ndef test_version() -> None:\n    assert version == '7'\n",
    }
    repository = make_repository(tmp_path / "repository", files)
    checkout = tmp_path / "checkout" / "toy"
    checkout.mkdir(parents=True)
    (checkout / "_version.py").write_text("version = '7'\n")
    (checkout / "deleted.py").write_text("raise SystemExit\n")
    (checkout / "_version_link.py").symlink_to("/etc/passwd")
    home = tmp_path / "home"
    home.mkdir()
    sandbox = PlainSandbox(home)
    verdict = build_suite(
        export=exporter(repository),
        tree=git(repository, "rev-parse", "HEAD^{tree}"),
        base=None,
        section=ONLY_TEST,
        sandbox=sandbox,
        environment=lambda _source: own_environment(sandbox, home / "cache"),
        checkout=tmp_path / "checkout",
    ).judge()
    assert verdict.passed, verdict


def test_the_tests_get_one_arena_of_memory_and_do_not_know(tmp_path: Path) -> None:
    looking = (
        "import os\nimport subprocess\nfrom pathlib import Path\n\n\ndef test_look() -> None:\n"
        "    assert b'MALLOC_ARENA_MAX=1' in Path('/proc/self/environ').read_bytes().split(bytes(1))\n"
        "    assert not [name for name in os.environ if name.startswith('MALLOC')]\n"
        "    assert b'MALLOC' not in subprocess.check_output(['env'])\n"
    )
    assert judge_files(tmp_path, {**GREEN, "tests/test_look.py": looking}, ONLY_TEST).passed


def test_what_the_tests_leave_behind_is_removed(tmp_path: Path) -> None:
    leaving = (
        "import os\nfrom pathlib import Path\n\n\ndef test_leave() -> None:\n    folder = Path('locked')\n"
        "    (folder / 'inside').mkdir(parents=True)\n    os.chmod(folder, 0)\n"
    )
    assert judge_files(tmp_path, {**GREEN, "tests/test_toy.py": leaving}, ONLY_TEST).passed
