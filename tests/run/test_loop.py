"""The OrchestrationLoop by itself: what it takes, what it counts, and how it is stopped."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coordinator.commands.building import load_settings, make_forge
from coordinator.errors import ExitCode, Misconfigured
from coordinator.events.permission import Permissions
from coordinator.flows.drain_queue import OrchestrationLoop
from coordinator.flows.starting import Coordination
from coordinator.report.models import Outcome, RunReport
from coordinator.report.redaction import CleanReport
from coordinator.settings import read_environment
from tests.run.queueing import ask_for, claims_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coordinator.flows.work_order import WorkOrder
    from tests.run.support import Job

ACCEPTED, REJECTED = (Outcome.COMPLETED, ExitCode.DONE), (Outcome.REJECTED, ExitCode.NOT_ACCEPTED)


class Works:
    """Work in the process: what was worked on, and how each ended."""

    def __init__(self, *endings: tuple[Outcome, ExitCode]) -> None:
        self.endings = list(endings)
        self.orders: list[WorkOrder] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, order: WorkOrder) -> CleanReport:
        self.orders.append(order)
        self.meanwhile()
        outcome, code = self.endings.pop(0)
        now = datetime.now(UTC)
        return CleanReport(
            RunReport(outcome=outcome, reason="so it ended", exit_code=int(code), started_at=now, updated_at=now)
        )


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def loop_with(job: Job, said: list[str]) -> Iterator[Callable[[Works], OrchestrationLoop]]:
    """Give what makes a loop over three issues, on a forge that starts no workflow."""
    ask_for(job, 1, job.add_issue("Second"), job.add_issue("Third"))
    environment = read_environment(os.environ)
    forge = make_forge(environment, local=None)
    settings = load_settings(environment, forge)

    def make(works: Works) -> OrchestrationLoop:
        return OrchestrationLoop(
            Coordination(
                settings=settings,
                forge=forge,
                claims=claims_of(job, "1/work"),
                permissions=Permissions(forge, settings.configuration.allow),
                workflow="coordinator.yml",
                say=said.append,
                tell=lambda number, outcome, reason: said.append(f"told #{number} {outcome}: {reason}"),
                work=works,
                forget=lambda number: said.append(f"forgot #{number}"),
            )
        )

    yield make
    forge.close()


def counts(loop: OrchestrationLoop) -> tuple[int, int, int]:
    return loop.processed_count, loop.success_count, loop.rejection_count


def test_each_issue_is_taken_in_its_turn_and_counted(
    loop_with: Callable[[Works], OrchestrationLoop], said: list[str]
) -> None:
    works = Works(ACCEPTED, REJECTED, ACCEPTED)
    loop = loop_with(works)
    assert counts(loop) == (0, 0, 0)
    loop.run()
    assert [order.issue.number for order in works.orders] == [1, 2, 3]
    assert all("assigned by @maintainer" in order.verified for order in works.orders)
    assert counts(loop) == (3, 2, 1)
    assert "issue #2 rejected: so it ended" in said


def test_after_stop_nothing_more_is_taken(loop_with: Callable[[Works], OrchestrationLoop]) -> None:
    works = Works(ACCEPTED)
    loop = loop_with(works)
    works.meanwhile = loop.stop
    loop.run()
    assert counts(loop) == (1, 1, 0)
    assert len(works.orders) == 1
    stopped = loop_with(Works())
    stopped.stop()
    stopped.run()
    assert counts(stopped) == (0, 0, 0)
    assert stopped.queue is not None


@pytest.mark.parametrize("code", [ExitCode.MISUSE, ExitCode.REFUSED, ExitCode.RETRYABLE])
def test_what_is_not_about_the_issue_ends_the_loop(
    loop_with: Callable[[Works], OrchestrationLoop], code: ExitCode
) -> None:
    loop = loop_with(Works((Outcome.FAILED, code)))
    loop.run()
    assert counts(loop) == (1, 0, 1)


def test_what_another_run_has_is_passed_over(loop_with: Callable[[Works], OrchestrationLoop], said: list[str]) -> None:
    loop = loop_with(Works((Outcome.SKIPPED, ExitCode.DONE), (Outcome.WAITING, ExitCode.DONE), ACCEPTED))
    loop.run()
    assert counts(loop) == (1, 1, 0)
    assert "issue #1 passed over: so it ended" in said
    assert "issue #2 passed over: so it ended" in said


def test_an_issue_that_is_gone_meanwhile_is_passed_over(
    job: Job, loop_with: Callable[[Works], OrchestrationLoop], said: list[str]
) -> None:
    loop = loop_with(Works(ACCEPTED, ACCEPTED))
    job.forge.fail("GET .*/issues/2$", times=99, status=404)
    loop.run()
    assert counts(loop) == (2, 2, 0)
    assert "issue #2 passed over: gone by now" in said


def test_a_forge_that_refuses_ends_the_loop(job: Job, loop_with: Callable[[Works], OrchestrationLoop]) -> None:
    loop = loop_with(Works(ACCEPTED))
    job.forge.fail("GET .*/issues/2$", times=99, status=403)
    with pytest.raises(Misconfigured):
        loop.run()
    assert counts(loop) == (1, 1, 0), "what was taken until then is known"
