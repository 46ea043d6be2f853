"""Pull requests on Gitea and Forgejo."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from coordinator.forge import gitea_models as answers
from coordinator.forge.http import Call
from coordinator.forge.protocol import Missing, PullRequestForbidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.errors import Misconfigured
    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.http import Deadline, RestClient
    from coordinator.forge.models import PullRequest
    from coordinator.forge.reply import Reply

_OPEN_BY_HAND = "Open it by hand on the page that compares the branches, or give the coordinator a user's token"


class GiteaPulls:
    """The pull requests of one repository."""

    def __init__(self, rest: RestClient, api: RepositoryApi, name: str, commit_of: Callable[[str], str]) -> None:
        """`commit_of` returns the commit of a branch, and raises `Missing` where there is none."""
        self._rest = rest
        self._api = api
        self._name = name
        self._commit_of = commit_of

    def read(self, number: int) -> PullRequest:
        """Return one pull request."""
        about = f"read pull request {number} of {self._name}"
        return self._api.get(f"/pulls/{number}", about).parse(answers.PULL).pull_request()

    def find(self, head: str, base: str, deadline: Deadline | None = None) -> PullRequest | None:
        """Return the open one of two branches; none also where the list is missing (see `_be_sure_of`).

        The list is gone through: ``/pulls/{base}/{head}`` also gives closed ones.
        """
        query = {"state": "open", "sort": "recentupdate", "base_branch": base}
        about = f"list the pull requests of {self._name}"
        try:
            for answer in self._api.pages("/pulls", about, answers.PULLS, query=query, deadline=deadline):
                if answer.joins(head, base):
                    return answer.pull_request()
        except Missing:
            return None
        return None

    def create(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open a pull request, or update the open one (the server answers 409 for a pair that has one)."""
        refused = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
        fields = {"head": head, "base": base, "title": answers.draft_title(title, draft=draft), "body": body}
        call = Call(
            "POST", f"{self._api.path}/pulls", f"open a pull request in {self._name}", json={**fields}, accept=refused
        )
        deadline = self._rest.deadline()

        def take_over() -> PullRequest | None:
            existing = self.find(head, base, deadline)
            return existing and self.update(existing.number, title=title, body=body, draft=draft)

        def post() -> PullRequest:
            reply = self._rest.send(call, deadline=deadline)
            if reply.status == HTTPStatus.NOT_FOUND:
                self._be_sure_of(head, base)
                reply = self._rest.send(call, deadline=deadline)
            if reply.succeeded:
                return reply.parse(answers.PULL).pull_request()
            existing = take_over() if reply.status == HTTPStatus.CONFLICT else None
            if existing is None:
                raise self._not_opened(reply)
            return existing

        return self._rest.post_once(post, take_over)

    def update(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title, body and draft state, which is a prefix of the title."""
        fields = {"title": answers.draft_title(title, draft=draft), "body": body}
        about = f"change pull request {number} of {self._name}"
        reply = self._rest.send(Call("PATCH", f"{self._api.path}/pulls/{number}", about, json={**fields}))
        return reply.parse(answers.PULL).pull_request()

    def _not_opened(self, reply: Reply) -> Misconfigured:
        error = self._rest.refusal(reply)
        return error if reply.status == HTTPStatus.CONFLICT else PullRequestForbidden(error.what, mend=_OPEN_BY_HAND)

    def _be_sure_of(self, head: str, base: str) -> None:
        """Raise `Missing` when one of the branches is why a pull request got 404; else give the server a moment.

        For about a second after its first push a repository counts as empty, and all of ``/pulls`` is 404.
        """
        for branch in (head, base):
            self._commit_of(branch)
        self._rest.settle()
