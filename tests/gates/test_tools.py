"""What the gates make of tools that crash, lie or say nothing: the answers of the tools are given here."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.evidence import Cleaner
from coordinator.gates.integrity.testbed import Testbed
from coordinator.gates.once import Once
from coordinator.gates.python.build_gate import BuildGate
from coordinator.gates.python.coverage_gate import CoverageGate
from coordinator.gates.python.coverage_report import CoverageReading
from coordinator.gates.python.lint_gate import LintGate
from coordinator.gates.python.pytest_run import RunOutcome
from coordinator.gates.python.test_gate import TestGate
from coordinator.gates.python.test_run import TestRun
from coordinator.gates.reports.junit import TestCase, TestReport
from coordinator.gates.target.environment import TargetEnvironment
from coordinator.gates.target.packages import Sources, find_sources
from coordinator.gates.tooling import Tool
from coordinator.gates.tree import JudgedTree
from coordinator.sandbox.protocol import CommandResult, Network
from tests.gates.support import PlainSandbox
from tests.support import write_files

if TYPE_CHECKING:
    from coordinator.gates.protocol import GateResult
    from coordinator.sandbox.protocol import Command

FINDING = '{"file": "a.py", "line": 1, "column": 0, "message": "m", "hint": "h", "code": null, "severity": "error"}'
NOTE = FINDING.replace("error", "note")


@dataclass
class AnsweringSandbox(PlainSandbox):
    """Gives the same answer to every command, and writes a file where an option of the command says."""

    answer: CommandResult = field(default_factory=lambda: CommandResult(0, None, False, b"", b"", False, 0.0))
    writes: str | None = None

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        if self.writes is not None:
            Path(command.argv[command.argv.index("-o") + 1]).write_text(self.writes)
        return self.answer


def answer(code: int | None = 0, out: str = "", err: str = "", *, truncated: bool = False) -> CommandResult:
    return CommandResult(
        exit_code=code,
        signal=9 if code is None else None,
        timed_out=False,
        stdout=out.encode(),
        stderr=err.encode(),
        truncated=truncated,
        seconds=0.0,
    )


def a_tree(folder: Path, files: dict[str, str] | None = None) -> JudgedTree:
    write_files(folder, files or {"toy/__init__.py": ""})
    return JudgedTree(folder, folder, folder, find_sources(folder), (), has_python=True)


def an_environment(*installed: str, version: tuple[int, int] = (3, 11)) -> Once[TargetEnvironment]:
    made = TargetEnvironment(
        Path("/env/bin/python"), "prepared", version, dict.fromkeys(installed, "1"), Path("/env/site"), notes=("lent",)
    )
    return Once(lambda: made)


def build(tmp_path: Path, said: CommandResult) -> GateResult:
    sandbox = AnsweringSandbox(tmp_path, answer=said)
    tree = a_tree(tmp_path / "tree")
    tool = Tool(sandbox, tree.reading, Cleaner((tree.reading,)))
    return BuildGate(tree, an_environment(), tool, tool).check()


def lint(tmp_path: Path, said: CommandResult) -> GateResult:
    sandbox = AnsweringSandbox(tmp_path, answer=said)
    tree = a_tree(tmp_path / "tree")
    return LintGate(tree, Tool(sandbox, tree.reading, Cleaner((tree.reading,)))).check()


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        (answer(None), "error", "mypy was ended by signal 9 and gave no usable result"),
        (answer(1, f"{FINDING}\n", truncated=True), "error", "no usable result"),
        (answer(3), "error", "ended with exit code 3"),
        (answer(1, '{"odd": 1}\n'), "error", "no usable result"),
        (answer(1, f"{NOTE}\n", "why\nlast"), "error", "no usable result: last"),
        (answer(0, "\n"), "error", "checked no file"),
        (answer(0, f"text\n{NOTE}\n{FINDING}\n"), "failed", "1 type error, first at a.py:1:1: m"),
        (answer(0, "", "setup.cfg: [mypy]: Unrecognized option: x = 1"), "error", "does not accept its configuration"),
    ],
)
def test_build(tmp_path: Path, said: CommandResult, state: str, words: str) -> None:
    result = build(tmp_path, said)
    assert not result.passed
    assert result.details["state"] == state
    assert words in result.message


RUFF = {"code": None, "filename": "/x/a.py", "location": None, "message": "m"}


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        (answer(0, "no json"), "error", "no usable result"),
        (answer(0, "[]", truncated=True), "error", "no usable result"),
        (answer(1, "[]"), "error", "ended with exit code 1"),
        (answer(0, "[]"), "error", "looked at no file"),
        (answer(0, json.dumps([RUFF])), "failed", "1 finding, first at /x/a.py: syntax m"),
    ],
)
def test_lint(tmp_path: Path, said: CommandResult, state: str, words: str) -> None:
    result = lint(tmp_path, said)
    assert not result.passed
    assert result.details["state"] == state
    assert words in result.message


def an_outcome(tmp_path: Path, report: TestReport | None, result: CommandResult) -> RunOutcome:
    (tmp_path / "reports").mkdir()
    return RunOutcome(
        result, report, "pytest wrote no report", tmp_path / "reports" / "coverage.data", "", (), ("note",)
    )


def a_report(*outcomes: str) -> TestReport:
    return TestReport([TestCase(classname="t", name=f"n{at}", outcome=name) for at, name in enumerate(outcomes)])


TOTALS = {"covered_lines": 9, "num_statements": 10, "percent_covered": 84.9999}
SUMMARY = {"covered_lines": 8, "num_statements": 10, "percent_covered": 80.0}
LINES = {"executed_lines": [], "missing_lines": [*range(1, 200, 2)], "excluded_lines": []}
MEASURED = {"files": {"a.py": {**LINES, "summary": SUMMARY}}, "totals": TOTALS}


@pytest.mark.parametrize(
    ("code", "writes", "state", "words"),
    [
        (0, json.dumps(MEASURED), "failed", "84.99 % of toy is covered, 85 % is needed"),
        (0, "no json", "error", "no usable result"),
        (0, json.dumps({"files": {}, "totals": TOTALS}), "error", "no statement to measure"),
        (1, json.dumps(MEASURED), "error", "ended with exit code 1"),
        (0, None, "error", "no usable result"),
    ],
)
def test_coverage(tmp_path: Path, code: int, writes: str | None, state: str, words: str) -> None:
    tree = a_tree(
        tmp_path / "tree", {"toy/__init__.py": "", "pyproject.toml": "[tool.coverage.run]\nplugins = ['p']\n"}
    )
    outcome = an_outcome(tmp_path, a_report("passed"), answer())
    sandbox = AnsweringSandbox(tmp_path, answer=answer(code), writes=writes)
    tool = Tool(sandbox, tree.working, Cleaner((tree.working,)))
    report = Once(CoverageReading(tree, Once(lambda: outcome), an_environment(), tool))
    result = CoverageGate(tree, report, 85.0).check()
    assert not result.passed
    assert result.details["state"] == state
    assert words in result.message
    assert sandbox.commands[0].argv[:4] == ("/env/bin/python", "-P", "-s", "-m")
    assert "…" in str(result.details.get("missing", "…"))


@pytest.mark.parametrize(
    ("outcomes", "code", "state", "words"),
    [
        (("passed",), 0, "passed", "1 test passed"),
        (("passed", "skipped"), 0, "passed", "1 test passed, 1 skipped"),
        (("passed",), 5, "error", "pytest ended with exit code 5, though 1 passed"),
        (("passed",), 4, "error", "exit code 4, though its report names none that failed"),
        (("failure",) * 4, 1, "failed", "4 of 4 tests failed: t::n0, t::n1, t::n2, …"),
        (("failure",), 3, "error", "exit code 3, though its report names failures"),
        ((), 5, "failed", "no tests in the target"),
        ((), 0, "failed", "no tests in the target"),
        ((), None, "error", "was ended by signal 9: pytest wrote no report"),
    ],
)
def test_report_and_exit_code_have_to_agree(
    tmp_path: Path, outcomes: tuple[str, ...], code: int | None, state: str, words: str
) -> None:
    outcome = an_outcome(tmp_path, a_report(*outcomes) if code is not None else None, answer(code))
    result = TestGate(a_tree(tmp_path / "tree"), Once(lambda: outcome)).check()
    assert result.details["state"] == state
    assert words in result.message
    assert result.details["notes"] == ["note"]


def test_a_failure_without_a_file_is_placed_by_its_class(tmp_path: Path) -> None:
    outcome = an_outcome(tmp_path, a_report("failure"), answer(1))
    findings = TestGate(a_tree(tmp_path / "tree"), Once(lambda: outcome)).check().details["findings"]
    assert isinstance(findings, list)
    assert isinstance(findings[0], dict)
    assert findings[0]["path"] == "t.py"


def command_of(tmp_path: Path, *, files: dict[str, str], version: tuple[int, int] = (3, 11)) -> Command:
    sandbox = AnsweringSandbox(tmp_path)
    tree, environment = a_tree(tmp_path / "tree", files), an_environment(version=version)
    run = TestRun(Testbed(tree, environment, sandbox, 1, ("-x",), Network.NONE))
    assert run().notes == ("lent",)
    run.remove()
    return sandbox.commands[0]


def test_a_project_with_rules_keeps_them(tmp_path: Path) -> None:
    argv = command_of(tmp_path, files={"tool.py": "", "pytest.ini": "[pytest]\naddopts = -q\n"}).argv
    assert "--source=." in argv
    assert "-c" not in argv


def test_a_project_without_rules_gets_empty_ones(tmp_path: Path) -> None:
    argv = command_of(tmp_path, files={"toy/__init__.py": ""}).argv
    assert argv[argv.index("-c") + 1].endswith("pytest.ini")


@pytest.mark.parametrize(
    ("version", "rules", "fast"),
    [((3, 11), "", False), ((3, 12), "", True), ((3, 12), "branch = true", False), ((3, 13), "plugins = ['x']", False)],
)
def test_the_fast_core_of_coverage_is_used_where_it_can(
    tmp_path: Path, version: tuple[int, int], rules: str, *, fast: bool
) -> None:
    files = {"toy/__init__.py": "", "pyproject.toml": f"[tool.coverage.run]\n{rules}\n"}
    command = command_of(tmp_path, files=files, version=version)
    assert (command.env.get("COVERAGE_CORE") == "sysmon") is fast
    assert command.env["PYTHONHASHSEED"] == "0"


def test_the_coordinator_s_own_tools_run_out_of_reach_of_the_tree(tmp_path: Path) -> None:
    sandbox = AnsweringSandbox(tmp_path, answer=answer(0, "[]"))
    tree = a_tree(tmp_path / "tree")
    LintGate(tree, Tool(sandbox, tree.reading, Cleaner(()))).check()
    assert all(command.argv[:3] == (sys.executable, "-I", "-m") for command in sandbox.commands)


def test_modules_that_only_a_build_makes_are_added_and_no_others(tmp_path: Path) -> None:
    installed = tmp_path / "site"
    write_files(installed, {"toy/_version.py": "1", "toy/fast.so": "x", "toy/gone.py": "", "toy/sub/version.py": ""})
    (installed / "toy" / "version_link.py").symlink_to("/etc/passwd")
    (installed / "big").symlink_to("toy")
    tree = dataclasses.replace(
        a_tree(tmp_path / "tree", {"src/toy/__init__.py": "", "big/__init__.py": ""}),
        working=tmp_path / "working",
        sources=Sources(("big", "src/toy"), (".", "src")),
    )
    write_files(tmp_path / "working", {"src/toy/__init__.py": ""})
    tree.add_built_files([installed, tmp_path / "none"])
    for folder in (tree.reading, tree.working):
        assert sorted(path.name for path in (folder / "src" / "toy").iterdir()) == [
            "__init__.py",
            "_version.py",
            "fast.so",
        ]
    assert not (tree.reading / "big" / "_version.py").exists()
