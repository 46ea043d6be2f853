"""Gitea and Forgejo over their REST API, with the quirks of both (1.22 and later)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlsplit

from coordinator.errors import Misconfigured
from coordinator.forge import gitea_models as answers
from coordinator.forge.credentials import basic_authorization, checked_address, checked_token
from coordinator.forge.gitea_access import find_access
from coordinator.forge.gitea_api import SETTLE_SECONDS, RepositoryApi
from coordinator.forge.http import Call, RestClient
from coordinator.forge.models import Dependencies, GitRemote
from coordinator.forge.protocol import Missing, PullRequestForbidden

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import SecretStr

    from coordinator.forge.http import Deadline
    from coordinator.forge.models import (
        Access,
        Account,
        Comment,
        CommitStatus,
        HistoryEntry,
        Issue,
        PullRequest,
        Repository,
    )
    from coordinator.forge.reply import Reply

DESCRIPTION_LIMIT = 140
"""Characters of a status (GitHub's limit, so that all forges show the same)."""

_OPEN_BY_HAND = "Open it by hand on the page that compares the branches, or give the coordinator a user's token"
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class GiteaForge:
    """One repository on a Gitea or Forgejo server, as seen with one token. Close it after use."""

    def __init__(
        self,
        api_url: str,
        server_url: str,
        repository: str,
        token: SecretStr,
        *,
        connect: Callable[[str, SecretStr], RestClient] = RestClient,
    ) -> None:
        """Take the addresses of API (``…/api/v1``) and server, and ``owner/name``. Nothing is sent yet.

        Both addresses must have one scheme and host, because the token goes to both. `connect` makes the client, for
        other deadlines.
        """
        if not _REPOSITORY.fullmatch(repository) or not {".", ".."}.isdisjoint(repository.split("/")):
            what = f"{repository!r} is not the name of a repository"
            raise Misconfigured(what, mend="Write it as owner/name, as in the repository's address")
        self._server_url = checked_address(server_url, "server")
        origins = _origin(self._server_url), _origin(checked_address(api_url, "API"))
        if origins[0] != origins[1]:
            what = f"the forge's server ({origins[0]}) and its API ({origins[1]}) differ in scheme or host"
            raise Misconfigured(what, mend="Give both by the same address; the token is sent to one host only")
        self._token = checked_token(token)
        self._rest = connect(api_url, self._token)
        self._api = RepositoryApi(self._rest, repository)
        self._name = repository
        self._myself: Account | None = None
        self._repository: Repository | None = None

    def __repr__(self) -> str:
        return f"GiteaForge({self._rest.api_url!r}, {self._name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    @property
    def kind(self) -> str:
        """``gitea``, for Forgejo too."""
        return "gitea"

    def myself(self) -> Account:
        """Return the account behind the token, asked once; id -2 for a job's token."""
        if self._myself is None:
            self._myself = self._rest.send(Call("GET", "/user", "see whose it is")).parse(answers.USER).account()
        return self._myself

    def repository(self) -> Repository:
        """Return the repository, asked once."""
        if self._repository is None:
            reply = self._api.get("", f"read the repository {self._name}")
            self._repository = reply.parse(answers.REPOSITORY).repository()
        return self._repository

    def git_remote(self) -> GitRemote:
        """Return the address below the one that the API has, never one that the server names."""
        return GitRemote(url=f"{self._server_url}/{self._name}.git", authorization=basic_authorization(self._token))

    def read_file(self, path: str, *, ref: str) -> bytes | None:
        """Return a file at a branch or a full commit id.

        The branch is looked up first: ``/raw`` answers with the default branch where it does not know the ref.
        """
        parts = path.split("/")
        if not {"", ".", ".."}.isdisjoint(parts):
            return None
        encoded = "/".join(quote(part, safe="") for part in parts)
        call = Call(
            "GET",
            f"{self._api.path}/raw/{encoded}",
            f"read {path} of {self._name}",
            query={"ref": self._commit(ref)},
            accept=(HTTPStatus.NOT_FOUND,),
        )
        reply = self._rest.send(call)
        return None if reply.status == HTTPStatus.NOT_FOUND else reply.body

    def account(self, login: str) -> Account | None:
        """Return the account that has this login now; a renamed one redirects, and counts as none."""
        moved = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
        path = f"/users/{quote(login, safe='')}"
        reply = self._rest.send(Call("GET", path, f"look up the user {login}", accept=(HTTPStatus.NOT_FOUND, *moved)))
        return reply.parse(answers.USER).account() if reply.succeeded else None

    def access(self, account: Account) -> Access:
        """Return what the account may do now."""
        return find_access(self._rest, self._name, account)

    def issue(self, number: int) -> Issue:
        """Return one issue or pull request."""
        return self._api.get(f"/issues/{number}", f"read {self._issue_name(number)}").parse(answers.ISSUE).issue()

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return the assignments and labels of the timeline.

        It is read in one piece, without ``page``: the server leaves entries out *after* it has cut a page, so that
        neither a short nor an empty page, nor ``X-Total-Count``, means the end (routers/api/v1/repo/issue_comment.go).
        """
        call = self._api.call(f"/issues/{number}/timeline", f"read the history of {self._issue_name(number)}")
        reply = self._api.send_or_explain(call, lambda: self.issue(number))
        entries = (answer.entry() for answer in reply.parse(answers.TIMELINE) or () if answer is not None)
        return tuple(entry for entry in entries if entry is not None)

    def dependencies(self, number: int) -> Dependencies:
        """Return the native dependencies; none where the repository has them switched off (404)."""
        name = self._issue_name(number)
        try:
            blockers = tuple(
                self._api.pages(f"/issues/{number}/dependencies", f"read what blocks {name}", answers.ISSUES)
            )
            blocked = tuple(self._api.pages(f"/issues/{number}/blocks", f"read what {name} blocks", answers.ISSUES))
        except Missing:
            self.issue(number)
            return Dependencies()
        return Dependencies(
            blocked_by=tuple(answer.number for answer in blockers if answer.belongs_to(self._name)),
            blocks=tuple(answer.number for answer in blocked if answer.belongs_to(self._name)),
            foreign=tuple(answer.full_name() for answer in blockers if not answer.belongs_to(self._name)),
        )

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Return all comments. The server gives them in one piece, whatever page is asked for."""
        return self._comments(number, None)

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment. After a lost answer one of ours with the same text counts as this one."""
        name = self._issue_name(number)
        call = Call("POST", f"{self._api.path}/issues/{number}/comments", f"comment on {name}", json={"body": body})
        deadline = self._rest.deadline()

        def look() -> Comment | None:
            mine = self.myself().id
            found = [one for one in self._comments(number, deadline) if one.author.id == mine and one.body == body]
            return found[-1] if found else None

        return self._api.post_once(
            lambda: self._rest.send(call, deadline=deadline).parse(answers.COMMENT).comment(), look
        )

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        about = f"change comment {comment_id} of {self._name}"
        call = Call("PATCH", f"{self._api.path}/issues/comments/{comment_id}", about, json={"body": body})
        return self._rest.send(call).parse(answers.COMMENT).comment()

    def find_pull_request(self, *, head: str, base: str) -> PullRequest | None:
        """Return the open pull request of two branches of this repository.

        The list is gone through: ``/pulls/{base}/{head}`` also gives closed ones.
        """
        return self._open_pull_request(head, base, None)

    def create_pull_request(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open a pull request, or update the open one (the server answers 409 for a pair that has one)."""
        refused = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
        fields = {"head": head, "base": base, "title": answers.draft_title(title, draft=draft), "body": body}
        call = Call(
            "POST", f"{self._api.path}/pulls", f"open a pull request in {self._name}", json={**fields}, accept=refused
        )
        deadline = self._rest.deadline()

        def take_over() -> PullRequest | None:
            existing = self._open_pull_request(head, base, deadline)
            return existing and self.update_pull_request(existing.number, title=title, body=body, draft=draft)

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

        return self._api.post_once(post, take_over)

    def update_pull_request(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title, body and draft state, which is a prefix of the title."""
        fields = {"title": answers.draft_title(title, draft=draft), "body": body}
        about = f"change pull request {number} of {self._name}"
        reply = self._rest.send(Call("PATCH", f"{self._api.path}/pulls/{number}", about, json={**fields}))
        return reply.parse(answers.PULL).pull_request()

    def set_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Set commit statuses. The last one of a context is the one that counts, so they may be sent again."""
        path = f"{self._api.path}/statuses/{quote(commit, safe='')}"
        for status in statuses:
            fields = status.model_dump(mode="json")
            fields["description"] = status.description[:DESCRIPTION_LIMIT]
            about = f"set the status {status.context} of commit {commit[:12]} in {self._name}"
            call = Call("POST", path, about, json=fields, repeatable=True)
            self._api.send_or_explain(call, lambda: self._commit(commit))

    def compare_url(self, *, head: str, base: str) -> str:
        """Return the page with the button that opens the pull request."""
        return f"{self.repository().html_url}/compare/{quote(base)}...{quote(head)}"

    def _comments(self, number: int, deadline: Deadline | None) -> tuple[Comment, ...]:
        call = self._api.call(f"/issues/{number}/comments", f"read the comments of {self._issue_name(number)}")
        reply = self._api.send_or_explain(call, lambda: self.issue(number), deadline)
        return tuple(answer.comment() for answer in reply.parse(answers.COMMENTS))

    def _open_pull_request(self, head: str, base: str, deadline: Deadline | None) -> PullRequest | None:
        """Return the open one; none also where the list is missing (see `_be_sure_of`)."""
        query = {"state": "open", "sort": "recentupdate", "base_branch": base}
        about = f"list the pull requests of {self._name}"
        try:
            for answer in self._api.pages("/pulls", about, answers.PULLS, query=query, deadline=deadline):
                if answer.joins(head, base):
                    return answer.pull_request()
        except Missing:
            return None
        return None

    def _not_opened(self, reply: Reply) -> Misconfigured:
        error = self._rest.refusal(reply)
        return error if reply.status == HTTPStatus.CONFLICT else PullRequestForbidden(error.what, mend=_OPEN_BY_HAND)

    def _be_sure_of(self, head: str, base: str) -> None:
        """Raise `Missing` when one of the branches is why a pull request got 404; else give the server a moment.

        For about a second after its first push a repository counts as empty, and all of ``/pulls`` is 404.
        """
        for branch in (head, base):
            self._commit(branch)
        self._rest.pause(SETTLE_SECONDS)

    def _commit(self, ref: str) -> str:
        """Return the id of a branch's commit, or of a commit that exists; raise `Missing` for any other."""
        if _COMMIT.fullmatch(ref):
            self._api.get(f"/git/commits/{ref}", f"find the commit {ref[:12]} of {self._name}")
            return ref
        path = "/".join(quote(part, safe="") for part in ref.split("/"))
        return (
            self._api.get(f"/branches/{path}", f"find the branch {ref} of {self._name}").parse(answers.BRANCH).commit.id
        )

    def _issue_name(self, number: int) -> str:
        return f"issue {number} of {self._name}"


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()
