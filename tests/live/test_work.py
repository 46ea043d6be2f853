"""The main job on a real server, by a real runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import Answers
    from tests.live.project import Project


def test_an_assigned_issue_becomes_a_pull_request(new_project: Callable[..., Project]) -> None:
    project = new_project()
    number = project.add_issue()
    project.assign(number)
    project.settle()
    assert "Done" in project.headline(number), project.logs()[-4000:]
    (pull,) = project.pulls()
    assert project.branches() == ["coordinator/issue-1", "main"]
    head = pull["head"]
    assert isinstance(head, dict)
    assert set(project.statuses(str(head["sha"])).values()) == {"success"}
    assert "in progress" not in project.labels(number)


def test_three_runs_of_one_click_do_one_piece_of_work(new_project: Callable[..., Project], answers: Answers) -> None:
    project = new_project()
    agent = project.add_label("agent")
    number = project.add_issue(assign=True, labels=[agent])
    runs = project.settle(3)
    assert len([run for run in runs if str(run["event"]).startswith("issue")]) >= 3
    assert "Done" in project.headline(number), project.logs()[-4000:]
    assert len(project.pulls()) == 1
    assert len(answers.turns) == 2, "more than one conversation"


@pytest.mark.parametrize("how", ["unassign", "comment"])
def test_a_run_that_is_stopped_leaves_its_work_to_the_next_one(
    how: str, new_project: Callable[..., Project], answers: Answers
) -> None:
    project = new_project()
    number = project.add_issue()
    told: list[str] = []

    def stop_at_the_second_turn(_body: object) -> None:
        if len(answers.turns) == 2 and not told:
            told.append(how)
            if how == "unassign":
                project.change_issue(number, assignees=[])
            else:
                project.comment(number, "/coordinator stop")

    answers.before = stop_at_the_second_turn
    project.assign(number)
    project.wait_for_headline(number, "Stopped")
    project.settle()
    (pull,) = project.pulls()
    assert pull["draft"], "the work of a stopped run is a draft"
    before = project.commit("coordinator/issue-1")
    if how == "unassign":
        project.assign(number)
    else:
        project.comment(number, "/coordinator run")
    answers.work = lambda _: "true"
    project.wait_for_headline(number, "Done")
    project.settle()
    assert [one["number"] for one in project.pulls()] == [pull["number"]]
    assert before in project.history("coordinator/issue-1")
