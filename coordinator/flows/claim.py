"""The hold of one run on one issue: taken before anything is spent, looked at every turn, given back at the end."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from coordinator.errors import CoordinatorError
from coordinator.events.standing import standing_requests
from coordinator.events.text import fold
from coordinator.events.trigger import Command, command_of
from coordinator.report.models import Outcome
from coordinator.state.claims import Held
from coordinator.state.heartbeat import Heartbeat
from coordinator.state.records import RunRecord, Totals

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from coordinator.events.permission import Permissions
    from coordinator.flows.run_money import RunMoney
    from coordinator.flows.work_order import WorkOrder
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge
    from coordinator.report.models import RunReport
    from coordinator.settings import Settings
    from coordinator.state.claims import Claims

IN_PROGRESS: Final = "in progress"
"""The label of an issue that a run works on or was started for. It shows people the claim; nothing is decided by it."""
BEATS_PER_LEASE: Final = 4
"""How often a claim is renewed within its lease, so that it outlives a forge that is away for a while."""

BETWEEN_LOOKS: Final = timedelta(seconds=20)
"""Between two looks whether the run was cancelled: servers answer that from a list."""

_HELD_UP: Final = frozenset({Outcome.WAITING, Outcome.BLOCKED})


class IssueClaim:
    """One run's claim on one issue. A context manager around the work: what is entered is given back."""

    def __init__(
        self,
        order: WorkOrder,
        *,
        claims: Claims,
        forge: Forge,
        settings: Settings,
        permissions: Permissions,
        money: RunMoney,
        warn: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._order = order
        self._number = order.issue.number
        self._claims = claims
        self._forge = forge
        self._settings = settings
        self._permissions = permissions
        self._money = money
        self._warn = warn
        self._started = now()
        self._now = now
        self._stack = ExitStack()
        self._heartbeat: Heartbeat | None = None
        self._seen: object = None
        self._asked = self._started
        self._ours_by_state = _is_in_place(order.issue, settings)

    def take(self) -> Held | None:
        """Claim the issue; return who has it, or has answered the same request already.

        Raises `BudgetExceeded` for an issue that has had its runs or its money, `DaySpent` where the day has had its
        money, and what the store raises.
        """
        taken = self._claims.take(
            self._number,
            request=self._order.asked_at if self._order.once else None,
            most_runs=self._settings.configuration.budget.issue.runs,
            limits=self._money.limits,
            text=self._order.text,
        )
        return taken if isinstance(taken, Held) else None

    def __enter__(self) -> Self:
        seconds = self._claims.lease_seconds / BEATS_PER_LEASE
        budget = self._money.budget
        heartbeat = Heartbeat(self._claims, self._number, seconds=seconds, spent_usd=lambda: budget.spent_usd)
        self._heartbeat = self._stack.enter_context(heartbeat)
        self._try("the label could not be set", lambda: self._forge.add_label(self._number, IN_PROGRESS))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if self.is_lost():
            return  # the label says now that another run works on it
        self._try("the label could not be taken off", lambda: self._forge.remove_label(self._number, IN_PROGRESS))

    def why_stop(self) -> str:
        """Say in one line why the run has to stop; empty while it is to go on. Raises what the forge raises.

        One request a turn, more only when something about the issue has changed.
        """
        if self._heartbeat and self._heartbeat.lost:
            return self._heartbeat.lost
        if self._is_cancelled():
            return "The run was cancelled"
        issue = self._forge.issue(self._number)
        if issue.state == "closed":
            return f"Issue #{self._number} was closed while the work went on"
        look = (issue.updated_at, issue.comment_count, issue.assignees, issue.labels)
        if look == self._seen:
            return ""
        reason = self._taken_back(issue) or self._told_to_stop()
        if not reason:
            self._seen = look
        return reason

    def is_lost(self) -> bool:
        """Whether another run has the issue by now, and with it branch and comment. Unknown counts as no."""
        try:
            return not self._claims.holds(self._number)
        except CoordinatorError:
            return False

    def finish(self, report: RunReport) -> None:
        """Give the claim back and remember the run. A forge that does not take it costs the lease, not the work."""
        held_up = report.outcome in _HELD_UP
        record = None if held_up else self._record(report)
        planning = Totals(cost_usd=report.cost_usd, usage=report.usage) if held_up else Totals()
        waiting = report.outcome is Outcome.WAITING
        self._try(
            "the claim could not be given back, so it runs out by itself",
            lambda: self._claims.finish(
                self._number, record, waiting=waiting, not_before=report.resumes_at, planning=planning
            ),
        )

    def _is_cancelled(self) -> bool:
        """Ask the forge now and then: a Gitea runner tells its job nothing of that."""
        if self._now() - self._asked < BETWEEN_LOOKS:
            return False
        self._asked = self._now()
        environment = self._settings.environment
        if not environment.in_runner:
            return False
        return self._forge.run_is_cancelled(run_id=environment.run_id, run_number=environment.run_number)

    def _taken_back(self, issue: Issue) -> str:
        if not self._ours_by_state:
            return ""
        names = {"trigger_assignee": self._settings.trigger_assignee, "trigger_label": self._settings.trigger_label}
        if standing_requests(issue, self._forge.history(self._number), **names):
            return ""
        names_shown = f"@{self._settings.trigger_assignee} nor labelled {self._settings.trigger_label}"
        return f"Issue #{self._number} is neither assigned to {names_shown} any more"

    def _told_to_stop(self) -> str:
        since = self._wanted_since()
        for comment in self._forge.comments(self._number):
            if comment.created_at < since or command_of(comment.body) is not Command.STOP:
                continue
            if self._permissions.of(comment.author).allowed:
                return f"@{comment.author.login} asked to stop in a comment"
        return ""

    def _wanted_since(self) -> datetime:
        """Return from when on an order to stop means this run. One that was started again is wanted in spite of it."""
        if self._settings.environment.run_attempt > 1:
            return self._started
        return self._order.asked_at or self._started

    def _record(self, report: RunReport) -> RunRecord:
        return RunRecord(
            run=self._claims.identity.run,
            agent=report.agent,
            planned_agent=(report.plan.agent or "") if report.plan else "",
            started_at=self._started,
            ended_at=self._now(),
            outcome=(report.outcome or Outcome.FAILED).value,
            ending=report.ending.value if report.ending else "",
            attempts=len(report.attempts),
            turns=report.turns,
            usage=report.usage,
            cost_usd=report.cost_usd,
            predicted_cost_usd=report.plan.predicted_cost_usd if report.plan else None,
            predicted_tokens=report.plan.estimate.tokens if report.plan else None,
            peak_tokens=report.peak_context_tokens,
        )

    def _try(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except CoordinatorError as error:
            self._warn(f"{what}: {error}")


def _is_in_place(issue: Issue, settings: Settings) -> bool:
    assigned = fold(settings.trigger_assignee) in {fold(account.login) for account in issue.assignees}
    return assigned or fold(settings.trigger_label) in map(fold, issue.labels)
