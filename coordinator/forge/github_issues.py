"""Issues on GitHub: which are ours, who did what to them, what they wait for, their labels and comments."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from coordinator.forge import github_models as answers
from coordinator.forge.github_address import encoded_name, is_login
from coordinator.forge.http import Call
from coordinator.forge.models import Dependencies
from coordinator.forge.protocol import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.forge.github_api import GithubApi
    from coordinator.forge.http import Deadline
    from coordinator.forge.models import Account, Comment, HistoryEntry, Issue


class GithubIssues:
    """The issues of one repository; pull requests are issues too, but for `find`."""

    def __init__(self, api: GithubApi, myself: Callable[[], Account]) -> None:
        """`myself` returns the account behind the token."""
        self._api = api
        self._myself = myself

    def get(self, number: int) -> Issue:
        """Return one issue or pull request."""
        return self._api.get(f"/issues/{number}", f"read {self._name(number)}").parse(answers.ISSUE).issue()

    def find(self, assignee: str, label: str) -> tuple[Issue, ...]:
        """Return the open issues that are assigned to an account or have a label, by number; no pull requests.

        What comes back is looked at again: ``none`` and ``*`` are words, not accounts, to the server, and a comma
        parts two labels.
        """
        login, name = assignee.casefold(), label.casefold()
        found = [*self._open("labels", label), *(self._open("assignee", assignee) if is_login(assignee) else ())]
        ours = {
            one.number: one
            for one in found
            if not one.is_pull_request
            and (name in map(str.casefold, one.labels) or login in (user.login.casefold() for user in one.assignees))
        }
        return tuple(ours[number] for number in sorted(ours))

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return the assignments and labels among the issue's events, which come oldest first."""
        about = f"read the history of {self._name(number)}"
        entries = (answer.entry() for answer in self._api.pages(f"/issues/{number}/events", about, answers.EVENTS))
        return tuple(entry for entry in entries if entry is not None)

    def dependencies(self, number: int) -> Dependencies:
        """Return the native dependencies; none where the server has no such thing (404, 410)."""
        about = f"read the dependencies of {self._name(number)}"
        path, name = f"/issues/{number}/dependencies", self._api.name
        try:
            blockers = tuple(self._api.pages(f"{path}/blocked_by", about, answers.ISSUES))
            blocked = tuple(self._api.pages(f"{path}/blocking", about, answers.ISSUES))
        except Missing:
            self.get(number)
            return Dependencies()
        return Dependencies(
            blocked_by=tuple(answer.number for answer in blockers if answer.belongs_to(name)),
            blocks=tuple(answer.number for answer in blocked if answer.belongs_to(name)),
            foreign=tuple(one.full_name() for one in blockers if one.state == "open" and not one.belongs_to(name)),
        )

    def add_label(self, number: int, label: str) -> None:
        """Put a label on an issue; GitHub makes it in the repository where it is not there."""
        about = f"put the label {label} on {self._name(number)}"
        path = f"{self._api.path}/issues/{number}/labels"
        self._api.send(Call("POST", path, about, json={"labels": [label]}, repeatable=True))

    def remove_label(self, number: int, label: str) -> None:
        """Take a label off an issue; 404 is both that it does not have it and that there is no such issue."""
        about = f"take the label {label} off {self._name(number)}"
        path = f"{self._api.path}/issues/{number}/labels/{encoded_name(label)}"
        if not self._api.send(Call("DELETE", path, about, accept=(HTTPStatus.NOT_FOUND,))).succeeded:
            self.get(number)

    def comments(self, number: int, deadline: Deadline | None = None) -> tuple[Comment, ...]:
        """Return all comments."""
        about = f"read the comments of {self._name(number)}"
        pages = self._api.pages(f"/issues/{number}/comments", about, answers.COMMENTS, deadline=deadline)
        return tuple(answer.comment() for answer in pages)

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment. After a lost answer one of ours with the same text counts as this one."""
        about = f"comment on {self._name(number)}"
        call = Call("POST", f"{self._api.path}/issues/{number}/comments", about, json={"body": body})
        deadline = self._api.rest.deadline()

        def look() -> Comment | None:
            mine = self._myself().id
            found = [one for one in self.comments(number, deadline) if one.author.id == mine and one.body == body]
            return found[-1] if found else None

        return self._api.rest.post_once(lambda: self._api.send(call, deadline).parse(answers.COMMENT).comment(), look)

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        about = f"change comment {comment_id} of {self._api.name}"
        call = Call("PATCH", f"{self._api.path}/issues/comments/{comment_id}", about, json={"body": body})
        return self._api.send(call).parse(answers.COMMENT).comment()

    def _open(self, by: str, value: str) -> list[Issue]:
        """Return the open issues of one filter, oldest first so that new ones do not move the pages.

        An account that does not exist is refused (422).
        """
        query = {"state": "open", "sort": "created", "direction": "asc", by: value}
        about = f"list the open issues of {self._api.name}"
        none = (HTTPStatus.UNPROCESSABLE_ENTITY,)
        pages = self._api.pages("/issues", about, answers.ISSUES, query=query, accept=none)
        return [answer.issue() for answer in pages] if value else []

    def _name(self, number: int) -> str:
        return f"issue {number} of {self._api.name}"
