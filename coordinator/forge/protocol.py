"""The one interface behind which Gitea, Forgejo, GitHub and a local folder stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coordinator.forge.models import (
        Access,
        Account,
        Comment,
        CommitStatus,
        Dependencies,
        Facility,
        GitRemote,
        HistoryEntry,
        Issue,
        LineComment,
        LineNote,
        PullRequest,
        Repository,
        Server,
    )


class Missing(Misconfigured):
    """The forge has no such repository, issue, comment, branch or commit, or hides it from the token."""


class PullRequestForbidden(Misconfigured):
    """The token may not open pull requests. `Forge.compare_url` is where a person can.

    A job's own token may not on Gitea (go-gitea/gitea#32302): 403 in a public repository, 404 in a private one.
    """


class DispatchUnavailable(Misconfigured):
    """No workflow can be started: the forge has no such endpoint, the token lacks the right, or there is no workflow.

    Gitea has it since 1.24 (go-gitea/gitea#33545), Forgejo since 8.0; a local folder has no runner at all.
    """


class Forge(Protocol):
    """One repository on one forge, as seen with one token.

    Every method raises `coordinator.errors.Unreachable` when the forge does not answer after the tries, and
    `coordinator.errors.Misconfigured` when the token, the repository or the number is wrong: `Missing` where the
    forge says that there is no such thing.
    """

    @property
    def kind(self) -> str:
        """``local``, ``gitea`` or ``github``."""
        ...

    def server(self) -> Server:
        """Return which server this is, asked once."""
        ...

    def facilities(self) -> tuple[Facility, ...]:
        """Return what this server and token offer and lack, for `coordinator doctor`. Writes nothing."""
        ...

    def secret_names(self) -> tuple[str, ...] | None:
        """Return the names of the secrets that workflows of the repository get; None where the token may not ask."""
        ...

    def myself(self) -> Account:
        """Return the account behind the token (the built-in actions user for a job token)."""
        ...

    def repository(self) -> Repository:
        """Return the repository this forge was built for."""
        ...

    def git_remote(self) -> GitRemote:
        """Return where to clone from and push to."""
        ...

    def read_file(self, path: str, *, ref: str) -> bytes | None:
        """Return a file of the repository at a branch or full commit id; None when there is none there.

        An unknown branch or commit is `Missing`: it must never look like an absent file.
        """
        ...

    def account(self, login: str) -> Account | None:
        """Return the account that has this login now; None when there is none. Logins get renamed and taken over."""
        ...

    def access(self, account: Account) -> Access:
        """Return what the account may do now. Never raises for "may not ask": that is `Permission.UNKNOWN`."""
        ...

    def issue(self, number: int) -> Issue:
        """Return one issue (or pull request) as it is now."""
        ...

    def find_issues(self, *, assignee: str, label: str) -> tuple[Issue, ...]:
        """Return the open issues that are assigned to an account or have a label, by number; no pull requests.

        Both are filtered on the server, so that the number of requests grows with the pages of what is found. An
        account or label that does not exist finds nothing.
        """
        ...

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return who assigned, unassigned, labelled and unlabelled the issue, oldest first."""
        ...

    def dependencies(self, number: int) -> Dependencies:
        """Return the native dependencies; empty where the forge has none or they are switched off."""
        ...

    def add_label(self, number: int, label: str) -> None:
        """Put a label on an issue; the repository gets the label first where it does not have it."""
        ...

    def remove_label(self, number: int, label: str) -> None:
        """Take a label off an issue, whether or not it is there; all others stay."""
        ...

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Return all comments of an issue or pull request, oldest first."""
        ...

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment."""
        ...

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        ...

    def line_comments(self, number: int) -> tuple[LineComment, ...]:
        """Return the comments on lines of a pull request, oldest first."""
        ...

    def comment_on_lines(self, number: int, commit: str, notes: Sequence[LineNote]) -> None:
        """Comment on lines of a pull request whose head is `commit`; without `notes` nothing happens."""
        ...

    def remove_line_comment(self, number: int, comment: LineComment) -> None:
        """Take away a comment on a line, whether or not it is still there."""
        ...

    def branch_commit(self, branch: str) -> str | None:
        """Return the commit at the tip of a branch; None where there is no such branch."""
        ...

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request as it is now."""
        ...

    def find_pull_request(self, *, head: str, base: str) -> PullRequest | None:
        """Return the open pull request of this pair of branches."""
        ...

    def create_pull_request(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open a pull request; if the pair has an open one, that is updated and returned.

        Raises `PullRequestForbidden` when the token lacks the right and nothing else is wrong.
        """
        ...

    def update_pull_request(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title, body and draft state."""
        ...

    def set_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Set commit statuses, one per context."""
        ...

    def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow of the repository by the name of its file (``coordinator.yml``) on a branch.

        Only inputs that the file declares arrive. Raises `DispatchUnavailable` where that cannot be done at all.
        """
        ...

    def run_is_cancelled(self, *, run_id: int | None, run_number: int | None) -> bool:
        """Return whether somebody has cancelled a run of a workflow; False where that cannot be seen.

        A Gitea runner of 2025 tells a silent job nothing about it.
        """
        ...

    def compare_url(self, *, head: str, base: str) -> str:
        """Return the page on which a person opens the pull request where the token may not; empty for none."""
        ...

    def close(self) -> None:
        """Release connections. The forge is not used afterwards."""
        ...
