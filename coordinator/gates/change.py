"""What a change is about: the files that differ between base and head as committed, and their new lines."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from coordinator.gates.files import TEXT_LIMIT, files_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_PAIRS = 100_000
"""Pairs of equal lines that are aligned at most: `difflib` walks through all of them for each block that it finds.
Past that, all lines between the common start and the common end count as new."""


@dataclass(frozen=True)
class FileChange:
    """One path whose bytes differ. A symbolic link's bytes are its target, as git keeps them."""

    path: str
    """Relative to the checkout, ``/``-separated."""
    before: bytes | None
    """None when the base does not have the file; cut at `TEXT_LIMIT`."""
    after: bytes | None
    """None when the head does not have it; cut at `TEXT_LIMIT`."""
    is_complete: bool = True
    """False when one of the two was cut."""
    is_link: bool = False
    """Whether the head has a symbolic link there."""

    @cached_property
    def added_lines(self) -> frozenset[int]:
        """The lines of `after` that are new or changed, 1-based, as Python counts lines."""
        return frozenset(_added((self.before or b"").splitlines(), (self.after or b"").splitlines()))


@dataclass(frozen=True, slots=True)
class Change:
    """Every path whose bytes differ between base and head, before the base's rules are put in."""

    files: Mapping[str, FileChange] = field(default_factory=dict)

    def added_lines(self, path: str) -> frozenset[int]:
        """Return the new or changed lines of a file; of one that was moved here, against what it was before.

        A new file was moved when at least half of its lines stood in one that is gone, of the same name or folder.
        """
        file = self.files[path]
        if file.before is not None or not file.after:
            return file.added_lines
        lines = Counter(file.after.splitlines())
        shared = ((sum((lines & Counter(gone.splitlines())).values()), gone) for gone in self._gone_beside(path))
        number, origin = max(shared, default=(0, b""))
        return replace(file, before=origin).added_lines if 2 * number >= lines.total() else file.added_lines

    def _gone_beside(self, path: str) -> Iterator[bytes]:
        """Yield what the files held that are gone and have the name of this one, or stood in its folder."""
        place = PurePosixPath(path)
        for gone in self.files.values():
            old = PurePosixPath(gone.path)
            if gone.after is None and gone.before and (old.name == place.name or old.parent == place.parent):
                yield gone.before


NO_CHANGE = Change(MappingProxyType({}))


def change_between(base: Path, head: Path) -> Change:
    """Compare two exports that nothing else writes to."""
    names = sorted({name for folder in (base, head) for name in _names(folder)})
    changes = (_compare(base, head, name) for name in names)
    return Change(MappingProxyType({change.path: change for change in changes if change is not None}))


def _names(folder: Path) -> Iterator[str]:
    """Yield the regular files and the symbolic links of an export."""
    yield from files_below(folder)
    for parent, folders, files in os.walk(folder, followlinks=False):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                yield path.relative_to(folder).as_posix()


def _compare(base: Path, head: Path, name: str) -> FileChange | None:
    before, after = _content(base / name), _content(head / name)
    if before == after and (base / name).is_symlink() == (head / name).is_symlink() and _same(base / name, head / name):
        return None
    complete = all(data is None or len(data) <= TEXT_LIMIT for data in (before, after))
    link = (head / name).is_symlink()
    return FileChange(name, _cut(before), _cut(after), complete, link)


def _content(path: Path) -> bytes | None:
    """Return at most one byte more than the limit; None when there is neither a file nor a link."""
    if path.is_symlink():
        return os.fsencode(path.readlink())
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(TEXT_LIMIT + 1)


def _cut(data: bytes | None) -> bytes | None:
    return None if data is None else data[:TEXT_LIMIT]


def _same(before: Path, after: Path) -> bool:
    """Compare the rest of two files that begin alike."""
    if before.is_symlink() or not before.is_file() or not after.is_file():
        return True
    if before.stat().st_size != after.stat().st_size:
        return False
    with before.open("rb") as one, after.open("rb") as other:
        while chunk := one.read(TEXT_LIMIT):
            if chunk != other.read(TEXT_LIMIT):
                return False
    return True


def _added(before: Sequence[bytes], after: Sequence[bytes]) -> Iterator[int]:
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    olds, news = Counter(old), Counter(new)
    if sum(count * news[line] for line, count in olds.items()) > MOST_PAIRS:
        yield from range(start + 1, start + len(new) + 1)
        return
    for tag, _, _, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in {"insert", "replace"}:
            yield from range(start + first + 1, start + last + 1)


def _common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    """Return how many elements two sequences have in common at the start."""
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
