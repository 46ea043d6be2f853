"""GitHub, github.com or an Enterprise Server, over its REST API."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from coordinator.forge import github_actions
from coordinator.forge import github_models as answers
from coordinator.forge.credentials import basic_authorization, checked_token
from coordinator.forge.github_access import find_access, find_account, find_myself
from coordinator.forge.github_address import checked_addresses, checked_repository, encoded_path
from coordinator.forge.github_api import GithubApi
from coordinator.forge.github_issues import GithubIssues
from coordinator.forge.github_lines import GithubLines
from coordinator.forge.github_pulls import GithubPulls
from coordinator.forge.http import Call, RestClient
from coordinator.forge.models import GitRemote, Server
from coordinator.forge.protocol import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import JsonValue, SecretStr

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
    )

DESCRIPTION_LIMIT = 140
"""Characters of a status; more are refused ("description is too long (maximum is 140 characters)")."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RAW = "application/vnd.github.raw+json"


class GithubForge:
    """One repository on GitHub, as seen with one token. Close it after use."""

    def __init__(
        self,
        api_url: str,
        server_url: str,
        repository: str,
        token: SecretStr,
        *,
        connect: Callable[[str, SecretStr], RestClient] = RestClient,
    ) -> None:
        """Take the two addresses of one GitHub (`checked_addresses`) and ``owner/name``. Nothing is sent yet.

        `connect` makes a client, for other deadlines.
        """
        self._name = checked_repository(repository)
        self._addresses = checked_addresses(api_url, server_url)
        self._token = checked_token(token)
        rest = connect(self._addresses.api, self._token)
        same = self._addresses.graphql == self._addresses.api
        graphql = rest if same else connect(self._addresses.graphql, self._token)
        self._api = GithubApi(rest, graphql, self._name)
        self._issues = GithubIssues(self._api, self.myself)
        self._pulls = GithubPulls(self._api, self._commit)
        self._lines = GithubLines(self._api)
        self._server: Server | None = None
        self._myself: Account | None = None
        self._repository: Repository | None = None

    def __repr__(self) -> str:
        return f"GithubForge({self._addresses.api!r}, {self._name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    @property
    def kind(self) -> str:
        """``github``."""
        return "github"

    def server(self) -> Server:
        """Return the version of an Enterprise Server; github.com has none."""
        if self._server is None:
            version = ""
            if not self._addresses.is_github_com:
                version = self._api.send(Call("GET", "/meta", "read its version")).parse(answers.META).installed_version
            self._server = Server(product="github", version=version)
        return self._server

    def facilities(self) -> tuple[Facility, ...]:
        """Return what this server and token offer and lack."""
        return github_actions.facilities(self._api, is_job=self.myself().login.endswith("[bot]"))

    def secret_names(self) -> tuple[str, ...] | None:
        """Return the names of the secrets that workflows get; None where the token may not ask."""
        return github_actions.secret_names(self._api)

    def myself(self) -> Account:
        """Return the account behind the token, asked once."""
        if self._myself is None:
            self._myself = find_myself(self._api)
        return self._myself

    def repository(self) -> Repository:
        """Return the repository, asked once."""
        if self._repository is None:
            reply = self._api.get("", f"read the repository {self._name}")
            self._repository = reply.parse(answers.REPOSITORY).repository()
        return self._repository

    def git_remote(self) -> GitRemote:
        """Return the address on the server, never one that an answer names."""
        authorization = basic_authorization(self._token, user="x-access-token")
        return GitRemote(url=f"{self._addresses.server}/{self._name}.git", authorization=authorization)

    def read_file(self, path: str, *, ref: str) -> bytes | None:
        """Return a file at a branch or a full commit id.

        The branch is looked up first, because a file that is not there and a branch that is not there are both 404.
        A folder comes as JSON whatever is asked for, and is no file.
        """
        encoded = encoded_path(path)
        if encoded is None:
            return None
        call = Call(
            "GET",
            f"{self._api.path}/contents/{encoded}",
            f"read {path} of {self._name}",
            query={"ref": self._commit(ref)},
            headers={"Accept": _RAW},
            accept=(HTTPStatus.NOT_FOUND,),
        )
        reply = self._api.send(call)
        is_file = reply.succeeded and ".raw" in reply.headers.get("content-type", "")
        return reply.body if is_file else None

    def account(self, login: str) -> Account | None:
        """Return the account that has this login now."""
        return find_account(self._api, login)

    def access(self, account: Account) -> Access:
        """Return what the account may do now."""
        return find_access(self._api, account)

    def issue(self, number: int) -> Issue:
        """Return one issue or pull request."""
        return self._issues.get(number)

    def find_issues(self, *, assignee: str, label: str) -> tuple[Issue, ...]:
        """Return the open issues that are assigned to an account or have a label, by number; no pull requests."""
        return self._issues.find(assignee, label)

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return the assignments and labels among the issue's events."""
        return self._issues.history(number)

    def dependencies(self, number: int) -> Dependencies:
        """Return the native dependencies; none where the server has no such thing."""
        return self._issues.dependencies(number)

    def add_label(self, number: int, label: str) -> None:
        """Put a label on an issue; GitHub makes it in the repository where it is not there."""
        self._issues.add_label(number, label)

    def remove_label(self, number: int, label: str) -> None:
        """Take a label off an issue."""
        self._issues.remove_label(number, label)

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
        """Return the commit at the tip of a branch; None where there is none, or nothing at all yet (409).

        Asked of the git refs: ``/branches`` leads a renamed branch on to its new name.
        """
        encoded = encoded_path(branch)
        if encoded is None:
            return None
        gone = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
        reply = self._api.get(f"/git/ref/heads/{encoded}", f"find the branch {branch} of {self._name}", *gone)
        found = reply.parse(answers.REF) if reply.succeeded else None
        return found.object.sha if found and found.ref == f"refs/heads/{branch}" else None

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request."""
        return self._pulls.get(number)

    def find_pull_request(self, *, head: str, base: str) -> PullRequest | None:
        """Return the open pull request of two branches of this repository."""
        return self._pulls.find(head, base)

    def create_pull_request(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open a pull request, or update the open one of the pair.

        Where the repository has no drafts it is opened ready for review; `PullRequest.draft` says so.
        """
        return self._pulls.create(head=head, base=base, title=title, body=body, draft=draft)

    def update_pull_request(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title and body, and the draft state where the token may; `PullRequest.draft` says what it is."""
        return self._pulls.update(number, title=title, body=body, draft=draft)

    def set_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Set commit statuses. The last one of a context is the one that counts, so they may be sent again."""
        path = f"{self._api.path}/statuses/{quote(commit, safe='')}"
        for status in statuses:
            fields: dict[str, JsonValue] = status.model_dump(mode="json")
            fields["description"] = status.description[:DESCRIPTION_LIMIT]
            fields["target_url"] = status.target_url or None
            about = f"set the status {status.context} of commit {commit[:12]} in {self._name}"
            unknown = (HTTPStatus.UNPROCESSABLE_ENTITY,)
            reply = self._api.send(Call("POST", path, about, json=fields, accept=unknown, repeatable=True))
            if not reply.succeeded:
                self._commit(commit)
                raise self._api.refusal(reply)

    def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow; an input that its file does not declare is refused."""
        github_actions.dispatch(self._api, workflow, ref=ref, inputs=inputs)

    def run_is_cancelled(self, *, run_id: int | None, run_number: int | None) -> bool:  # noqa: ARG002  (GitHub counts by id)
        """Return whether a run was cancelled."""
        return run_id is not None and github_actions.is_cancelled(self._api, run_id)

    def compare_url(self, *, head: str, base: str) -> str:
        """Return the page with the button that opens the pull request."""
        return f"{self.repository().html_url}/compare/{quote(base)}...{quote(head)}"

    def _commit(self, ref: str) -> str:
        """Return the id of a branch's commit, or of a commit that exists; raise `Missing` for any other."""
        if _COMMIT.fullmatch(ref):
            self._api.get(f"/git/commits/{ref}", f"find the commit {ref[:12]} of {self._name}")
            return ref
        found = self.branch_commit(ref)
        if found is None:
            raise Missing(f"{self._name} has no branch {ref!r}", mend="Push it first, or name another")
        return found
