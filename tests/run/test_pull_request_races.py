"""What happens on the forge while a pull request is judged, and what the forge fails at meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.run.pull_requests import HEAD, PullRequests
from tests.support import GIT_ENVIRONMENT, git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.run.support import Job

GOOD = {"tool.py": "ONE = 1\nTWO = 2\n"}
BAD = {"tool.py": "import os\n\nONE = 1\n"}
GREEN = {"coordinator": "success", "coordinator/lint": "success"}
RED = {"coordinator": "failure", "coordinator/lint": "failure"}
ERROR = {"coordinator": "error", "coordinator/lint": "error"}
ALWAYS = 99


@pytest.fixture
def pulls(job: Job) -> PullRequests:
    """Give a repository whose only gate is lint, and what opens pull requests there."""
    return PullRequests(job)


def descriptions(job: Job, commit: str) -> set[str]:
    """Return what the statuses say that count."""
    found = {str(status["context"]): status for status in job.forge.state.statuses if status["commit"] == commit}
    return {str(status["description"]) for status in found.values()}


# Somebody pushes meanwhile.


def test_a_push_before_the_fetch_never_gets_the_verdict_of_another_commit(job: Job, pulls: PullRequests) -> None:
    bad = pulls.open(BAD)
    job.forge.before("git-upload-pack$", lambda: pulls.push(GOOD))
    ended = pulls.judge("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert job.statuses(bad) == ERROR, "none stays pending"
    assert all("a newer push is there" in words for words in descriptions(job, bad))
    assert job.statuses(job.branch(HEAD)) == {}
    assert "running" in pulls.heading, "left to the run of the newer push"


def test_one_that_is_closed_meanwhile_is_skipped(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD)
    job.forge.before("GET .*/pulls/", lambda: setattr(pulls.state, "state", "closed"))
    ended = pulls.judge()
    assert (ended.code, job.writes) == (0, [])
    assert "is closed by now" in ended.out


def test_a_forge_whose_git_lags_behind_is_no_green_run(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD)
    good = job.push(GOOD, HEAD)
    pulls.happens("synchronized", good)
    ended = pulls.judge()
    assert ended.code == 4
    assert "Start the run again when the forge has caught up" in ended.complaint
    assert job.statuses(good) == ERROR
    assert "Not judged" in pulls.heading


def test_the_comment_belongs_to_the_newest_push(job: Job, pulls: PullRequests) -> None:
    bad = pulls.open(BAD)
    newer: list[str] = []

    def push() -> None:
        newer.extend(pulls.comments)
        pulls.push(GOOD)

    job.forge.before("POST .*/statuses/", push, after=2)
    ended = pulls.judge()
    assert ended.code == 1
    assert job.statuses(bad) == RED, "of this commit it is true all the same"
    assert pulls.comments == newer


def test_a_cancelled_check_leaves_nothing_pending(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(GOOD)
    job.forge.before("git-upload-pack$", lambda: os.kill(os.getpid(), signal.SIGTERM))
    ended = pulls.judge("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert job.statuses(commit) == ERROR
    assert pulls.heading == (f"⚠️ Not judged — The run was cancelled. Push again, or start it again · `{commit[:7]}`")


def test_a_check_that_a_newer_push_cancels_leaves_the_comment_alone(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(BAD)

    def cancel() -> None:
        pulls.push(GOOD)
        os.kill(os.getpid(), signal.SIGTERM)

    job.forge.before("git-upload-pack$", cancel)
    assert pulls.judge().code == 4
    assert job.statuses(commit) == ERROR
    assert "running" in pulls.heading


# The forge fails.


@pytest.mark.parametrize(("files", "code", "found"), [(GOOD, 0, "Accepted"), (BAD, 1, "Rejected")])
def test_without_statuses_the_verdict_is_the_same(
    job: Job, pulls: PullRequests, files: dict[str, str], code: int, found: str
) -> None:
    pulls.open(files)
    job.forge.fail("POST .*/statuses/", times=ALWAYS, status=403)
    ended = pulls.judge()
    assert ended.code == code
    assert "warning: the commit statuses could not be set" in ended.err
    assert found in pulls.heading
    assert "the commit statuses could not be set" in pulls.comment


@pytest.mark.parametrize(("files", "code", "states"), [(GOOD, 0, GREEN), (BAD, 1, RED)])
def test_without_a_comment_the_verdict_is_the_same(
    job: Job, pulls: PullRequests, files: dict[str, str], code: int, states: dict[str, str]
) -> None:
    commit = pulls.open(files)
    job.forge.fail("POST .*/comments", times=ALWAYS, status=403)
    ended = pulls.judge()
    assert ended.code == code
    assert "warning: the comment is not kept up any more" in ended.err
    assert job.statuses(commit) == states
    assert pulls.comments == []


def test_one_status_that_is_refused_leaves_no_other_behind(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(BAD)
    job.forge.before("POST .*/statuses/", lambda: job.forge.fail("POST .*/statuses/", status=403), after=1)
    # The second request, and with it the fault for the third: the first one of the verdict.
    assert pulls.judge().code == 1
    assert job.statuses(commit) == {"coordinator": "pending", "coordinator/lint": "failure"}


def test_a_dead_forge_is_asked_for_one_status_only(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(GOOD)
    job.forge.fail("POST .*/statuses/", times=5, status=503)
    assert pulls.judge().code == 0
    asked = [line for line in job.writes if "/statuses/" in line]
    assert len(asked) == 5 + 2, "five tries for the first of the pending ones, and the verdict"
    assert job.statuses(commit) == GREEN


@pytest.mark.parametrize(
    ("route", "status", "code"),
    [("GET .*/pulls/\\d+$", 500, 4), ("GET .*/pulls/\\d+$", 403, 2), ("GET .*/info/refs", 403, 2)],
)
def test_what_cannot_be_judged_is_an_error_and_says_why(
    job: Job, pulls: PullRequests, route: str, status: int, code: int
) -> None:
    commit = pulls.open(GOOD)
    job.forge.fail(route, times=ALWAYS, status=status)
    ended = pulls.judge("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (code, "failed")
    assert job.statuses(commit) == ERROR
    (said,) = descriptions(job, commit)
    assert str(ended.document["reason"]).startswith(said.removesuffix("…"))
    assert route.startswith("GET .*/pulls") or pulls.heading.startswith("⚠️ Not judged — ")


def test_the_comment_is_tried_again_at_the_end(job: Job, pulls: PullRequests) -> None:
    pulls.open(GOOD)
    job.forge.fail("POST .*/comments", status=403)
    assert pulls.judge().code == 0
    assert "Accepted" in pulls.heading


def test_each_write_that_fails_once_changes_nothing(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(GOOD)
    for route in ("POST .*/statuses/", "PATCH .*/comments/", "GET .*/pulls/\\d+$", "GET .*/comments"):
        job.forge.fail(route, status=500)
    assert pulls.judge().code == 0
    assert job.statuses(commit) == GREEN
    assert "Accepted" in pulls.heading


# What cannot be judged as it is.


def test_objects_that_no_git_should_take_end_the_fetch(job: Job, pulls: PullRequests) -> None:
    bare = job.forge.bare_repository
    pulls.open(GOOD)
    blob = git(bare, "rev-parse", f"{HEAD}:tool.py")
    inner = _mktree(bare, f"100644 blob {blob}\tconfig")
    tree = _mktree(bare, f"040000 tree {inner}\t.git", f"100644 blob {blob}\ttool.py")
    commit = git(bare, "commit-tree", tree, "-p", "main", "-m", "Hostile")
    for ref in (f"refs/heads/{HEAD}", f"refs/pull/{pulls.number}/head"):
        git(bare, "update-ref", ref, commit)
    pulls.happens("synchronized", commit)
    ended = pulls.judge()
    assert ended.code == 2
    assert "holds an object that is broken or hostile" in ended.complaint
    assert job.statuses(commit) == ERROR
    assert "Not judged" in pulls.heading


def _mktree(repository: Path, *lines: str) -> str:
    command = ["git", "-c", "safe.directory=*", "mktree"]
    listing = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        command, cwd=repository, env=GIT_ENVIRONMENT, input=listing, text=True, check=True, capture_output=True
    )
    return done.stdout.strip()
