"""A forge in memory that takes comments, and refuses them on demand; and a journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from coordinator.flows.journal import Journal
from coordinator.forge.models import Account, Comment
from coordinator.report.models import RunReport
from coordinator.report.redaction import Redactor
from tests.events.memory_forge import MemoryForge
from tests.support import API_CANARY

if TYPE_CHECKING:
    from coordinator.errors import CoordinatorError
    from coordinator.flows.journal import Publisher
    from coordinator.report.redaction import CleanReport

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REDACT = Redactor([API_CANARY])


@dataclass
class WritingForge(MemoryForge):
    """Takes comments, unless `refusal` is set."""

    refusal: CoordinatorError | None = None
    comment_list: list[Comment] = field(default_factory=list)
    edits: int = 0

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def comments(self, number: int) -> tuple[Comment, ...]:
        del number
        self._refuse()
        return tuple(self.comment_list)

    def create_comment(self, number: int, body: str) -> Comment:
        del number
        self._refuse()
        return self.put_comment(self.me, body)

    def put_comment(self, author: Account, body: str) -> Comment:
        """Store a comment of anybody."""
        comment = Comment(id=len(self.comment_list) + 1, author=author, body=body, created_at=NOW, updated_at=NOW)
        self.comment_list.append(comment)
        return comment

    def update_comment(self, comment_id: int, body: str) -> Comment:
        self._refuse()
        self.edits += 1
        changed = self.comment_list[comment_id - 1].model_copy(update={"body": body})
        self.comment_list[comment_id - 1] = changed
        return changed


@dataclass
class Lines:
    """A progress display that keeps what it was told."""

    said: list[str] = field(default_factory=list)
    shown: list[CleanReport] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def update(self, report: CleanReport) -> None:
        self.shown.append(report)

    def say(self, text: str) -> None:
        self.said.append(text)


def journal(lines: Lines, publisher: Publisher | None = None) -> Journal:
    """A journal of a run on issue 7."""
    report = RunReport(run="1", issue_number=7, issue_title="Add TWO", started_at=NOW, updated_at=NOW)
    return Journal(report, progress=lines, publisher=publisher, redact=REDACT, now=lambda: NOW)
