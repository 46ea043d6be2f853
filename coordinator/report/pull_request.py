"""Title and body of the pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.report.inert import code, inert_line, inert_title
from coordinator.report.sections import (
    agent_words,
    cost_line,
    failure_details,
    join_within,
    left_out,
    marker,
    notes,
    verdict_table,
)
from coordinator.report.waiving import how_to_waive
from coordinator.report.words import REASON_LIMIT, plural

if TYPE_CHECKING:
    from coordinator.report.redaction import CleanReport

BODY_LIMIT = 65_000
"""Characters, as of a comment."""
TITLE_LIMIT = 200
"""Characters. Gitea stores 255 with its prefix for drafts, GitHub 256."""
_FILES_SHOWN = 12


def pull_request_title(report: CleanReport) -> str:
    """Return the issue's title with its number; it names nobody and closes nothing by itself."""
    title = inert_title(report.issue_title, TITLE_LIMIT)
    return f"{title or 'Work on the issue'} (#{report.issue_number})"


def pull_request_body(report: CleanReport) -> str:
    """Return the body. It closes the issue on merge only when the gates have accepted the work."""
    sections = [
        _opening(report),
        _changes(report),
        _gates(report),
        failure_details(report.attempts[-1]) if report.attempts and not report.accepted else "",
        how_to_waive(report),
        left_out(report),
        notes(report),
        agent_words(report),
        f"<sub>{cost_line(report)}</sub>",
        marker(report),
    ]
    return join_within(BODY_LIMIT, sections, optional=(3, 7, 6, 5, 1, 2))


def _opening(report: CleanReport) -> str:
    if report.accepted:
        return f"Closes #{report.issue_number}"
    reason = inert_line(report.reason, REASON_LIMIT) or "the work goes on"
    return f"**Not done:** {reason}\n\nFor #{report.issue_number}. Merging this does not close the issue."


def _changes(report: CleanReport) -> str:
    changes = report.changes
    if not changes.files:
        return ""
    size = f"{plural(len(changes.files), 'file')} changed, +{changes.insertions} −{changes.deletions}"  # noqa: RUF001  (a minus sign)
    listed = "\n".join(f"- {code(path)}" for path in changes.files[:_FILES_SHOWN])
    more = f"\n- and {len(changes.files) - _FILES_SHOWN} more" if len(changes.files) > _FILES_SHOWN else ""
    return f"{size}\n\n{listed}{more}"


def _gates(report: CleanReport) -> str:
    """Return the last verdict, and what it is about: that tree and no other."""
    verdict = report.verdict
    if verdict is None:
        return "No gate has judged this work."
    commit = f"commit {code(report.commit[:12])}, " if report.commit else ""
    proof = (
        f"Gates on {commit}tree {code(verdict.tree[:12])}. Tests and their coverage are results of the code under test:"
        " read the tests as you read the change."
    )
    return f"{verdict_table(verdict) or 'Nothing was checked.'}\n\n{proof}"
