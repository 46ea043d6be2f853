"""`coordinator run`: what the event in the runner's environment asks for."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.commands.building import assemble, load_settings, make_forge, open_display
from coordinator.commands.results import save_page, show_result, tell_runner
from coordinator.errors import CoordinatorError, ExitCode, Misconfigured, Refused
from coordinator.events.models import Event, EventKind, Skipped
from coordinator.events.read import read_event
from coordinator.events.relay import open_relayed
from coordinator.events.trigger import Command, Flow, decide, is_relayed
from coordinator.events.verify import Verified, verify
from coordinator.flows.answered import answer_to
from coordinator.flows.work_issue import work_issue
from coordinator.report.models import Outcome, RunReport
from coordinator.report.redaction import Redactor, clean_report
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment

if TYPE_CHECKING:
    import argparse

    from coordinator.environment import Environment
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge
    from coordinator.report.redaction import CleanReport
    from coordinator.settings import Settings

NOT_YET = {
    Flow.RELEASE_ISSUE: "close the issue to stop a job that works on it: this version looks for nothing else",
    Flow.UNBLOCK_DEPENDENTS: "dependents are started by hand in this version: assign them again",
    Flow.CHECK_PULL_REQUEST: "pull requests are judged by `coordinator gate` in a job of their own in this version",
    Flow.DRAIN_QUEUE: "give the dispatch an `issue`: this version works on one at a time",
}
"""Why a flow is not run, in the words of its log line."""

ANSWERED = (
    "another run has answered this request already; to have it worked on again, take the assignment or label away and "
    "put it back. See"
)


def execute(arguments: argparse.Namespace) -> int:
    """Do what the event asks for; return the exit code. Every ending writes the step's outputs."""
    hide_process()
    environment = _read_environment()
    if arguments.dry_run:
        environment = environment.model_copy(update={"dry_run": True})
    try:
        report = _run(environment)
    except CoordinatorError as error:
        outcome = Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED
        tell_runner(environment, _without_work(environment, outcome, str(error), error.exit_code))
        raise
    except Exception:
        reason = "internal error; the log names the place"
        tell_runner(environment, _without_work(environment, Outcome.FAILED, reason, ExitCode.RETRYABLE))
        raise
    tell_runner(environment, report)
    return show_result(report, as_json=arguments.format == "json")


def _read_environment() -> Environment:
    """Read the environment. Where something in it is wrong, the runner is told so all the same."""
    try:
        return read_environment(os.environ)
    except Misconfigured as error:
        files = {name: value for name, value in os.environ.items() if name.endswith(("_OUTPUT", "_STEP_SUMMARY"))}
        told = read_environment(files)
        tell_runner(told, _without_work(told, Outcome.FAILED, str(error), error.exit_code))
        raise


def _run(environment: Environment) -> CleanReport:
    event = _read(environment)
    if isinstance(event, Skipped):
        return _without_work(environment, Outcome.SKIPPED, event.reason)
    forge = make_forge(environment, local=None)
    with closing(forge):
        settings = load_settings(environment, forge)
        return _handle(event, settings, forge)


def _read(environment: Environment) -> Event | Skipped:
    if not environment.event_name or environment.event_path is None:
        missing = "GITHUB_EVENT_NAME" if not environment.event_name else "GITHUB_EVENT_PATH"
        raise Misconfigured(
            f"{missing} is not set, so there is no event to work on",
            mend="Run it in a runner's job, or use `coordinator work` on a repository",
        )
    event = read_event(environment.event_name, environment.event_path, repository=environment.repository)
    if isinstance(event, Event) and is_relayed(event):
        secret = environment.webhook_secret.get_secret_value() if environment.webhook_secret else ""
        return open_relayed(event, secret=secret)
    if isinstance(event, Event) and event.kind is EventKind.WORKFLOW_DISPATCH and environment.issue:
        asked = event.inputs.get("issue") or str(environment.issue)
        return event.model_copy(update={"inputs": {**event.inputs, "issue": asked}})
    return event


def _handle(event: Event, settings: Settings, forge: Forge) -> CleanReport:
    environment = settings.environment
    trigger = {"trigger_assignee": settings.trigger_assignee, "trigger_label": settings.trigger_label}
    decision = decide(event, **trigger)
    if isinstance(decision, Skipped):
        return _without_work(environment, Outcome.SKIPPED, decision.reason)
    verified = verify(
        event,
        decision=decision,
        forge=forge,
        allow=settings.configuration.allow,
        expected_repository=environment.repository or "",
        expected_repository_id=None,
        run_attempt=environment.run_attempt,
        now=datetime.now(UTC),
        **trigger,
    )
    if isinstance(verified, Skipped):
        return _without_work(environment, Outcome.SKIPPED, verified.reason)
    if verified.issue is None or not _starts_work(verified):
        return _without_work(environment, Outcome.SKIPPED, _why_not(verified))
    if event.kind is EventKind.ISSUES and environment.run_attempt == 1:
        answer = answer_to(verified.issue, forge, **trigger)
        if answer is not None:
            return _without_work(environment, Outcome.SKIPPED, f"{ANSWERED} {answer.html_url}".strip())
    return _work(verified, verified.issue, event, settings, forge)


def _starts_work(verified: Verified) -> bool:
    if verified.flow is Flow.COMMAND:
        return verified.command in {Command.RUN, Command.RETRY, Command.PLAN}
    return verified.flow is Flow.WORK_ISSUE


def _why_not(verified: Verified) -> str:
    if verified.flow is Flow.COMMAND:
        return "a job that works on the issue is stopped by closing the issue in this version"
    return f"{verified.flow.value} ({verified.why}): {NOT_YET.get(verified.flow, 'there is no issue to work on')}"


def _work(verified: Verified, issue: Issue, event: Event, settings: Settings, forge: Forge) -> CleanReport:
    environment = settings.environment
    if verified.command is Command.PLAN:
        settings = settings.model_copy(update={"dry_run": True})
    parent = environment.temp_folder or Path(tempfile.mkdtemp(prefix="coordinator-kept-"))
    kept = parent / f"coordinator-issue-{issue.number}"
    what = f"{event.kind.value} {event.action}".strip()
    with (
        open_display(environment) as progress,
        assemble(settings, forge, progress, environ=os.environ, person=None, kept=lambda _: kept) as parts,
    ):
        report = work_issue(parts, issue, verified=verified.why, event=what)
        return report if settings.dry_run else save_page(report, parts.kept)


def _without_work(environment: Environment, outcome: Outcome, reason: str, code: ExitCode | None = None) -> CleanReport:
    """Return the record of a run that did not come to any work."""
    now = datetime.now(UTC)
    report = RunReport(
        outcome=outcome,
        reason=reason,
        exit_code=None if code is None else int(code),
        job_url=environment.run_url(),
        started_at=now,
        updated_at=now,
    )
    return clean_report(report, Redactor(environment.all_secrets()))
