"""How Markdown files become issues of the local forge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.forge.issue_file import read_issue_file
from coordinator.forge.local_store import FIRST_PULL_REQUEST, IssueRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from coordinator.forge.issue_file import IssueFile
    from coordinator.forge.local_store import LocalStore


class LocalImports:
    """Takes files over into the folder, and gives them their numbers."""

    def __init__(self, store: LocalStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def look_at(self, file: Path) -> tuple[IssueFile, int]:
        """Return what a file says and the number that it would get; nothing is written.

        Raises `Misconfigured` when the file cannot be an issue, or its number belongs to another one.
        """
        read = read_issue_file(file)
        return read, self._number(read, str(file.resolve()), self._store.issues())

    def take_over(self, file: Path) -> int:
        """Make a file an issue, or the one it was before what it is now; return its number.

        The number is the one that the file gives (`read_issue_file`), else the one it got before, else the next free
        one. Raises the same as `look_at`.
        """
        read, source = read_issue_file(file), str(file.resolve())
        with self._store.locked():
            records = self._store.issues()
            number = self._number(read, source, records)
            for record in records.values():
                if record.source == source and record.number != number:
                    self._store.write_record(record.model_copy(update={"source": None}))
            self._keep(records.get(number), number, source, read)
        return number

    def _number(self, read: IssueFile, source: str, records: Mapping[int, IssueRecord]) -> int:
        number = _number_of(read, source, records)
        self._refuse_taken(records.get(number), number, source, read)
        return number

    def _refuse_taken(self, holder: IssueRecord | None, number: int, source: str, read: IssueFile) -> None:
        """Raise `Misconfigured` when the number belongs to a pull request, or to another file with another text."""
        mend = "Give it another `number:` in its front matter, or another name"
        if self._store.has_pull(number):
            raise Misconfigured(f"number {number} of {source} belongs to a pull request", mend=mend)
        elsewhere = source if holder is None or holder.source is None else holder.source
        if elsewhere != source and Path(elsewhere).exists() and self._store.text(number) != read.text:
            raise Misconfigured(f"number {number} of {source} belongs to {elsewhere}", mend=mend)

    def _keep(self, holder: IssueRecord | None, number: int, source: str, read: IssueFile) -> None:
        now = self._now()
        unchanged = holder is not None and holder.title == read.title and self._store.text(number) == read.text
        record = IssueRecord(
            number=number,
            title=read.title,
            state=holder.state if holder else "open",
            labels=holder.labels if holder else (),
            source=source,
            created_at=holder.created_at if holder else now,
            updated_at=holder.updated_at if holder and unchanged else now,
        )
        self._store.write_issue(record, read.text)


def _number_of(read: IssueFile, source: str, records: Mapping[int, IssueRecord]) -> int:
    """Return the file's own number, else the one it got before, else the one after the highest of the issues.

    Numbers from a pull request's on were given by name, and nothing follows them.
    """
    before = next((record.number for record in records.values() if record.source == source), None)
    highest = max((number for number in records if number < FIRST_PULL_REQUEST - 1), default=0)
    return read.number or before or highest + 1
