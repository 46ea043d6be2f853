from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.continuation import TEXT_LIMIT, ForcedContinuationService
from coordinator.gates.judgement import needs_person
from coordinator.gates.protocol import GateResult, Verdict

if TYPE_CHECKING:
    from pydantic import JsonValue


def result(gate: str, *, passed: bool = False, message: str = "bad", **details: JsonValue) -> GateResult:
    return GateResult(gate=gate, passed=passed, message=message, details=details, seconds=1.0)


def verdict(*gates: GateResult) -> Verdict:
    return Verdict(passed=all(gate.passed for gate in gates), tree="t", gates=gates)


FINDING: JsonValue = {"path": "a.py", "line": 3, "column": 9, "code": "F401", "message": "unused\nsecond line"}


def test_an_accepted_submission_is_final() -> None:
    answer = ForcedContinuationService(3).next(verdict(result("build", passed=True), result("lint", passed=True)))
    assert (answer.accepted, answer.final) == (True, True)
    assert answer.text == "Accepted: all quality gates passed (build, lint)."


def test_a_rejected_one_says_what_where_and_how_many_are_left() -> None:
    service = ForcedContinuationService(3)
    answer = service.next(
        verdict(
            result("build", passed=True),
            result(
                "lint",
                message="1 finding",
                command="ruff check .",
                notes=["base rules"],
                findings=[FINDING],
                findings_total=3,
            ),
            result("test", message="1 of 2 tests failed", output="first\nlast"),
            result("coverage", message="12 % is covered", missing=[{"path": "b.py", "lines": "4-9", "percent": 1.0}]),
        )
    )
    assert (answer.accepted, answer.final) == (False, False)
    assert answer.text.startswith("Rejected: 3 gates of 4 did not pass: lint, test, coverage. Passed: build.\n")
    for line in (
        "## lint: 1 finding",
        "Command: ruff check .",
        "Note: base rules",
        "- a.py:3 [F401] unused",
        "    second line",
        "… and 2 more",
        "    last",
        "- b.py: lines 4-9 are never executed",
    ):
        assert line in answer.text.splitlines()
    assert "2 submissions left" in answer.text
    assert "silencing findings, or removing or skipping tests does not help" in answer.text
    assert service.left == 2


def test_the_last_rejected_submission_ends_the_work() -> None:
    service = ForcedContinuationService(2)
    assert "1 submission left" in service.next(verdict(result("lint"))).text
    last = service.next(verdict(result("lint")))
    assert (last.accepted, last.final) == (False, True)
    assert "last submission" in last.text
    assert "submit again" not in last.text
    assert service.next(verdict(result("lint"))).final


def test_a_submission_without_a_change_is_told_so_and_counts() -> None:
    service = ForcedContinuationService(2)
    answer = service.nothing_changed()
    assert (answer.accepted, answer.final) == (False, False)
    assert answer.text.startswith("Rejected: nothing changed.")
    assert service.nothing_changed().final


def test_the_text_is_bounded_and_each_failed_gate_has_its_share() -> None:
    long: list[JsonValue] = [
        {"path": f"{number}.py", "line": 1, "column": 1, "code": "x", "message": "y" * 900} for number in range(50)
    ]
    gates = [
        result(name, findings=long, findings_total=500, output="z" * 9000)
        for name in ("build", "lint", "test", "coverage")
    ]
    text = ForcedContinuationService(3).next(verdict(*gates)).text
    assert len(text) <= TEXT_LIMIT
    assert all(f"## {gate.gate}" in text for gate in gates)


def test_details_of_another_shape_are_left_out() -> None:
    odd = result("other", findings=["x", {"code": 1}], missing="x", notes="x", command=1, findings_total="x")
    text = ForcedContinuationService(3).next(verdict(odd)).text
    assert "## other: bad\n-  [1]" in text


def test_a_verdict_without_gates_is_rejected() -> None:
    empty = Verdict(passed=False, tree="t", gates=())
    assert "none was run" in ForcedContinuationService(1).next(empty).text


def policy(*what: str, state: str = "attention") -> GateResult:
    findings: list[JsonValue] = [
        {"path": each, "line": 1, "message": "1 more", "kind": "noqa", "what": each, "severity": "attention"}
        for each in what
    ]
    return result("integrity", state=state, findings=findings, findings_total=len(findings))


def test_a_policy_finding_is_told_once_and_then_left_to_a_person() -> None:
    service = ForcedContinuationService(5)
    first = service.next(verdict(policy("a.py", "b.py")))
    assert (first.accepted, first.final, first.reason) == (False, False, "")
    assert "Undo what weakens a check" in first.text
    assert "say why in your summary and submit again: then a person decides" in first.text
    second = service.next(verdict(policy("a.py")))
    assert (second.accepted, second.final) == (False, True)
    assert second.reason == "It needs a person: 1 finding that only somebody with write access can waive"
    assert second.text.startswith("Handed to a person, who decides about what is listed; the work ends here.")
    assert "a.py:1" in second.text


def test_another_policy_finding_is_told_again() -> None:
    service = ForcedContinuationService(5)
    service.next(verdict(policy("a.py")))
    assert not service.next(verdict(policy("a.py", "b.py"))).final
    assert service.next(verdict(policy("b.py"))).final


def test_a_policy_finding_beside_a_fault_counts_as_told_and_the_fault_is_mended_first() -> None:
    service = ForcedContinuationService(5)
    assert not service.next(verdict(policy("a.py"), result("lint"))).final
    assert not service.next(verdict(policy("a.py"), result("lint"))).final
    assert not service.next(verdict(policy("a.py", state="failed"))).final
    assert service.next(verdict(policy("a.py"), result("lint", passed=True))).final


def test_the_last_submission_with_nothing_but_policy_findings_needs_a_person() -> None:
    answer = ForcedContinuationService(1).next(verdict(policy("a.py")))
    assert answer.final
    assert answer.reason.startswith("It needs a person")
    assert ForcedContinuationService(1).next(verdict(policy("a.py"), result("lint"))).reason == ""


def test_without_a_gate_nobody_is_needed() -> None:
    assert not needs_person(verdict())
    assert not needs_person(verdict(result("lint", passed=True, state="passed")))
    assert needs_person(verdict(result("lint", passed=True), policy("a.py")))


def test_gates_that_another_one_ended_are_named_and_not_told_as_faults() -> None:
    ended = result("test", message="not finished: stopped after lint failed", state="error", unfinished=True)
    answer = ForcedContinuationService(3).next(verdict(result("lint"), ended))
    assert (
        "1 gate of 2 did not pass: lint. Ended before they were done, because of what failed first: test."
        in answer.text
    )
    assert "## test" not in answer.text
