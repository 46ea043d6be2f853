"""Issues, their history, dependencies and comments on Gitea and Forgejo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.forge import gitea_models as answers
from coordinator.forge.http import Call
from coordinator.forge.models import Dependencies
from coordinator.forge.protocol import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.gitea_labels import GiteaLabels
    from coordinator.forge.http import Deadline, RestClient
    from coordinator.forge.models import Account, Comment, HistoryEntry, Issue


class GiteaIssues:
    """The issues of one repository."""

    def __init__(
        self, rest: RestClient, api: RepositoryApi, name: str, labels: GiteaLabels, myself: Callable[[], Account]
    ) -> None:
        self._rest = rest
        self._api = api
        self._name = name
        self._labels = labels
        self._myself = myself

    def read(self, number: int) -> Issue:
        """Return one issue or pull request."""
        return self._api.get(f"/issues/{number}", f"read {self._called(number)}").parse(answers.ISSUE).issue()

    def find(self, *, assignee: str, label: str) -> tuple[Issue, ...]:
        """Return the open issues of an account or with a label, by number.

        What the server gives is looked through again, because its filter by label may have to be left out (see
        `GiteaLabels.filter_for`). For an unknown account it answers 404.
        """
        by_label = self._labels.filter_for(label)
        queries = [{}] if by_label == {} else [{"assigned_by": assignee}, by_label]
        listed = (issue for query in queries if query is not None for issue in self._listed(query))
        found = {issue.number: issue for issue in listed if label in issue.labels or _has(issue, assignee)}
        return tuple(found[number] for number in sorted(found))

    def _listed(self, query: Mapping[str, str]) -> Iterator[Issue]:
        every = {**query, "state": "open", "type": "issues"}
        about = f"list the issues of {self._name}"
        try:
            for answer in self._api.pages("/issues", about, answers.ISSUES, query=every):
                yield answer.issue()
        except Missing:
            return

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return the assignments and labels of the timeline.

        It is read in one piece, without ``page``: the server leaves entries out *after* it has cut a page, so that
        neither a short nor an empty page, nor ``X-Total-Count``, means the end (routers/api/v1/repo/issue_comment.go).
        """
        call = self._api.call(f"/issues/{number}/timeline", f"read the history of {self._called(number)}")
        reply = self._api.send_or_explain(call, lambda: self.read(number))
        entries = (answer.entry() for answer in reply.parse(answers.TIMELINE) or () if answer is not None)
        return tuple(entry for entry in entries if entry is not None)

    def dependencies(self, number: int) -> Dependencies:
        """Return the native dependencies; none where the repository has them switched off (404)."""
        name = self._called(number)
        try:
            blockers = tuple(
                self._api.pages(f"/issues/{number}/dependencies", f"read what blocks {name}", answers.ISSUES)
            )
            blocked = tuple(self._api.pages(f"/issues/{number}/blocks", f"read what {name} blocks", answers.ISSUES))
        except Missing:
            self.read(number)
            return Dependencies()
        return Dependencies(
            blocked_by=tuple(answer.number for answer in blockers if answer.belongs_to(self._name)),
            blocks=tuple(answer.number for answer in blocked if answer.belongs_to(self._name)),
            foreign=tuple(
                answer.full_name()
                for answer in blockers
                if answer.state == "open" and not answer.belongs_to(self._name)
            ),
        )

    def comments(self, number: int, deadline: Deadline | None = None) -> tuple[Comment, ...]:
        """Return all comments. The server gives them in one piece, whatever page is asked for."""
        call = self._api.call(f"/issues/{number}/comments", f"read the comments of {self._called(number)}")
        reply = self._api.send_or_explain(call, lambda: self.read(number), deadline)
        return tuple(answer.comment() for answer in reply.parse(answers.COMMENTS))

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment. After a lost answer one of ours with the same text counts as this one."""
        about = f"comment on {self._called(number)}"
        call = Call("POST", f"{self._api.path}/issues/{number}/comments", about, json={"body": body})
        deadline = self._rest.deadline()

        def look() -> Comment | None:
            mine = self._myself().id
            found = [one for one in self.comments(number, deadline) if one.author.id == mine and one.body == body]
            return found[-1] if found else None

        return self._rest.post_once(
            lambda: self._rest.send(call, deadline=deadline).parse(answers.COMMENT).comment(), look
        )

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        about = f"change comment {comment_id} of {self._name}"
        call = Call("PATCH", f"{self._api.path}/issues/comments/{comment_id}", about, json={"body": body})
        return self._rest.send(call).parse(answers.COMMENT).comment()

    def _called(self, number: int) -> str:
        return f"issue {number} of {self._name}"


def _has(issue: Issue, login: str) -> bool:
    """Whether an account is among the assignees; logins are unique without regard to case."""
    return login.casefold() in {account.login.casefold() for account in issue.assignees}
