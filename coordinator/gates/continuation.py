"""What the agent is told when it has submitted: that it is done, or what to mend before it submits again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.evidence import counted
from coordinator.gates.judgement import UNFINISHED, needs_person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from coordinator.gates.protocol import GateResult, Verdict

TEXT_LIMIT = 6000
"""Characters of the whole text: some 1500 tokens, which stay in the history until it is compacted."""

FINDINGS_SHOWN = 8
FINDING_LINES = 6
LINE_LIMIT = 240

NEXT_STEPS: Mapping[str, str] = {
    "build": "Give the code the types that it really has.",
    "lint": "Change the code so that the rule is kept.",
    "test": "Run the failing tests by their ids, find the cause and mend it.",
    "coverage": "Write tests that check the behaviour of the lines that are missing.",
    "integrity": (
        "Undo what weakens a check, as far as the issue does not ask for it. Where the work cannot be done without it, "
        "say why in your summary and submit again: then a person decides."
    ),
}
"""How each gate is met honestly."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """The answer to one submission."""

    accepted: bool
    final: bool
    """No further submission is allowed, whatever this one was."""
    text: str
    """The result of the agent's `submit` call."""
    reason: str = ""
    """Why this was the last one, for people; empty when the submissions are used up."""


class ForcedContinuationService:
    """Answers submissions: a rejected one goes back with what failed, until all submissions are used."""

    def __init__(self, attempts: int) -> None:
        """Allow `attempts` submissions, at least one."""
        self._left = max(attempts, 1)
        self._told: frozenset[tuple[str, str]] = frozenset()

    @property
    def left(self) -> int:
        """How many submissions are left."""
        return self._left

    def next(self, verdict: Verdict) -> Continuation:
        """Answer a submission that the gates have judged."""
        self._left = max(self._left - 1, 0)
        if verdict.passed:
            gates = ", ".join(result.gate for result in verdict.gates)
            return Continuation(accepted=True, final=True, text=f"Accepted: all quality gates passed ({gates}).")
        pending = _waivable(verdict)
        was_told, self._told = pending <= self._told, self._told | pending
        if needs_person(verdict) and (was_told or not self._left):
            return _handed_over(verdict, len(pending))
        return self._rejected("Rejected", _evidence(verdict))

    def nothing_changed(self) -> Continuation:
        """Answer a submission without any change to the files."""
        self._left = max(self._left - 1, 0)
        explanation = (
            "nothing changed. The files in the checkout are the same as at the start, so there is nothing to judge. "
            "Files that are ignored by git do not count."
        )
        return self._rejected("Rejected", explanation)

    def _rejected(self, word: str, evidence: str) -> Continuation:
        if not self._left:
            text = f"{evidence}\n\nThis was the last submission; the work ends here and is handed over as not done."
        else:
            text = (
                f"{evidence}\n\nThe work is not done. Mend the cause of what is listed, check it yourself with the "
                f"commands given, then call submit again; {counted(self._left, 'submission')} left. The gates use the "
                "rules of the base branch: changing their configuration, silencing findings, or removing or skipping "
                "tests does not help."
            )
        return Continuation(accepted=False, final=not self._left, text=f"{word}: {text}")


def _handed_over(verdict: Verdict, findings: int) -> Continuation:
    """Answer work that the agent leaves as it is, though it knows that a person has to look at it."""
    text = f"Handed to a person, who decides about what is listed; the work ends here.\n\n{_evidence(verdict)}"
    reason = f"It needs a person: {counted(findings, 'finding')} that only somebody with write access can waive"
    return Continuation(accepted=False, final=True, text=text, reason=reason)


def _waivable(verdict: Verdict) -> frozenset[tuple[str, str]]:
    """Return the policy findings of a verdict, each by what a waiver would name."""
    listed = [result.details.get("findings") for result in verdict.gates]
    findings = [finding for found in listed if isinstance(found, list) for finding in found]
    return frozenset(
        (str(finding.get("kind")), str(finding.get("what")))
        for finding in findings
        if isinstance(finding, dict) and finding.get("severity") == "attention"
    )


def _evidence(verdict: Verdict) -> str:
    """Return what failed and where, the room shared out among the failed gates."""
    unfinished = [result.gate for result in verdict.gates if result.details.get(UNFINISHED)]
    failed = [result for result in verdict.failed_gates() if result.gate not in unfinished]
    passed = [result.gate for result in verdict.gates if result.passed]
    names = ", ".join(result.gate for result in failed) or "none was run"
    head = f"{counted(len(failed), 'gate')} of {len(verdict.gates)} did not pass: {names}."
    if passed:
        head += f" Passed: {', '.join(passed)}."
    if unfinished:
        head += f" Ended before they were done, because of what failed first: {', '.join(unfinished)}."
    room = (TEXT_LIMIT - 1000) // max(len(failed), 1)
    return "\n\n".join([head, *(_bounded(_section(result), room) for result in failed)])


def _section(result: GateResult) -> str:
    lines = [f"## {result.gate}: {result.message}"]
    command = result.details.get("command")
    if isinstance(command, str):
        lines.append(f"Command: {command}")
    notes = result.details.get("notes")
    lines += [f"Note: {note}" for note in notes] if isinstance(notes, list) else []
    lines += [*_findings(result.details), *_missing(result.details)]
    output = result.details.get("output")
    if isinstance(output, str) and output:
        lines += ["Output:", *(f"    {line[:LINE_LIMIT]}" for line in output.splitlines())]
    if step := NEXT_STEPS.get(result.gate):
        lines.insert(1, step)
    return "\n".join(lines)


def _findings(details: Mapping[str, JsonValue]) -> list[str]:
    found = details.get("findings")
    findings = [finding for finding in found if isinstance(finding, dict)] if isinstance(found, list) else []
    lines = [line for finding in findings[:FINDINGS_SHOWN] for line in _finding(finding)]
    total = details.get("findings_total")
    more = (total if isinstance(total, int) else len(findings)) - min(len(findings), FINDINGS_SHOWN)
    return [*lines, f"… and {more} more"] if more > 0 else lines


def _finding(finding: Mapping[str, JsonValue]) -> list[str]:
    place = ":".join(str(finding[key]) for key in ("path", "line") if finding.get(key))
    first, *rest = str(finding.get("message") or "").splitlines()[:FINDING_LINES] or [""]
    code = f" [{finding['code']}]" if finding.get("code") else ""
    return [f"- {place}{code} {first}"[:LINE_LIMIT], *(f"    {line}"[:LINE_LIMIT] for line in rest)]


def _missing(details: Mapping[str, JsonValue]) -> list[str]:
    files = details.get("missing")
    entries = [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
    return [
        f"- {entry.get('path')}: lines {entry.get('lines')} are never executed"[:LINE_LIMIT]
        for entry in entries[:FINDINGS_SHOWN]
    ]


def _bounded(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 2].rstrip()}\n…"
