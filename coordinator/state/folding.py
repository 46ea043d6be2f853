"""Keeping the state small: what is old goes into totals."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from coordinator.state.records import total

if TYPE_CHECKING:
    from datetime import datetime

    from coordinator.state.records import IssueRecord, State

KEPT_RUNS: Final = 20
"""Of each issue, one by one; at the default of `budget.issue.runs` none is ever folded."""
KEPT_ISSUES: Final = timedelta(days=90)
"""Since anything of the issue was last changed."""
KEPT_DAYS: Final = timedelta(days=60)


def fold(state: State, now: datetime) -> State:
    """Fold what is old; a state that was folded already comes back as it is."""
    old = {number: issue for number, issue in state.issues.items() if _is_old(issue, now)}
    first_day = (now - KEPT_DAYS).date()
    return state.model_copy(
        update={
            "issues": {number: _fold(issue) for number, issue in state.issues.items() if number not in old},
            "days": {day: record for day, record in state.days.items() if day >= first_day},
            "folded": sum((issue.totals for issue in old.values()), state.folded),
        }
    )


def _is_old(issue: IssueRecord, now: datetime) -> bool:
    """Whether nothing is lost by forgetting the issue: an event of it from so long ago is refused as stale."""
    if issue.claim is not None or issue.waiting or issue.touched_at is None:
        return False
    return now - issue.touched_at > KEPT_ISSUES


def _fold(issue: IssueRecord) -> IssueRecord:
    older = issue.runs[:-KEPT_RUNS]
    if not older:
        return issue
    return issue.model_copy(update={"runs": issue.runs[-KEPT_RUNS:], "folded": issue.folded + total(older)})
