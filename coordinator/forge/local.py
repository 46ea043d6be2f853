"""A forge without a server: issues, comments, pull requests and statuses as files in a folder.

::

    <git directory>/coordinator/forge/
    ├── lock
    ├── issues/12.md           the issue's text, front matter and all, as it was imported
    ├── issues/12.json         its number, title, state and where it came from
    ├── comments/12/3.md       front matter, then the comment
    ├── pulls/10001.md         front matter, then the description
    └── statuses/<commit>.json

The folder lies in the repository's git directory, so that nothing untracked appears in the checkout, and all worktrees
of a repository share it. Pull requests count from 10001: issues and pull requests share one row of numbers on every
forge, and issues get theirs from the names of their files.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from coordinator.forge.local_git import LocalGit
from coordinator.forge.local_import import LocalImports
from coordinator.forge.local_lines import LocalLines
from coordinator.forge.local_pulls import LocalPulls
from coordinator.forge.local_store import LocalStore
from coordinator.forge.models import (
    Access,
    Account,
    Change,
    Dependencies,
    GitRemote,
    HistoryEntry,
    Issue,
    Permission,
    Repository,
    Server,
)
from coordinator.forge.protocol import DispatchUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from coordinator.forge.models import Comment, CommitStatus, Facility, LineComment, LineNote, PullRequest

LOCAL_USER = Account(id=1, login="local")


class LocalForge:
    """One repository on this machine. Everything in it was done by one local user, who may do everything."""

    def __init__(
        self,
        folder: Path,
        *,
        repository: Path,
        user: Account = LOCAL_USER,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take the folder for the files and a folder in the git repository. Nothing is written yet."""
        self._store = LocalStore(folder.absolute())
        self._git = LocalGit(repository)
        self._user = user
        self._now = now
        self._pulls = LocalPulls(self._store, self._git, now)
        self._lines = LocalLines(self._store, user)
        self._imports = LocalImports(self._store, now)

    @classmethod
    def of(cls, repository: Path) -> Self:
        """Return the forge that lies in the repository's own git directory."""
        return cls(LocalGit(repository).common_dir / "coordinator" / "forge", repository=repository)

    @property
    def kind(self) -> str:
        """``local``."""
        return "local"

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def import_issue(self, file: Path) -> Issue:
        """Take over a Markdown file as an issue, or what has changed in one that was taken over before.

        Raises `Misconfigured` when the file cannot be an issue, or its number belongs to another file.
        """
        return self.issue(self._imports.take_over(file))

    def preview_issue(self, file: Path) -> Issue:
        """Read a Markdown file as the issue that `import_issue` would make of it, and write nothing.

        Raises `Misconfigured` when the file cannot be an issue.
        """
        read, number = self._imports.look_at(file)
        return Issue(
            number=number,
            title=read.title,
            body=read.text,
            author=self._user,
            assignees=(self._user,),
            updated_at=self._now(),
            html_url=file.resolve().as_uri(),
        )

    def server(self) -> Server:
        """Return that there is none."""
        return Server(product="local", version="")

    def facilities(self) -> tuple[Facility, ...]:
        """Return nothing: a folder is the same everywhere."""
        return ()

    def secret_names(self) -> tuple[str, ...] | None:
        """Return none: a folder has no workflows that would get any."""
        return ()

    def myself(self) -> Account:
        """Return the local user."""
        return self._user

    def account(self, login: str) -> Account | None:
        """Return the local user by name."""
        return self._user if login == self._user.login else None

    def repository(self) -> Repository:
        """Return the repository; its name is the one of its folder."""
        name = self._git.path.name if self._git.path.name != ".git" else self._git.path.parent.name
        branch = self._git.default_branch()
        full_name = f"{self._user.login}/{name}"
        return Repository(
            id=1, full_name=full_name, default_branch=branch, html_url=self._git.path.as_uri(), private=True
        )

    def git_remote(self) -> GitRemote:
        """Return the repository's path."""
        return GitRemote(url=str(self._git.path))

    def read_file(self, path: str, *, ref: str) -> bytes | None:
        """Return a file of a branch or commit, never of the checkout."""
        return self._git.blob(self._git.commit(ref), path)

    def access(self, account: Account) -> Access:
        """Return that the local user may do everything and nobody else anything."""
        if account.id == self._user.id:
            return Access(permission=Permission.ADMIN, reason="this is the local user")
        reason = f"{account.login} is not the local user"
        return Access(permission=Permission.NONE, reason=reason, mend="Run it as the user of this machine")

    def issue(self, number: int) -> Issue:
        """Return one issue, or pull request as an issue."""
        if self._store.has_pull(number):
            return self._pulls.read_as_issue(number, self._user)
        record, text = self._store.issue(number)
        return Issue(
            number=number,
            title=record.title,
            body=text,
            state=record.state,
            author=self._user,
            assignees=(self._user,),
            labels=record.labels,
            updated_at=record.updated_at,
            html_url=self._store.text_path(number).as_uri(),
        )

    def find_issues(self, *, assignee: str, label: str) -> tuple[Issue, ...]:  # noqa: ARG002  (the protocol's signature)
        """Return all open issues: who puts one into the folder has it worked on."""
        return tuple(self.issue(number) for number, record in self._store.issues().items() if record.state == "open")

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        """Return that the local user assigned the issue to himself when he imported it; nothing for a pull request."""
        if self._store.has_pull(number):
            return ()
        user, at = self._user, self._store.issue(number)[0].created_at
        return (HistoryEntry(change=Change.ASSIGNED, by=user, subject=user.login, subject_id=user.id, at=at),)

    def dependencies(self, number: int) -> Dependencies:
        """Return none: a file has its dependencies in its text."""
        self.issue(number)
        return Dependencies()

    def add_label(self, number: int, label: str) -> None:
        """Put a label on an issue."""
        self._change_labels(number, lambda labels: tuple(dict.fromkeys((*labels, label))))

    def remove_label(self, number: int, label: str) -> None:
        """Take a label off an issue."""
        self._change_labels(number, lambda labels: tuple(one for one in labels if one != label))

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Return all comments, in the order in which they were written."""
        self.issue(number)
        return self._store.comments(number)

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment."""
        self.issue(number)
        with self._store.locked():
            return self._store.add_comment(number, self._user, body, self._now())

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        with self._store.locked():
            return self._store.change_comment(comment_id, body, self._now())

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
        return self._git.branch_commit(branch) or None

    def pull_request(self, number: int) -> PullRequest:
        """Return one pull request."""
        return self._pulls.read(number)

    def find_pull_request(self, *, head: str, base: str) -> PullRequest | None:
        """Return the open pull request of this pair of branches."""
        return self._pulls.find(head, base)

    def create_pull_request(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Open a pull request, or update the open one of the pair."""
        return self._pulls.create(head=head, base=base, title=title, body=body, draft=draft)

    def update_pull_request(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        """Replace title, body and draft state."""
        return self._pulls.update(number, title=title, body=body, draft=draft)

    def set_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        """Set commit statuses, one per context."""
        full = self._git.commit(commit)
        with self._store.locked():
            self._store.set_statuses(full, tuple(statuses))

    def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:  # noqa: ARG002  (the same)
        """Raise `DispatchUnavailable`: a folder has no runner."""
        raise DispatchUnavailable(
            f"{workflow} cannot be started: {self._git.path} is a folder, and a folder has no runner",
            mend="Work on one issue after the other, or use a forge",
        )

    def run_is_cancelled(self, *, run_id: int | None, run_number: int | None) -> bool:  # noqa: ARG002  (the same)
        """Return False: whoever ends a run of a folder ends the process."""
        return False

    def compare_url(self, *, head: str, base: str) -> str:  # noqa: ARG002  (the protocol's signature)
        """Return nothing: the local user may always open the pull request."""
        return ""

    def _change_labels(self, number: int, change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        with self._store.locked():
            record, _ = self._store.issue(number)
            changed = record.model_copy(update={"labels": change(record.labels)})
            if changed != record:
                self._store.write_record(changed)
