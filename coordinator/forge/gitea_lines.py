"""Comments on lines of a pull request on Gitea and Forgejo, where each belongs to a review."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from coordinator.forge.gitea_models import UserAnswer, account_of
from coordinator.forge.http import Call
from coordinator.forge.models import LineComment
from coordinator.models import Foreign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.http import RestClient
    from coordinator.forge.models import LineNote


class ReviewAnswer(Foreign):
    """A review of a pull request."""

    id: int
    body: str = ""
    comments_count: int = 0


class LineCommentAnswer(Foreign):
    """A comment on a line; `position` is the line in the head that it was made for."""

    id: int
    user: UserAnswer | None = None
    body: str
    path: str
    position: int = 0
    pull_request_review_id: int

    def line_comment(self, *, answered: bool) -> LineComment:
        """Return it in our words."""
        return LineComment(
            id=self.id,
            author=account_of(self.user),
            path=self.path,
            body=self.body,
            review=self.pull_request_review_id,
            answered=answered,
        )


REVIEWS = TypeAdapter(tuple[ReviewAnswer, ...])
LINE_COMMENTS = TypeAdapter(tuple[LineCommentAnswer, ...])


class GiteaLines:
    """The comments on lines of the pull requests of one repository."""

    def __init__(self, rest: RestClient, api: RepositoryApi, name: str) -> None:
        self._rest = rest
        self._api = api
        self._name = name

    def comments(self, number: int) -> tuple[LineComment, ...]:
        """Return all of them.

        A reply is a comment of another review at the same line: nothing else joins the two.
        """
        found = [comment for review in self._reviews(number) for comment in self._of(number, review)]
        authors: dict[tuple[str, int], set[int]] = {}
        for one in found:
            authors.setdefault((one.path, one.position), set()).add(account_of(one.user).id)
        return tuple(one.line_comment(answered=len(authors[one.path, one.position]) > 1) for one in found)

    def add(self, number: int, commit: str, notes: Sequence[LineNote]) -> None:
        """Write one review with all notes. The server takes any line of any path, so the notes have to be right."""
        if not notes:
            return
        fields: list[JsonValue] = [{"path": note.path, "new_position": note.line, "body": note.body} for note in notes]
        call = Call(
            "POST",
            f"{self._api.path}/pulls/{number}/reviews",
            f"comment on lines of {self._called(number)}",
            json={"event": "COMMENT", "commit_id": commit, "body": "", "comments": fields},
        )
        self._rest.send(call)

    def remove(self, number: int, comment: LineComment) -> None:
        """Delete a comment, and the review that is empty without it."""
        gone = (HTTPStatus.NOT_FOUND,)
        about = f"remove a comment on a line of {self._called(number)}"
        path = f"{self._api.path}/issues/comments/{comment.id}"
        self._rest.send(Call("DELETE", path, about, accept=gone, repeatable=True))
        review = next((one for one in self._reviews(number) if one.id == comment.review), None)
        if review is not None and not review.body and not review.comments_count:
            path = f"{self._api.path}/pulls/{number}/reviews/{review.id}"
            self._rest.send(Call("DELETE", path, about, accept=gone, repeatable=True))

    def _reviews(self, number: int) -> tuple[ReviewAnswer, ...]:
        about = f"read the reviews of {self._called(number)}"
        return tuple(self._api.pages(f"/pulls/{number}/reviews", about, REVIEWS))

    def _of(self, number: int, review: ReviewAnswer) -> tuple[LineCommentAnswer, ...]:
        """Return the comments of one review, which the server gives in one piece."""
        if not review.comments_count:
            return ()
        about = f"read the comments on lines of {self._called(number)}"
        return self._api.get(f"/pulls/{number}/reviews/{review.id}/comments", about).parse(LINE_COMMENTS)

    def _called(self, number: int) -> str:
        return f"pull request {number} of {self._name}"
