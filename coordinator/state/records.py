"""What is remembered between runs: one record per issue and per day, and what became of older ones."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from pydantic import Field

from coordinator.agent.protocol import Usage
from coordinator.models import Frozen


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
    taken_at: datetime
    renewed_at: datetime
    """The last sign of life."""
    lease_seconds: float = Field(gt=0)
    request: datetime | None = None
    """When the assignment or label was made that this run answers; None for a run that a person asked for by name."""
    stop: str = ""
    """Why the run is to stop, in one line; empty while it is to go on."""

    @property
    def expires_at(self) -> datetime:
        """When the claim is anybody's unless it is renewed before."""
        return self.renewed_at + timedelta(seconds=self.lease_seconds)


class RunRecord(Frozen):
    """One run that has worked on an issue."""

    run: str
    agent: str = ""
    started_at: datetime
    ended_at: datetime
    outcome: str
    """The word of the outcome; ``lost`` for a run whose claim had to be taken over."""
    attempts: int = 0
    usage: Usage = Usage()
    cost_usd: float = 0.0
    predicted_tokens: int | None = None
    """Context that the plan expected."""
    peak_tokens: int | None = None
    """Context that the work needed."""


class Totals(Frozen):
    """What is left of records that were folded."""

    runs: int = 0
    cost_usd: float = 0.0
    usage: Usage = Usage()


class IssueRecord(Frozen):
    """What is remembered of one issue."""

    number: int = Field(ge=1)
    claim: ClaimRecord | None = None
    dispatched_at: datetime | None = None
    """When a run was last started for it that has not come to claim it yet."""
    answered: datetime | None = None
    """The newest request that a run has answered."""
    runs: tuple[RunRecord, ...] = ()
    """The newest ones, oldest first."""
    folded: Totals = Totals()
    """Older runs."""


class DayRecord(Frozen):
    """What one day (UTC) has cost."""

    day: date
    runs: int = 0
    cost_usd: float = 0.0
    usage: Usage = Usage()


class State(Frozen):
    """Everything that is remembered."""

    issues: dict[int, IssueRecord] = Field(default_factory=dict)
    days: dict[date, DayRecord] = Field(default_factory=dict)
    folded: Totals = Totals()
    """Issues and days that are not kept one by one any more."""
