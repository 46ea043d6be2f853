"""Dependencies and the queue on a real server, by two real runners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live.project import BODY
from tests.live.server import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import Answers
    from tests.live.project import Project

IN_PROGRESS = "in progress"


@pytest.mark.parametrize("token", [True, False], ids=["bot-token", "job-token"])
def test_closing_an_issue_frees_what_waited_for_it(
    token: bool, new_project: Callable[..., Project], answers: Answers
) -> None:
    project = new_project(token=token)
    first = project.add_issue("Do this first")
    native, text = project.add_issue("Native"), project.add_issue("By text", f"{BODY}\n## Blocked by\n\n- #{first}\n")
    project.block(native, by=first)
    for number in (native, text):
        project.assign(number)
    project.settle(2)
    assert not answers.turns, "an issue was worked on that waits"
    speaker = "" if token else "gitea-actions"
    for number in (native, text):
        assert "Waiting" in project.headline(number, by=speaker), project.logs()[-4000:]
    project.close(first)
    for number in (native, text):
        project.wait_for_headline(number, "Done", by=speaker)
    project.settle()
    assert len(answers.turns) == 4, "an issue was worked on twice"
    assert len(project.pulls()) == (2 if token else 0)
    assert {"coordinator/issue-2", "coordinator/issue-3"} < set(project.branches())


def test_a_dispatch_drains_a_diamond_in_order(new_project: Callable[..., Project], answers: Answers) -> None:
    project = new_project()
    top = project.add_issue("Top")
    sides = [project.add_issue(f"Side {i}", f"{BODY}\n## Blocked by\n\n- #{top}\n") for i in (1, 2, 3)]
    bottom = project.add_issue("Bottom", BODY + "\n## Blocked by\n\n" + "".join(f"- #{side}\n" for side in sides))
    project.stop_actions()
    for number in (top, *sides, bottom):
        project.assign(number)
    project.start_actions()
    busy: list[int] = []
    answers.before = lambda _: busy.append(
        sum(IN_PROGRESS in project.labels(number) for number in (top, *sides, bottom))
    )
    project.dispatch()
    project.wait_for_headline(top, "Done")
    project.settle()
    assert [project.headline(number) for number in (*sides, bottom)] == ["", "", "", ""]
    project.close(top)
    for side in sides:
        project.wait_for_headline(side, "Done")
    project.settle()
    assert project.headline(bottom) == ""
    for side in sides:
        project.close(side)
    project.wait_for_headline(bottom, "Done")
    project.settle()
    assert len(answers.turns) == 10, "an issue was worked on twice"
    assert len(project.pulls()) == 5
    assert not any(IN_PROGRESS in project.labels(number) for number in (top, *sides, bottom))


def test_a_queue_of_four_never_has_more_runs_than_are_wanted(
    new_project: Callable[..., Project], answers: Answers
) -> None:
    project = new_project()
    numbers = [project.add_issue(f"Part {i}") for i in range(1, 5)]
    project.stop_actions()
    for number in numbers:
        project.assign(number)
    project.start_actions()
    busy: list[int] = []
    answers.before = lambda _: busy.append(sum(IN_PROGRESS in project.labels(number) for number in numbers))
    project.dispatch()
    for number in numbers:
        project.wait_for_headline(number, "Done")
    project.settle()
    assert len(answers.turns) == 8, "an issue was worked on twice"
    assert max(busy) <= 2, busy
    wait_for("issues without the label", lambda: not any(IN_PROGRESS in project.labels(number) for number in numbers))
