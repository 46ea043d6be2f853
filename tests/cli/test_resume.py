"""`coordinator work` that was broken off in every way, and goes on: the local repository keeps what is needed."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import Broken, Failure
from tests.cli.support import BRANCH, NAP, Project, Shell, check_report, make_project, napping, the_model, wait_until
from tests.small_project import BAD, FILES, GOOD, LINT_ONLY, MEND, bash, submit
from tests.support import git

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from coordinator.demo.model_script import Step
    from tests.cli.support import Ended

REF = "refs/coordinator/runs/issue-7"


def saved(project: Project) -> str:
    return git(project.folder, "for-each-ref", "--format=%(objectname)", REF)


def start(shell: Shell, project: Project) -> subprocess.Popen[str]:
    return shell.start("work", project.issue, "--repo", project.folder, "--format", "json")


def ended_by(shell: Shell, process: subprocess.Popen[str], number: signal.Signals) -> Ended:
    process.send_signal(number)
    since = time.monotonic()
    ended = shell.finish(process)
    assert time.monotonic() - since < 5
    return ended


def finish(shell: Shell, project: Project) -> Ended:
    """Run the same command again."""
    ended = shell.run("work", "7", "--repo", project.folder, "--format", "json")
    check_report(ended)
    assert ended.code == 0, ended.err
    assert len(project.pulls()) == 1
    assert project.show("tool.py") == "ONE = 1\nTWO = 2"
    assert not saved(project)
    return ended


def test_a_killed_run_goes_on_in_the_same_conversation(shell: Shell, project: Project) -> None:
    with the_model(shell, BAD, submit("One"), bash(NAP), MEND, submit("Two")) as model:
        process = start(shell, project)
        wait_until(napping)
        process.kill()
        shell.finish(process)
        wait_until(lambda: not napping(), seconds=10)
        assert saved(project)
        assert not project.branch()
        ended = finish(shell, project)
    assert model.requests[3].body["messages"] == model.requests[2].body["messages"]
    assert "the conversation goes on after 2 turns" in ended.err


WAYS: dict[str, Step] = {
    "a silent model": Broken("silence"),
    "a model that only pings": Broken("pings"),
    "a model that does not even answer": Broken("mute"),
    "the wait before the next try": Failure(529, "overloaded_error", "Overloaded", {"retry-after": "30"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_told_to_end_while_it_waits_for_the_model_goes_on_later(
    shell: Shell, project: Project, way: str
) -> None:
    with the_model(shell, GOOD, WAYS[way], submit("Two")) as model:
        process = start(shell, project)
        wait_until(lambda: len(model.requests) == 2)
        time.sleep(0.3)  # so that it is in the middle of it
        ended = ended_by(shell, process, signal.SIGTERM)
        assert (ended.code, ended.document["outcome"]) == (4, "failed")
        assert saved(project)
        lines = (project.kept / "transcript.jsonl").read_bytes().split(b"\n")
        assert lines[-1] == b"", "the transcript ends with a whole line"
        assert all(json.loads(line) for line in lines[:-1])
        finish(shell, project)
    asked = [request.body["messages"] for request in model.requests]
    assert asked[2] == asked[1], "the question that was never answered is asked again"


def test_a_spent_budget_leaves_what_the_next_run_needs(shell: Shell, tmp_path: Path) -> None:
    turns = f"budget: {{run: {{turns: 1}}}}\n{LINT_ONLY}"
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": turns})
    with the_model(shell, GOOD, submit("Two")) as model:
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
        assert ended.code == 1
        assert project.branch(), "the work is pushed"
        assert saved(project)
        finish(shell, project)
    (message,) = model.requests[1].body["messages"]
    assert "it had ended (budget)" in message["content"][0]["text"]


def test_a_person_who_goes_on_by_hand_is_not_overruled(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD, bash(NAP), MEND, submit("Two")) as model:
        process = start(shell, project)
        wait_until(napping)
        ended_by(shell, process, signal.SIGTERM)
        git(project.folder, "switch", "--quiet", BRANCH)
        (project.folder / "mine.txt").write_text("mine\n")
        git(project.folder, "add", "mine.txt")
        git(project.folder, "commit", "--quiet", "--message", "Mine")
        git(project.folder, "switch", "--quiet", "main")
        finish(shell, project)
    assert project.show("mine.txt") == "mine"
    (message,) = model.requests[2].body["messages"]
    assert "was changed by somebody else" in message["content"][0]["text"]


def test_a_transcript_that_cannot_be_written_stops_the_run_before_anything_runs(shell: Shell, project: Project) -> None:
    project.kept.mkdir(parents=True)
    (project.kept / "transcript.jsonl").mkdir()
    with the_model(shell) as model:
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
    assert ended.code == 4
    assert "transcript.jsonl cannot be written: Is a directory" in ended.complaint()
    assert model.requests == []
