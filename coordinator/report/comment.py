"""The one comment of an issue: written at the start, edited in place, found again by its marker and its author."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.report.forecast import forecast_parts
from coordinator.report.inert import code, inert_line, link
from coordinator.report.sections import (
    agent_words,
    checklist,
    every_failure,
    failure_details,
    gate_table,
    join_within,
    left_out,
    marker,
    marker_start,
    notes,
    verdict_table,
)
from coordinator.report.waiving import how_to_waive
from coordinator.report.words import clock, headline, resets_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coordinator.forge.models import Account, Comment
    from coordinator.report.redaction import CleanReport

COMMENT_LIMIT = 65_000
"""Characters. GitHub takes 65,536 in a comment; Gitea and Forgejo take more."""


def comment_body(report: CleanReport) -> str:
    """Return the comment as Markdown, at most `COMMENT_LIMIT` characters."""
    if report.is_check:
        return _check_body(report)
    sections = [
        f"{marker(report)}\n### {headline(report)}",
        checklist(report),
        gate_table(report),
        _failure(report),
        how_to_waive(report),
        left_out(report),
        notes(report),
        agent_words(report),
        _footer(report),
    ]
    return join_within(COMMENT_LIMIT, sections, optional=(3, 7, 6, 5, 2, 1))


def _check_body(report: CleanReport) -> str:
    """Return the comment on a pull request that was judged: the verdict first, and no word about agents."""
    verdict = report.verdict
    sections = [
        f"{marker(report)}\n### {headline(report)}",
        checklist(report) if report.outcome is None else "",
        verdict_table(verdict) if verdict else "",
        every_failure(verdict) if verdict else "",
        how_to_waive(report),
        _what_was_judged(report) if verdict else "",
        notes(report),
        _footer(report),
    ]
    return join_within(COMMENT_LIMIT, sections, optional=(3, 6, 5, 2))


def _what_was_judged(report: CleanReport) -> str:
    """Say what the verdict is about, who asked for it, and how far it goes."""
    return (
        f"Commit {code((report.commit or '')[:12])} by the rules of {code(report.base)}; "
        f"{inert_line(report.verified, 200)}. Tests and their coverage are results of the code under test: read the "
        "tests as you read the change."
    )


def _failure(report: CleanReport) -> str:
    """Return the newest failure; once the work is accepted, nobody needs it any more."""
    if report.accepted or not report.attempts:
        return ""
    return failure_details(report.attempts[-1])


def _footer(report: CleanReport) -> str:
    parts = [f"Updated {clock(report.updated_at)}", *(inert_line(part, 200) for part in forecast_parts(report))]
    if resets := resets_in_words(report):
        parts.append(f"context resets: {resets}")
    if report.job_url and (report.is_check or report.outcome is not None):
        parts.append(link("job", report.job_url))
    if report.sandbox:
        parts.append(inert_line(report.sandbox, 120))
    if report.outcome is None and report.how_to_stop:
        parts.append(f"to stop: {inert_line(report.how_to_stop, 200)}")
    return f"<sub>{' · '.join(parts)}</sub>"


def find_own(comments: Iterable[Comment], me: Account, issue_number: int) -> Comment | None:
    """Return our comment on the issue: it starts with our marker *and* was written by us. The newest of several.

    The marker alone proves nothing: anybody can write it.
    """
    start = f"{marker_start(issue_number)} "
    own = [comment for comment in comments if comment.author.id == me.id and comment.body.lstrip().startswith(start)]
    return own[-1] if own else None
