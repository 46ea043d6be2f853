"""The record of one run: everything that any report shows, and nothing else."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from coordinator.agent.protocol import Ending, Usage
from coordinator.errors import ExitCode
from coordinator.gates.protocol import Verdict
from coordinator.models import Frozen
from coordinator.planning.accuracy import Accuracy
from coordinator.planning.models import Plan


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    """Accepted by the gates; branch and pull request are there."""
    REJECTED = "rejected"
    """Worked, and not accepted by the gates."""
    BLOCKED = "blocked"
    """Cannot be worked as it stands: too big for every agent, or its dependencies are wrong."""
    WAITING = "waiting"
    """Waits for other issues; starts by itself when they are closed."""
    RELEASED = "released"
    """A person took the issue back."""
    SKIPPED = "skipped"
    """Not ours, or nothing to do."""
    REFUSED = "refused"
    """Verification did not let the run start."""
    FAILED = "failed"
    """A budget, the forge, the model or the runner ended the run before it was accepted."""

    @property
    def exit_code(self) -> ExitCode:
        """The usual exit code. A `FAILED` run has that of its cause in `RunReport.exit_code`."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.COMPLETED: ExitCode.DONE,
    Outcome.REJECTED: ExitCode.NOT_ACCEPTED,
    Outcome.BLOCKED: ExitCode.NOT_ACCEPTED,
    Outcome.WAITING: ExitCode.DONE,
    Outcome.RELEASED: ExitCode.DONE,
    Outcome.SKIPPED: ExitCode.DONE,
    Outcome.REFUSED: ExitCode.REFUSED,
    Outcome.FAILED: ExitCode.RETRYABLE,
}


class StepState(StrEnum):
    """Where one step of the checklist stands."""

    OPEN = "open"
    CURRENT = "current"
    DONE = "done"
    FAILED = "failed"


class Step(Frozen):
    """One line of the checklist."""

    name: str
    """``Event verified``, ``Planned``, ``Implement``, ``Gates``, ``Pull request`` …"""
    state: StepState = StepState.OPEN
    detail: str = ""
    """One line of plain text."""


class AttemptReport(Frozen):
    """One stretch of agent work that ended in a verdict."""

    number: int
    """1-based."""
    agent: str
    turns: int
    seconds: float
    verdict: Verdict


class PullRequestReport(Frozen):
    """The pull request of the run."""

    number: int
    url: str
    draft: bool


class Activity(Frozen):
    """What the agent does at this moment."""

    attempt: int
    """1-based."""
    turn: int
    turn_limit: int
    context_share: float
    """0 to 1 and above."""
    cost_usd: float
    cost_limit: float
    resets: int = 0
    """How often the context was full before."""
    text: str = ""
    """One line, e.g. ``bash: pytest -q``."""


class CompactionReport(Frozen):
    """A context that was full, and what it was replaced by. Sizes in tokens."""

    kind: str
    """The word of `coordinator.agent.compaction.ResetKind`."""
    tokens_before: int
    tokens_after: int
    reduction: float
    """0 to 1: the share of what was there before that is gone."""
    seconds: float
    cost_usd: float


class TimelineEntry(Frozen):
    """Something that happened, for the summary."""

    at: AwareDatetime
    text: str
    seconds: float | None = None
    """How long it took."""


class Changes(Frozen):
    """Size of the change against the base."""

    files: tuple[str, ...] = ()
    insertions: int = 0
    deletions: int = 0


class TakenIssue(Frozen):
    """An issue that a run has taken out of several, and what became of it."""

    number: int
    state: str
    """The word of `coordinator.flows.starting.Start`."""
    reason: str = ""
    """One line: why work was not accepted; empty for a run that was started."""
    pull_request: PullRequestReport | None = None


class QueueReport(Frozen):
    """What a run for several issues has done: one that drained the queue, or started what had waited."""

    processed_count: int
    """Issues that were taken: a run was started for them, or they were worked on in this one."""
    success_count: int
    """Of these, runs that were started and work that was accepted."""
    rejection_count: int
    """Of these, work that was not accepted."""
    states: dict[str, int] = Field(default_factory=dict)
    """How many issues the run found in which state; empty for one that did not look at the whole queue."""
    issues: tuple[TakenIssue, ...] = ()
    """What was taken, in order."""


class RunReport(Frozen):
    """What is known of a run so far. Replaced by a changed copy (`model_copy`) as the run goes on."""

    outcome: Outcome | None = None
    """None while the run goes on."""
    reason: str = ""
    """One line of plain text: why it ended so, with the mend where there is one."""
    exit_code: int | None = None
    """Default: that of the outcome."""
    run: str = ""
    """What tells this run from others on the same issue, e.g. the number of the job."""
    is_check: bool = False
    """Whether it is about somebody's pull request, which was judged and not worked on. Then `issue_number` is its."""
    job_url: str = ""
    issue_number: int | None = None
    issue_title: str = ""
    event: str = ""
    """What started the run, e.g. ``issues assigned``."""
    verified: str = ""
    """Who started it and why that is allowed, one line."""
    plan: Plan | None = None
    agent: str = ""
    """Name of the profile that works."""
    agent_note: str = ""
    """Why this one now, e.g. ``was haiku: test failed``."""
    escalated_from: str = ""
    """Name of the less capable profile whose work was rejected before; empty where there was none."""
    base: str = ""
    """``main@1a2b3c4``"""
    branch: str | None = None
    branch_url: str = ""
    commit: str | None = None
    pull_request: PullRequestReport | None = None
    compare_url: str = ""
    """Where a person opens the pull request, when the token may not."""
    gates: tuple[str, ...] = ()
    """Names of the gates that will judge, in the order shown."""
    attempts: tuple[AttemptReport, ...] = ()
    attempt_limit: int | None = None
    usage: Usage = Usage()
    cost_usd: float = 0.0
    activity: Activity | None = None
    peak_context_share: float | None = None
    peak_context_tokens: int | None = None
    compactions: tuple[CompactionReport, ...] = ()
    """Every time the context was full, in order."""
    steps: tuple[Step, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    changes: Changes = Changes()
    refused_files: tuple[str, ...] = ()
    """``path: reason`` for everything that was kept out of the commit."""
    summary: str = ""
    """The agent's own words on its work. Untrusted."""
    sandbox: str = ""
    """How commands were confined."""
    notes: tuple[str, ...] = ()
    settings: dict[str, str] = Field(default_factory=dict)
    """The effective configuration, without secrets."""
    how_to_stop: str = ""
    """What a person does to stop a running job, one line."""
    started_at: AwareDatetime
    updated_at: AwareDatetime
    report_path: str | None = None
    ending: Ending | None = None
    """Why the last agent ended; None where none came to its end."""
    turns: int = 0
    """Of all agents that came to their end."""
    resumes_at: AwareDatetime | None = None
    """When the work may go on that ended for want of the day's money."""
    accuracy: Accuracy | None = None
    """How far off the estimates of this repository were before this run; None where that is not known."""
    queue: QueueReport | None = None
    """Only of a run for several issues."""

    @property
    def code(self) -> int:
        """The exit code of the process: that of the cause, else that of the outcome, else 4 for a run without end."""
        if self.exit_code is not None:
            return self.exit_code
        return int(self.outcome.exit_code if self.outcome else ExitCode.RETRYABLE)

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return max(0.0, (self.updated_at - self.started_at).total_seconds())

    @property
    def verdict(self) -> Verdict | None:
        """The last verdict."""
        return self.attempts[-1].verdict if self.attempts else None

    @property
    def accepted(self) -> bool:
        """Whether the work is done: the run says so, and the last verdict passed with at least one gate."""
        return self.outcome is Outcome.COMPLETED and self.verdict is not None and is_accepted(self.verdict)


def is_accepted(verdict: Verdict) -> bool:
    """Whether a verdict is proof: it passed, something was checked, and no gate says otherwise."""
    return verdict.passed and bool(verdict.gates) and not verdict.failed_gates()
