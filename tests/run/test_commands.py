"""What people ask for in comments: ``/coordinator run``, ``retry``, ``plan`` and ``stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.run.queueing import (
    BLOCKED_BY_1,
    IN_PROGRESS,
    WORKFLOW,
    claims_of,
    close,
    dispatched,
    labels,
    long_ago,
    mark,
    model,
    record,
)
from tests.run.support import BRANCH, Ended, Job
from tests.small_project import BAD, GOOD, MEND, bash, submit

if TYPE_CHECKING:
    from coordinator.demo.model_script import Computed, Reply


def ask(job: Job, command: str, *script: Reply | Computed, run: str = "41") -> Ended:
    """Let the maintainer write a command, and run for it with a model that has these replies."""
    job.comment(f"/coordinator {command}", by=job.maintainer)
    job.set(GITHUB_RUN_ID=run)
    with model(*script) as served:
        job.use(served)
        ended = job.run("--format", "json")
        assert served.steps_left == 0
    return ended


def reason(ended: Ended) -> str:
    return str(ended.document["reason"])


def test_run_starts_what_nobody_has_assigned(job: Job) -> None:
    ended = ask(job, "run", GOOD, submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert not job.issue.assignees
    assert labels(job) == set()
    assert len(job.pulls) == 1


def test_run_leaves_alone_what_was_done(job: Job) -> None:
    assert ask(job, "run", GOOD, submit()).code == 0
    before, comment = job.branch(), job.comments
    ended = ask(job, "run", run="42")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped"), ended.err
    assert reason(ended) == "Issue #1 was worked on, and accepted. To go on, comment /coordinator retry"
    assert ended.document["issue"] == {"number": 1, "title": job.issue.title}
    assert (job.branch(), job.comments) == (before, comment)


def test_retry_goes_on_with_what_was_done(job: Job) -> None:
    assert ask(job, "run", GOOD, submit()).code == 0
    first = job.branch()
    ended = ask(job, "retry", bash("printf 'THREE = 3\\n' >> tool.py"), submit(), run="42")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2\nTHREE = 3"
    assert job.git("merge-base", first, BRANCH) == first
    assert len(job.pulls) == len(job.comments) == 1


@pytest.mark.parametrize("command", ["run", "retry"])
def test_what_was_rejected_goes_on(job: Job, command: str) -> None:
    job.push({".coordinator.yml": job.git("show", "main:.coordinator.yml") + "\nattempts: 1\n"})
    assert ask(job, "run", BAD, submit()).code == 1
    ended = ask(job, command, MEND, submit(), run="42")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert "(continued)" in job.comments[0]


@pytest.mark.parametrize("command", ["run", "retry"])
def test_what_a_run_works_on_is_left_to_it(job: Job, command: str) -> None:
    other = claims_of(job)
    other.take(1, request=None, most_runs=None)
    mark(job)
    ended = ask(job, command)
    assert (ended.code, ended.document["outcome"]) == (0, "skipped"), ended.err
    assert "run 99/work (https://forge.invalid/runs/99/work) works on issue #1" in reason(ended)
    assert other.holds(1)
    assert labels(job) == {IN_PROGRESS}
    assert not job.comments


def test_a_plan_is_an_answer_and_nothing_else(job: Job) -> None:
    ended = ask(job, "plan")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped"), ended.err
    assert "haiku would work on this" in job.headline()
    assert record(job).claim is None
    assert record(job).answered is None
    assert (job.branch(), job.pulls, labels(job)) == ("", [], set())
    assert {write.partition(" ")[0] for write in job.writes} == {"POST"}
    assert ask(job, "run", GOOD, submit(), run="42").code == 0, "nothing is taken by it"


def test_a_plan_says_what_is_in_the_way(job: Job) -> None:
    job.issue.blocked_by = [job.add_issue("First this")]
    ended = ask(job, "plan")
    assert (ended.code, ended.document["outcome"]) == (0, "waiting"), ended.err
    assert "Waiting for #2" in job.headline()
    assert not record(job).waiting, "nobody has asked for the work"


def test_a_plan_leaves_the_comment_to_the_run_that_works(job: Job) -> None:
    claims_of(job).take(1, request=None, most_runs=None)
    ended = ask(job, "plan")
    assert (ended.code, ended.document["agent"]) == (0, "haiku"), ended.err
    assert not job.comments


def test_a_plan_in_a_dry_run_is_not_even_answered(job: Job) -> None:
    job.set(INPUT_DRY_RUN="true")
    assert ask(job, "plan").code == 0
    assert not job.writes


def test_stop_takes_back_what_waits(job: Job) -> None:
    job.push(WORKFLOW)
    number = job.add_issue("Waits", BLOCKED_BY_1)
    job.assign(number)
    assert job.run("--format", "json").document["outcome"] == "waiting"
    entry = job.forge.state.add_entry(
        job.forge.state.issues[number], job.maintainer, "comment", body="/coordinator stop"
    )
    job.issue_event("issue_comment.created.json", sender=job.maintainer, issue=number, comment=entry)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err
    close(job)
    assert job.run().code == 0
    assert dispatched(job) == []


def test_stop_reaches_the_run_that_works(job: Job) -> None:
    other = claims_of(job)
    other.take(1, request=None, most_runs=None)
    ended = ask(job, "stop")
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err
    assert "stops at its next turn" in reason(ended)
    assert "asked by @maintainer in a comment" in other.renew(1)


@pytest.mark.parametrize("command", ["run", "retry", "plan", "stop"])
def test_strangers_command_nothing(job: Job, command: str) -> None:
    other = claims_of(job)
    other.take(1, request=None, most_runs=None)
    before = len(job.writes)
    job.comment(f"/coordinator {command}", by=job.forge.add_user("stranger"))
    ended = job.run("--format", "json")
    assert (ended.code, job.outputs()["outcome"]) == (3, "refused"), ended.err
    assert len(job.writes) == before
    assert other.renew(1) == ""


def test_a_text_that_changed_while_a_run_works_is_not_told_over_it(job: Job) -> None:
    claims_of(job).take(1, request=None, most_runs=None)
    job.comment("/coordinator retry", by=job.maintainer)
    long_ago(job)
    job.issue.body += "\nAnd do something else."
    ended = job.run("--format", "json")
    assert ended.code == 3, ended.err
    assert not job.comments
