"""The integrity gate: all checks at once, their findings by severity, and what a person has waived."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from coordinator.errors import CoordinatorError
from coordinator.gates.evidence import MESSAGE_LIMIT, MOST_FINDINGS, counted, one_line
from coordinator.gates.integrity.findings import Severity, settle
from coordinator.gates.judgement import UNFINISHED, Judgement, NotFinished, State, timed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from coordinator.gates.integrity.findings import PolicyFinding, Waiver
    from coordinator.gates.protocol import GateResult

ORDER = {Severity.FAILED: 0, Severity.ATTENTION: 1, Severity.NOTE: 2}


class Check(Protocol):
    """One look at what the change did to the checks."""

    @property
    def name(self) -> str:
        """A short name for messages, e.g. ``census``."""
        ...

    def find(self) -> Sequence[PolicyFinding]:
        """Return what was found. Raises where the check could not be done: that is never a pass."""
        ...


@dataclass(frozen=True, slots=True)
class IntegrityGate:
    """Passes when no check finds anything that is proven or that a person would have to look at."""

    name: ClassVar[str] = "integrity"
    checks: tuple[Check, ...]
    waivers: Sequence[Waiver] = ()
    notes: tuple[str, ...] = ()
    """Said with every result, e.g. what could not be looked at."""

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        with ThreadPoolExecutor(max_workers=max(len(self.checks), 1), thread_name_prefix="integrity") as pool:
            answers = tuple(pool.map(_asked, self.checks))
        faults = [answer for answer in answers if isinstance(answer, str)]
        late = any(isinstance(answer, NotFinished) for answer in answers)
        found = [finding for answer in answers if not isinstance(answer, str | NotFinished) for finding in answer]
        found.sort(key=lambda each: (ORDER[each.severity], each.path, each.line, each.kind, each.what))
        standing, waived = settle(found, self.waivers)
        details = _details(standing, self.notes)
        details["waived"] = [_shown(finding) | {"by": waiver.by} for finding, waiver in waived[:MOST_FINDINGS]]
        if faults:
            return Judgement(State.ERROR, one_line("; ".join(faults)), details)
        judgement = _judgement(standing, len(waived), len(self.checks), details)
        return _unfinished(judgement) if late else judgement


def _asked(check: Check) -> Sequence[PolicyFinding] | NotFinished | str:
    """Return what a check found, or why it could not be done."""
    try:
        return check.find()
    except NotFinished as error:
        return error
    except CoordinatorError as error:
        return f"{check.name}: {error}"
    except Exception as error:  # noqa: BLE001  (whatever breaks in one check must not pass, and not stop the others)
        return f"{check.name}: the check itself failed: {type(error).__name__}: {error}"


def _unfinished(judgement: Judgement) -> Judgement:
    """Return what is said where some checks waited in vain: what the others found stands."""
    message = "not finished: stopped after test failed"
    if judgement.state is State.PASSED:
        return Judgement(State.ERROR, message, judgement.details | {UNFINISHED: True})
    return replace(judgement, message=one_line(f"{judgement.message} ({message})"))


def _judgement(standing: Sequence[PolicyFinding], waived: int, checks: int, details: dict[str, JsonValue]) -> Judgement:
    grave = [finding for finding in standing if finding.severity is not Severity.NOTE]
    if not grave:
        extra = f", {waived} waived" if waived else ""
        return Judgement(State.PASSED, f"no check was weakened ({counted(checks, 'check')}{extra})", details)
    first = grave[0]
    proven = first.severity is Severity.FAILED
    where = f"{first.path}:{first.line}" if first.line else first.path or first.what
    message = f"{counted(len(grave), 'finding')}, first at {where}: {first.kind}: {first.message}"
    if proven:
        return Judgement(State.FAILED, one_line(message), details)
    return Judgement(State.ATTENTION, one_line(f"needs a person: {message}"), details)


def _details(standing: Sequence[PolicyFinding], notes: Sequence[str]) -> dict[str, JsonValue]:
    grave = [finding for finding in standing if finding.severity is not Severity.NOTE]
    mild = [finding.message for finding in standing if finding.severity is Severity.NOTE]
    return {
        "findings": [_shown(finding) for finding in grave[:MOST_FINDINGS]],
        "findings_total": len(grave),
        "notes": [*notes, *mild[:MOST_FINDINGS]],
    }


def _shown(finding: PolicyFinding) -> dict[str, JsonValue]:
    """Return a finding as every gate shows its findings, with what a waiver needs beside it."""
    return {
        "path": finding.path,
        "line": finding.line,
        "column": 0,
        "code": finding.kind,
        "message": finding.message[:MESSAGE_LIMIT],
        "kind": finding.kind,
        "what": finding.what,
        "severity": finding.severity.value,
        "waiver": finding.waiver_line,
    }
