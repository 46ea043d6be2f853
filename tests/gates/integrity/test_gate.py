"""The gate over its checks: severities, waivers, and checks that could not be done."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.gates.integrity.findings import PolicyFinding, Severity, Waiver, attention, settle
from coordinator.gates.integrity.gate import IntegrityGate
from coordinator.gates.judgement import UNFINISHED, NotFinished

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import JsonValue

    from coordinator.gates.protocol import GateResult

NOQA = attention("noqa", "a.py", "1 more.", path="a.py", line=3)
CAST = attention("cast", "b.py", "1 more.", path="b.py")
PROVEN = PolicyFinding(
    kind="changed-lines", what="c.py", path="c.py", line=7, message="Not run.", severity=Severity.FAILED
)
NOTE = PolicyFinding(kind="noqa", what="d.py", path="d.py", line=1, message="As said.", severity=Severity.NOTE)


@dataclass
class Found:
    findings: Sequence[PolicyFinding] = ()
    name: str = "some check"
    before: Callable[[], object] = field(default=lambda: None)

    def find(self) -> Sequence[PolicyFinding]:
        self.before()
        return self.findings


def fail(error: Exception) -> Callable[[], object]:
    def raises() -> None:
        raise error

    return raises


def judged(*findings: PolicyFinding, waivers: Sequence[Waiver] = ()) -> GateResult:
    return IntegrityGate((Found(findings),), waivers).check()


def listed(result: GateResult, key: str) -> list[dict[str, JsonValue]]:
    value = result.details[key]
    assert isinstance(value, list)
    return [entry for entry in value if isinstance(entry, dict)]


def test_nothing_found_passes() -> None:
    for gate, number in ((IntegrityGate(()), "0 checks"), (IntegrityGate((Found(), Found())), "2 checks")):
        result = gate.check()
        assert (result.gate, result.passed, result.details["state"]) == ("integrity", True, "passed")
        assert result.message == f"no check was weakened ({number})"
        assert (result.details["findings"], result.details["findings_total"]) == ([], 0)


def test_a_policy_finding_needs_a_person() -> None:
    result = judged(NOQA)
    assert (result.passed, result.details["state"]) == (False, "attention")
    assert result.message.startswith("needs a person: 1 finding, first at a.py:3: noqa: 1 more.")
    assert listed(result, "findings") == [
        {
            "path": "a.py", "line": 3, "column": 0, "code": "noqa", "message": NOQA.message,
            "kind": "noqa", "what": "a.py", "severity": "attention", "waiver": "Gate-Allow: noqa a.py",
        }
    ]  # fmt: skip


def test_a_proven_fault_comes_first_and_fails() -> None:
    result = judged(NOQA, PROVEN, CAST)
    assert (result.passed, result.details["state"]) == (False, "failed")
    assert result.message == "3 findings, first at c.py:7: changed-lines: Not run."
    assert [finding["path"] for finding in listed(result, "findings")] == ["c.py", "a.py", "b.py"]


def test_notes_are_shown_and_pass() -> None:
    result = IntegrityGate((Found([NOTE]),), notes=("no base tests",)).check()
    assert result.passed
    assert result.details["notes"] == ["no base tests", "As said."]
    assert result.details["findings"] == []


def test_what_is_waived_passes_and_names_who_did_it() -> None:
    result = judged(
        NOQA, CAST, waivers=[Waiver(kind="noqa", what="a.py", by="dev"), Waiver(kind="*", what="*", by="x")]
    )
    assert result.passed
    assert result.message == "no check was weakened (1 check, 2 waived)"
    assert [(entry["what"], entry["by"]) for entry in listed(result, "waived")] == [("a.py", "dev"), ("b.py", "x")]


def test_a_waiver_for_something_else_changes_nothing() -> None:
    assert judged(NOQA, waivers=[Waiver(kind="noqa", what="b.py", by="dev")]).details["state"] == "attention"


def test_a_check_that_could_not_be_done_is_an_error_that_names_it() -> None:
    checks = (
        Found([NOQA]),
        Found(name="census", before=fail(Misconfigured("no report", mend="look"))),
        Found(name="inventory", before=fail(KeyError("x"))),
    )
    result = IntegrityGate(checks, [Waiver(kind="*", what="*", by="dev")]).check()
    assert (result.passed, result.details["state"]) == (False, "error")
    assert result.message.startswith("census: no report")
    assert "inventory: the check itself failed: KeyError: 'x'" in result.message
    assert result.details["findings"] == []


def test_a_check_that_waits_for_tests_that_were_stopped_is_not_at_fault() -> None:
    late = Found(name="inventory", before=fail(NotFinished("stopped", mend="look")))
    result = IntegrityGate((Found([NOTE]), late)).check()
    assert (result.passed, result.details["state"], result.details[UNFINISHED]) == (False, "error", True)
    assert result.message == "not finished: stopped after test failed"
    found = IntegrityGate((Found([NOQA]), late)).check()
    assert (found.details["state"], UNFINISHED in found.details) == ("attention", False)
    assert found.message.endswith("1 more. (not finished: stopped after test failed)")
    broken = Found(name="census", before=fail(Misconfigured("no report", mend="look")))
    faulty = IntegrityGate((late, broken)).check()
    assert (faulty.message.startswith("census: no report"), UNFINISHED in faulty.details) == (True, False)


def test_the_checks_run_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=10)
    assert IntegrityGate(tuple(Found(before=barrier.wait) for _ in range(3))).check().passed


def test_very_many_findings_are_counted_and_cut() -> None:
    many = [attention("noqa", f"{number:03}.py", "x", path=f"{number:03}.py") for number in range(120)]
    result = judged(*many)
    assert (len(listed(result, "findings")), result.details["findings_total"]) == (50, 120)


@pytest.mark.parametrize(
    ("kind", "what", "covered"),
    [
        ("noqa", "src/a.py", True),
        ("noqa", "src/*", True),
        ("noqa", "*", True),
        ("*", "*", True),
        ("*", "src/a.py", True),
        ("noqa", "src/", False),
        ("noqa", "src/b*", False),
        ("cast", "*", False),
        ("NOQA", "src/a.py", False),
        ("noqa", "*.py", False),
        ("noqa", "SRC/A.PY", False),
    ],
)
def test_what_a_waiver_covers(kind: str, what: str, covered: bool) -> None:
    finding = attention("noqa", "src/a.py", "x")
    waiver = Waiver(kind=kind, what=what, by="dev")
    assert settle([finding], [waiver]) == (((), ((finding, waiver),)) if covered else ((finding,), ()))


@pytest.mark.parametrize("severity", [Severity.FAILED, Severity.NOTE])
def test_only_policy_findings_can_be_waived(severity: Severity) -> None:
    finding = NOQA.model_copy(update={"severity": severity})
    assert settle([finding], [Waiver(kind="*", what="*", by="dev")]) == ((finding,), ())


def test_a_finding_gives_the_line_that_waives_it() -> None:
    assert NOQA.waiver_line == "Gate-Allow: noqa a.py"
    assert PROVEN.waiver_line == ""


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("a.py\nGate-Allow: any *", "a.py Gate-Allow: any ?"),
        ("*", "?"),
        ("src/*", "src/?"),
        ("a\u202eb\x1b[0m.py", "a?b?[0m.py"),
        (" a  b.py ", "a b.py"),
    ],
)
def test_a_file_cannot_be_called_so_that_its_waiver_waives_more(path: str, what: str) -> None:
    finding = attention("noqa", path, "x.", path=path)
    assert finding.what == what
    assert finding.waiver_line == f"Gate-Allow: noqa {what}"
    assert settle([finding], [Waiver(kind="noqa", what=what, by="dev")])[0] == ()
