"""The document that ``run`` and ``work`` print with ``--format json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.planning.show import plan_json

if TYPE_CHECKING:
    from pydantic import JsonValue

    from coordinator.report.models import AttemptReport
    from coordinator.report.redaction import CleanReport


def json_report(report: CleanReport) -> dict[str, JsonValue]:
    """Return the document. All keys are always there; what a run did not come to is null, empty or 0.

    ``compactions`` is there only where a context was full, and ``queue`` only for a run for several issues.
    """
    pull_request = report.pull_request
    has_issue = report.issue_number is not None and not report.is_check
    return {
        "outcome": report.outcome.value if report.outcome else None,
        "reason": report.reason,
        "exit_code": report.code,
        "issue": {"number": report.issue_number, "title": report.issue_title} if has_issue else None,
        "agent": report.agent or None,
        "plan": _plan(report),
        "branch": report.branch,
        "commit": report.commit,
        "pull_request": pull_request.model_dump(mode="json") if pull_request else None,
        "attempts": [_attempt(attempt) for attempt in report.attempts],
        "usage": report.usage.model_dump(mode="json"),
        "cost_usd": round(report.cost_usd, 6),
        "report": report.report_path,
        **(
            {"compactions": [reset.model_dump(mode="json") for reset in report.compactions]}
            if report.compactions
            else {}
        ),
        **({"queue": report.queue.model_dump(mode="json")} if report.queue else {}),
    }


def _plan(report: CleanReport) -> dict[str, JsonValue] | None:
    """Return the plan, and beside it what the work needed. Its agent is the first one: a rejected run may have two."""
    if report.plan is None:
        return None
    needed: dict[str, JsonValue] = {"context_tokens": report.peak_context_tokens, "cost_usd": round(report.cost_usd, 6)}
    return {**plan_json(report.plan, report.accuracy), "needed": needed}


def _attempt(attempt: AttemptReport) -> dict[str, JsonValue]:
    return {
        "number": attempt.number,
        "agent": attempt.agent,
        "turns": attempt.turns,
        "seconds": attempt.seconds,
        "verdict": attempt.verdict.model_dump(mode="json"),
    }
