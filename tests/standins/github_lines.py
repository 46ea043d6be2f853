"""The routes of comments on lines of a pull request, as GitHub's documentation has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.standins.forge_api import Answer
from tests.standins.github_api import Ask, Routes, error, invalid, not_found
from tests.support import git

if TYPE_CHECKING:
    from tests.standins.github_state import Json, Pull

ROUTES = Routes()
HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


@ROUTES("GET", "R/pulls/{number}/comments")
def _line_comments(ask: Ask) -> Answer:
    return ask.paged(ask.pull[0].line_comments)


@ROUTES("POST", "R/pulls/{number}/comments")
def _create_line_comment(ask: Ask) -> Answer:
    """Only lines that the difference shows are taken."""
    issue, pull = ask.pull
    if ask.doer.is_job:
        ask.must("pulls")
    body, commit, path = (
        ask.required(key, resource="PullRequestReviewComment") for key in ("body", "commit_id", "path")
    )
    line, reply = ask.fields.get("line"), ask.fields.get("in_reply_to")
    if ask.state.repository.commit(f"refs/heads/{pull.head}") != commit:
        return error(422, "commit_id is not part of the pull request")
    if not isinstance(line, int) or ask.fields.get("side") != "RIGHT" or line not in _shown(ask, pull, path):
        return invalid("PullRequestReviewComment", field="pull_request_review_thread.line", code="custom")
    comment: dict[str, Json] = {
        "id": ask.state.new_id(),
        "user": ask.doer.json(),
        "body": body,
        "path": path,
        "line": line,
        "commit_id": commit,
        **({"in_reply_to_id": reply} if reply is not None else {}),
    }
    issue.line_comments.append(comment)
    return Answer(201, comment)


@ROUTES("DELETE", "R/pulls/comments/{number}")
def _delete_line_comment(ask: Ask) -> Answer:
    number = int(ask.groups["number"])
    for issue in ask.state.issues.values():
        for comment in [one for one in issue.line_comments if one["id"] == number]:
            if comment["user"] != ask.doer.json():
                ask.must("pulls")
            issue.line_comments.remove(comment)
            return Answer(204)
    return not_found()


def _shown(ask: Ask, pull: Pull, path: str) -> set[int]:
    """Return the lines of the head that stand in the difference of a file."""
    repository = ask.state.repository.path
    told = git(repository, "diff", f"refs/heads/{pull.base}...refs/heads/{pull.head}", "--", path)
    lines: set[int] = set()
    for start, count in HUNK.findall(told):
        lines |= set(range(int(start), int(start) + int(count or 1)))
    return lines
