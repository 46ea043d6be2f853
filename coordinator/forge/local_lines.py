"""Comments on lines of a local pull request: one file for each pull request that has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.forge.local_files import read_json, write_json
from coordinator.forge.models import Account, LineComment, LineNote
from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coordinator.forge.local_store import LocalStore


class StoredLine(Frozen):
    """One comment, and for which commit it was made."""

    id: int
    author: Account
    commit: str
    note: LineNote


class StoredLines(Frozen):
    """All comments on lines of one pull request, oldest first."""

    last: int = 0
    """The highest id that was ever given: none comes twice."""
    comments: tuple[StoredLine, ...] = ()


class LocalLines:
    """The comments on lines in the folder."""

    def __init__(self, store: LocalStore, user: Account) -> None:
        self._store = store
        self._user = user

    def comments(self, number: int) -> tuple[LineComment, ...]:
        """Return all of them."""
        return tuple(
            LineComment(id=one.id, author=one.author, path=one.note.path, body=one.note.body)
            for one in self._read(number).comments
        )

    def add(self, number: int, commit: str, notes: Sequence[LineNote]) -> None:
        """Write the notes."""
        with self._store.locked():
            before = self._read(number)
            fresh = tuple(
                StoredLine(id=identity, author=self._user, commit=commit, note=note)
                for identity, note in enumerate(notes, before.last + 1)
            )
            if fresh:
                self._write(number, StoredLines(last=fresh[-1].id, comments=(*before.comments, *fresh)))

    def remove(self, number: int, comment: LineComment) -> None:
        """Take one away."""
        with self._store.locked():
            before = self._read(number)
            kept = tuple(one for one in before.comments if one.id != comment.id)
            if kept != before.comments:
                self._write(number, before.model_copy(update={"comments": kept}))

    def _read(self, number: int) -> StoredLines:
        self._store.pull(number)
        path = self._path(number)
        return read_json(path, StoredLines) if path.exists() else StoredLines()

    def _write(self, number: int, lines: StoredLines) -> None:
        write_json(self._path(number), lines)

    def _path(self, number: int) -> Path:
        return self._store.folder / "lines" / f"{number}.json"
