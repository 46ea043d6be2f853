"""`coordinator work`: one issue of a git repository, from plan to pull request."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from coordinator.commands.building import assemble, load_settings, open_claims, open_display
from coordinator.commands.results import save_page, show_result
from coordinator.commands.targets import find_target
from coordinator.flows.work_issue import work_issue
from coordinator.flows.work_order import WorkOrder
from coordinator.sandbox.kernel import hide_process
from coordinator.settings import read_environment

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from coordinator.agent.model import Patience
    from coordinator.commands.targets import Target
    from coordinator.report.redaction import CleanReport
    from coordinator.settings import Settings


def execute(arguments: argparse.Namespace) -> int:
    """Work on the issue; return the exit code."""
    hide_process()
    environment = read_environment(os.environ)
    with find_target(arguments, environment, keep=not arguments.dry_run) as target:
        settings = load_settings(environment, target.forge).model_copy(
            update={"dry_run": arguments.dry_run, "agent": arguments.agent or environment.agent}
        )
        report = work_on(target, settings)
    return show_result(report, as_json=arguments.format == "json")


def work_on(target: Target, settings: Settings, *, patience: Patience | None = None) -> CleanReport:
    """Run the flow on a person's repository. Nothing outlives a dry run."""

    def kept(scratch: Path) -> Path:
        return scratch if settings.dry_run else run_folder(target)

    with (
        open_display(settings.environment) as progress,
        open_claims(settings.environment, target.forge, environ=os.environ) as claims,
        assemble(
            settings,
            target.forge,
            progress,
            environ=os.environ,
            person=target.folder,
            kept=kept,
            claims=claims,
            patience=patience,
        ) as parts,
    ):
        order = WorkOrder(target.issue, verified="asked for on the command line", event="work")
        report = work_issue(parts, order)
        return report if settings.dry_run else save_page(report, parts.kept)


def run_folder(target: Target) -> Path:
    """Return where transcript and report of the work on an issue are: in the git directory, so that nothing shows."""
    return target.repository.git_dir / "coordinator" / "runs" / f"issue-{target.issue.number}"
