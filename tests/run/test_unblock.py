"""An issue is closed: what it held up starts, each once, whoever else sees it at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.run.queueing import (
    BLOCKED_BY_1,
    IN_PROGRESS,
    LONG_AGO,
    WORKFLOW,
    ask_for,
    claims_of,
    close,
    dispatched,
    labels,
    mark,
    record,
    willing_model,
)
from tests.run.support import BODY, BRANCH, Document, Job

if TYPE_CHECKING:
    from coordinator.state.claims import Claims

ROOT = Path(__file__).parents[2]


def blocked_by(*numbers: int) -> str:
    lines = "\n".join(f"- #{number}" for number in numbers)
    return f"{BODY}\n## Blocked by\n\n{lines}\n"


@pytest.fixture
def queue(job: Job) -> Job:
    """Give a repository whose workflow can be dispatched, with one open issue."""
    job.push(WORKFLOW)
    return job


def closed(job: Job, number: int = 1) -> Document:
    """Close an issue and run for it."""
    close(job, number)
    ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    return ended.document


def test_a_diamond_starts_from_the_top(queue: Job) -> None:
    left, right = queue.add_issue("Left", blocked_by(1)), queue.add_issue("Right")
    bottom = queue.add_issue("Bottom", blocked_by(right))
    queue.forge.state.issues[right].blocked_by = [1]
    queue.forge.state.issues[bottom].blocked_by = [left]
    ask_for(queue, left, right, bottom)
    assert closed(queue)["outcome"] == "completed"
    assert dispatched(queue) == [str(left), str(right)]
    assert closed(queue, left)["outcome"] == "skipped"
    assert dispatched(queue) == [str(left), str(right)]
    assert closed(queue, right)["outcome"] == "completed"
    assert dispatched(queue) == [str(left), str(right), str(bottom)]
    assert IN_PROGRESS in labels(queue, bottom)


def test_two_closings_at_once_start_what_waited_for_both_once(queue: Job) -> None:
    other = queue.add_issue("Other")
    both = [queue.add_issue(f"Both {number}", blocked_by(1, other)) for number in range(2)]
    ask_for(queue, *both)
    runs = []
    for number in (1, other):
        queue.forge.state.issues[number].state = "closed"
    for number in (1, other):
        queue.issue_event("issues.closed.json", sender=queue.maintainer, issue=number)
        path = queue.folder / f"closed-{number}.json"
        (queue.folder / "event.json").rename(path)
        variables = {"GITHUB_EVENT_PATH": str(path), "GITHUB_RUN_ID": str(40 + number), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "coordinator", "run", "--format", "json"]
        runs.append(
            subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )
    ended = [(run.communicate(timeout=120), run.returncode) for run in runs]
    assert [code for _, code in ended] == [0, 0], ended
    assert sorted(dispatched(queue)) == sorted(map(str, both))
    outcomes = {json.loads(out)["outcome"] for (out, _), _ in ended}
    assert "completed" in outcomes


def test_what_was_opened_again_starts_nothing(queue: Job) -> None:
    number = queue.add_issue("Ours", BLOCKED_BY_1)
    ask_for(queue, number)
    close(queue)
    queue.issue.state = "open"
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert "open again" in str(ended.document["reason"])
    assert not queue.writes


def test_what_is_being_worked_on_is_not_started_again(queue: Job) -> None:
    number = queue.add_issue("Ours", BLOCKED_BY_1)
    ask_for(queue, number)
    claims_of(queue).take(number, request=None, most_runs=None)
    assert closed(queue)["outcome"] == "skipped"
    assert dispatched(queue) == []


@pytest.mark.parametrize("works", [True, False])
def test_a_run_that_works_keeps_its_comment(queue: Job, *, works: bool) -> None:
    number = queue.add_issue("Theirs", BLOCKED_BY_1, author=queue.forge.add_user("stranger"))
    ask_for(queue, number)
    for entry in queue.forge.state.issues[number].timeline:
        entry["created_at"] = LONG_AGO
    if works:
        claims_of(queue).take(number, request=None, most_runs=None)
    assert closed(queue)["outcome"] == "skipped"
    assert (queue.forge.state.issues[number].comments == []) is works


def test_a_run_that_cannot_be_started_now_is_started_by_the_next_one(queue: Job) -> None:
    number = queue.add_issue("Ours", BLOCKED_BY_1)
    ask_for(queue, number)
    close(queue)
    queue.forge.fail("POST .*/dispatches$", times=99, status=500)
    ended = queue.run("--format", "json")
    assert ended.code == 4, ended.err
    assert "no workflow can be started" not in ended.err
    assert record(queue, number).dispatched_at is None, "nobody else would start it for an hour"
    assert IN_PROGRESS not in labels(queue, number)


def test_without_dispatch_the_job_works_on_what_is_free_one_after_the_other(job: Job) -> None:
    first, second = job.add_issue("First", blocked_by(1)), job.add_issue("Second", blocked_by(1))
    job.add_issue("Not yet", blocked_by(1, first))
    ask_for(job, first, second)
    close(job)
    with willing_model() as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert ended.err.count("no workflow can be started") == 1
    assert [pull.pull.head for pull in job.pulls if pull.pull] == [
        f"coordinator/issue-{first}",
        f"coordinator/issue-{second}",
    ]
    assert all(record(job, number).dispatched_at is None for number in (first, second))
    cost = ended.document["cost_usd"]
    assert isinstance(cost, float)
    assert cost > 0


def living(job: Job) -> Claims:
    claims = claims_of(job)
    claims.take(1, request=None, most_runs=None)
    return claims


def test_the_run_of_the_closed_issue_itself_is_told_to_stop(queue: Job) -> None:
    claims = living(queue)
    mark(queue)
    assert closed(queue)["outcome"] == "skipped"
    assert claims.renew(1) == "issue #1 was closed"
    assert labels(queue) == {IN_PROGRESS}


def test_the_closed_issue_itself_is_tidied(queue: Job) -> None:
    mark(queue)
    claims_of(queue).reserve(1, seconds=3600)
    closed(queue)
    assert record(queue).dispatched_at is None
    assert labels(queue) == set()


def test_what_cannot_be_tidied_holds_nobody_up(queue: Job) -> None:
    number = queue.add_issue("Ours", BLOCKED_BY_1)
    ask_for(queue, number)
    mark(queue)
    queue.forge.fail("DELETE .*/issues/1/labels", times=99, status=403)
    queue.forge.fail("PUT .*/issues/1/labels", times=99, status=403)
    close(queue)
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed")
    assert "warning: issue #1 could not be let go" in ended.err
    assert dispatched(queue) == [str(number)]
    assert not queue.branch(BRANCH)
