"""Comments on lines of a pull request: replies, empty reviews, and what the forges refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.models import LineComment, LineNote
from tests.standins.github_lab import GithubLab
from tests.standins.github_server import GithubServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.forge.protocol import Forge
    from tests.forge.labs import RestLab
    from tests.standins.forge_state import Json

HEAD = "coordinator/issue-1"
FILES = {"src/app.py": "X = 1\nY = 2\nZ = 3\n"}


def note(line: int, body: str = "look") -> LineNote:
    return LineNote(path="src/app.py", line=line, body=body)


def opened(forge: Forge, *notes: LineNote) -> tuple[int, tuple[LineComment, ...]]:
    """Open a pull request and comment on its lines."""
    number = forge.create_pull_request(head=HEAD, base="main", title="T", body="", draft=False).number
    commit = forge.branch_commit(HEAD)
    assert commit is not None
    forge.comment_on_lines(number, commit, notes)
    return number, forge.line_comments(number)


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GithubLab]:
    with GithubServer(tmp_path / "server") as server:
        made = GithubLab(tmp_path, server)
        yield made
        made.close()


def test_a_reply_on_gitea_is_a_review_of_somebody_else_at_the_same_line(rest_lab: RestLab) -> None:
    commit = rest_lab.push_branch(HEAD, FILES)
    number, _ = opened(rest_lab.forge, note(2), note(3))
    said: Json = [{"path": "src/app.py", "new_position": 3, "body": "Why?"}]
    rest_lab.ask("POST", f"/pulls/{number}/reviews", {"event": "COMMENT", "commit_id": commit, "comments": said})
    mine = [one for one in rest_lab.forge.line_comments(number) if one.author.login == rest_lab.me]
    assert [one.answered for one in mine] == [False, True]


def test_a_review_goes_with_its_last_comment_and_one_with_words_stays(rest_lab: RestLab) -> None:
    commit = rest_lab.push_branch(HEAD, FILES)
    number, comments = opened(rest_lab.forge, note(2), note(3))

    def reviews() -> int:
        reply = rest_lab.owner.get(f"/pulls/{number}/reviews")
        return len(reply.raise_for_status().json())

    rest_lab.forge.remove_line_comment(number, comments[0])
    assert reviews() == 1
    rest_lab.forge.remove_line_comment(number, comments[1])
    assert reviews() == 0
    said: Json = [{"path": "src/app.py", "new_position": 3, "body": "Why?"}]
    fields: Json = {"event": "COMMENT", "commit_id": commit, "body": "In general", "comments": said}
    rest_lab.ask("POST", f"/pulls/{number}/reviews", fields)
    (theirs,) = rest_lab.forge.line_comments(number)
    rest_lab.forge.remove_line_comment(number, theirs)
    assert reviews() == 1


def test_a_reply_on_github_names_what_it_replies_to(github: GithubLab) -> None:
    github.push_branch(HEAD, FILES)
    number, comments = opened(github.forge, note(2), note(3))
    stored = github.server.state.issues[number].line_comments
    stored.append({**stored[0], "id": 987, "in_reply_to_id": comments[1].id})
    assert [one.answered for one in github.forge.line_comments(number)] == [False, True, False]


@pytest.mark.parametrize("wrong", [note(99), LineNote(path="README.md", line=1, body="not in the change")])
def test_github_takes_no_line_that_the_difference_does_not_show(github: GithubLab, wrong: LineNote) -> None:
    commit = github.push_branch(HEAD, FILES)
    number, _ = opened(github.forge)
    with pytest.raises(Misconfigured, match="comment on a line of pull request"):
        github.forge.comment_on_lines(number, commit, [wrong])


def test_github_takes_no_commit_of_another_head(github: GithubLab) -> None:
    github.push_branch(HEAD, FILES)
    number, _ = opened(github.forge)
    with pytest.raises(Misconfigured, match="commit_id is not part"):
        github.forge.comment_on_lines(number, "1" * 40, [note(2)])
