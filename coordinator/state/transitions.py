"""How the record of an issue changes when a run takes it, works on it, and ends. Pure: nothing is read or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING

from coordinator.state.records import LOST, ClaimRecord, DayRecord, IssueRecord, RunRecord, Totals

if TYPE_CHECKING:
    from datetime import date, datetime

    from coordinator.agent.protocol import Usage
    from coordinator.state.records import State


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run this is."""

    run: str
    """Unique on the forge, the same for a re-run."""
    attempt: int = 1
    """How often the run was started."""
    process: str = ""
    """Of `coordinator.state.process.this_process`, for a run on a person's machine."""
    url: str = ""
    """Page of the run."""

    def has(self, claim: ClaimRecord) -> bool:
        """Whether a claim is this run's."""
        return (claim.run, claim.attempt, claim.process) == (self.run, self.attempt, self.process)

    def succeeds(self, claim: ClaimRecord) -> bool:
        """Whether a claim was left behind by an earlier attempt of this run, which has ended."""
        return claim.run == self.run and claim.attempt < self.attempt


def issue_of(state: State, number: int) -> IssueRecord:
    """Return what is known of an issue, if only its number."""
    return state.issues.get(number) or IssueRecord(number=number)


def with_issue(state: State, issue: IssueRecord, now: datetime) -> State:
    """Put a record into the state; nothing changes where it is the one that is there."""
    if issue == issue_of(state, issue.number):
        return state
    touched = issue.model_copy(update={"touched_at": now})
    return state.model_copy(update={"issues": {**state.issues, issue.number: touched}})


def with_cost(state: State, day: date, *, runs: int, cost_usd: float, usage: Usage) -> State:
    """Add to a day (UTC). `cost_usd` is negative for a run that has cost less than was thought."""
    before = state.days.get(day) or DayRecord(day=day)
    after = before.model_copy(
        update={
            "runs": before.runs + runs,
            "cost_usd": max(before.cost_usd + cost_usd, 0.0),
            "usage": before.usage + usage,
        }
    )
    return state if after == before else state.model_copy(update={"days": {**state.days, day: after}})


def new_claim(
    issue: IssueRecord,
    identity: RunIdentity,
    *,
    now: datetime,
    lease_seconds: float,
    request: datetime | None,
) -> ClaimRecord:
    """Return a run's claim on an issue. What another run was to answer that had it goes along."""
    inherited = issue.claim.request if issue.claim else None
    return ClaimRecord(
        run=identity.run,
        attempt=identity.attempt,
        process=identity.process,
        url=identity.url,
        taken_at=now,
        renewed_at=now,
        lease_seconds=lease_seconds,
        request=max(request, inherited) if request and inherited else request or inherited,
    )


def claimed(issue: IssueRecord, claim: ClaimRecord, *, text: str) -> IssueRecord:
    """Give the issue to a run."""
    update = {"claim": claim, "dispatched_at": None, "dispatched_by": "", "not_before": None}
    return issue.model_copy(update={**update, "text": text or issue.text})


def without_claim(state: State, number: int, now: datetime) -> State:
    """Take a dead run's claim away, and remember the run with all that it may have spent."""
    issue = issue_of(state, number)
    claim = issue.claim
    if claim is None:
        return state
    lost = RunRecord(
        run=claim.run,
        run_attempt=claim.attempt,
        started_at=claim.taken_at,
        ended_at=claim.renewed_at,
        outcome=LOST,
        cost_usd=claim.held_usd,
    )
    changed = with_issue(state, issue.model_copy(update={"claim": None, "runs": (*issue.runs, lost)}), now)
    day = claim.renewed_at.astimezone(UTC).date()
    return with_cost(changed, day, runs=1, cost_usd=lost.cost_usd, usage=lost.usage)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, for the record of its issue."""

    run: RunRecord | None
    """None for a run that found the issue held up and did not count."""
    waiting: bool = False
    """Whether whoever frees the issue is to start it."""
    not_before: datetime | None = None
    """When what was asked for is to be started again by itself, and not before; None where it was answered."""
    planning: Totals = field(default_factory=Totals)
    """What a run has spent that did not count."""


def finished(issue: IssueRecord, identity: RunIdentity, ended: Ended) -> IssueRecord:
    """Give the issue back and remember the run; the same object where that is done already.

    A run that was taken for lost and ends after all takes its own place among the runs.
    """
    claim = issue.claim
    if claim is None or not identity.has(claim):
        return _returned(issue, identity, ended.run)
    update: dict[str, object] = {
        "claim": None,
        "waiting": ended.waiting,
        "not_before": ended.not_before,
        "folded": issue.folded + ended.planning,
    }
    is_newest = claim.request and (issue.answered is None or claim.request >= issue.answered)
    if is_newest and ended.not_before is None:
        update |= {"answered": claim.request, "answered_by": claim.run, "answered_url": claim.url}
    if ended.run is not None:
        update["runs"] = (*issue.runs, ended.run)
    return issue.model_copy(update=update)


def _returned(issue: IssueRecord, identity: RunIdentity, run: RunRecord | None) -> IssueRecord:
    mine = (identity.run, identity.attempt, LOST)
    places = [i for i, each in enumerate(issue.runs) if (each.run, each.run_attempt, each.outcome) == mine]
    if run is None or not places:
        return issue
    runs = list(issue.runs)
    runs[places[-1]] = run
    return issue.model_copy(update={"runs": tuple(runs)})
