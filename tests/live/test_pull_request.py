"""Pull requests of people on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.project import Project
    from tests.live.server import Gitea, Person


def open_pull_request(gitea: Gitea, project: Project, *, head: str, by: Person) -> int:
    fields = {"title": "Add TWO", "head": head, "base": "main", "body": ""}
    reply = gitea.send("POST", f"{project.api}/pulls", token=by.token, json=fields)
    return int(str(reply.json()["number"]))


def test_a_failing_pull_request_turns_green(gitea: Gitea, new_project: Callable[..., Project]) -> None:
    project = new_project()
    commit = project.push({"tool.py": "import os\nONE = 1\n"}, "feature")
    number = open_pull_request(gitea, project, head="feature", by=project.owner)
    project.settle()
    assert project.statuses(commit)["coordinator"] == "failure", project.logs()[-4000:]
    assert project.statuses(commit)["coordinator/lint"] == "failure"
    assert [run["conclusion"] for run in project.runs() if run["event"] == "pull_request"] == ["failure"]
    assert len(project.comments(number)) == 1
    before = len(project.runs())
    commit = project.push({"tool.py": "ONE = 1\nTWO = 2\n"}, "feature")
    project.settle(before + 1)
    assert set(project.statuses(commit).values()) == {"success"}, project.logs()[-4000:]
    assert len(project.comments(number)) == 1


def test_a_fork_is_judged_and_nothing_is_written(
    gitea: Gitea, people: dict[str, Person], new_project: Callable[..., Project]
) -> None:
    project, stranger = new_project(), people["stranger"]
    gitea.send("POST", f"{project.api}/forks", token=stranger.token, json={"name": project.name})
    commit = project.push(
        {"tool.py": "ONE = 1\nTWO = 2\n"}, "feature", by=stranger, to=f"{stranger.login}/{project.name}"
    )
    number = open_pull_request(gitea, project, head=f"{stranger.login}:feature", by=stranger)
    project.approve_runs()
    project.settle()
    assert "gates only" in project.logs(), project.logs()[-4000:]
    assert project.comments(number) == []
    assert project.statuses(commit) == {}
