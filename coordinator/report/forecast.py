"""What was expected of a run and what it needed, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coordinator.planning.accuracy import accuracy_text
from coordinator.report.words import dollars, tokens

if TYPE_CHECKING:
    from coordinator.report.redaction import CleanReport

ESTIMATES_SO_FAR: Final = "estimates so far"


def forecast_rows(report: CleanReport) -> list[tuple[str, str]]:
    """Return up to three rows for a table: who took over from whom, the estimate and the result, how it was so far."""
    so_far = accuracy_text(report.accuracy) if report.accuracy else ""
    rows = [
        ("escalation", escalation(report)),
        ("estimate", estimate_and_result(report)),
        (ESTIMATES_SO_FAR, so_far),
    ]
    return [(name, text) for name, text in rows if text]


def forecast_parts(report: CleanReport) -> list[str]:
    """Return the same as short phrases that need no heading."""
    return [f"{name}: {text}" if name == ESTIMATES_SO_FAR else text for name, text in forecast_rows(report)]


def escalation(report: CleanReport) -> str:
    """Say which agent was rejected before; empty where none was."""
    return f"{report.agent} took over, as {report.escalated_from} was rejected" if report.escalated_from else ""


def estimate_and_result(report: CleanReport) -> str:
    """Return ``estimated 21,000 tokens of context and $0.05, needed 18,000 and $0.03``; empty before the end."""
    plan, peak = report.plan, report.peak_context_tokens
    if plan is None or peak is None or report.outcome is None:
        return ""
    expected = f"estimated {tokens(plan.estimate.tokens)} tokens of context"
    if plan.predicted_cost_usd is None:
        return f"{expected}, needed {tokens(peak)}"
    return f"{expected} and {dollars(plan.predicted_cost_usd)}, needed {tokens(peak)} and {dollars(report.cost_usd)}"
