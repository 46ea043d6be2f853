"""`coordinator run`: what the event in the runner's environment asks for."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from coordinator.commands.building import load_settings, make_forge, open_claims, open_display
from coordinator.commands.event_flows import EventFlows
from coordinator.commands.results import plain_report, show_result, tell_runner
from coordinator.errors import CoordinatorError, ExitCode, Misconfigured, Refused
from coordinator.events.freshness import TextChanged
from coordinator.events.models import Event, EventKind, Skipped
from coordinator.events.read import read_event
from coordinator.events.relay import open_relayed
from coordinator.events.trigger import decide, is_relayed
from coordinator.events.verify import verify
from coordinator.report.models import Outcome
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from coordinator.environment import Environment
    from coordinator.forge.protocol import Forge
    from coordinator.report.redaction import CleanReport
    from coordinator.settings import Settings


def _open_forge(environment: Environment) -> Forge:
    return make_forge(environment, local=None)


def execute(arguments: argparse.Namespace, *, open_forge: Callable[[Environment], Forge] = _open_forge) -> int:
    """Do what the event asks for; return the exit code. Every ending writes the step's outputs.

    `open_forge` makes the forge, which is closed in the end; for other deadlines.
    """
    hide_process()
    environment = _read_environment()
    if arguments.dry_run:
        environment = environment.model_copy(update={"dry_run": True})
    try:
        report = _run(environment, open_forge)
    except CoordinatorError as error:
        outcome = Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED
        tell_runner(environment, plain_report(environment, outcome, str(error), error.exit_code))
        raise
    except Exception:
        reason = "internal error; the log names the place"
        tell_runner(environment, plain_report(environment, Outcome.FAILED, reason, ExitCode.RETRYABLE))
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
        tell_runner(told, plain_report(told, Outcome.FAILED, str(error), error.exit_code))
        raise


def _run(environment: Environment, open_forge: Callable[[Environment], Forge]) -> CleanReport:
    event = _read(environment)
    if isinstance(event, Skipped):
        return plain_report(environment, Outcome.SKIPPED, event.reason)
    forge = open_forge(environment)
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
        return plain_report(environment, Outcome.SKIPPED, decision.reason)
    with open_display(environment) as progress, open_claims(environment, forge, environ=os.environ) as claims:
        flows = EventFlows(event, settings, forge, claims, progress)
        try:
            verified = verify(
                event,
                decision=decision,
                forge=forge,
                allow=settings.configuration.allow,
                expected_repository=environment.repository or "",
                expected_repository_id=None,
                run_attempt=environment.run_attempt,
                now=datetime.now(UTC),
                seen_text=lambda number: claims.record(number).text,
                **trigger,
            )
        except TextChanged as refusal:
            flows.tell_refused(decision.number, refusal)
            raise
        if isinstance(verified, Skipped):
            return plain_report(environment, Outcome.SKIPPED, verified.reason)
        return flows.run(verified)
