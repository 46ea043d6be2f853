"""Work that only a person can let pass, on a real server: the finding on its line, the waiver, the second run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import Answers
    from tests.live.project import Project
    from tests.live.server import Document, Person

WAIVER = "Gate-Allow: type-ignore tool.py"


def line_comments(project: Project, number: object) -> list[Document]:
    api = f"{project.api}/pulls/{number}/reviews"
    reviews = project.gitea.list(api)
    return [comment for review in reviews for comment in project.gitea.list(f"{api}/{review['id']}/comments")]


def test_a_finding_stands_on_its_line_until_a_person_waives_it(
    new_project: Callable[..., Project], answers: Answers, people: dict[str, Person]
) -> None:
    project = new_project()
    answers.work = lambda _: "printf 'TWO: str = 2  # type: ignore\\n' >> tool.py"
    number = project.add_issue()
    project.comment(number, WAIVER, by=people["stranger"])
    project.assign(number)
    project.wait_for_headline(number, "It needs a person")
    project.settle()
    assert project.headline(number).startswith("✋")
    assert WAIVER in project.comments(number)[0]
    (pull,) = project.pulls()
    assert pull["draft"]
    (comment,) = line_comments(project, pull["number"])
    assert (comment["path"], comment["position"]) == ("tool.py", 2)
    assert "type-ignore" in str(comment["body"])
    commit = project.commit("coordinator/issue-1")
    assert project.statuses(commit)["coordinator/integrity"] == "failure"
    assert project.statuses(commit)["coordinator/lint"] == "success"

    turns = len(answers.turns)
    project.comment(number, WAIVER)
    project.comment(number, "/coordinator retry")
    project.wait_for_headline(number, "Done")
    project.settle()
    assert len(answers.turns) == turns, "a model was asked for work that was there"
    assert project.commit("coordinator/issue-1") == commit
    assert set(project.statuses(commit).values()) == {"success"}
    (pull,) = project.pulls()
    assert not pull["draft"]
    assert line_comments(project, pull["number"]) == []
