"""Who works on which issue: taken, renewed and given back, each by one atomic change of the state."""

from __future__ import annotations

import secrets
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from coordinator.errors import BudgetExceeded
from coordinator.state.held import Held, answered_by, held_by, name_of
from coordinator.state.money import check_left, why_nothing_today
from coordinator.state.process import process_is_gone, this_process
from coordinator.state.purse import Purse
from coordinator.state.records import Totals
from coordinator.state.transitions import (
    Ended,
    RunIdentity,
    claimed,
    finished,
    issue_of,
    new_claim,
    with_cost,
    with_issue,
    without_claim,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    from coordinator.state.money import SpendLimits
    from coordinator.state.protocol import StateStore
    from coordinator.state.records import ClaimRecord, IssueRecord, RunRecord, State

__all__ = ["LEASE_SECONDS", "Claims", "Held", "RunIdentity", "process_is_gone", "this_process"]

LEASE_SECONDS: Final = 600.0
"""Longer than clocks of runners differ and than a forge restarts; as long an issue of a killed run stays locked."""
_WHY_CHARACTERS: Final = 200


class Claims:
    """The claims of a repository, in the name of one run.

    Each method is one look at the state or one atomic change of it, and raises what its `StateStore` raises. Done twice
    by the same run, because the answer to the first was lost, each has the effect of once.
    """

    def __init__(
        self,
        store: StateStore,
        identity: RunIdentity,
        *,
        now: Callable[[], datetime],
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._now = now
        self._reservations: dict[int, str] = {}
        self.identity = identity
        self.lease_seconds = lease_seconds

    def take(
        self,
        number: int,
        *,
        request: datetime | None,
        most_runs: int | None,
        limits: SpendLimits | None = None,
        text: str = "",
    ) -> ClaimRecord | Held:
        """Claim an issue, or say who has it or has answered the same request.

        `request` is when the assignment or label was made that this run answers, None for a run that is meant in any
        case; a run that only found the issue waiting for others has not answered it. `text` is the digest of the issue
        as a person has just seen it, empty where none has. A dead run's claim is
        taken over, and what an earlier attempt of this run left behind. Raises `BudgetExceeded` for an issue that has
        had `most_runs` runs, or has nothing left of `limits`, and `DaySpent` where the day has nothing left.
        """
        answers: list[ClaimRecord | Held] = []

        def edit(state: State) -> State:
            now, issue = self._now(), issue_of(state, number)
            if held := self._why_held(issue, request, now):
                answers.append(held)
                return state
            claim = new_claim(issue, self.identity, now=now, lease_seconds=self.lease_seconds, request=request)
            answers.append(claim)
            if issue.claim is not None and not self.identity.has(issue.claim):
                state = without_claim(state, number, now)
            _check_runs(issue_of(state, number), most_runs)
            if limits is not None:
                check_left(state, number, limits, now)
            return with_issue(state, claimed(issue_of(state, number), claim, text=text), now)

        self._store.change(self._why(number, "claimed"), edit)
        return answers[-1]

    def purse(self, number: int, *, limits: SpendLimits, slice_usd: float) -> Purse:
        """Return what grants this run money for an issue that it has claimed."""
        return Purse(self._store, self.identity, number, limits=limits, slice_usd=slice_usd, now=self._now)

    def why_nothing_today(self, limits: SpendLimits) -> str:
        """Say in one line why no run can be paid any more today; empty where one can."""
        return why_nothing_today(self._store.read(), limits, self._now())

    def holds(self, number: int) -> bool:
        """Whether the claim on an issue is this run's."""
        claim = self.record(number).claim
        return claim is not None and self.identity.has(claim)

    def renew(self, number: int, *, spent_usd: float = 0.0) -> str:
        """Give a sign of life, and say what the run has spent by now.

        Returns why the run has to stop, in one line, and nothing while the claim stands. A claim that ran out is
        renewed all the same where nobody has taken it over. One that is told to stop is renewed as well: bringing the
        work to safety takes time.
        """

        def edit(issue: IssueRecord) -> IssueRecord:
            if issue.claim is None or not self.identity.has(issue.claim):
                return issue
            update = {"renewed_at": self._now(), "spent_usd": max(spent_usd, issue.claim.spent_usd)}
            claim = issue.claim.model_copy(update=update)
            return issue.model_copy(update={"claim": claim})

        claim = self._change(number, "claim renewed", edit).claim
        if claim is None:
            return f"The claim on issue #{number} was released"
        return claim.stop if self.identity.has(claim) else f"Issue #{number} was taken over by {name_of(claim)}"

    def finish(
        self,
        number: int,
        run: RunRecord | None,
        *,
        waiting: bool = False,
        not_before: datetime | None = None,
        planning: Totals | None = None,
    ) -> None:
        """Give our claim back, and remember the run and what it has cost.

        `run` is None for one that found the issue held up and did not count; `planning` is what it spent all the same.
        `waiting` says that whoever frees the issue is to start it, `not_before` that its request is answered by a run
        that starts then. A run whose claim was taken over meanwhile is remembered with its cost all the same.
        """
        mine = {"run": self.identity.run, "run_attempt": self.identity.attempt}
        record = run and run.model_copy(update=mine)
        ended = Ended(record, waiting, not_before, planning or Totals())
        usage = record.usage if record else ended.planning.usage

        def edit(state: State) -> State:
            issue = issue_of(state, number)
            after = finished(issue, self.identity, ended)
            if after is issue:
                return state
            now, had, has = self._now(), issue.totals, after.totals
            changed = with_issue(state, after, now)
            cost_usd = has.cost_usd - had.cost_usd
            return with_cost(changed, _day(now), runs=has.runs - had.runs, cost_usd=cost_usd, usage=usage)

        self._store.change(self._why(number, "given back"), edit)

    def ask_to_stop(self, number: int, why: str) -> ClaimRecord | None:
        """Tell whoever works on an issue to stop, and return its claim; take away a dead run's."""
        reason = " ".join(why.split())[:_WHY_CHARACTERS]

        def edit(state: State) -> State:
            now, issue = self._now(), issue_of(state, number)
            if issue.claim is None or not self._is_alive(issue.claim, now):
                return without_claim(state, number, now)
            claim = issue.claim.model_copy(update={"stop": issue.claim.stop or reason})
            return with_issue(state, issue.model_copy(update={"claim": claim}), now)

        return issue_of(self._store.change(self._why(number, "told to stop"), edit), number).claim

    def let_go(self, number: int) -> None:
        """Forget that an issue waits, and that a run was started for it. A claim stays."""
        update = {"waiting": False, "not_before": None, "dispatched_at": None, "dispatched_by": ""}
        self._change(number, "let go", lambda issue: issue.model_copy(update=update))

    def reserve(self, number: int, *, seconds: float) -> bool:
        """Get the right to start a run for an issue; true for exactly one caller until that run claims it.

        A reservation counts for as many seconds; a run that has not come by then does not come.
        """
        mine = secrets.token_hex(8)

        def edit(issue: IssueRecord) -> IssueRecord:
            now = self._now()
            is_claimed = issue.claim is not None and self._is_alive(issue.claim, now)
            if is_claimed or _is_reserved(issue, now, seconds):
                return issue
            return issue.model_copy(update={"dispatched_at": now, "dispatched_by": mine})

        if self._change(number, "reserved", edit).dispatched_by != mine:
            return False
        self._reservations[number] = mine
        return True

    def unreserve(self, number: int) -> None:
        """Give back our own reservation: the run could not be started."""
        mine = self._reservations.pop(number, None)

        def edit(issue: IssueRecord) -> IssueRecord:
            if mine is None or issue.dispatched_by != mine:
                return issue
            return issue.model_copy(update={"dispatched_at": None, "dispatched_by": ""})

        self._change(number, "not reserved any more", edit)

    def living(self) -> Mapping[int, ClaimRecord]:
        """Return the claims of all runs that are alive, by issue."""
        now = self._now()
        claims = {number: issue.claim for number, issue in self._store.read().issues.items()}
        return {number: claim for number, claim in claims.items() if claim and self._is_alive(claim, now)}

    def reserved(self, seconds: float) -> frozenset[int]:
        """Return the issues for which a run was started in the last so many seconds that has not claimed them yet."""
        now = self._now()
        issues = self._store.read().issues
        return frozenset(number for number, issue in issues.items() if _is_reserved(issue, now, seconds))

    def put_off(self, issue: IssueRecord) -> datetime | None:
        """Return until when an issue is not to be started by itself, for want of money; None where it may be now."""
        is_early = issue.not_before is not None and self._now() < issue.not_before
        return issue.not_before if is_early else None

    def spent(self, day: date) -> float:
        """Return the dollars of all runs that ended on a day (UTC)."""
        record = self._store.read().days.get(day)
        return record.cost_usd if record else 0.0

    def record(self, number: int) -> IssueRecord:
        """Return all that is known of an issue."""
        return issue_of(self._store.read(), number)

    def records(self) -> Mapping[int, IssueRecord]:
        """Return all that is known of all issues."""
        return self._store.read().issues

    def _change(self, number: int, what: str, edit: Callable[[IssueRecord], IssueRecord]) -> IssueRecord:
        def edit_state(state: State) -> State:
            return with_issue(state, edit(issue_of(state, number)), self._now())

        return issue_of(self._store.change(self._why(number, what), edit_state), number)

    def _why(self, number: int, what: str) -> str:
        return f"Issue #{number}: {what} (run {self.identity.run}, attempt {self.identity.attempt})"

    def _is_alive(self, claim: ClaimRecord, now: datetime) -> bool:
        return now < claim.expires_at and process_is_gone(claim.process) is not True

    def _why_held(self, issue: IssueRecord, request: datetime | None, now: datetime) -> Held | None:
        claim = issue.claim
        if claim is not None:
            if self.identity.has(claim):
                return None
            if self._is_alive(claim, now) and not self.identity.succeeds(claim):
                return held_by(issue.number, claim)
        is_answered = request is not None and issue.answered is not None and issue.answered >= request
        if is_answered and not issue.waiting:
            return answered_by(issue)
        return None


def _check_runs(issue: IssueRecord, most_runs: int | None) -> None:
    had = issue.totals.runs
    if most_runs is not None and had >= most_runs:
        raise BudgetExceeded(
            f"Issue #{issue.number} has had {had} runs, and budget.issue.runs allows {most_runs}",
            mend="Raise budget.issue.runs in .coordinator.yml, or open a new issue that says what is left to do",
        )


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()


def _is_reserved(issue: IssueRecord, now: datetime, seconds: float) -> bool:
    return issue.dispatched_at is not None and now < issue.dispatched_at + timedelta(seconds=seconds)
