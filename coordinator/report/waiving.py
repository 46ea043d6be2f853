"""The lines by which a person lets a policy finding pass, ready to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.integrity.findings import WAIVER_LABEL
from coordinator.report.evidence import waiver_lines
from coordinator.report.inert import fenced

if TYPE_CHECKING:
    from coordinator.report.redaction import CleanReport


def how_to_waive(report: CleanReport) -> str:
    """Return which lines a person writes to let the policy findings of the last verdict pass; empty without any."""
    lines = waivers(report)
    if not lines:
        return ""
    again = "run the check again" if report.is_check else "comment `/coordinator retry`"
    return (
        "**A person decides:** whoever has write access waives a finding by a comment with its line, "
        f"or all of them by the label `{WAIVER_LABEL}`. Then {again}.\n\n"
    ) + fenced("\n".join(lines))


def waivers(report: CleanReport) -> list[str]:
    """Return the lines that let the policy findings of the last verdict pass; none when it is accepted."""
    verdict = report.verdict
    if verdict is None or verdict.passed:
        return []
    return [line for result in verdict.gates for line in waiver_lines(result)]
