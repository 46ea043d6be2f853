"""From a verified event to the flow that it asks for, with the parts that the flow needs."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.commands.building import assemble, make_git
from coordinator.commands.results import plain_report, save_page
from coordinator.errors import CoordinatorError, ExitCode
from coordinator.events.freshness import digest
from coordinator.events.models import EventKind
from coordinator.events.permission import Permissions
from coordinator.events.trigger import Command, Flow
from coordinator.flows.check_pull_request import check_pull_request
from coordinator.flows.comment import IssueComment
from coordinator.flows.drain_queue import OrchestrationLoop
from coordinator.flows.release_issue import release_issue
from coordinator.flows.starting import Coordination
from coordinator.flows.unblock_dependents import unblock_dependents
from coordinator.flows.work_issue import work_issue
from coordinator.flows.work_order import WorkOrder
from coordinator.report.models import Outcome, QueueReport, TakenIssue
from coordinator.report.redaction import CleanReport, Redactor
from coordinator.signals import Terminated, ending_on_signals
from coordinator.workspace.checkpoint import drop_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coordinator.events.freshness import TextChanged
    from coordinator.events.models import Event
    from coordinator.events.verify import Verified
    from coordinator.flows.parts import Parts
    from coordinator.flows.starting import Started
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge
    from coordinator.report.progress import Progress
    from coordinator.settings import Settings
    from coordinator.state.claims import Claims

DEFAULT_WORKFLOW = "coordinator.yml"


class EventFlows:
    """The flows, for one event."""

    def __init__(self, event: Event, settings: Settings, forge: Forge, claims: Claims, progress: Progress) -> None:
        self._event = event
        self._progress = progress
        self._settings = settings
        self._environment = settings.environment
        self._forge = forge
        self._claims = claims
        self._what = f"{event.kind.value} {event.action}".strip()
        self._started_at = datetime.now(UTC)

    def run(self, verified: Verified) -> CleanReport:
        """Do what was asked for. Raises what forge and store raise where no issue is being worked on."""
        match verified.flow:
            case Flow.WORK_ISSUE:
                return self._work(verified)
            case Flow.COMMAND:
                return self._obey(verified)
            case Flow.RELEASE_ISSUE:
                return self._release(verified, verified.why)
            case Flow.UNBLOCK_DEPENDENTS:
                return self._unblock(verified)
            case Flow.CHECK_PULL_REQUEST:
                return self._check(verified)
            case Flow.DRAIN_QUEUE:
                return self._drain()

    def tell_refused(self, number: int | None, refusal: TextChanged) -> None:
        """Say on the issue why nothing starts, to the person who has asked."""
        if number is not None and not self._settings.dry_run:
            self._tell(number, Outcome.REFUSED, str(refusal))

    def _obey(self, verified: Verified) -> CleanReport:
        match verified.command:
            case Command.STOP:
                return self._release(verified, verified.why)
            case Command.PLAN:
                return self._plan(verified)
            case Command.RUN if reason := self._done_already(verified):
                return plain_report(self._environment, Outcome.SKIPPED, reason, about=_about(verified.issue))
            case _:
                return self._work(verified)

    def _done_already(self, verified: Verified) -> str:
        runs = self._claims.record(_number(verified)).runs
        if not runs or runs[-1].outcome != Outcome.COMPLETED:
            return ""
        return f"Issue #{verified.number} was worked on, and accepted. To go on, comment /coordinator retry"

    def _work(self, verified: Verified) -> CleanReport:
        report = self._work_on(self._order(verified))
        if verified.unattended and report.code != ExitCode.RETRYABLE:
            self._go_on_with_the_queue()
        return report

    def _order(self, verified: Verified) -> WorkOrder:
        issue = _issue(verified)
        return WorkOrder(
            issue,
            verified=verified.why,
            event=self._what,
            asked_at=verified.asked_at,
            once=self._environment.run_attempt == 1 and (verified.unattended or self._event.kind is EventKind.ISSUES),
            text="" if verified.unattended else digest(issue),
        )

    def _work_on(self, order: WorkOrder) -> CleanReport:
        return self._with_parts(order.issue.number, self._settings, lambda parts: work_issue(parts, order))

    def _with_parts(self, number: int, settings: Settings, flow: Callable[[Parts], CleanReport]) -> CleanReport:
        parent = self._environment.temp_folder or Path(tempfile.mkdtemp(prefix="coordinator-kept-"))
        with assemble(
            settings,
            self._forge,
            self._progress,
            environ=os.environ,
            person=None,
            kept=lambda _: parent / f"coordinator-issue-{number}",
            claims=self._claims,
        ) as parts:
            report = flow(parts)
            return report if settings.dry_run else save_page(report, parts.kept)

    def _plan(self, verified: Verified) -> CleanReport:
        """Answer with the plan in the comment, unless a run keeps that up to date at the moment."""
        order, planning = self._order(verified), self._settings.model_copy(update={"dry_run": True})
        report = self._with_parts(order.issue.number, planning, lambda parts: work_issue(parts, order))
        if not self._settings.dry_run and _number(verified) not in self._claims.living():
            IssueComment(self._forge, _number(verified), time.monotonic).publish(report, urgent=True)
        return report

    def _check(self, verified: Verified) -> CleanReport:
        pull = verified.pull_request
        if pull is None:
            raise ValueError("a pull request is checked by its event")

        def check(parts: Parts) -> CleanReport:
            return check_pull_request(
                parts, pull, verified=verified.why, event=self._what, read_only=verified.read_only
            )

        return self._with_parts(pull.number, self._settings, check)

    def _release(self, verified: Verified, why: str) -> CleanReport:
        number = _number(verified)
        if self._settings.dry_run:
            return plain_report(self._environment, Outcome.SKIPPED, f"Dry run: issue #{number} would be released")
        outcome, reason = release_issue(self._coordination(), number, why)
        return plain_report(self._environment, outcome, reason, about=_about(verified.issue))

    def _unblock(self, verified: Verified) -> CleanReport:
        if self._settings.dry_run:
            reason = f"Dry run: what waits for issue #{verified.number} would be started"
            return plain_report(self._environment, Outcome.SKIPPED, reason)
        outcome, reason, started = unblock_dependents(self._coordination(), _issue(verified))
        return self._of_several(outcome, reason, started)

    def _drain(self) -> CleanReport:
        if self._settings.dry_run:
            reason = "Dry run: the queue would be drained; `coordinator queue` shows it"
            return plain_report(self._environment, Outcome.SKIPPED, reason)
        loop = OrchestrationLoop(self._coordination())
        broken_off = self._run_to_its_end(loop)
        states = loop.queue.counts if loop.queue else {}
        outcome = Outcome.COMPLETED if loop.started else Outcome.SKIPPED
        report = self._of_several(outcome, _in_words(loop), tuple(loop.started), states)
        if broken_off is None:
            return report
        why, code = broken_off
        ended = {"outcome": Outcome.FAILED, "reason": f"{why.rstrip('.')}. {report.reason}", "exit_code": int(code)}
        return CleanReport(report.model_copy(update=ended))

    def _run_to_its_end(self, loop: OrchestrationLoop) -> tuple[str, ExitCode] | None:
        """Run the loop; return what broke it off. Raises what forge and store raise before anything was taken."""
        try:
            with ending_on_signals(loop.stop):
                loop.run()
        except Terminated:
            return "The run was cancelled", ExitCode.RETRYABLE
        except CoordinatorError as error:
            if not loop.started:
                raise
            return Redactor(self._environment.all_secrets())(str(error)), error.exit_code
        return None

    def _go_on_with_the_queue(self) -> None:
        """Start what comes next in the place of this run. That is no part of its own result."""
        try:
            report = self._drain()
            self._progress.say(f"the queue goes on: {report.reason}")
        except CoordinatorError as error:
            self._progress.say(f"warning: the queue could not be continued; the next run does it: {error}")

    def _of_several(
        self, outcome: Outcome, reason: str, started: tuple[Started, ...], states: Mapping[str, int] | None = None
    ) -> CleanReport:
        """Return the record of a run for several issues: as bad as the worst of those worked on in this process.

        `states` is how many issues of the whole queue were found in which state.
        """
        code = max((one.report.code for one in started if one.report), default=0)
        if code and outcome is Outcome.COMPLETED:
            outcome = Outcome.REJECTED if code == ExitCode.NOT_ACCEPTED else Outcome.FAILED
        about = {
            "started_at": self._started_at,
            "cost_usd": sum(one.report.cost_usd for one in started if one.report),
            "exit_code": code or None,
            "queue": QueueReport(
                processed_count=len(started),
                success_count=sum(one.is_success for one in started),
                rejection_count=sum(one.is_rejection for one in started),
                states=dict(states or {}),
                issues=tuple(map(_taken, started)),
            ),
        }
        return plain_report(self._environment, outcome, reason, about=about)

    def _coordination(self) -> Coordination:
        return Coordination(
            settings=self._settings,
            forge=self._forge,
            claims=self._claims,
            permissions=Permissions(self._forge, self._settings.configuration.allow),
            workflow=self._environment.workflow_file or self._event.workflow or DEFAULT_WORKFLOW,
            say=self._progress.say,
            tell=self._tell,
            work=self._work_on,
            forget=lambda number: drop_checkpoint(self._forge.git_remote(), make_git(os.environ), issue=number),
        )

    def _tell(self, number: int, outcome: Outcome, reason: str) -> None:
        """Write the comment of an issue, unless a run that works keeps it up to date."""
        if number in self._claims.living():
            return
        report = plain_report(self._environment, outcome, reason, about={"issue_number": number})
        failure = IssueComment(self._forge, number, time.monotonic).publish_news(report)
        if failure:
            self._progress.say(f"warning: the comment of issue #{number} could not be written: {failure}")


def _issue(verified: Verified) -> Issue:
    if verified.issue is None:
        message = f"{verified.flow} needs an issue"
        raise ValueError(message)
    return verified.issue


def _number(verified: Verified) -> int:
    return _issue(verified).number


def _about(issue: Issue | None) -> dict[str, object]:
    return {"issue_number": issue.number, "issue_title": issue.title} if issue else {}


def _taken(one: Started) -> TakenIssue:
    pull_request = one.report.pull_request if one.report else None
    return TakenIssue(number=one.number, state=one.start.value, reason=one.reason, pull_request=pull_request)


def _in_words(loop: OrchestrationLoop) -> str:
    taken = ", ".join(f"#{one.number} {one.start.value}" for one in loop.started) or "nothing was started"
    states = loop.queue.counts if loop.queue else {}
    rest = ", ".join(f"{number} {state}" for state, number in states.items() if number)
    return f"Queue: {taken}" + (f" (found: {rest})" if rest else " (it is empty)")
