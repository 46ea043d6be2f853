"""A verdict as JUnit XML, read back by the reader of the gates."""

from __future__ import annotations

import xml.parsers.expat
from typing import TYPE_CHECKING

from coordinator.gates.protocol import Verdict
from coordinator.gates.reports.junit import TestReport, read_report
from coordinator.report.verdict_junit import verdict_junit
from tests.report.scenarios import ACCEPTING, FINDING, WEAKENED, gate

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.protocol import GateResult


def of(*gates: GateResult) -> Verdict:
    return Verdict(passed=all(result.passed for result in gates), tree="t", gates=gates)


def read(folder: Path, verdict: Verdict) -> TestReport:
    (folder / "report.xml").write_text(verdict_junit(verdict), encoding="utf-8")
    return read_report(folder / "report.xml")


def elements(verdict: Verdict) -> list[tuple[str, dict[str, str]]]:
    seen: list[tuple[str, dict[str, str]]] = []
    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = lambda tag, attributes: seen.append((tag, attributes))
    parser.Parse(verdict_junit(verdict), True)
    return seen


def test_a_gate_that_passed_is_one_passing_test_case(tmp_path: Path) -> None:
    report = read(tmp_path, ACCEPTING)
    assert [(case.classname, case.name, case.outcome) for case in report.cases] == [
        (f"coordinator.{result.gate}", result.gate, "passed") for result in ACCEPTING.gates
    ]


def test_each_finding_is_a_test_case_at_its_place(tmp_path: Path) -> None:
    second = {**FINDING, "path": "b.py", "line": 0, "message": "x < 3 & \"y\" > '2'"}
    report = read(tmp_path, of(gate("test", "2 failed", passed=False, findings=[FINDING, second])))
    assert [(case.file, case.outcome, case.message) for case in report.cases] == [
        ("tests/test_parser.py", "failure", "assert parse('') is None"),
        ("b.py", "failure", "x < 3 & \"y\" > '2'"),
    ]
    assert report.cases[0].text.endswith("\n    AssertionError: assert '' is None")
    assert report.cases[0].name.startswith("tests/test_parser.py:31: test_empty")


def test_a_gate_without_findings_is_one_test_case_with_its_evidence(tmp_path: Path) -> None:
    broken = gate("lint", "ruff did not start", passed=False, output="one\ntwo")
    broken = broken.model_copy(update={"details": {**broken.details, "state": "error"}})
    (case,) = read(tmp_path, of(broken)).cases
    assert (case.outcome, case.message, case.text) == ("error", "ruff did not start", "ruff did not start\none\ntwo")


def test_the_totals_are_those_of_the_suites() -> None:
    failed = gate("test", "2 failed", passed=False, findings=[FINDING, FINDING])
    broken = gate("lint", "x", passed=False).model_copy(update={"details": {"state": "error"}})
    seen = elements(of(ACCEPTING.gates[0], failed, broken, WEAKENED))
    totals = dict(seen[0][1])
    assert (totals["tests"], totals["failures"], totals["errors"]) == ("6", "4", "1")
    suites = [attributes for tag, attributes in seen if tag == "testsuite"]
    assert [(one["name"], one["tests"], one["failures"], one["errors"]) for one in suites] == [
        ("build", "1", "0", "0"), ("test", "2", "2", "0"), ("lint", "1", "0", "1"), ("integrity", "2", "2", "0"),
    ]  # fmt: skip
    assert suites[0]["time"] == "6.100"


def test_what_no_xml_can_hold_is_taken_out(tmp_path: Path) -> None:
    hostile = {**FINDING, "path": 'a"><x/>.py', "message": "\x00 \x1b[31m \ufffe \ud800 ]]> <!DOCTYPE x>"}
    report = read(tmp_path, of(gate("test", "\x07", passed=False, findings=[hostile])))
    (case,) = report.cases
    assert case.file == 'a"><x/>.py'
    assert "]]> <!DOCTYPE x>" in case.text
    assert "\ufffe" not in case.text
