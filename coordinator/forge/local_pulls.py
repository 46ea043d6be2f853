"""Pull requests of the local forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.forge.local_store import PullRequestHead
from coordinator.forge.models import Issue, PullRequest
from coordinator.forge.protocol import Missing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from coordinator.forge.local_git import LocalGit
    from coordinator.forge.local_store import LocalStore
    from coordinator.forge.models import Account


class LocalPulls:
    """The pull requests in the folder, joined with the branches in the repository."""

    def __init__(self, store: LocalStore, git: LocalGit, now: Callable[[], datetime]) -> None:
        self._store = store
        self._git = git
        self._now = now

    def read(self, number: int) -> PullRequest:
        """Return one pull request."""
        page, body = self._store.pull(number)
        return PullRequest(
            number=number,
            title=page.title,
            body=body,
            state=page.state,
            merged=page.merged,
            draft=page.draft,
            head=page.head,
            base=page.base,
            head_commit=self._git.branch_commit(page.head),
            url=self._store.pull_path(number).as_uri(),
        )

    def read_as_issue(self, number: int, author: Account) -> Issue:
        """Return one as the issue that it is too."""
        page, body = self._store.pull(number)
        return Issue(
            number=number,
            title=page.title,
            body=body,
            state=page.state,
            author=author,
            updated_at=page.updated_at,
            html_url=self._store.pull_path(number).as_uri(),
            is_pull_request=True,
        )

    def find(self, head: str, base: str) -> PullRequest | None:
        """Return the open one of a pair of branches."""
        found = self._open(head, base)
        return None if found is None else self.read(found.number)

    def create(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open one, or update the open one of the pair."""
        if head == base:
            raise Misconfigured(f"{head} cannot have a pull request into itself", mend="Name another base branch")
        for branch in (head, base):
            if not self._git.branch_commit(branch):
                raise Missing(f"{self._git.path} has no branch {branch!r}", mend="Push it first")
        with self._store.locked():
            now = self._now()
            page = self._open(head, base) or PullRequestHead(
                number=self._store.next_pull(),
                title="",
                draft=draft,
                head=head,
                base=base,
                created_at=now,
                updated_at=now,
            )
            self._write(page, title, body, draft=draft)
        return self.read(page.number)

    def update(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title, body and draft state."""
        with self._store.locked():
            self._write(self._store.pull(number)[0], title, body, draft=draft)
        return self.read(number)

    def _open(self, head: str, base: str) -> PullRequestHead | None:
        pair = (head, base, "open")
        return next((page for page in self._store.pulls() if (page.head, page.base, page.state) == pair), None)

    def _write(self, page: PullRequestHead, title: str, body: str, *, draft: bool) -> None:
        change = {"title": title, "draft": draft, "updated_at": self._now()}
        self._store.write_pull(page.model_copy(update=change), body)
