"""The queue and what it is made of: issues that wait, that become free, that are drained by dispatch or in the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.run.queueing import BLOCKED_BY_1, WORKFLOW, ask_for, close, dispatched, willing_model
from tests.run.support import BODY, Job
from tests.standins.forge_server import JOB_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def queue(job: Job) -> Job:
    """Give a repository whose workflow can be dispatched, with one open issue."""
    job.push(WORKFLOW)
    return job


def test_what_waited_for_a_closed_issue_alone_starts_once(queue: Job) -> None:
    text, native, waiting = queue.add_issue("By text", BLOCKED_BY_1), queue.add_issue("Native"), queue.add_issue("Both")
    queue.forge.state.issues[native].blocked_by = [1]
    queue.forge.state.issues[waiting].blocked_by = [1, text]
    ask_for(queue, text, native, waiting)
    close(queue)
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert dispatched(queue) == [str(text), str(native)]
    assert f"issue #{waiting} is not free yet" in ended.err
    again = queue.run("--format", "json")
    assert (again.code, again.document["outcome"]) == (0, "skipped")
    assert dispatched(queue) == [str(text), str(native)], "started twice"


def test_the_closed_issue_itself_may_say_what_it_blocks(queue: Job) -> None:
    freed = queue.add_issue("Freed")
    queue.issue.body = f"Blocks: #{freed}"
    ask_for(queue, freed)
    close(queue)
    assert queue.run().code == 0
    assert dispatched(queue) == [str(freed)]


@pytest.mark.parametrize("whose", ["nobody's", "a stranger's"])
def test_only_what_somebody_allowed_asks_for_starts(queue: Job, whose: str) -> None:
    number = queue.add_issue("Not ours", BLOCKED_BY_1)
    if whose == "a stranger's":
        ask_for(queue, number, by=queue.forge.add_user("stranger"))
    close(queue)
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert dispatched(queue) == []
    assert not queue.forge.state.issues[number].comments


def test_a_stranger_who_closes_his_issue_starts_nothing(queue: Job) -> None:
    number = queue.add_issue("Ours", BLOCKED_BY_1)
    ask_for(queue, number)
    close(queue, by=queue.forge.add_user("stranger"))
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert dispatched(queue) == []


def test_what_its_author_edited_while_it_waited_is_told_and_not_started(queue: Job) -> None:
    stranger = queue.forge.add_user("stranger")
    number = queue.add_issue("Theirs", BLOCKED_BY_1, author=stranger)
    ask_for(queue, number)
    issue = queue.forge.state.issues[number]
    for entry in issue.timeline:
        entry["created_at"] = "2026-01-01T00:00:00Z"
    close(queue)
    assert queue.run().code == 0
    assert dispatched(queue) == []
    assert "may have been edited" in str(issue.comments[0]["body"])


def test_the_job_token_starts_runs_too(queue: Job) -> None:
    number = queue.add_issue("Ours", BLOCKED_BY_1)
    ask_for(queue, number)
    close(queue)
    queue.set(INPUT_TOKEN=JOB_TOKEN)
    assert queue.run().code == 0
    assert dispatched(queue) == [str(number)]


def test_a_queue_is_drained_in_order_and_never_further_than_is_wanted(queue: Job) -> None:
    late, urgent, after = queue.add_issue("Late"), queue.add_issue("Urgent"), queue.add_issue("After", BLOCKED_BY_1)
    urgent_label = queue.forge.add_label("priority/critical")
    queue.forge.state.set_labels(queue.forge.state.issues[urgent], [urgent_label], queue.maintainer)
    ask_for(queue, 1, late, urgent, after)
    queue.dispatch()
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert dispatched(queue) == [str(urgent), "1"]
    assert ended.document["queue"] == {
        "processed_count": 2,
        "success_count": 2,
        "rejection_count": 0,
        "states": {"ready": 3, "waiting": 1, "blocked": 0, "working": 0, "answered": 0},
        "issues": [
            {"number": number, "state": "dispatched", "reason": "", "pull_request": None} for number in (urgent, 1)
        ],
    }
    assert "processed_count" in queue.summary
    assert "in progress" in queue.forge.state.labels.values()
    assert queue.run("--format", "json").document["outcome"] == "skipped"
    assert dispatched(queue) == [str(urgent), "1"], "two runs are under way, and two are wanted"


def test_a_run_that_was_dispatched_goes_on_with_the_queue(queue: Job) -> None:
    second, third = queue.add_issue("Second"), queue.add_issue("Third")
    ask_for(queue, 1, second, third)
    queue.dispatch()
    assert queue.run().code == 0
    assert dispatched(queue) == ["1", str(second)]
    queue.dispatch(by=queue.forge.bot, issue="1")
    queue.set(GITHUB_RUN_ID="42")
    with willing_model() as model:
        queue.use(model)
        ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert dispatched(queue) == ["1", str(second), str(third)]
    assert "the queue goes on" in ended.err


def test_without_dispatch_the_job_works_on_one_issue_after_the_other(job: Job) -> None:
    second = job.add_issue("Second")
    ask_for(job, 1, second)
    job.dispatch()
    with willing_model() as model:
        job.use(model)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert "no workflow can be started" in ended.err
    counts = ended.document["queue"]
    assert isinstance(counts, dict)
    assert (counts["processed_count"], counts["success_count"], counts["rejection_count"]) == (2, 2, 0)
    assert {job.branch(f"coordinator/issue-{number}") != "" for number in (1, second)} == {True}
    assert len(job.pulls) == 2


def test_a_model_that_is_away_ends_the_queue_after_the_first_issue(job: Job) -> None:
    second = job.add_issue("Second")
    ask_for(job, 1, second)
    job.dispatch()
    job.set(ANTHROPIC_BASE_URL="http://127.0.0.1:9")
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (4, "failed"), ended.err
    counts = ended.document["queue"]
    assert isinstance(counts, dict)
    assert (counts["processed_count"], counts["rejection_count"]) == (1, 1)
    assert not job.forge.state.issues[second].comments


def test_a_cycle_is_reported_on_each_issue_of_it_and_only_once(queue: Job) -> None:
    second, free = queue.add_issue("Second", BLOCKED_BY_1), queue.add_issue("Free")
    queue.issue.body = f"{BODY}\n## Blocked by\n\n- #{second}\n"
    ask_for(queue, 1, second, free)
    queue.dispatch()
    assert queue.run().code == 0
    assert dispatched(queue) == [str(free)], "a cycle blocks nothing else"
    for number in (1, second):
        (comment,) = queue.forge.state.issues[number].comments
        assert "cycle" in str(comment["body"])
    before = len([write for write in queue.writes if "/comments" in write])
    assert queue.run().code == 0
    assert len([write for write in queue.writes if "/comments" in write]) == before


def test_an_issue_that_was_answered_is_not_worked_on_again(queue: Job) -> None:
    queue.assign()
    with willing_model() as model:
        queue.use(model)
        assert queue.run().code == 0
    queue.dispatch()
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert dispatched(queue) == []


def test_an_issue_that_waited_starts_when_it_is_free(queue: Job) -> None:
    number = queue.add_issue("Waits", BLOCKED_BY_1)
    queue.assign(number)
    assert queue.run("--format", "json").document["outcome"] == "waiting"
    queue.forge.state.issues[1].state = "closed"
    queue.dispatch()
    assert queue.run().code == 0
    assert dispatched(queue) == [str(number)]


@pytest.mark.parametrize("happens", [close, lambda job: job.dispatch()], ids=["closed", "queue"])
def test_a_dry_run_starts_nothing(queue: Job, happens: Callable[[Job], None]) -> None:
    ask_for(queue, queue.add_issue("Ours", BLOCKED_BY_1))
    happens(queue)
    queue.set(INPUT_DRY_RUN="true")
    ended = queue.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert "Dry run" in str(ended.document["reason"])
    assert not queue.writes
