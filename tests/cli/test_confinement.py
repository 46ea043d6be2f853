"""A secret that a confined command could read: hidden where the machine allows it, else refused or said."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coordinator.commands.building import assemble, load_settings, open_claims, open_display
from coordinator.flows.work_issue import work_issue
from coordinator.flows.work_order import WorkOrder
from coordinator.forge.local import LocalForge
from coordinator.report.models import Outcome
from coordinator.sandbox.confined import ConfinedSandbox
from coordinator.settings import read_environment
from tests.cli.support import Project, Shell, the_model
from tests.small_project import GOOD, submit
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.report.redaction import CleanReport


@contextmanager
def careless_process() -> Iterator[int]:
    """Run another program with the key on its command line, which every user can read; give its process id."""
    nap = [sys.executable, "-c", "import time; time.sleep(600)", API_CANARY]
    with subprocess.Popen(nap, env={}) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def work_on(shell: Shell, project: Project, *, person: Path | None, hides: bool) -> CleanReport:
    """Work on a machine that can, or cannot, hide processes from the agent's commands."""
    forge = LocalForge.of(project.folder)
    environment = read_environment(shell.variables)
    settings = load_settings(environment, forge)
    issue = forge.import_issue(project.issue)
    with (
        open_display(environment) as progress,
        open_claims(environment, forge, environ=shell.variables) as claims,
        assemble(
            settings,
            forge,
            progress,
            environ=shell.variables,
            person=person,
            kept=lambda folder: folder / "kept",
            claims=claims,
        ) as parts,
    ):
        sandbox = parts.agent_sandbox
        assert isinstance(sandbox, ConfinedSandbox)
        if hides and not sandbox.means.hides_processes:
            pytest.skip("needs a mount namespace: root with CAP_SYS_ADMIN")
        sandbox.means = replace(sandbox.means, hides_processes=hides)
        return work_issue(parts, WorkOrder(issue, verified="asked for by a test"))


def test_a_runner_that_shows_the_key_to_commands_is_refused(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD, submit(), clean=False) as model, careless_process() as pid:
        report = work_on(shell, project, person=None, hides=False)
    assert (report.outcome, report.code) == (Outcome.REFUSED, 3)
    assert f"a confined command can read a secret in /proc/{pid}/cmdline" in report.reason
    assert "sandbox.allow_unconfined" in report.reason
    assert not model.requests
    assert not project.branch()
    assert "❌ Not started" in project.headline()


def test_a_person_whose_commands_could_read_the_key_is_told(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD, submit()), careless_process() as pid:
        report = work_on(shell, project, person=project.folder, hides=False)
    assert report.code == 0
    assert any(f"a secret in /proc/{pid}/cmdline" in note for note in report.notes)
    assert not any(API_CANARY in note for note in report.notes)


def test_what_others_have_on_their_command_lines_is_hidden_where_that_can_be(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD, submit()), careless_process():
        report = work_on(shell, project, person=None, hides=True)
    assert report.code == 0, report.reason
    assert not any("can read a secret" in note for note in report.notes)
