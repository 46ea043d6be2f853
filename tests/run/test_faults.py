"""The forge fails while the work goes on: what is there is never lost, and what the gates said stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import Computed
from coordinator.demo.model_server import ModelServer
from tests.run.support import BRANCH, Ended, Job
from tests.small_project import BAD, GOOD, submit
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.demo.model_script import Reply

ALWAYS = 99


def work(job: Job, *script: Reply | Computed) -> Ended:
    """Run for an assigned issue; by default the agent's first submission is accepted."""
    job.assign()
    with ModelServer(list(script or (GOOD, submit())), key=API_CANARY) as model:
        job.use(model)
        return job.run("--format", "json")


def test_no_pull_request_can_be_opened(job: Job) -> None:
    job.forge.fail("POST .*/pulls$", times=ALWAYS, status=500)
    ended = work(job)
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert "The quality gates accepted the work, but" in ended.complaint
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    assert ended.document["commit"] == job.branch()
    assert job.git("rev-list", f"main..{BRANCH}").split() == [job.branch()], "pushed once"
    assert job.statuses(job.branch()) == {"coordinator": "success", "coordinator/lint": "success"}
    assert json.loads(job.outputs()["verdict"])["passed"] is True
    assert job.outputs()["branch"] == BRANCH
    assert f"/compare/main...{BRANCH}" in job.comments[0]
    assert "⛔ Not done" in job.headline()


def test_the_answer_about_the_pull_request_is_lost(job: Job) -> None:
    job.forge.fail("POST .*/pulls$", drop="after")
    assert work(job).code == 0
    assert len(job.pulls) == 1


def test_rejected_work_stays_rejected_when_no_pull_request_can_be_opened(job: Job) -> None:
    job.push({".coordinator.yml": job.git("show", "main:.coordinator.yml") + "\nattempts: 1\n"})
    job.forge.fail("POST .*/pulls$", times=ALWAYS, status=500)
    ended = work(job, BAD, submit())
    assert (ended.code, ended.document["outcome"]) == (1, "rejected")
    assert job.branch()
    assert "could not be handed over" in job.comments[0]


@pytest.mark.slow
def once_it_works(act: Callable[[], object]) -> Computed:
    """Let something happen in the agent's first turn, when the issue is claimed already."""

    def answer(_body: object) -> Reply:
        act()
        return GOOD

    return Computed(answer)


def test_an_issue_that_cannot_be_claimed_costs_nothing(job: Job) -> None:
    job.forge.fail("git-receive-pack", times=ALWAYS, status=500)
    job.assign()
    with ModelServer([], key=API_CANARY) as model:
        job.use(model)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert not model.requests
    assert "⛔ Not done" in job.headline()


def test_nothing_can_be_pushed(job: Job) -> None:
    fault = once_it_works(lambda: job.forge.fail("git-receive-pack", times=ALWAYS, status=500))
    ended = work(job, fault, submit())
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert not job.branch()
    patch = job.folder / "temp" / "coordinator-issue-1" / "work.patch"
    assert "+TWO = 2" in patch.read_text(encoding="utf-8")
    assert str(patch) in job.comments[0]
    assert json.loads(job.outputs()["verdict"])["passed"] is True
    assert not job.pulls
    assert "The quality gates accepted the work, but" in ended.complaint


def test_the_first_try_to_push_fails(job: Job) -> None:
    job.forge.fail("git-receive-pack", status=503)
    assert work(job).code == 0
    assert job.pulls


def test_a_push_that_is_forbidden(job: Job) -> None:
    fault = once_it_works(lambda: job.forge.fail("git-receive-pack", times=ALWAYS, status=403))
    ended = work(job, fault, submit())
    assert (ended.code, ended.document["outcome"]) == (2, "failed")
    assert (job.folder / "temp" / "coordinator-issue-1" / "work.patch").is_file()
    assert "The quality gates accepted the work, but" in ended.complaint


def test_no_comment_can_be_written(job: Job) -> None:
    job.forge.fail("POST .*/comments$", times=ALWAYS, status=500)
    ended = work(job)
    assert (ended.code, ended.document["outcome"]) == (0, "completed")
    assert "the comment is not kept up any more" in ended.err
    assert not job.comments
    assert job.pulls


def test_a_comment_that_can_no_longer_be_edited(job: Job) -> None:
    job.forge.fail("PATCH .*/comments/", times=ALWAYS, status=403, body=b'{"message": "locked"}')
    ended = work(job)
    assert (ended.code, ended.document["outcome"]) == (0, "completed")
    assert len(job.comments) == 1
    assert job.pulls


def test_statuses_that_cannot_be_set(job: Job) -> None:
    job.forge.fail("POST .*/statuses/", times=ALWAYS, status=403)
    ended = work(job)
    assert (ended.code, ended.document["outcome"]) == (0, "completed")
    assert "the commit statuses could not be set" in ended.err
    assert "✅ Done" in job.headline()


def test_the_forge_cannot_be_asked_whether_the_issue_is_open(job: Job) -> None:
    echo = json.dumps({"message": f"token {FORGE_CANARY} is tired"}).encode()

    def answer(_body: object) -> Reply:
        job.forge.fail("GET .*/issues/1$", status=403, body=echo)
        return GOOD

    ended = work(job, Computed(answer), submit())
    assert ended.code == 0, ended.err
    assert "could not look whether the run is still wanted" in ended.err
    assert "token *** is tired" in ended.err
    assert FORGE_CANARY not in ended.err
