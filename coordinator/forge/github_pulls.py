"""Pull requests on GitHub. Whether one is a draft can be said at its creation, and later by GraphQL alone."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from coordinator.forge import github_models as answers
from coordinator.forge.http import Call
from coordinator.forge.protocol import PullRequestForbidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from coordinator.errors import Misconfigured
    from coordinator.forge.github_api import GithubApi
    from coordinator.forge.http import Deadline
    from coordinator.forge.models import PullRequest
    from coordinator.forge.reply import Reply

log = logging.getLogger(__name__)

_MEND_FORBIDDEN = (
    'Allow it under Settings, Actions, General ("Allow GitHub Actions to create and approve pull requests") and give'
    " the job `pull-requests: write`, or open it by hand on the page that compares the branches"
)
_MUTATION = "mutation($id: ID!) {{ {name}(input: {{pullRequestId: $id}}) {{ pullRequest {{ isDraft }} }} }}"
_TO_DRAFT = _MUTATION.format(name="convertPullRequestToDraft")
_TO_READY = _MUTATION.format(name="markPullRequestReadyForReview")


class GithubPulls:
    """The pull requests of one repository."""

    def __init__(self, api: GithubApi, commit: Callable[[str], str]) -> None:
        """`commit` returns the commit of a branch, and raises `Missing` where there is no such branch."""
        self._api = api
        self._commit = commit

    def get(self, number: int) -> PullRequest:
        """Return one pull request."""
        reply = self._api.get(f"/pulls/{number}", f"read pull request {number} of {self._api.name}")
        return reply.parse(answers.PULL).pull_request()

    def find(self, head: str, base: str, deadline: Deadline | None = None) -> PullRequest | None:
        """Return the open pull request of two branches of this repository.

        What comes back is looked at again: GitHub filters by the owner of the head, not by its repository.
        """
        owner = self._api.name.partition("/")[0]
        query = {"state": "open", "head": f"{owner}:{head}", "base": base}
        about = f"list the pull requests of {self._api.name}"
        for answer in self._api.pages("/pulls", about, answers.PULLS, query=query, deadline=deadline):
            if answer.joins(head, base):
                return answer.pull_request()
        return None

    def create(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open a pull request, or update the open one of the pair."""
        deadline = self._api.rest.deadline()

        def take_over() -> PullRequest | None:
            existing = self.find(head, base, deadline)
            return existing and self.update(existing.number, title=title, body=body, draft=draft)

        def post(*, as_draft: bool) -> PullRequest:
            fields: JsonValue = {"head": head, "base": base, "title": title, "body": body, "draft": as_draft}
            reply = self._post(fields, deadline)
            if reply.succeeded:
                return reply.parse(answers.PULL).pull_request()
            existing = take_over() if reply.status == HTTPStatus.UNPROCESSABLE_ENTITY else None
            if existing is not None:
                return existing
            error = self._not_opened(reply, head, base)
            if not (as_draft and "draft pull requests" in reply.message().casefold()):
                raise error
            log.warning("opened as ready for review, not as a draft: %s", error.what)
            return post(as_draft=False)

        return self._api.rest.post_once(lambda: post(as_draft=draft), take_over)

    def update(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title, body and draft state; the last stays as it is where GraphQL refuses to change it."""
        about = f"change pull request {number} of {self._api.name}"
        fields: JsonValue = {"title": title, "body": body}
        answer = self._api.send(Call("PATCH", f"{self._api.path}/pulls/{number}", about, json=fields)).parse(
            answers.PULL
        )
        now_draft = answer.draft if answer.draft == draft else self._set_draft(answer, draft=draft)
        return answer.pull_request().model_copy(update={"draft": now_draft})

    def _post(self, fields: JsonValue, deadline: Deadline) -> Reply:
        refused = (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)
        about = f"open a pull request in {self._api.name}"
        return self._api.send(Call("POST", f"{self._api.path}/pulls", about, json=fields, accept=refused), deadline)

    def _not_opened(self, reply: Reply, head: str, base: str) -> Misconfigured:
        """Return why it was not opened; raises `Missing` when one of the branches is the reason."""
        error = self._api.refusal(reply)
        if reply.status == HTTPStatus.FORBIDDEN:
            archived = "archived" in reply.message()
            return error if archived else PullRequestForbidden(error.what, mend=_MEND_FORBIDDEN)
        for branch in (head, base):
            self._commit(branch)
        return error

    def _set_draft(self, answer: answers.PullAnswer, *, draft: bool) -> bool:
        """Return whether it is a draft now.

        A job's own token may not change it, whatever its permissions (cli/cli#8910, delta-io/delta-rs#4748).
        """
        wanted = "a draft" if draft else "ready for review"
        about = f"make pull request {answer.number} of {self._api.name} {wanted}"
        reply = self._api.graphql(_TO_DRAFT if draft else _TO_READY, {"id": answer.node_id}, about)
        if reply.succeeded and not reply.parse(answers.GRAPHQL).errors:
            return draft
        log.warning("its draft state stays as it is: %s", self._api.refusal(reply).what)
        return answer.draft
