"""What is remembered between runs: one record per issue and per day, and what became of older ones."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field

from coordinator.agent.protocol import Usage
from coordinator.models import Frozen

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ClaimRecord(Frozen):
    """The exclusive right of one run to work on one issue."""

    run: str
    """Which run: unique on the forge, the same for a re-run of it."""
    attempt: int = Field(default=1, ge=1)
    """How often the run was started; a re-run takes over what its former self left behind."""
    process: str = ""
    """Of a run on a person's machine: which process, so that its end can be seen at once."""
    url: str = ""
    """Page of the run."""
    taken_at: AwareDatetime
    renewed_at: AwareDatetime
    """The last sign of life."""
    lease_seconds: float = Field(gt=0, le=7 * 24 * 3600)
    request: AwareDatetime | None = None
    """When the assignment or label was made that this run answers; None for a run that a person asked for by name."""
    stop: str = ""
    """Why the run is to stop, in one line; empty while it is to go on."""
    granted_usd: Dollars = 0.0
    """What the run may have spent in all out of what issue and day have."""
    spent_usd: Dollars = 0.0
    """What it had spent when it was last heard of."""

    @property
    def held_usd(self) -> float:
        """What counts as spent while the run works, and for good when it dies."""
        return max(self.granted_usd, self.spent_usd)

    @property
    def expires_at(self) -> datetime:
        """When the claim is anybody's unless it is renewed before."""
        return self.renewed_at + timedelta(seconds=self.lease_seconds)


LOST = "lost"
"""Outcome of a run that has given no sign of its end."""


class RunRecord(Frozen):
    """One run that has worked on an issue."""

    run: str
    run_attempt: int = Field(default=1, ge=1)
    """How often the run had been started by then."""
    agent: str = ""
    """Name of the profile that worked last."""
    planned_agent: str = ""
    """Name of the profile that the plan chose."""
    started_at: AwareDatetime
    ended_at: AwareDatetime
    outcome: str
    """The word of the outcome; `LOST` for a run whose claim had to be taken over."""
    ending: str = ""
    """The word of `coordinator.agent.protocol.Ending`; empty for a run in which no agent came to an end."""
    attempts: int = 0
    turns: int = 0
    usage: Usage = Usage()
    cost_usd: Dollars = 0.0
    """Of a lost run, what it had been granted: it cannot have spent more."""
    predicted_cost_usd: Dollars | None = None
    """Cost that the plan expected."""
    predicted_tokens: int | None = None
    """Context that the plan expected."""
    peak_tokens: int | None = None
    """Context that the work needed."""


class Totals(Frozen):
    """What is left of records that were folded, and of planning that led to no run."""

    runs: int = 0
    cost_usd: Dollars = 0.0
    usage: Usage = Usage()
    predicted_tokens: int = 0
    """Context that the plans expected, of all runs that know what they needed as well."""
    peak_tokens: int = 0
    """Context that those runs needed."""

    def __add__(self, other: Totals) -> Totals:
        """Add up field by field."""
        return Totals(
            runs=self.runs + other.runs,
            cost_usd=self.cost_usd + other.cost_usd,
            usage=self.usage + other.usage,
            predicted_tokens=self.predicted_tokens + other.predicted_tokens,
            peak_tokens=self.peak_tokens + other.peak_tokens,
        )


def total(runs: tuple[RunRecord, ...]) -> Totals:
    """Add runs up."""
    measured = [run for run in runs if run.predicted_tokens is not None and run.peak_tokens is not None]
    return Totals(
        runs=len(runs),
        cost_usd=sum(run.cost_usd for run in runs),
        usage=sum((run.usage for run in runs), Usage()),
        predicted_tokens=sum(run.predicted_tokens or 0 for run in measured),
        peak_tokens=sum(run.peak_tokens or 0 for run in measured),
    )


class IssueRecord(Frozen):
    """What is remembered of one issue."""

    number: int = Field(ge=1)
    claim: ClaimRecord | None = None
    dispatched_at: AwareDatetime | None = None
    """When a run was last started for it that has not come to claim it yet."""
    dispatched_by: str = ""
    """A word of whoever did that, by which it is known again."""
    answered: AwareDatetime | None = None
    """The newest request that a run has answered."""
    answered_by: str = ""
    """Which run that was."""
    answered_url: str = ""
    """Page of that run."""
    waiting: bool = False
    """Whether the last run found it held up by others: whoever frees it starts it, though its request is answered."""
    text: str = ""
    """Digest of title and body as the last person saw them who asked for the work; empty where nobody has yet."""
    runs: tuple[RunRecord, ...] = ()
    """The newest ones, oldest first."""
    folded: Totals = Totals()
    """Older runs, and what was spent on planning that led to none."""
    not_before: AwareDatetime | None = None
    """When what is asked for may be started again by itself: the money of the day was used up."""
    touched_at: AwareDatetime | None = None
    """When anything of this was last changed."""

    @property
    def totals(self) -> Totals:
        """All runs that the issue has had."""
        return self.folded + total(self.runs)


class DayRecord(Frozen):
    """What the runs have cost that ended on one day (UTC). A lost one counts for the day of its last sign of life."""

    day: date
    runs: int = 0
    cost_usd: Dollars = 0.0
    usage: Usage = Usage()


class State(Frozen):
    """Everything that is remembered."""

    issues: dict[int, IssueRecord] = Field(default_factory=dict)
    days: dict[date, DayRecord] = Field(default_factory=dict)
    folded: Totals = Totals()
    """Issues that are not kept one by one any more. Old days are dropped: their runs are counted with the issues."""
