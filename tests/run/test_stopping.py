"""A run that is not wanted any more stops at its next turn, keeps its work on the branch, and gives the issue back."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import Computed
from coordinator.demo.model_server import ModelServer
from tests.run.support import BRANCH, Ended, Job
from tests.small_project import GOOD, bash, submit
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.demo.model_script import Reply


def at_the_second_turn(act: Callable[[], object]) -> list[Reply | Computed]:
    """A model that has changed a file when something happens, and would go on for ever."""

    def answer(_body: object) -> Reply:
        act()
        return bash("true")

    return [GOOD, Computed(answer), *(bash(f"true {number}") for number in range(3)), submit()]


def work(job: Job, *script: Reply | Computed) -> Ended:
    with ModelServer(list(script), key=API_CANARY) as model:
        job.use(model)
        return job.run("--format", "json")


def unassign(job: Job) -> None:
    job.forge.state.set_assignees(job.issue, [], job.maintainer)


def say(job: Job, text: str, *, stranger: bool = False) -> None:
    """Comment without an event that anybody would see."""
    who = job.forge.add_user("stranger") if stranger else job.maintainer
    job.forge.state.add_entry(job.issue, who, "comment", body=text)


def shut(job: Job) -> None:
    job.issue.state = "closed"


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (unassign, "neither assigned to @coordinator nor labelled agent any more"),
        (lambda job: say(job, "/coordinator stop"), "@maintainer asked to stop in a comment"),
        (shut, "was closed while the work went on"),
    ],
    ids=["unassigned", "stop", "closed"],
)
def test_a_run_that_is_not_wanted_any_more(job: Job, act: Callable[[Job], None], why: str) -> None:
    job.assign()
    ended = work(job, *at_the_second_turn(lambda: act(job)))
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err
    assert why in str(ended.document["reason"])
    assert why in job.comments[0].replace("`", "")
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2", "the work is on the branch"
    (pull,) = job.pulls
    assert pull.title.startswith("WIP: ")


@pytest.mark.parametrize("text", ["/coordinator stop", "I would say:\n/coordinator stop", "> /coordinator stop"])
def test_what_stops_nothing(job: Job, text: str) -> None:
    stranger = text == "/coordinator stop"
    job.assign()
    ended = work(job, *at_the_second_turn(lambda: say(job, text, stranger=stranger)))
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err


def test_a_command_that_came_before_the_run_began_stops_it_too(job: Job) -> None:
    job.assign()
    say(job, "/coordinator stop")
    ended = work(job, *at_the_second_turn(lambda: None))
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err


def test_the_next_run_goes_on_where_the_stopped_one_was(job: Job) -> None:
    job.assign()
    assert work(job, *at_the_second_turn(lambda: unassign(job))).code == 0
    first = job.branch()
    job.forge.state.set_assignees(job.issue, [], job.maintainer)
    for entry in job.issue.timeline:
        entry["created_at"] = "2026-01-01T00:00:00Z"
    job.assign()
    job.set(GITHUB_RUN_ID="42")
    ended = work(job, bash("printf 'THREE = 3\\n' >> tool.py"), submit("Add THREE"))
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert job.git("rev-parse", f"{BRANCH}~1") == first
    assert len(job.pulls) == 1
    assert len(job.comments) == 1


def test_a_quiet_turn_costs_one_request(job: Job) -> None:
    job.assign()
    asked: list[int] = []

    def answer(_body: object) -> Reply:
        asked.append(len(job.forge.requests))
        return bash(f"true {len(asked)}")

    work(job, GOOD, *(Computed(answer) for _ in range(6)), submit())
    per_turn = [later - earlier for earlier, later in pairwise(asked[1:])]
    assert per_turn == [1] * 4, "the first look is a whole one"


def test_runs_of_one_click_at_the_same_moment_do_one_piece_of_work(job: Job) -> None:
    job.assign()
    with ModelServer([GOOD, submit()], key=API_CANARY) as model:
        job.use(model)
        runs = []
        for number in (1, 2, 3):
            folder = job.folder / f"run-{number}"
            folder.mkdir()
            own = {
                "GITHUB_RUN_ID": str(100 + number),
                "RUNNER_TEMP": str(folder),
                "GITHUB_OUTPUT": str(folder / "output"),
                "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            }
            runs.append(
                subprocess.Popen(
                    [sys.executable, "-m", "coordinator", "run"],
                    env={**os.environ, **own},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        outputs = [run.communicate(timeout=120)[0] for run in runs]
        codes = [run.returncode for run in runs]
        conversations = len(model.requests)
    assert codes == [0, 0, 0], outputs
    assert sorted("coordinator: skipped" in output for output in outputs) == [False, True, True], outputs
    assert conversations == 2, "more than one run worked"
    assert len(job.pulls) == 1
    assert len(job.comments) == 1


def test_an_issue_that_has_had_its_runs_is_refused_before_anything_is_spent(job: Job) -> None:
    job.push({".coordinator.yml": job.git("show", "main:.coordinator.yml") + "\nbudget: {issue: {runs: 1}}\n"})
    job.assign()
    assert work(job, GOOD, submit()).code == 0
    job.comment("/coordinator retry", by=job.maintainer)
    job.set(GITHUB_RUN_ID="42")
    with ModelServer([], key=API_CANARY) as model:
        job.use(model)
        ended = job.run("--format", "json")
        assert not model.requests
    assert (ended.code, ended.document["outcome"]) == (1, "failed")
    assert "budget.issue.runs allows 1" in str(ended.document["reason"])
    assert "budget.issue.runs" in job.comments[0]


def test_a_command_to_run_what_was_accepted_says_how_to_go_on(job: Job) -> None:
    job.assign()
    assert work(job, GOOD, submit()).code == 0
    job.comment("/coordinator run", by=job.maintainer)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert "/coordinator retry" in str(ended.document["reason"])
