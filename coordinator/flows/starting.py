"""Starting runs that nobody has clicked for: by dispatch where the forge has runners to give, else in this process."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from coordinator.errors import CoordinatorError, Refused
from coordinator.events.freshness import TextChanged
from coordinator.events.requests import request_to_start
from coordinator.flows.claim import IN_PROGRESS
from coordinator.flows.work_order import WorkOrder
from coordinator.forge.protocol import DispatchUnavailable, Missing
from coordinator.report.models import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.events.permission import Permissions
    from coordinator.forge.models import HistoryEntry, Issue
    from coordinator.forge.protocol import Forge
    from coordinator.report.redaction import CleanReport
    from coordinator.settings import Settings
    from coordinator.state.claims import Claims
    from coordinator.state.records import IssueRecord

RESERVED_SECONDS: Final = 3600.0
"""How long a run that was dispatched may wait for a runner before another one is dispatched for the same issue. Should
the first come to work after all, the claim tells the two apart."""


@dataclass(frozen=True, slots=True)
class Coordination:
    """What the flows need that start and stop runs. Built once, in `coordinator.commands`."""

    settings: Settings
    forge: Forge
    claims: Claims
    permissions: Permissions
    workflow: str
    """Name of the file of the workflow that is dispatched."""
    say: Callable[[str], None]
    """Logs one line."""
    tell: Callable[[int, Outcome, str], None]
    """Brings the comment of an issue up to date with how a run ended for it, and why."""
    work: Callable[[WorkOrder], CleanReport]
    """Works on an issue in this process."""
    forget: Callable[[int], None]
    """Takes away what was saved for a next run on an issue. Raises what the forge raises."""

    @property
    def names(self) -> dict[str, str]:
        """The account and the label that make an issue ours."""
        return {"trigger_assignee": self.settings.trigger_assignee, "trigger_label": self.settings.trigger_label}


class Start(StrEnum):
    """What became of an issue that was to be started."""

    DISPATCHED = "dispatched"
    """A run was started for it."""
    ACCEPTED = "accepted"
    """It was worked on in this process, and the work was accepted."""
    REJECTED = "rejected"
    """It was worked on in this process, and the work was not accepted."""
    PASSED_OVER = "passed over"
    """It was rightly left alone: answered already, being worked on, or not asked for by anybody allowed."""


@dataclass(frozen=True, slots=True)
class Started:
    """One issue and what became of it."""

    number: int
    start: Start
    reason: str = ""
    report: CleanReport | None = None
    """Of work in this process."""

    @property
    def is_success(self) -> bool:
        """Whether a run was started, or work in this process was accepted."""
        return self.start in {Start.DISPATCHED, Start.ACCEPTED}

    @property
    def is_rejection(self) -> bool:
        """Whether work in this process was not accepted."""
        return self.start is Start.REJECTED


class Starter:
    """Starts runs for issues that are ready, each once."""

    def __init__(self, coordination: Coordination) -> None:
        self._given = coordination
        self._dispatches = True

    @property
    def in_process(self) -> bool:
        """Whether dispatch has turned out not to be possible here."""
        return not self._dispatches

    def start(self, number: int) -> Started:
        """Start one issue that is ready; one that is not ours is passed over. Raises what forge and store raise."""
        checked = self._check(number)
        if isinstance(checked, str):
            return Started(number, Start.PASSED_OVER, checked)
        issue, why = checked
        if self._dispatches and (started := self._dispatch(issue)):
            return started
        return self._work(issue, why)

    def _check(self, number: int) -> tuple[Issue, str] | str:
        """Return the issue as it is now and why it may be started, or why it is passed over."""
        given = self._given
        try:
            issue = given.forge.issue(number)
        except Missing:
            return "gone by now"
        if issue.state == "closed":
            return "closed by now"
        record = given.claims.record(number)
        try:
            request, why = request_to_start(issue, given.forge, given.permissions, seen=record.text, **given.names)
        except Refused as refusal:
            if isinstance(refusal, TextChanged):
                given.tell(number, Outcome.REFUSED, str(refusal))
            return str(refusal)
        if until := given.claims.put_off(record):
            return f"the money of the day was used up, so it waits until {until:%Y-%m-%d %H:%M} UTC"
        return "worked on already" if is_answered(record, request) else (issue, why)

    def _dispatch(self, issue: Issue) -> Started | None:
        """Start a run; return None where that cannot be done at all."""
        given, number = self._given, issue.number
        if not given.claims.reserve(number, seconds=RESERVED_SECONDS):
            return Started(number, Start.PASSED_OVER, "another run has it")
        branch = given.forge.repository().default_branch
        try:
            given.forge.dispatch(given.workflow, ref=branch, inputs={"issue": str(number)})
        except DispatchUnavailable as error:
            given.say(f"no workflow can be started, so the work is done in this run: {error}")
            self._dispatches = False
            given.claims.unreserve(number)
            return None
        except CoordinatorError:
            given.claims.unreserve(number)
            raise
        self._mark(number)
        given.say(f"issue #{number}: a run was started")
        return Started(number, Start.DISPATCHED)

    def _mark(self, number: int) -> None:
        try:
            self._given.forge.add_label(number, IN_PROGRESS)
        except CoordinatorError as error:
            self._given.say(f"warning: issue #{number} could not be labelled: {error}")

    def _work(self, issue: Issue, why: str) -> Started:
        report = self._given.work(WorkOrder(issue, verified=why, event="queue"))
        if report.outcome in {Outcome.SKIPPED, Outcome.WAITING}:
            return Started(issue.number, Start.PASSED_OVER, report.reason, report)
        start = Start.ACCEPTED if report.outcome is Outcome.COMPLETED else Start.REJECTED
        return Started(issue.number, start, report.reason, report)


def is_answered(record: IssueRecord, request: HistoryEntry) -> bool:
    """Whether a run has done what the request asked for. One that only found the issue held up by others has not."""
    return record.answered is not None and record.answered >= request.at and not record.waiting
