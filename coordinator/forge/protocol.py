"""The one interface behind which Gitea, Forgejo, GitHub and a local folder stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.forge.models import (
        Access,
        Account,
        Comment,
        CommitStatus,
        Dependencies,
        GitRemote,
        HistoryEntry,
        Issue,
        PullRequest,
        Repository,
    )


class Missing(Misconfigured):
    """The forge has no such repository, issue, comment, branch or commit, or hides it from the token."""


class PullRequestForbidden(Misconfigured):
    """The token may not open pull requests. `Forge.compare_url` is where a person can.

    A job's own token may not on Gitea (go-gitea/gitea#32302): 403 in a public repository, 404 in a private one.
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

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return who assigned, unassigned, labelled and unlabelled the issue, oldest first."""
        ...

    def dependencies(self, number: int) -> Dependencies:
        """Return the native dependencies; empty where the forge has none or they are switched off."""
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

    def compare_url(self, *, head: str, base: str) -> str:
        """Return the page on which a person opens the pull request where the token may not; empty for none."""
        ...

    def close(self) -> None:
        """Release connections. The forge is not used afterwards."""
        ...
