"""What a run needs before the agent starts: a journal, a checkout, the project's environment, and an end in time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coordinator.agent.budget import out_of_time
from coordinator.errors import CoordinatorError
from coordinator.flows.comment import IssueComment
from coordinator.flows.journal import Journal
from coordinator.gates.choice import choose, gate_names
from coordinator.report.models import RunReport
from coordinator.sandbox.deadline import DeadlineSandbox
from coordinator.workspace.export import export
from coordinator.workspace.workspace import Workspace, WorkspaceOptions

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.agent.budget import Budget
    from coordinator.flows.parts import Parts
    from coordinator.flows.work_order import WorkOrder
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.sandbox.protocol import Sandbox


def open_journal(parts: Parts, order: WorkOrder, *, how_to_stop: str) -> Journal:
    """Open the journal of a run on an issue. `how_to_stop` is said to people who have no Ctrl-C."""
    issue = order.issue
    started = parts.now()
    environment = parts.settings.environment
    gates = parts.settings.configuration.gates
    report = RunReport(
        run=str(environment.run_number or started.strftime("%Y%m%dT%H%M%S")),
        job_url=environment.run_url(),
        issue_number=issue.number,
        issue_title=issue.title,
        event=order.event,
        verified=order.verified,
        gates=gate_names(gates),
        attempt_limit=parts.settings.configuration.attempts,
        sandbox=parts.agent_sandbox.description,
        settings={name: str(value) for name, value in parts.settings.describe().items()},
        how_to_stop=how_to_stop if parts.person is None else "press Ctrl-C",
        started_at=started,
        updated_at=started,
    )
    publisher = None if parts.settings.dry_run else IssueComment(parts.forge, issue.number, parts.clock)
    return Journal(report, progress=parts.progress, publisher=publisher, redact=parts.redact, now=parts.now)


def ending_in_time(parts: Parts, budget: Budget) -> Parts:
    """Let set-up and gates end with the run. The agent's own commands ask for the time that is left themselves."""

    def timed(sandbox: Sandbox) -> DeadlineSandbox:
        return DeadlineSandbox(sandbox, lambda: budget.remaining_seconds)

    keeper = replace(parts.keeper, sandbox=timed(parts.keeper.sandbox))
    return replace(parts, gate_sandbox=timed(parts.gate_sandbox), keeper=keeper)


def open_workspace(parts: Parts, number: int) -> Workspace:
    """Clone what the work on an issue starts from. Raises what `Workspace.open` raises."""
    settings = parts.settings
    folder = parts.folder / "workspace"
    folder.mkdir()
    return Workspace.open(
        parts.forge.git_remote(),
        issue=number,
        folder=folder,
        sandbox=parts.agent_sandbox,
        base_branch=settings.base_branch,
        options=WorkspaceOptions(git=parts.git, protected_paths=settings.configuration.protected_paths),
    )


def environment_of(parts: Parts, source: Path) -> TargetEnvironment:
    """Return the environment for the project that is exported to `source`; for one that is not in Python there is none.

    Raises what the keeper raises, and `Misconfigured` when no gate is left for the project.
    """
    configuration = parts.settings.configuration
    if choose(configuration.gates, source, None, configuration.setup).python:
        return parts.keeper.environment_for(source, parts.person)
    return parts.keeper.without_python()


def prepare_environment(parts: Parts, workspace: Workspace, journal: Journal, budget: Budget) -> TargetEnvironment:
    """Prepare the target's environment from the base commit, before the agent can change anything.

    Raises `BudgetExceeded` when the run's time is up before it is ready, and what the keeper raises.
    """
    started = parts.clock()
    source = parts.folder / "base"
    export(workspace.repository, workspace.merge_base, source)
    try:
        environment = environment_of(parts, source)
    except CoordinatorError as error:
        if budget.remaining_seconds:
            raise
        raise out_of_time() from error
    for note in environment.notes:
        journal.warn(note)
    journal.note(f"environment of the project: {environment.origin}", parts.clock() - started)
    return environment
