"""The test gate: pytest; all tests pass, and one at the least ran and passed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.evidence import Cleaner, Finding, counted, last_lines, one_line, shown
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.tooling import as_typed, ended

if TYPE_CHECKING:
    from pydantic import JsonValue

    from coordinator.gates.junit import TestCase, TestReport
    from coordinator.gates.once import Once
    from coordinator.gates.protocol import GateResult
    from coordinator.gates.test_run import RunOutcome
    from coordinator.gates.tree import JudgedTree

PASSED, FAILED, INTERRUPTED, NO_TESTS = 0, 1, 2, 5
"""Exit codes of pytest (its reference page): all passed, some failed, collection broken off, nothing collected."""

SHOWN_NAMES = 3
COUNTED = (("tests", ""), ("failed", "failure"), ("errors", "error"), ("skipped", "skipped"), ("passed", "passed"))


@dataclass(frozen=True, slots=True)
class TestGate:
    """Passes when pytest's exit code and its report agree that all tests passed and that there were some."""

    __test__: ClassVar[bool] = False
    name: ClassVar[str] = "test"
    tree: JudgedTree
    run: Once[RunOutcome]
    args: tuple[str, ...] = ()

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        outcome = self.run.get()
        cleaner = Cleaner(outcome.folders)
        output = cleaner.clean(outcome.result.stdout.decode("utf-8", errors="replace"))
        details: dict[str, JsonValue] = {
            "command": as_typed("python", "-m", "pytest", *self.args),
            "notes": [*self.tree.notes, *outcome.notes],
        }
        report = outcome.report
        if report is None or outcome.result.exit_code is None:
            return _unfinished(outcome, output, details)
        numbers = {name: report.count(kind) if kind else len(report.cases) for name, kind in COUNTED}
        findings = [_finding(case, cleaner) for case in report.broken()]
        details |= {**numbers, **shown(findings)}
        judgement = _verdict(outcome.result.exit_code, report, findings)
        if judgement.state is not State.PASSED and not findings:
            details |= {"output": last_lines(output, 20)}
        return Judgement(judgement.state, judgement.message, details)


def _unfinished(outcome: RunOutcome, output: str, details: dict[str, JsonValue]) -> Judgement:
    """Pytest did not come to its end, so there is nothing to count."""
    details |= {"output": last_lines(output, 20)}
    if outcome.last_test:
        details |= {"last_test": outcome.last_test}
    during = f" during {outcome.last_test}" if outcome.last_test else ""
    fault = f": {outcome.report_fault}" if outcome.report_fault else ""
    return Judgement(State.ERROR, one_line(f"pytest {ended(outcome.result)}{during}{fault}"), details)


def _verdict(exit_code: int, report: TestReport, findings: list[Finding]) -> Judgement:
    """Exit code and report have to say the same."""
    total, passed, skipped = len(report.cases), report.count("passed"), report.count("skipped")
    if findings and exit_code in {FAILED, INTERRUPTED}:
        return Judgement(State.FAILED, _failure_message(exit_code, total, findings))
    if findings or exit_code not in {PASSED, NO_TESTS}:
        agree = "though its report names none that failed" if not findings else "though its report names failures"
        return Judgement(State.ERROR, f"pytest ended with exit code {exit_code}, {agree}")
    if not total:
        return Judgement(State.FAILED, "no tests in the target: pytest found none to run")
    if not passed:
        return Judgement(State.FAILED, f"no test passed: all {skipped} were skipped")
    if exit_code != PASSED:
        return Judgement(State.ERROR, f"pytest ended with exit code {exit_code}, though {passed} passed")
    also = f", {skipped} skipped" if skipped else ""
    return Judgement(State.PASSED, f"{counted(passed, 'test')} passed{also}")


def _failure_message(exit_code: int, total: int, findings: list[Finding]) -> str:
    names = ", ".join(finding.code for finding in findings[:SHOWN_NAMES])
    more = ", …" if len(findings) > SHOWN_NAMES else ""
    if exit_code == INTERRUPTED:
        return one_line(f"the tests could not be collected: {counted(len(findings), 'error')}: {names}{more}")
    return one_line(f"{len(findings)} of {counted(total, 'test')} failed: {names}{more}")


def _finding(case: TestCase, cleaner: Cleaner) -> Finding:
    text = cleaner.clean("\n".join(part for part in (case.message, case.text) if part))
    file = case.file or f"{case.classname or case.name}".replace(".", "/") + ".py"
    line = _line_of_fault(text, file) or case.line
    return Finding(path=file, line=line, column=0, code=cleaner.clean(case.node_id), message=evidence_of(text))


def _line_of_fault(text: str, file: str) -> int:
    """Return the line of the test file where it broke, as pytest's traceback gives it (``tests/test_a.py:7: …``)."""
    places = re.findall(rf"(?m)^{re.escape(file)}:(\d{{1,9}}):", text)
    return int(places[-1]) if places else 0


def evidence_of(text: str) -> str:
    """Return what matters of a failure's text: the lines pytest marks with ``E``, and the last place; else the end."""
    lines = text.splitlines()
    marked = [line for line in lines if line.startswith("E ")]
    places = [line for line in lines if re.match(r"\S+\.py:\d+: ", line)]
    return "\n".join([*marked[:12], *places[-1:]]) if marked else last_lines(text)
