"""The routes of reviews and of comments on lines, as measured on a Gitea 1.26 server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standins.forge_api import Answer, Ask, Routes, Stop, error, not_found
from tests.standins.forge_state import Review, stamp

if TYPE_CHECKING:
    from tests.standins.forge_state import Json

ROUTES = Routes()


@ROUTES("GET", "R/pulls/{number}/reviews", "repository")
def _reviews(ask: Ask) -> Answer:
    return ask.paged(ask.pull[0].reviews, lambda review: _review_json(ask, review))


@ROUTES("POST", "R/pulls/{number}/reviews", "repository")
def _create_review(ask: Ask) -> Answer:
    """Any line of any path is taken, also one that there is not, by anybody who may read."""
    issue, _ = ask.pull
    items, body = ask.items("comments"), ask.text("body")
    if ask.text("event") != "COMMENT":
        return error(422, "the stand-in knows reviews that comment alone")
    if not items and not body.strip():
        return error(422, "review event COMMENT requires a body or a comment")
    review = Review(_next(ask), ask.doer, ask.text("commit_id"), body)
    review.comments = [_line_comment(ask, review, item) for item in items]
    issue.reviews.append(review)
    return Answer(200, _review_json(ask, review))


@ROUTES("GET", "R/pulls/{number}/reviews/{review}/comments", "repository")
def _review_comments(ask: Ask) -> Answer:
    """In one piece, and without a total."""
    return Answer(200, [*_review(ask).comments])


@ROUTES("DELETE", "R/pulls/{number}/reviews/{review}", "repository")
def _delete_review(ask: Ask) -> Answer:
    review = _review(ask)
    if review.author != ask.doer and not ask.state.may(ask.doer, "admin"):
        return Answer(403)
    ask.pull[0].reviews.remove(review)
    return Answer(204)


@ROUTES("DELETE", "R/issues/comments/{number}", "issue")
def _delete_comment(ask: Ask) -> Answer:
    """Comments on lines are deleted where all others are; their review stays, empty."""
    number, doer = int(ask.groups["number"]), ask.state.user_json(ask.doer)
    of_lines = [review.comments for issue in ask.state.issues.values() for review in issue.reviews]
    of_issues = [issue.timeline for issue in ask.state.issues.values()]
    for comments in (*of_lines, *of_issues):
        for comment in [one for one in comments if one["id"] == number]:
            if comment["user"] != doer and not ask.writes:
                return Answer(403)
            comments.remove(comment)
            return Answer(204)
    return not_found(f"comment does not exist [id: {number}, issue_id: 0]")


def _review(ask: Ask) -> Review:
    wanted = int(ask.groups["review"])
    found = next((review for review in ask.pull[0].reviews if review.id == wanted), None)
    if found is None:
        raise Stop(not_found())
    return found


def _next(ask: Ask) -> int:
    ask.state.comment_count += 1
    return ask.state.comment_count


def _review_json(ask: Ask, review: Review) -> dict[str, Json]:
    return {
        "id": review.id,
        "user": ask.state.user_json(review.author),
        "state": "COMMENT",
        "body": review.body,
        "commit_id": review.commit,
        "comments_count": len(review.comments),
    }


def _line_comment(ask: Ask, review: Review, item: Json) -> dict[str, Json]:
    assert isinstance(item, dict), item
    path, position = item.get("path"), item.get("new_position")
    if not isinstance(path, str) or not isinstance(position, int) or path.startswith(("/", "../")):
        raise Stop(error(500, ""))
    return {
        "id": _next(ask),
        "user": ask.state.user_json(review.author),
        "resolver": None,
        "body": item.get("body", ""),
        "path": path,
        "position": position,
        "original_position": 0,
        "commit_id": review.commit,
        "pull_request_review_id": review.id,
        "created_at": stamp(),
        "updated_at": stamp(),
    }
