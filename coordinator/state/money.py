"""How much of the money of an issue and of a day is left. Pure: nothing is read or written.

All runs of a repository spend from one budget for the day, and all runs on an issue, one after the other, from that of
the issue. What counts as used is what ended runs have cost and what the others have been granted: a run may spend its
grant at any moment without asking again. A grant counts until its run has ended; that of a run which died unseen counts
for the day of its last sign of life, and for its issue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from coordinator.errors import BudgetExceeded
from coordinator.state.transitions import issue_of

if TYPE_CHECKING:
    from coordinator.state.records import ClaimRecord, State

SHARE_OF_REST: Final = 4
"""No run is granted more than a fourth of what is left at once, beyond what it needs: others want to work as well."""
_LEAST_USD: Final = 1e-9
"""Sums of dollars are not exact; less than this is nothing."""


@dataclass(frozen=True, slots=True)
class SpendLimits:
    """Dollars that runs share."""

    issue_usd: float
    """`budget.issue.dollars`: all runs on one issue."""
    day_usd: float
    """`budget.day.dollars`: all runs of one day (UTC)."""


class DaySpent(BudgetExceeded):
    """The money of the day is used up; `until` is when the next day begins."""

    def __init__(self, what: str, *, until: datetime) -> None:
        self.until = until
        super().__init__(what, mend=f"Go on from {until:%Y-%m-%d %H:%M} UTC, or raise budget.day.dollars")


def check_left(state: State, number: int, limits: SpendLimits, now: datetime) -> None:
    """Raise `BudgetExceeded` where issue or day have nothing left; `DaySpent` where it is the day.

    A limit of 0 lets a run begin that costs nothing: the first call that costs something is not granted.
    """
    issue, day = issue_of(state, number).totals.cost_usd, _used_today(state, now, besides=number)
    if _is_used_up(issue, limits.issue_usd):
        raise _issue_spent(number, issue, limits, "so no further run is started for it")
    if _is_used_up(day, limits.day_usd):
        raise _day_spent(day, limits, now, "so no further run is started")


def why_nothing_today(state: State, limits: SpendLimits, now: datetime) -> str:
    """Say why no run can be paid any more today; empty where one can."""
    day = _used_today(state, now, besides=None)
    if not _is_used_up(day, limits.day_usd):
        return ""
    return str(_day_spent(day, limits, now, "so no further run is started"))


def next_grant(
    state: State, number: int, limits: SpendLimits, now: datetime, *, total_usd: float, slice_usd: float
) -> float:
    """Return what the run that has an issue may have spent in all: what it needs, or a slice more than it has.

    Raises `BudgetExceeded` naming the limit where even `total_usd` is more than what is left; `DaySpent` for the day.
    """
    record = issue_of(state, number)
    granted = record.claim.granted_usd if record.claim else 0.0
    issue, day = record.totals.cost_usd, _used_today(state, now, besides=number)
    needs = f"and the run on issue #{number} needs {total_usd:.2f} in all for its next call"
    if issue + total_usd > limits.issue_usd:
        raise _issue_spent(number, issue, limits, needs)
    if day + total_usd > limits.day_usd:
        raise _day_spent(day, limits, now, needs)
    most = min(limits.issue_usd - issue, limits.day_usd - day)
    return max(total_usd, granted + min(slice_usd, max(most - granted, 0.0) / SHARE_OF_REST))


def _used_today(state: State, now: datetime, *, besides: int | None) -> float:
    """Return what the day has used, without the run that has the issue `besides` now."""
    today = state.days.get(now.astimezone(UTC).date())
    others = [issue.claim for issue in state.issues.values() if issue.claim is not None and issue.number != besides]
    return (today.cost_usd if today else 0.0) + sum(claim.held_usd for claim in others if _counts(claim, now))


def _counts(claim: ClaimRecord, now: datetime) -> bool:
    return now < claim.expires_at or claim.renewed_at.astimezone(UTC).date() == now.astimezone(UTC).date()


def _is_used_up(used: float, limit: float) -> bool:
    return used > 0 and used > limit - _LEAST_USD


def _issue_spent(number: int, used: float, limits: SpendLimits, why: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"Issue #{number} has cost {used:.2f} of the {limits.issue_usd:.2f} dollars of budget.issue.dollars, {why}",
        mend="Raise budget.issue.dollars in .coordinator.yml, or open a new issue that says what is left to do",
    )


def _day_spent(used: float, limits: SpendLimits, now: datetime, why: str) -> DaySpent:
    today = now.astimezone(UTC).date()
    return DaySpent(
        f"{used:.2f} of the {limits.day_usd:.2f} dollars of budget.day.dollars are used today ({today}, UTC) or held "
        f"by runs that work, {why}",
        until=datetime.combine(today + timedelta(days=1), time(), UTC),
    )
