"""The lines that show why a gate did not pass, and what gates say besides, from the details of their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from coordinator.models import Foreign
from coordinator.report.inert import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.report.redaction import CleanReport

WAIVED = "waived"
"""Key in a result's details of findings that a person lets pass: they are no evidence against it."""
LINE_LIMIT = 240
"""Characters of one line."""
NOTE_LIMIT = 300
"""Characters of a note."""


class Finding(Foreign):
    """One entry of a list of findings, as `coordinator.gates.protocol.GateResult.details` describes it."""

    path: str = ""
    line: int = 0
    column: int = 0
    code: str = ""
    message: str = Field()
    waiver: str = ""
    """The line of a comment by which a person lets it pass; empty where nobody can."""

    @property
    def advice(self) -> str:
        """How a person lets it pass, in one line; empty where nobody can."""
        return f"A person can waive it in a comment: {self.waiver}" if self.waiver else ""

    def lines(self) -> list[str]:
        """Return ``path:line:column: code message``; a message of several lines is set in below."""
        place = ":".join([self.path, *(str(number) for number in (self.line, self.column) if number)]).strip(":")
        first, *rest = self.message.splitlines() or [""]
        head = " ".join(part for part in (f"{place}:" if place else "", self.code, first) if part)
        return [head, *(f"    {line}" for line in rest)]


class MissingLines(Foreign):
    """One file of a list of those with lines that no test ran, as the coverage gate and an lcov report give it."""

    path: str
    lines: str
    """Numbers and ranges, e.g. ``3-5, 9``."""


def findings(result: GateResult) -> tuple[Finding, ...]:
    """Return the findings of a gate that have a place in a file."""
    return tuple(finding for finding in _listed(result) if finding.path)


def waiver_lines(result: GateResult) -> tuple[str, ...]:
    """Return the line for each finding of a gate that a person can waive, each line once."""
    return tuple(dict.fromkeys(finding.waiver for finding in _listed(result) if finding.waiver))


def gate_notes(verdict: Verdict) -> tuple[str, ...]:
    """Return the ``notes`` of all gates, each once and as one visible line: names of files and tests may be in them.

    They tell of rules that were the base's, of tests that fail there too or are flaky, of what a check could not do.
    """
    listed = [result.details.get("notes") for result in verdict.gates]
    notes = [note for notes in listed if isinstance(notes, list) for note in notes if isinstance(note, str)]
    return tuple(dict.fromkeys(one_line(note, NOTE_LIMIT) for note in notes))


def every_note(report: CleanReport) -> tuple[str, ...]:
    """Return what a person should know besides: of the run, and of the gates of its last verdict."""
    return tuple(dict.fromkeys([*report.notes, *(gate_notes(report.verdict) if report.verdict else ())]))


def _listed(result: GateResult) -> list[Finding]:
    listed = result.details.get("findings")
    return [finding for item in listed for finding in _read(item)] if isinstance(listed, list) else []


def evidence_lines(result: GateResult, most: int) -> list[str]:
    """Return the message of a gate and its evidence, at most `most` lines; the last one says how much is left out."""
    shown = (value for key, value in result.details.items() if key != WAIVED)
    lines = [result.message, *(line for value in shown for line in _lines(value))]
    lines = [line if len(line) <= LINE_LIMIT else f"{line[:LINE_LIMIT]}…" for line in lines]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"… and {len(lines) - most + 1} more lines"]


def _lines(value: JsonValue) -> Iterator[str]:
    """Give the lines of a list of findings or files, or of a text of several lines; the rest is numbers and names."""
    if isinstance(value, list):
        for item in value:
            yield from _finding_lines(item) or _missing_lines(item)
    elif isinstance(value, str) and "\n" in value.strip():
        yield from value.strip().splitlines()


def _finding_lines(item: JsonValue) -> list[str]:
    return [line for finding in _read(item) for line in finding.lines()]


def _missing_lines(item: JsonValue) -> list[str]:
    try:
        missing = MissingLines.model_validate(item)
    except ValidationError:
        return []
    return [f"{missing.path}: never executed: {missing.lines}"]


def _read(item: JsonValue) -> tuple[Finding, ...]:
    try:
        return (Finding.model_validate(item),)
    except ValidationError:
        return ()
