"""The queue: as many runs as are wanted at once are started for what is ready, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coordinator.errors import CoordinatorError, ExitCode
from coordinator.events.requests import request_to_start
from coordinator.flows.claim import IN_PROGRESS
from coordinator.flows.queue import read_queue, runs_at_work
from coordinator.flows.run_money import spend_limits
from coordinator.flows.starting import RESERVED_SECONDS, Start, Starter, is_answered
from coordinator.planning.queue import QueueState
from coordinator.report.models import Outcome

if TYPE_CHECKING:
    from coordinator.flows.starting import Coordination, Started
    from coordinator.planning.queue import Queue, QueueEntry


_ABOUT_THE_ISSUE: Final = frozenset({ExitCode.DONE, ExitCode.NOT_ACCEPTED})
"""Exit codes of work in this process after which the next issue is taken. With any other one the run was told to end,
or lacks something that the next issue needs as well: a model that answers, a key that is taken, confinement. Money of
the day is that, too, and has a field of its own (`RunReport.resumes_at`)."""


class OrchestrationLoop:
    """Works through the queue once.

    Where the forge has runners to give, it starts as many runs as are wanted at once and ends: it holds no runner's
    place while others work, and each of those runs comes back here when it is done. Else it works on one issue after
    the other itself, until nothing is left or it is told to stop.
    """

    def __init__(self, coordination: Coordination) -> None:
        self._given = coordination
        self._starter = Starter(coordination)
        self._stopped = False
        self.queue: Queue | None = None
        """As it was read last."""
        self.started: list[Started] = []
        """What was taken, in order."""

    @property
    def processed_count(self) -> int:
        """Issues that were taken: dispatched, or worked on in this process."""
        return len(self.started)

    @property
    def success_count(self) -> int:
        """Of these, runs that were started and work that was accepted."""
        return sum(one.is_success for one in self.started)

    @property
    def rejection_count(self) -> int:
        """Of these, work that was not accepted."""
        return sum(one.is_rejection for one in self.started)

    def stop(self) -> None:
        """Take no further issue. What is being worked on comes to its own end."""
        self._stopped = True

    def run(self) -> None:
        """Go through the queue. Raises what forge and store raise; what was taken until then is in `started`."""
        self.queue = queue = self._read()
        for entry in queue.entries:
            if entry.state is QueueState.BLOCKED:
                self._report_blocked(entry)
        for entry in queue.entries:
            if not self._may_go_on():
                return
            if entry.state is QueueState.READY:
                self._take(entry)

    def _take(self, entry: QueueEntry) -> None:
        one = self._starter.start(entry.number)
        if one.start is Start.PASSED_OVER:
            self._given.say(f"issue #{one.number} passed over: {one.reason}")
            return
        self.started.append(one)
        if one.report is not None:
            self._given.say(f"issue #{one.number} {one.start.value}: {one.reason}")
        if one.report is not None and (one.report.code not in _ABOUT_THE_ISSUE or one.report.resumes_at):
            self.stop()

    def _may_go_on(self) -> bool:
        """Whether a further issue may be taken: not told to stop, room for one more run, and money for it today."""
        if self._stopped or not self._is_room():
            return False
        why = self._given.claims.why_nothing_today(spend_limits(self._given.settings.configuration.budget))
        if why:
            self._given.say(f"no further issue is started: {why}")
        return not why

    def _is_room(self) -> bool:
        """Whether one more run may be started; work in this process is one at a time by itself."""
        if self._starter.in_process:
            return True
        claims = self._given.claims
        busy = claims.living().keys() | claims.reserved(RESERVED_SECONDS)
        return len(busy) < self._given.settings.configuration.queue.parallel

    def _read(self) -> Queue:
        given, settings = self._given, self._given.settings
        working = runs_at_work(given.claims)
        queue = read_queue(
            given.forge,
            assignee=settings.trigger_assignee,
            label=settings.trigger_label,
            permissions=given.permissions,
            working=working,
        )
        for entry in queue.entries:
            if IN_PROGRESS in entry.labels and entry.number not in working:
                self._unmark(entry.number)
        return queue

    def _unmark(self, number: int) -> None:
        """Take the mark off what nobody works on any more: the run that had it was killed."""
        try:
            self._given.forge.remove_label(number, IN_PROGRESS)
        except CoordinatorError as error:
            self._given.say(f"warning: the label {IN_PROGRESS} of issue #{number} could not be taken off: {error}")

    def _report_blocked(self, entry: QueueEntry) -> None:
        """Say so on the issue, where somebody allowed waits for it: nothing but a person can free it."""
        given = self._given
        record = given.claims.record(entry.number)
        try:
            issue = given.forge.issue(entry.number)
            request, _ = request_to_start(issue, given.forge, given.permissions, seen=record.text, **given.names)
        except CoordinatorError as error:
            given.say(f"issue #{entry.number} is blocked, and that is not reported: {error}")
            return
        if not is_answered(record, request):
            given.tell(entry.number, Outcome.BLOCKED, entry.reason)
