"""What is known of a run so far: one record that every change goes through, so that people see it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from coordinator.report.evidence import gate_notes
from coordinator.report.models import Activity, CompactionReport, Step, StepState, TimelineEntry
from coordinator.report.redaction import clean_report
from coordinator.report.states import state_word
from coordinator.report.words import reset_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from coordinator.agent.compaction import CompactionResult
    from coordinator.agent.protocol import TurnReport, Usage
    from coordinator.configuration import RunBudget
    from coordinator.gates.protocol import Verdict
    from coordinator.report.models import RunReport
    from coordinator.report.progress import Progress
    from coordinator.report.redaction import CleanReport

VERIFIED, PLANNED, READY, IMPLEMENT, GATES, PULL_REQUEST = (
    "Event verified",
    "Planned",
    "Branch ready",
    "Implement",
    "Gates",
    "Pull request",
)
STEPS = (VERIFIED, PLANNED, READY, IMPLEMENT, GATES, PULL_REQUEST)
FETCHED, ENVIRONMENT = "Head fetched", "Environment ready"
CHECK_STEPS = (VERIFIED, FETCHED, ENVIRONMENT, GATES)
"""The steps of a check of somebody's pull request."""


class Publisher(Protocol):
    """Keeps a copy of the record where people look: the comment."""

    def publish(self, report: CleanReport, *, urgent: bool) -> str | None:
        """Take the newest record; what is not urgent may wait. Return a line when it could not be published."""
        ...


class Journal:
    """Holds the record of one run, logs it, and has it published."""

    def __init__(
        self,
        report: RunReport,
        *,
        progress: Progress,
        publisher: Publisher | None,
        redact: Callable[[str], str],
        now: Callable[[], datetime],
        steps: tuple[str, ...] = STEPS,
    ) -> None:
        """Without a `publisher` nothing leaves the process but the log: that is a dry run."""
        self.report = report.model_copy(update={"steps": tuple(Step(name=name) for name in steps)})
        self._progress = progress
        self._publisher = publisher
        self._redact = redact
        self._now = now
        self._unpublished = False

    @property
    def clean(self) -> CleanReport:
        """The record as it may leave the process."""
        return clean_report(self.report, self._redact)

    def record(self, **fields: object) -> None:
        """Replace fields of the record without showing it yet."""
        self.report = self.report.model_copy(update={**fields, "updated_at": self._now()})

    def show(self, *, urgent: bool = True, last: bool = False) -> None:
        """Show the record as it is now. Where publishing has failed once, only the `last` state is tried again."""
        clean = self.clean
        self._progress.update(clean)
        if self._publisher is None or (self._unpublished and not last):
            return
        failure = self._publisher.publish(clean, urgent=urgent)
        if failure and not self._unpublished:
            self.warn(f"the comment is not kept up any more: {failure}")
        self._unpublished = bool(failure)

    def stop_publishing(self) -> None:
        """Leave what people see to somebody else from here on. The log goes on."""
        self._publisher = None

    def step(self, name: str, state: StepState, detail: str = "", **fields: object) -> None:
        """Move one line of the checklist, and change other fields at the same time."""
        steps = tuple(
            Step(name=step.name, state=state, detail=detail or step.detail) if step.name == name else step
            for step in self.report.steps
        )
        self.record(**fields)
        self.record(steps=steps)
        self.show()

    def say(self, text: str) -> None:
        """Log one line and nothing else."""
        self._progress.say(text)

    def note(self, text: str, seconds: float | None = None) -> None:
        """Log one line and put it on the timeline."""
        self.say(text)
        entry = TimelineEntry(at=self._now(), text=text, seconds=seconds)
        self.record(timeline=(*self.report.timeline, entry))

    def warn(self, text: str) -> None:
        """Log one line and keep it in every report."""
        self.say(f"warning: {text}")
        self.record(notes=(*self.report.notes, text))

    def verdict(self, verdict: Verdict) -> None:
        """Log what each gate says, and its notes."""
        for gate in verdict.gates:
            self.say(f"  {state_word(gate)} {gate.gate} ({gate.seconds:.1f} s): {gate.message}")
        for note in gate_notes(verdict):
            self.say(f"  note: {note}")

    def turn(self, turn: TurnReport, limits: RunBudget, before: tuple[Usage, float]) -> None:
        """Show one turn. It is logged too: a job that prints nothing is not even cancelled by a Gitea runner.

        `before` is what the run had used when the agent step began.
        """
        cost = before[1] + turn.cost_usd
        activity = Activity(
            attempt=len(self.report.attempts) + 1,
            turn=turn.turn,
            turn_limit=limits.turns,
            context_share=turn.context_share,
            cost_usd=cost,
            cost_limit=limits.dollars,
            resets=turn.resets,
            text=turn.activity,
        )
        peak = max(turn.context_share, self.report.peak_context_share or 0.0)
        self.record(
            activity=activity,
            usage=before[0] + turn.usage,
            cost_usd=cost,
            peak_context_share=peak,
            peak_context_tokens=max(turn.context_tokens, self.report.peak_context_tokens or 0),
        )
        self.show(urgent=False)

    def reset(self, result: CompactionResult) -> None:
        """Show that a context was full and a new conversation goes on."""
        done = CompactionReport(
            kind=result.kind.value,
            tokens_before=result.tokens_before,
            tokens_after=result.tokens_after,
            reduction=result.reduction / 100,
            seconds=result.seconds,
            cost_usd=result.cost_usd,
        )
        self.record(compactions=(*self.report.compactions, done))
        self.note(reset_line(done), done.seconds)
