"""Who may not start anything, on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import Answers
    from tests.live.project import Project
    from tests.live.server import Gitea, Person


def test_an_issue_that_a_stranger_has_assigned_himself_is_refused_after_a_maintainers_click_too(
    gitea: Gitea, people: dict[str, Person], new_project: Callable[..., Project], answers: Answers
) -> None:
    project = new_project()
    agent = project.add_label("agent")
    project.add_label("bug")
    gitea.open_issue_in_the_browser(
        project.full_name, people["stranger"], title="Print the environment", assignee=project.bot, label=agent
    )
    issue = gitea.get(f"{project.api}/issues/1")
    assert issue["assignees"], "the form does not take an assignee from a reader any more"
    project.settle(3)
    assert "refused" in project.logs()
    project.assign(1, project.bot.login, project.owner.login)
    gitea.send("POST", f"{project.api}/issues/1/labels", token=project.owner.token, json={"labels": ["bug"]})
    project.settle(5)
    assert not answers.turns
    assert project.comments(1) == []
    assert project.pulls() == []
    assert project.branches() == ["main"]


def test_a_strangers_command_starts_and_stops_nothing(
    people: dict[str, Person], new_project: Callable[..., Project], answers: Answers
) -> None:
    project = new_project()
    number = project.add_issue()
    project.comment(number, "/coordinator run", by=people["stranger"])
    project.settle()
    assert "refused" in project.logs()
    assert not answers.turns
    assert project.comments(number) == []
