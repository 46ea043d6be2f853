"""The folder of the local forge: which files there are, and what stands in them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from coordinator.forge.local_files import locked, read_json, read_page, write_json, write_page, write_whole
from coordinator.forge.models import Account, Comment, CommitStatus
from coordinator.forge.protocol import Missing
from coordinator.models import Frozen

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

FIRST_PULL_REQUEST = 10001


class IssueRecord(Frozen):
    """What is known of an issue beside its text."""

    number: int
    title: str
    state: Literal["open", "closed"] = "open"
    labels: tuple[str, ...] = ()
    source: str | None
    """Path of the file it was imported from."""
    created_at: datetime
    updated_at: datetime


class CommentHead(Frozen):
    """The front matter of a comment."""

    id: int
    number: int
    author: str
    author_id: int
    created_at: datetime
    updated_at: datetime


class PullRequestHead(Frozen):
    """The front matter of a pull request."""

    number: int
    title: str
    state: Literal["open", "closed"] = "open"
    merged: bool = False
    draft: bool
    head: str
    base: str
    created_at: datetime
    updated_at: datetime


class StatusRecord(Frozen):
    """The statuses of one commit, the last one of each context."""

    commit: str
    statuses: tuple[CommitStatus, ...]


class LocalStore:
    """Reads and writes the files. Whoever writes holds the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock that keeps other processes from writing."""
        return locked(self.folder / "lock")

    def text_path(self, number: int) -> Path:
        """Return where an issue's text is."""
        return self.folder / "issues" / f"{number}.md"

    def pull_path(self, number: int) -> Path:
        """Return where a pull request is."""
        return self.folder / "pulls" / f"{number}.md"

    def has_pull(self, number: int) -> bool:
        """Whether there is such a pull request."""
        return self.pull_path(number).exists()

    def issues(self) -> dict[int, IssueRecord]:
        """Return what is known of all issues, by number."""
        found = (read_json(path, IssueRecord) for path in (self.folder / "issues").glob("*.json"))
        return {record.number: record for record in sorted(found, key=lambda record: record.number)}

    def issue(self, number: int) -> tuple[IssueRecord, str]:
        """Return an issue's record and text; raise `Missing` when there is none."""
        path = self._record_path(number)
        if not path.exists():
            what = f"there is no issue {number} in {self.folder}"
            raise Missing(what, mend="Import it first by giving the path of its Markdown file")
        return read_json(path, IssueRecord), self.text(number)

    def text(self, number: int) -> str:
        """Return an issue's text."""
        return self.text_path(number).read_bytes().decode()

    def write_issue(self, record: IssueRecord, text: str) -> None:
        """Write an issue. The record comes last: without it the text does not count."""
        write_whole(self.text_path(record.number), text.encode())
        self.write_record(record)

    def write_record(self, record: IssueRecord) -> None:
        """Write what is known of an issue beside its text."""
        write_json(self._record_path(record.number), record)

    def comments(self, number: int) -> tuple[Comment, ...]:
        """Return the comments of an issue or pull request, oldest first."""
        ids = sorted(int(path.stem) for path in self.folder.glob(f"comments/{number}/*.md") if path.stem.isdecimal())
        return tuple(self.comment(self.folder / f"comments/{number}/{identity}.md") for identity in ids)

    def comment(self, path: Path) -> Comment:
        """Return one comment."""
        head, body = read_page(path, CommentHead)
        return Comment(
            id=head.id,
            author=Account(id=head.author_id, login=head.author),
            body=body,
            created_at=head.created_at,
            updated_at=head.updated_at,
            html_url=path.as_uri(),
        )

    def add_comment(self, number: int, author: Account, body: str, now: datetime) -> Comment:
        """Write a new comment."""
        taken = [int(path.stem) for path in self.folder.glob("comments/*/*.md") if path.stem.isdecimal()]
        identity = max(taken, default=0) + 1
        head = CommentHead(
            id=identity, number=number, author=author.login, author_id=author.id, created_at=now, updated_at=now
        )
        path = self.folder / f"comments/{number}/{identity}.md"
        write_page(path, head, body)
        return self.comment(path)

    def change_comment(self, comment_id: int, body: str, now: datetime) -> Comment:
        """Replace the text of a comment; raise `Missing` when there is none."""
        path = next(iter(self.folder.glob(f"comments/*/{comment_id}.md")), None)
        if path is None:
            raise Missing(f"there is no comment {comment_id} in {self.folder}", mend="Add a new one")
        head, _ = read_page(path, CommentHead)
        write_page(path, head.model_copy(update={"updated_at": now}), body)
        return self.comment(path)

    def pull(self, number: int) -> tuple[PullRequestHead, str]:
        """Return the front matter and the description of a pull request; raise `Missing` when there is none."""
        if not self.has_pull(number):
            raise Missing(f"there is no pull request {number} in {self.folder}", mend="Open it first")
        return read_page(self.pull_path(number), PullRequestHead)

    def pulls(self) -> tuple[PullRequestHead, ...]:
        """Return the front matter of all pull requests, oldest first."""
        found = (read_page(path, PullRequestHead)[0] for path in self.folder.glob("pulls/*.md"))
        return tuple(sorted(found, key=lambda head: head.number))

    def write_pull(self, head: PullRequestHead, body: str) -> None:
        """Write a pull request."""
        write_page(self.pull_path(head.number), head, body)

    def next_pull(self) -> int:
        """Return the first number that no pull request and no issue has."""
        taken = {head.number for head in self.pulls()} | set(self.issues())
        return next(number for number in range(FIRST_PULL_REQUEST, 2**31) if number not in taken)

    def set_statuses(self, commit: str, statuses: tuple[CommitStatus, ...]) -> None:
        """Write statuses over those of the same context."""
        path = self.folder / "statuses" / f"{commit}.json"
        before = read_json(path, StatusRecord).statuses if path.exists() else ()
        by_context = {status.context: status for status in (*before, *statuses)}
        write_json(path, StatusRecord(commit=commit, statuses=tuple(by_context.values())))

    def _record_path(self, number: int) -> Path:
        return self.folder / "issues" / f"{number}.json"
