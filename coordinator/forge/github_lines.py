"""Comments on lines of a pull request on GitHub (REST API, "Pull request review comments")."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from coordinator.forge.github_models import UserAnswer, account_of
from coordinator.forge.http import Call
from coordinator.forge.models import LineComment
from coordinator.models import Foreign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.forge.github_api import GithubApi
    from coordinator.forge.models import LineNote


class LineCommentAnswer(Foreign):
    """A comment on a line of a pull request."""

    id: int
    user: UserAnswer | None = None
    body: str = ""
    path: str
    in_reply_to_id: int | None = None


LINE_COMMENTS = TypeAdapter(tuple[LineCommentAnswer, ...])


class GithubLines:
    """The comments on lines of the pull requests of one repository."""

    def __init__(self, api: GithubApi) -> None:
        self._api = api

    def comments(self, number: int) -> tuple[LineComment, ...]:
        """Return all of them."""
        about = f"read the comments on lines of {self._called(number)}"
        found = tuple(self._api.pages(f"/pulls/{number}/comments", about, LINE_COMMENTS))
        answered = {one.in_reply_to_id for one in found}
        return tuple(
            LineComment(
                id=one.id,
                author=account_of(one.user),
                path=one.path,
                body=one.body,
                answered=one.id in answered,
            )
            for one in found
        )

    def add(self, number: int, commit: str, notes: Sequence[LineNote]) -> None:
        """Write each note by itself: a review of several needs a text of its own, which nobody could take away."""
        path = f"{self._api.path}/pulls/{number}/comments"
        about = f"comment on a line of {self._called(number)}"
        for note in notes:
            fields = {**note.model_dump(mode="json"), "commit_id": commit, "side": "RIGHT"}
            self._api.send(Call("POST", path, about, json=fields))

    def remove(self, number: int, comment: LineComment) -> None:
        """Delete a comment."""
        path = f"{self._api.path}/pulls/comments/{comment.id}"
        about = f"remove a comment on a line of {self._called(number)}"
        self._api.send(Call("DELETE", path, about, accept=(HTTPStatus.NOT_FOUND,), repeatable=True))

    def _called(self, number: int) -> str:
        return f"pull request {number} of {self._api.name}"
