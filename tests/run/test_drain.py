"""The queue is drained: by runs that are started, or in the job itself, and never further than is wanted."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter

from coordinator.demo.model_script import Computed, Failure, is_agent_call
from coordinator.report.models import QueueReport
from tests.run.queueing import (
    BLOCKED_BY_1,
    IN_PROGRESS,
    WORKFLOW,
    ask_for,
    claims_of,
    dispatched,
    during,
    labels,
    mark,
    model,
    record,
    willing_model,
)
from tests.run.support import BODY, Ended, Job
from tests.small_project import BAD, GOOD, submit

if TYPE_CHECKING:
    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Reply
    from coordinator.demo.model_server import ModelServer

MISSING = f"{BODY}\n## Blocked by\n\n- #77\n"


@pytest.fixture
def queue(job: Job) -> Job:
    """Give a repository whose workflow can be dispatched, with one open issue."""
    job.push(WORKFLOW)
    return job


def drain(job: Job, served: ModelServer | None = None) -> Ended:
    """Dispatch for the whole queue, and run."""
    job.dispatch()
    if served is None:
        return job.run("--format", "json")
    with served:
        job.use(served)
        return job.run("--format", "json")


def counts(ended: Ended) -> QueueReport:
    return QueueReport.model_validate(ended.document["queue"])


def taken(ended: Ended) -> list[tuple[int, str]]:
    return [(issue.number, issue.state) for issue in counts(ended).issues]


# By runs that are started.


def test_as_many_runs_are_under_way_as_are_wanted(queue: Job) -> None:
    queue.push({".coordinator.yml": queue.git("show", "main:.coordinator.yml") + "\nqueue: {parallel: 3}\n"})
    numbers = [1, *(queue.add_issue(f"Issue {number}") for number in range(2, 8))]
    ask_for(queue, *numbers)
    working = claims_of(queue)
    working.take(numbers[0], request=None, most_runs=None)
    assert taken(drain(queue)) == [(numbers[1], "dispatched"), (numbers[2], "dispatched")]
    assert taken(drain(queue)) == []
    working.finish(numbers[0], None)
    queue.issue.state = "closed"
    assert taken(drain(queue)) == [(numbers[3], "dispatched")]
    late = claims_of(queue, "100/work")
    late.take(numbers[1], request=None, most_runs=None)
    assert taken(drain(queue)) == [], "a run that has come counts once"
    assert dispatched(queue) == list(map(str, numbers[1:4]))


def test_what_a_killed_run_has_left_is_tidied_and_started(queue: Job) -> None:
    ask_for(queue, 1)
    claims_of(queue, later=timedelta(hours=-1)).take(1, request=None, most_runs=None)
    mark(queue)
    other = queue.add_issue("Worked on")
    ask_for(queue, other)
    claims_of(queue).take(other, request=None, most_runs=None)
    mark(queue, other)
    held = queue.add_issue("Held up", BLOCKED_BY_1)
    ask_for(queue, held)
    mark(queue, held)
    assert taken(drain(queue)) == [(1, "dispatched")]
    assert IN_PROGRESS in labels(queue, other), "somebody works on it"
    assert IN_PROGRESS not in labels(queue, held)
    assert IN_PROGRESS in labels(queue)


def test_a_mark_that_cannot_be_changed_holds_nothing_up(queue: Job) -> None:
    second = queue.add_issue("Second")
    ask_for(queue, 1, second)
    mark(queue)
    queue.forge.fail("(DELETE|PUT|POST) .*/labels", times=99, status=403)
    ended = drain(queue)
    assert (ended.code, taken(ended)) == (0, [(1, "dispatched"), (second, "dispatched")]), ended.err
    assert "warning: the label in progress of issue #1 could not be taken off" in ended.err
    assert f"warning: issue #{second} could not be labelled" in ended.err


@pytest.mark.parametrize("text", [MISSING, f"{BODY}\n## Blocked by\n\n- other/repo#5\n"], ids=["missing", "foreign"])
def test_what_only_a_person_can_free_is_told_once(queue: Job, text: str) -> None:
    number = queue.add_issue("Blocked", text)
    ask_for(queue, number)
    ended = drain(queue)
    assert (ended.code, ended.document["outcome"]) == (0, "skipped"), ended.err
    (comment,) = queue.forge.state.issues[number].comments
    assert "⏸ Blocked" in str(comment["body"])
    before = [write for write in queue.writes if "/comments" in write]
    assert drain(queue).code == 0
    assert [write for write in queue.writes if "/comments" in write] == before


def test_a_stranger_is_told_nothing(queue: Job) -> None:
    number = queue.add_issue("Theirs", MISSING, author=queue.forge.add_user("stranger"))
    ask_for(queue, number, by=queue.forge.state.users["stranger"])
    ended = drain(queue)
    assert (ended.code, queue.forge.state.issues[number].comments) == (0, [])
    assert f"issue #{number} is blocked, and that is not reported" in ended.err


def test_what_was_answered_is_not_told_again_that_it_is_blocked(queue: Job) -> None:
    queue.assign()
    with willing_model() as served:
        queue.use(served)
        assert queue.run().code == 0
    queue.issue.body = MISSING
    before = queue.comments
    assert drain(queue).code == 0
    assert queue.comments == before


def test_what_was_closed_meanwhile_is_passed_over(queue: Job) -> None:
    ask_for(queue, 1)
    queue.forge.before("GET .*/issues/1$", lambda: setattr(queue.issue, "state", "closed"))
    ended = drain(queue)
    assert (ended.code, taken(ended)) == (0, [])
    assert "issue #1 passed over: closed by now" in ended.err


def test_the_summary_of_runs_that_were_started(queue: Job) -> None:
    ask_for(queue, 1)
    ended = drain(queue)
    assert ended.code == 0
    assert queue.summary.startswith("## ✅ Queue: `#1` dispatched (found: 1 ready)\n")
    assert "| processed_count | 1 |" in queue.summary
    assert "| #1 | dispatched |" in queue.summary


def test_a_queue_that_cannot_go_on_is_no_part_of_the_run_that_was_done(queue: Job) -> None:
    ask_for(queue, 1)
    queue.dispatch(by=queue.forge.bot, issue="1")

    def forbid() -> None:
        queue.forge.fail("GET .*/issues[?]", times=99, status=403)

    with model(GOOD, during(forbid, submit())) as served:
        queue.use(served)
        ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert "warning: the queue could not be continued; the next run does it: " in ended.err


def test_what_cannot_be_told_is_said_in_the_log(queue: Job) -> None:
    queue.issue.body = MISSING
    ask_for(queue, 1)
    queue.forge.fail("POST .*/comments$", times=99, status=403)
    ended = drain(queue)
    assert ended.code == 0
    assert "warning: the comment of issue #1 could not be written: " in ended.err


# In the job itself.


def work_on_all_but(rejected: str) -> ModelServer:
    """Serve a model that does every issue's work but one's, whose title it is told."""

    def work(body: Json) -> Reply:
        said = sum(message["role"] == "assistant" for message in body["messages"])
        if said:
            return submit()
        return BAD if rejected in json.dumps(body["messages"][0]) else GOOD

    return model(Computed(work, when=is_agent_call, repeat=True))


def test_work_that_is_rejected_does_not_stop_the_queue(job: Job) -> None:
    job.push({".coordinator.yml": job.git("show", "main:.coordinator.yml") + "\nattempts: 1\n"})
    second, third = job.add_issue("Impossible"), job.add_issue("Last")
    ask_for(job, 1, second, third)
    ended = drain(job, work_on_all_but("Impossible"))
    assert (ended.code, ended.document["outcome"]) == (1, "rejected"), ended.err
    assert taken(ended) == [(1, "accepted"), (second, "rejected"), (third, "accepted")]
    found = counts(ended)
    assert (found.processed_count, found.success_count, found.rejection_count) == (3, 2, 1)
    assert f"issue #{second} rejected: {counts(ended).issues[1].reason}" in ended.err
    for row in ("| processed_count | 3 |", "| success_count | 2 |", "| rejection_count | 1 |"):
        assert row in job.summary
    assert job.summary.startswith("## ⚠️ Not done — Queue: `#1` accepted, ")
    assert f"| #{second} | rejected |" in job.summary
    assert len(job.pulls) == 3
    assert record(job).claim is None


@pytest.mark.parametrize(("failure", "code"), [(529, 4), (401, 2)], ids=["down", "key refused"])
def test_what_the_next_issue_needs_as_well_stops_the_queue(job: Job, failure: int, code: int) -> None:
    second = job.add_issue("Second")
    ask_for(job, 1, second)
    kind = "authentication_error" if failure == 401 else "overloaded_error"
    headers = {"x-should-retry": "false"}
    ended = drain(job, model(Failure(failure, kind, "no", headers=headers, repeat=True)))
    assert (ended.code, taken(ended)) == (code, [(1, "rejected")]), ended.err
    assert not job.forge.state.issues[second].comments
    assert record(job, second).answered is None


def test_a_forge_that_fails_between_two_issues_does_not_hide_the_first(job: Job) -> None:
    second = job.add_issue("Second")
    ask_for(job, 1, second)
    job.forge.fail(f"GET .*/issues/{second}$", times=99, status=403)
    ended = drain(job, willing_model())
    assert (ended.code, ended.document["outcome"]) == (2, "failed"), ended.err
    assert taken(ended) == [(1, "accepted")]
    assert "Queue: #1 accepted" in str(ended.document["reason"])


def test_a_signal_ends_the_queue_in_order(job: Job) -> None:
    second = job.add_issue("Second")
    ask_for(job, 1, second)
    ended = drain(job, model(GOOD, during(lambda: os.kill(os.getpid(), signal.SIGTERM), submit())))
    assert (ended.code, ended.document["outcome"]) == (4, "failed"), ended.err
    assert taken(ended) == [(1, "rejected")]
    assert "cancelled" in str(counts(ended).issues[0].reason)
    assert job.git("show", "coordinator/issue-1:tool.py") == "ONE = 1\nTWO = 2"
    assert job.pulls[0].title.startswith("WIP: ")
    assert record(job).claim is None
    assert IN_PROGRESS not in labels(job)
    assert not job.forge.state.issues[second].comments


def test_a_signal_between_two_issues_ends_it_too(queue: Job) -> None:
    ask_for(queue, 1, queue.add_issue("Second"))
    queue.forge.before("POST .*/dispatches$", lambda: os.kill(os.getpid(), signal.SIGTERM))
    ended = drain(queue)
    assert (ended.code, ended.document["outcome"]) == (4, "failed"), ended.err
    assert "The run was cancelled. Queue: " in str(ended.document["reason"])
    assert len(dispatched(queue)) <= 1
    assert TypeAdapter(dict[str, str]).validate_python(queue.outputs())["outcome"] == "failed"


def test_what_is_found_held_up_after_all_is_passed_over(job: Job) -> None:
    other = job.add_issue("First this")
    ask_for(job, 1)
    job.forge.before("GET .*/issues/1$", lambda: job.issue.blocked_by.append(other))
    ended = drain(job, model())
    assert (ended.code, ended.document["outcome"], taken(ended)) == (0, "skipped", []), ended.err
    assert "Waiting for" in job.headline()
