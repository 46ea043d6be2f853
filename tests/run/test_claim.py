"""The hold of a run on its issue: what makes it end, what it survives, and what it leaves to others."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from coordinator.commands.building import load_settings, make_forge
from coordinator.events.permission import Permissions
from coordinator.flows.claim import BETWEEN_LOOKS, IssueClaim
from coordinator.flows.run_money import RunMoney
from coordinator.flows.work_order import WorkOrder
from coordinator.report.models import Outcome, RunReport
from coordinator.settings import read_environment
from tests.run.queueing import IN_PROGRESS, claims_of, labels, record, say_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coordinator.forge.protocol import Forge
    from coordinator.state.claims import Claims
    from tests.run.support import Job

SHORT_LEASE = 2.0
"""Seconds. A claim is renewed after a quarter of it."""


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def client(job: Job) -> Iterator[Forge]:
    """Give the job's forge as the coordinator sees it."""
    job.assign()
    made = make_forge(read_environment(os.environ), local=None)
    yield made
    made.close()


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def claim_in(client: Forge, warnings: list[str]) -> Callable[[Claims, Watch], IssueClaim]:
    """Give what makes this job's claim out of claims and a clock."""

    def make(claims: Claims, watch: Watch) -> IssueClaim:
        settings = load_settings(read_environment(os.environ), client)
        return IssueClaim(
            WorkOrder(client.issue(1), verified="assigned", asked_at=watch.now - timedelta(minutes=1)),
            claims=claims,
            forge=client,
            settings=settings,
            permissions=Permissions(client, settings.configuration.allow),
            money=RunMoney(settings, claims, 1),
            warn=warnings.append,
            now=watch,
        )

    return make


def wait_for(said: Callable[[], str]) -> str:
    """Ask until there is an answer, for some seconds at most."""
    until = time.monotonic() + 20
    while not (answer := said()) and time.monotonic() < until:
        time.sleep(0.1)
    return answer


def ended(outcome: Outcome = Outcome.COMPLETED) -> RunReport:
    now = datetime.now(UTC)
    return RunReport(outcome=outcome, started_at=now, updated_at=now, cost_usd=0.5)


def test_the_heartbeat_hears_what_no_issue_tells(job: Job, claim_in: Callable[[Claims, Watch], IssueClaim]) -> None:
    claim = claim_in(claims_of(job, "1/work", lease=SHORT_LEASE), Watch())
    assert claim.take() is None
    with claim:
        assert claim.why_stop() == ""
        claims_of(job).ask_to_stop(1, "somebody said so elsewhere")
        assert wait_for(claim.why_stop) == "somebody said so elsewhere"
        assert not claim.is_lost(), "it is ours until the work is safe"


def test_a_run_that_lost_its_issue_stops(job: Job, claim_in: Callable[[Claims, Watch], IssueClaim]) -> None:
    claim = claim_in(claims_of(job, "1/work", lease=SHORT_LEASE), Watch())
    assert claim.take() is None
    with claim:
        claims_of(job, later=timedelta(hours=1)).take(1, request=None, most_runs=None)
        assert wait_for(claim.why_stop).startswith("Issue #1 was taken over by run 99/work")
        assert claim.is_lost()
    claim.finish(ended())
    assert claims_of(job).holds(1)
    assert [run.cost_usd for run in record(job).runs] == [0.5], "what it has cost is remembered all the same"
    assert labels(job) == {IN_PROGRESS}


def test_a_cancelled_job_is_asked_for_now_and_then(job: Job, claim_in: Callable[[Claims, Watch], IssueClaim]) -> None:
    watch = Watch()
    claim = claim_in(claims_of(job, "1/work"), watch)
    assert claim.take() is None
    job.forge.cancel_run(7)
    assert claim.why_stop() == "", "it was not asked yet"
    watch.now += BETWEEN_LOOKS
    assert claim.why_stop() == "The run was cancelled"
    job.unset("CI", "GITHUB_ACTIONS", "GITEA_ACTIONS")
    watch = Watch()
    at_home = claim_in(claims_of(job, "1/work"), watch)
    watch.now += BETWEEN_LOOKS
    assert at_home.why_stop() == "", "there is no job that could be cancelled"


def test_an_order_to_stop_counts_from_the_request_on(job: Job, claim_in: Callable[[Claims, Watch], IssueClaim]) -> None:
    say_on(job, "/coordinator stop")
    assert claim_in(claims_of(job), Watch()).why_stop() == "@maintainer asked to stop in a comment"
    job.set(GITHUB_RUN_ATTEMPT="2")
    watch = Watch()
    watch.now += timedelta(minutes=1)
    assert claim_in(claims_of(job), watch).why_stop() == "", "it was started again in spite of it"


def test_a_forge_that_takes_nothing_costs_the_lease_alone(
    job: Job, claim_in: Callable[[Claims, Watch], IssueClaim], warnings: list[str]
) -> None:
    claim = claim_in(claims_of(job, "1/work"), Watch())
    assert claim.take() is None
    job.forge.fail("POST .*labels", times=99, status=403)
    with claim:
        job.forge.fail("git-upload-pack|git-receive-pack|info/refs", times=99, status=403)
        assert not claim.is_lost(), "what cannot be known is not taken for lost"
    claim.finish(ended())
    assert warnings[0].startswith("the label could not be set: ")
    assert warnings[-1].startswith("the claim could not be given back, so it runs out by itself: ")


@pytest.mark.parametrize(("outcome", "waits"), [(Outcome.WAITING, True), (Outcome.BLOCKED, False)])
def test_what_is_held_up_is_no_run(
    job: Job, claim_in: Callable[[Claims, Watch], IssueClaim], outcome: Outcome, *, waits: bool
) -> None:
    claim = claim_in(claims_of(job, "1/work"), Watch())
    assert claim.take() is None
    claim.finish(ended(outcome))
    assert (record(job).runs, record(job).waiting, record(job).claim) == ((), waits, None)
