"""The test gate: pytest; all tests pass, and one at the least ran and passed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.evidence import Cleaner, Finding, counted, last_lines, one_line, shown
from coordinator.gates.integrity.canary import Fault
from coordinator.gates.integrity.flaky import Mercy
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.tooling import as_typed, ended

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pydantic import JsonValue

    from coordinator.gates.integrity.base_records import BaseRecord
    from coordinator.gates.once import Once
    from coordinator.gates.protocol import GateResult
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.reports.junit import TestCase, TestReport
    from coordinator.gates.tree import JudgedTree

PASSED, FAILED, INTERRUPTED, NO_TESTS = 0, 1, 2, 5
"""Exit codes of pytest (its reference page): all passed, some failed, collection broken off, nothing collected."""

SHOWN_NAMES = 3
COUNTED = (("tests", ""), ("failed", "failure"), ("errors", "error"), ("skipped", "skipped"), ("passed", "passed"))


@dataclass(frozen=True, slots=True)
class TestGate:
    """Passes when pytest's exit code and its report agree that all tests passed and that there were some.

    The report has to be one that can be believed: see `coordinator.gates.integrity.canary`.
    """

    __test__: ClassVar[bool] = False
    name: ClassVar[str] = "test"
    tree: JudgedTree
    run: Once[RunOutcome]
    args: tuple[str, ...] = ()
    base: Callable[[], BaseRecord] | None = None
    """Returns what the base's own tests said, where there is a base."""
    second_look: Callable[[RunOutcome], Mercy] | None = None
    """Tells failures of this change from those of chance and of the base."""
    flaky_counts: bool = False
    """Whether the latter count all the same."""

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        outcome = self.run.get()
        outcome.remove_temporary()  # while the report on coverage is made
        cleaner = Cleaner(outcome.folders)
        output = cleaner.clean(outcome.text)
        details: dict[str, JsonValue] = {
            "command": as_typed("python", "-m", "pytest", *self.args),
            "notes": [*self.tree.notes, *outcome.notes],
        }
        report = outcome.report
        if report is None or outcome.result.exit_code is None:
            return _unfinished(outcome, output, details)
        numbers = {name: report.count(kind) if kind else len(report.cases) for name, kind in COUNTED}
        judgement = self._weighed(outcome, outcome.result.exit_code, report, details | dict(numbers))
        if judgement.state is not State.PASSED and not judgement.details.get("findings"):
            return replace(judgement, details=judgement.details | {"output": last_lines(output, 20)})
        return judgement

    def _weighed(
        self, outcome: RunOutcome, exit_code: int, report: TestReport, details: dict[str, JsonValue]
    ) -> Judgement:
        """Judge a run that came to its end."""
        mercy = self._mercy(outcome, exit_code)
        forgiven = frozenset() if self.flaky_counts else mercy.forgiven
        cleaner = Cleaner(outcome.folders)
        findings = [_finding(case, cleaner) for case in report.broken() if case.node_id not in forgiven]
        details |= {"flaky": list(mercy.flaky), "base_failures": list(mercy.not_ours), **shown(findings)}
        if forgiven and not findings and exit_code == FAILED:
            exit_code = PASSED
        judgement = _verdict(exit_code, report, findings, forgiven)
        doubt = self._doubt(outcome, judgement.state)
        notes = [*self.tree.notes, *outcome.notes, *mercy.notes, *([doubt.message] if doubt else [])]
        if doubt is not None and judgement.state is State.PASSED and doubt.state is not State.PASSED:
            judgement = doubt
        return Judgement(judgement.state, judgement.message, details | {"notes": list(notes)})

    def _mercy(self, outcome: RunOutcome, exit_code: int) -> Mercy:
        """Look again at failures of a session that ran all tests; in one that broke off they are not all there."""
        if self.second_look is None or exit_code != FAILED or outcome.cut:
            return Mercy()
        return self.second_look(outcome)

    def _doubt(self, outcome: RunOutcome, state: State) -> Judgement | None:
        """Weigh a doubt: what the base's own run does as well is the project's nature.

        A run that failed may have stopped before the tests that must fail: that is no doubt.
        """
        doubt = outcome.doubt
        if doubt is None or (doubt.fault is Fault.HIDDEN and state is not State.PASSED):
            return None
        if self.base is None:
            proven = doubt.fault is Fault.PASSED
            return Judgement(State.FAILED if proven else State.ERROR, doubt.message)
        record = self.base()
        if record.fault:
            return Judgement(State.ERROR, f"{doubt.message}; on the base it cannot be seen: {record.fault}")
        if record.doubt == doubt.fault:
            return Judgement(State.PASSED, f"{doubt.message}; it is so on the base, too")
        return Judgement(State.FAILED, doubt.message)


def _unfinished(outcome: RunOutcome, output: str, details: dict[str, JsonValue]) -> Judgement:
    """Pytest did not come to its end, so there is nothing to count."""
    details |= {"output": last_lines(output, 20)}
    if outcome.last_test:
        details |= {"last_test": outcome.last_test}
    during = f" during {outcome.last_test}" if outcome.last_test else ""
    fault = f": {outcome.report_fault}" if outcome.report_fault else ""
    return Judgement(State.ERROR, one_line(f"pytest {ended(outcome.result)}{during}{fault}"), details)


def _verdict(exit_code: int, report: TestReport, findings: list[Finding], forgiven: Collection[str]) -> Judgement:
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
        return Judgement(State.FAILED, f"no test passed: all {skipped} were skipped" if skipped else "no test passed")
    if exit_code != PASSED:
        return Judgement(State.ERROR, f"pytest ended with exit code {exit_code}, though {passed} passed")
    also = f", {skipped} skipped" if skipped else ""
    also += f", {len(forgiven)} failed that did so on the base or by chance" if forgiven else ""
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
