"""A run is killed at every step, with no chance to say anything; the next one ends as if it had not been.

SIGKILL goes to the whole group of processes, as a runner that gives up or a machine that fails does it.
"""

from __future__ import annotations

import signal
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.run.forge_calls import WORK, worked
from tests.run.processes import RunProcess, descendants, is_alive, outcome, wait_until
from tests.run.queueing import claims_of, during, model, record
from tests.run.support import BRANCH
from tests.small_project import submit

if TYPE_CHECKING:
    from coordinator.demo.model_script import Computed, Reply
    from coordinator.demo.model_server import ModelServer
    from coordinator.state.records import State
    from tests.run.support import Ended, Job

PUSH = "POST .*git-receive-pack$"
EDIT = "PATCH .*/comments/"

STEPS: dict[str, tuple[str, int, bool]] = {
    "before the claim": (PUSH, 0, False),
    "claim taken, nobody told": (PUSH, 0, True),
    "claim taken": ("GET .*/issues/1/labels", 0, False),
    "comment written, nobody told": ("POST .*/comments$", 0, True),
    "comment written": ("GET .*git-upload-pack$", 2, False),
    "workspace open": ("GET .*/dependencies", 0, False),
    "planned": (EDIT, 0, True),
    "before money is granted": (PUSH, 1, False),
    "money granted, nobody told": (PUSH, 1, True),
    "environment prepared": (EDIT, 1, True),
    "submitted": (EDIT, 3, True),
    "gates running": (EDIT, 4, True),
    "gates passed": (EDIT, 5, True),
    "before the work is pushed": (PUSH, 2, False),
    "work pushed, nobody told": (PUSH, 2, True),
    "work pushed": ("POST .*/pulls$", 0, False),
    "pull request opened, nobody told": ("POST .*/pulls$", 0, True),
    "pull request opened": ("POST .*/statuses/", 0, False),
    "statuses set": ("POST .*/statuses/", 1, True),
    "label taken off": ("DELETE .*/labels/", 0, True),
    "before the claim is released": (PUSH, 3, False),
    "claim released, nobody told": (PUSH, 3, True),
}
"""By step: a request, how many like it come before, and whether it is carried out before the run is killed."""


def fresh_model() -> ModelServer:
    """Serve a model that does the work, once."""
    return model(WORK, submit())


def run_to_its_death(job: Job, served: ModelServer, processes: list[RunProcess]) -> None:
    """Run as a process, which is put into the list, until somebody kills it."""
    job.use(served)
    with RunProcess(job, "41") as process:
        processes.append(process)
        assert process.wait().code == -signal.SIGKILL


def run_until_killed(job: Job, step: str) -> None:
    """Run as a process and kill it at a step."""
    route, after, done = STEPS[step]
    processes: list[RunProcess] = []

    def kill() -> None:
        processes[0].kill()

    job.forge.before(route, kill, after=after, status=0 if done else 500)
    with fresh_model() as served:
        run_to_its_death(job, served, processes)


def run_again(job: Job) -> Ended:
    """Run in this process, with a model that does the work once."""
    with fresh_model() as served:
        job.use(served)
        return job.run("--format", "json")


def finish(job: Job, **variables: str) -> None:
    """Run once more, and see that everything is there once and no commit is lost."""
    pushed = job.branch()
    job.set(**variables)
    ended = run_again(job)
    assert outcome(ended) == (0, "completed"), ended.err
    worked(job)
    if pushed:
        assert job.git("merge-base", pushed, BRANCH) == pushed


@pytest.mark.parametrize("step", STEPS)
def test_a_rerun_finishes(job: Job, step: str) -> None:
    job.assign()
    run_until_killed(job, step)
    finish(job, GITHUB_RUN_ATTEMPT="2")


@pytest.mark.parametrize("turn", [1, 2])
def test_a_rerun_finishes_what_was_killed_while_the_model_thought(job: Job, turn: int) -> None:
    processes: list[RunProcess] = []

    def kill_at(number: int, reply: Reply) -> Computed:
        return during(lambda: processes[0].kill() if number == turn else None, reply)

    job.assign()
    with model(kill_at(1, WORK), kill_at(2, submit())) as served:
        run_to_its_death(job, served, processes)
    assert len(served.requests) == turn
    finish(job, GITHUB_RUN_ATTEMPT="2")


def test_a_rerun_finishes_what_was_killed_within_a_gate(job: Job) -> None:
    processes: list[RunProcess] = []
    orphans: dict[int, str] = {}

    def ruff_runs() -> bool:
        orphans.clear()
        orphans.update(descendants(processes[0].pid))
        return any("ruff" in line for line in orphans.values())

    def kill_within_ruff() -> None:
        wait_until("ruff runs", ruff_runs)
        processes[0].kill()

    watch = threading.Thread(target=kill_within_ruff)
    job.forge.before(EDIT, watch.start, after=4)
    job.assign()
    with fresh_model() as served:
        run_to_its_death(job, served, processes)
    watch.join()
    assert orphans
    wait_until(f"all are gone that it has started: {orphans}", lambda: not any(is_alive(pid) for pid in orphans))
    finish(job, GITHUB_RUN_ATTEMPT="2")


# Not the same run again, but another one.


def let_the_lease_run_out(job: Job) -> None:
    """Let the claim have been renewed an hour ago for the last time."""

    def edit(state: State) -> State:
        issue = state.issues[1]
        assert issue.claim is not None
        claim = issue.claim.model_copy(update={"renewed_at": issue.claim.renewed_at - timedelta(hours=1)})
        return state.model_copy(update={"issues": {**state.issues, 1: issue.model_copy(update={"claim": claim})}})

    claims_of(job)._store.change("An hour passes", edit)


@pytest.mark.parametrize("step", ["claim taken", "environment prepared", "gates passed", "work pushed", "statuses set"])
def test_another_run_waits_for_the_lease_and_then_takes_over(job: Job, step: str) -> None:
    job.assign()
    run_until_killed(job, step)
    job.set(GITHUB_RUN_ID="42", GITHUB_RUN_NUMBER="8")
    comments, claim = list(job.comments), record(job).claim
    assert claim is not None
    job.forge.requests.clear()
    ended = run_again(job)
    assert outcome(ended) == (0, "skipped")
    reason = str(ended.document["reason"])
    assert reason.startswith("run 41/ (")
    assert "/actions/runs/7) works on issue #1; its claim stands until" in reason
    assert claim.expires_at.strftime("%Y-%m-%d %H:%M:%S UTC") in reason
    assert job.writes == []
    assert job.comments == comments
    let_the_lease_run_out(job)
    finish(job)
    assert [run.outcome for run in record(job).runs] == ["lost", "completed"]


def test_another_run_leaves_alone_what_was_finished(job: Job) -> None:
    job.assign()
    run_until_killed(job, "claim released, nobody told")
    wait_until("the claim is released", lambda: record(job).claim is None)
    worked(job)
    job.set(GITHUB_RUN_ID="42")
    with model() as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert outcome(ended) == (0, "skipped")
    assert "run 41/" in str(ended.document["reason"])
    assert "has answered this request" in str(ended.document["reason"])
    worked(job)
