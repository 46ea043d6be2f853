"""Pull requests: from the event file to the verdict that people see."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.run.pull_requests import PullRequests
from tests.run.support import found_in
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from tests.run.support import Job

GOOD = {"tool.py": "ONE = 1\nTWO = 2\n"}
BAD = {"tool.py": "import os\n\nONE = 1\n"}
GREEN = {"coordinator": "success", "coordinator/lint": "success"}
RED = {"coordinator": "failure", "coordinator/lint": "failure"}


@pytest.fixture
def pulls(job: Job) -> PullRequests:
    """Give a repository whose only gate is lint, and what opens pull requests there."""
    return PullRequests(job)


def history(job: Job, commit: str) -> list[tuple[str, str]]:
    """Return all statuses that a commit was given, in order."""
    found = [status for status in job.forge.state.statuses if status["commit"] == commit]
    return [(str(status["context"]), str(status["status"])) for status in found]


def test_what_passes_is_green(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(GOOD)
    before = job.git("show-ref")
    ended = pulls.judge()
    assert ended.code == 0, ended.err
    assert job.statuses(commit) == GREEN
    assert re.fullmatch(rf"✅ Accepted by 1 gate in [\d.]+s · `{commit[:7]}`", pulls.heading)
    assert job.git("show-ref") == before, "nothing is pushed"
    assert job.outputs()["outcome"] == "completed"
    assert job.outputs()["issue"] == ""
    assert job.outputs()["pull-request"] == str(pulls.number)
    assert json.loads(job.outputs()["verdict"])["tree"] == job.git("rev-parse", f"{commit}^{{tree}}")
    assert f"/pulls/{pulls.number}) Add TWO" in job.summary


def test_statuses_come_first_then_the_comment_then_the_verdict(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(GOOD)
    assert pulls.judge().code == 0
    writes = [line.replace(commit, "COMMIT").rpartition("/app/")[2] for line in job.writes]
    comment = f"issues/{pulls.number}/comments"
    assert writes[:3] == ["statuses/COMMIT", "statuses/COMMIT", comment]
    assert writes[-3:] == ["statuses/COMMIT", "statuses/COMMIT", "issues/comments/1"]
    assert history(job, commit) == [
        ("coordinator", "pending"),
        ("coordinator/lint", "pending"),
        ("coordinator", "success"),
        ("coordinator/lint", "success"),
    ]
    (link,) = {str(status["target_url"]) for status in job.forge.state.statuses}
    assert link.endswith("/actions/runs/7")


def test_what_fails_is_red(job: Job, pulls: PullRequests) -> None:
    commit = pulls.open(BAD)
    ended = pulls.judge("--format", "json")
    assert ended.code == 1
    document = ended.document
    assert (document["outcome"], document["reason"], document["issue"]) == ("rejected", "rejected by lint", None)
    assert document["commit"] == commit
    assert "coordinator: rejected: rejected by lint" in ended.err
    assert job.statuses(commit) == RED
    assert pulls.heading == f"❌ Rejected by lint · `{commit[:7]}`"
    assert "tool.py:1:8: F401" in pulls.comment
    base = job.branch("main")
    assert f"Commit `{commit[:12]}` by the rules of `main@{base[:7]}`; opened by `@maintainer`" in pulls.comment
    assert not re.search(r"to stop|agent|attempt|\$", pulls.comment)
    assert not re.search(r"agent|attempt|\$\d", job.summary.partition("Configuration of this run")[0])


def test_on_the_terminal_there_is_no_word_of_work(pulls: PullRequests) -> None:
    pulls.open(GOOD)
    out = pulls.judge().out
    assert [line.partition(":")[0] for line in out.splitlines()] == ["outcome", "pull request", "report"]


def test_the_page_has_the_verdict_and_no_word_of_work(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD)
    pulls.judge()
    page = Path(job.outputs()["report"]).read_text(encoding="utf-8")
    assert "<h2>Verdict <small>" in page
    assert "F401" in page
    assert not re.search(r"Attempt|turns|\$0", page)


def test_a_push_turns_red_into_green_in_the_same_comment(job: Job, pulls: PullRequests) -> None:
    red = pulls.open(BAD)
    assert pulls.judge().code == 1
    assert "Rejected" in pulls.heading
    green = pulls.push(GOOD)
    pulls.happens("synchronized", green)
    assert pulls.judge().code == 0
    assert "Accepted" in pulls.heading, "in the one comment"
    assert "F401" not in pulls.comment
    assert (job.statuses(red), job.statuses(green)) == (RED, GREEN)


@pytest.mark.parametrize("agit", [False, True], ids=["fork", "agit"])
@pytest.mark.parametrize(("files", "code"), [(GOOD, 0), (BAD, 1)])
def test_what_a_stranger_sends_is_judged_and_nothing_is_written(
    job: Job, pulls: PullRequests, files: dict[str, str], code: int, *, agit: bool
) -> None:
    pulls.open_fork(files, agit=agit)
    ended = pulls.judge()
    assert ended.code == code, ended.err
    assert job.writes == []
    assert "gates only" in ended.err
    assert json.loads(job.outputs()["verdict"])["passed"] is (code == 0)
    assert "lint" in job.summary


def test_a_sender_who_may_not_write_gets_the_gates_only(job: Job, pulls: PullRequests) -> None:
    pulls.open(GOOD, by=job.forge.add_user("reader", "read"))
    assert pulls.judge().code == 0
    assert job.writes == []


def test_a_stranger_whose_check_cannot_be_done_gets_no_write_either(job: Job, pulls: PullRequests) -> None:
    pulls.open_fork(GOOD)
    job.forge.fail("git-upload-pack", times=99, status=403)
    assert pulls.judge().code == 2
    assert job.writes == []


def test_a_dry_run_writes_nothing(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD)
    job.set(INPUT_DRY_RUN="true")
    ended = pulls.judge()
    assert ended.code == 0
    assert "Dry run: the gates would judge" in ended.out
    assert job.writes == []


def test_a_dry_run_that_fails_writes_nothing_either(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD)
    job.set(INPUT_DRY_RUN="true")
    job.forge.fail("GET .*/pulls/", times=9, status=403)
    assert pulls.judge().code == 2
    assert job.writes == []


# What is not judged.


def test_a_head_that_has_moved_on_is_left_to_its_own_run(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD)
    pulls.push(GOOD)
    ended = pulls.judge()
    assert ended.code == 0
    assert "skipped" in ended.err
    assert "a newer push is there, and is checked by its own run" in ended.out
    assert job.writes == []


def test_a_closed_one_is_skipped(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD)
    pulls.state.state = "closed"
    ended = pulls.judge()
    assert (ended.code, job.writes) == (0, [])
    assert "is closed by now" in ended.out


def test_our_own_is_skipped(job: Job, pulls: PullRequests) -> None:
    pulls.open(BAD, by=job.forge.bot)
    ended = pulls.judge()
    assert (ended.code, job.writes) == (0, [])
    assert "the coordinator's own account" in ended.out


def test_what_could_not_be_prepared_as_usual_is_said(job: Job, pulls: PullRequests) -> None:
    project = "[project]\nname = 'x'\nversion = '1'\ndynamic = ['description']\n"
    job.push({"pyproject.toml": f"{project}[build-system]\nrequires = []\nbuild-backend = 'nothing'\n"})
    pulls.open(GOOD)
    assert pulls.judge().code == 0
    assert "the project is used from its sources, it could not be installed:" in pulls.comment


def test_a_secret_in_a_pull_request_is_not_passed_on(job: Job, pulls: PullRequests) -> None:
    # Somebody pasted the token into a name of a file, which the linter then names.
    commit = pulls.open({f"{FORGE_CANARY}.py": "import os\n"})
    assert pulls.judge().code == 1
    statuses = json.dumps([entry for entry in job.forge.state.statuses if entry["commit"] == commit])
    assert "F401" in statuses
    told = [statuses, pulls.comment, job.summary, json.dumps(job.outputs()), *job.said]
    assert not found_in("\n".join(told).encode())


def on_lines(pulls: PullRequests) -> list[tuple[str, object, str]]:
    """Return path, line and first words of each comment on a line."""
    found = [comment for review in pulls.state.reviews for comment in review.comments]
    return [(str(one["path"]), one["position"], str(one["body"]).partition("\n")[0]) for one in found]


def test_findings_are_shown_on_their_lines_and_go_when_they_are_mended(pulls: PullRequests) -> None:
    pulls.open(BAD)
    assert pulls.judge().code == 1
    ((path, line, words),) = on_lines(pulls)
    assert (path, line) == ("tool.py", 1)
    assert words.startswith("❌ **lint** `F401` ")
    assert pulls.judge().code == 1
    assert len(on_lines(pulls)) == 1
    pulls.happens("synchronized", pulls.push(GOOD))
    assert pulls.judge().code == 0
    assert pulls.state.reviews == []


def test_nothing_is_written_on_the_lines_of_a_fork(job: Job, pulls: PullRequests) -> None:
    pulls.open_fork(BAD)
    assert pulls.judge().code == 1
    assert pulls.state.reviews == []
    assert not job.writes
