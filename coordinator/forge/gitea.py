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
from coordinator.forge.gitea_actions import GiteaActions, find_server
from coordinator.forge.gitea_api import RepositoryApi
from coordinator.forge.gitea_facilities import find_facilities
from coordinator.forge.gitea_issues import GiteaIssues
from coordinator.forge.gitea_labels import GiteaLabels
from coordinator.forge.gitea_lines import GiteaLines
from coordinator.forge.gitea_pulls import GiteaPulls
from coordinator.forge.http import Call, RestClient
from coordinator.forge.models import GitRemote
from coordinator.forge.protocol import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import SecretStr

    from coordinator.forge.models import (
        Access,
        Account,
        Comment,
        CommitStatus,
        Dependencies,
        Facility,
        HistoryEntry,
        Issue,
        LineComment,
        LineNote,
        PullRequest,
        Repository,
        Server,
    )

DESCRIPTION_LIMIT = 140
"""Characters of a status (GitHub's limit, so that all forges show the same)."""

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
        self._actions = GiteaActions(self._rest, self._api, repository, self.read_file)
        self._labels = GiteaLabels(self._rest, self._api, repository)
        self._issues = GiteaIssues(self._rest, self._api, repository, self._labels, self.myself)
        self._pulls = GiteaPulls(self._rest, self._api, repository, self._commit)
        self._lines = GiteaLines(self._rest, self._api, repository)
        self._server: Server | None = None
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

    def server(self) -> Server:
        """Return which server this is, asked once."""
        if self._server is None:
            self._server = find_server(self._rest)
        return self._server

    def facilities(self) -> tuple[Facility, ...]:
        """Return what this server and token offer and lack."""
        return find_facilities(self._rest, self._api, self._name, self.myself(), self.server())

    def secret_names(self) -> tuple[str, ...] | None:
        """Return the names of the secrets that workflows get; None where the token may not ask."""
        return self._actions.secret_names()

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
        return self._issues.read(number)

    def find_issues(self, *, assignee: str, label: str) -> tuple[Issue, ...]:
        """Return the open issues that are assigned to an account or have a label."""
        return self._issues.find(assignee=assignee, label=label)

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return the assignments and labels of the timeline."""
        return self._issues.history(number)

    def dependencies(self, number: int) -> Dependencies:
        """Return the native dependencies; none where the repository has them switched off."""
        return self._issues.dependencies(number)

    def add_label(self, number: int, label: str) -> None:
        """Put a label on an issue."""
        self._labels.add(number, label)

    def remove_label(self, number: int, label: str) -> None:
        """Take a label off an issue."""
        self._labels.remove(number, label)

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Return all comments."""
        return self._issues.comments(number)

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment."""
        return self._issues.create_comment(number, body)

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        return self._issues.update_comment(comment_id, body)

    def line_comments(self, number: int) -> tuple[LineComment, ...]:
        """Return the comments on lines of a pull request, oldest first."""
        return self._lines.comments(number)

    def comment_on_lines(self, number: int, commit: str, notes: Sequence[LineNote]) -> None:
        """Comment on lines of a pull request."""
        self._lines.add(number, commit, notes)

    def remove_line_comment(self, number: int, comment: LineComment) -> None:
        """Take away a comment on a line."""
        self._lines.remove(number, comment)

    def branch_commit(self, branch: str) -> str | None:
        """Return the commit at the tip of a branch; None where there is no such branch."""
        try:
            return self._tip(branch)
        except Missing:
            return None

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request."""
        return self._pulls.read(number)

    def find_pull_request(self, *, head: str, base: str) -> PullRequest | None:
        """Return the open pull request of two branches of this repository."""
        return self._pulls.find(head, base)

    def create_pull_request(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open a pull request, or update the open one."""
        return self._pulls.create(head=head, base=base, title=title, body=body, draft=draft)

    def update_pull_request(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title, body and draft state."""
        return self._pulls.update(number, title=title, body=body, draft=draft)

    def set_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Set commit statuses. The last one of a context is the one that counts, so they may be sent again."""
        path = f"{self._api.path}/statuses/{quote(commit, safe='')}"
        for status in statuses:
            fields = status.model_dump(mode="json")
            fields["description"] = status.description[:DESCRIPTION_LIMIT]
            about = f"set the status {status.context} of commit {commit[:12]} in {self._name}"
            call = Call("POST", path, about, json=fields, repeatable=True)
            self._api.send_or_explain(call, lambda: self._commit(commit))

    def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow."""
        self._actions.dispatch(workflow, ref=ref, inputs=inputs)

    def run_is_cancelled(self, *, run_id: int | None, run_number: int | None) -> bool:  # noqa: ARG002  (here they count by number)
        """Return whether a run was cancelled."""
        return run_number is not None and self._actions.is_cancelled(run_number)

    def compare_url(self, *, head: str, base: str) -> str:
        """Return the page with the button that opens the pull request."""
        return f"{self.repository().html_url}/compare/{quote(base)}...{quote(head)}"

    def _commit(self, ref: str) -> str:
        """Return the id of a branch's commit, or of a commit that exists; raise `Missing` for any other."""
        if _COMMIT.fullmatch(ref):
            self._api.get(f"/git/commits/{ref}", f"find the commit {ref[:12]} of {self._name}")
            return ref
        return self._tip(ref)

    def _tip(self, branch: str) -> str:
        path = "/".join(quote(part, safe="") for part in branch.split("/"))
        reply = self._api.get(f"/branches/{path}", f"find the branch {branch} of {self._name}")
        return reply.parse(answers.BRANCH).commit.id


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()
