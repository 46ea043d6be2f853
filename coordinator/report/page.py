"""The run report: one HTML file that needs nothing else, with everything the summary has and every attempt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.gates.judgement import State, needs_person
from coordinator.report.evidence import every_note, evidence_lines
from coordinator.report.inert import is_web_address
from coordinator.report.models import Outcome
from coordinator.report.states import state_of
from coordinator.report.summary import facts
from coordinator.report.waiving import waivers
from coordinator.report.words import clock, dollars, duration

if TYPE_CHECKING:
    from coordinator.gates.protocol import GateResult
    from coordinator.report.redaction import CleanReport

_EVIDENCE_LINES = 200
_TONES = {
    None: "busy",
    Outcome.COMPLETED: "good",
    Outcome.REJECTED: "bad",
    Outcome.FAILED: "bad",
    Outcome.REFUSED: "bad",
}
"""Colour of the heading; the other outcomes are neutral."""

_SIGNS = {State.PASSED: "✓", State.FAILED: "✗", State.ATTENTION: "✋", State.ERROR: "⚠"}
"""Of a gate; letters rather than pictures, which take the colour of the page."""


def report_page(report: CleanReport) -> str:
    """Return the page. No script, no outside resource; every text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  (only this page needs it)

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=clock, duration=duration, dollars=dollars)
    environment.tests["web_address"] = is_web_address
    return environment.get_template("report.html.j2").render(
        report=report,
        facts=facts(report),
        tone="busy" if _waits_for_person(report) else _TONES.get(report.outcome, "still"),
        title=_title(report),
        evidence=_evidence,
        state=lambda result: state_of(result).value,
        sign=lambda result: _SIGNS[state_of(result)],
        waivers=waivers(report),
        notes=every_note(report),
    )


def _waits_for_person(report: CleanReport) -> bool:
    return report.outcome is Outcome.REJECTED and report.verdict is not None and needs_person(report.verdict)


def _title(report: CleanReport) -> str:
    if report.outcome is Outcome.COMPLETED and not report.accepted:
        return "not done"
    if _waits_for_person(report):
        return "needs a person"
    return report.outcome.value if report.outcome else "working"


def _evidence(result: GateResult) -> str:
    return "\n".join(evidence_lines(result, _EVIDENCE_LINES))
