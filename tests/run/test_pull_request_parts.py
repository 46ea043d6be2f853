"""The check of a pull request with one part exchanged for one that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Never

import pytest

from coordinator.commands.building import assemble, load_settings, make_forge, open_claims, open_display
from coordinator.events.models import Event
from coordinator.events.read import read_event
from coordinator.flows.check_pull_request import check_pull_request
from coordinator.forge.gitea import GiteaForge
from coordinator.report.models import Outcome
from coordinator.sandbox.confined import ConfinedSandbox
from coordinator.settings import read_environment
from tests.run.pull_requests import PullRequests
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.flows.parts import Parts
    from coordinator.report.redaction import CleanReport
    from tests.run.support import Job

GOOD = {"tool.py": "ONE = 1\nTWO = 2\n"}
ERROR = {"coordinator": "error", "coordinator/lint": "error"}


@pytest.fixture
def pulls(job: Job) -> PullRequests:
    """Give a repository whose only gate is lint, and what opens pull requests there."""
    return PullRequests(job)


def check(exchange: Callable[[Parts], Parts]) -> CleanReport:
    """Check what the event in the environment is about, with exchanged parts."""
    environment = read_environment(os.environ)
    assert environment.event_path is not None
    event = read_event("pull_request", environment.event_path, repository=environment.repository)
    assert isinstance(event, Event)
    assert event.pull_request is not None
    with ExitStack() as stack:
        forge = stack.enter_context(closing(make_forge(environment, local=None)))
        claims = stack.enter_context(open_claims(environment, forge, environ=os.environ))
        built = assemble(
            load_settings(environment, forge),
            forge,
            stack.enter_context(open_display(environment)),
            environ=os.environ,
            person=None,
            kept=lambda folder: folder / "kept",
            claims=claims,
        )
        parts = exchange(stack.enter_context(built))
        return check_pull_request(parts, event.pull_request, verified="by a test", event="opened", read_only=False)


def careless(parts: Parts) -> Parts:
    """Take the view of processes back from the gates."""
    sandbox = parts.gate_sandbox
    assert isinstance(sandbox, ConfinedSandbox)
    sandbox.means = replace(sandbox.means, hides_processes=False)
    return parts


def test_a_runner_that_shows_a_secret_judges_nothing(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(GOOD)
    nap = [sys.executable, "-c", "import time; time.sleep(600)", FORGE_CANARY]
    with subprocess.Popen(nap, env={}) as process:
        try:
            report = check(careless)
        finally:
            process.kill()
    assert (report.outcome, report.code, report.attempts) == (Outcome.REFUSED, 3, ())
    assert job.statuses(commit) == ERROR
    assert "Not judged — The confinement of this runner does not hold (refused)" in pulls.heading


class Faulty(GiteaForge):
    """A forge whose client has a fault."""

    def git_remote(self) -> Never:
        message = "boom"
        raise RuntimeError(message)


def faulty(parts: Parts) -> Parts:
    """Exchange the forge."""
    environment = parts.settings.environment
    assert environment.api_url
    assert environment.server_url
    assert environment.repository
    assert environment.token
    return replace(
        parts, forge=Faulty(environment.api_url, environment.server_url, environment.repository, environment.token)
    )


def test_a_fault_of_the_coordinator_leaves_nothing_pending_and_is_raised(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(GOOD)
    used: list[Parts] = []

    def exchange(parts: Parts) -> Parts:
        used.append(faulty(parts))
        return used[0]

    with pytest.raises(RuntimeError, match="boom"):
        check(exchange)
    used[0].forge.close()
    assert job.statuses(commit) == ERROR
    assert "Not judged — A fault of the coordinator itself broke the check off" in pulls.heading
    assert "boom" not in pulls.comment
