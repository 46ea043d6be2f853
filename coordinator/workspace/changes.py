"""What a run may change at most, and what became of the rest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.workspace.objects import LINK
from coordinator.workspace.paths import folded, is_protected, link_stays_inside, refusal_of_name, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEGABYTE = 1024 * 1024
_LINES_SHOWN = 100
_SHA1_DIGITS = 40
_BINARY_PROBE = 8000
"""So many bytes git itself looks at for a NUL (xdiff-interface.c, `buffer_is_binary`)."""


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """Bounds of one candidate. What goes beyond one is left out and listed."""

    files: int = 5000
    """Changed files, added and deleted ones included."""
    total_bytes: int = 50 * _MEGABYTE
    """Content of all changed files."""
    file_bytes: int = 10 * _MEGABYTE
    binary_bytes: int = _MEGABYTE
    """Of one file that is no text."""
    line_bytes: int = 1_000_000
    """Of one line of a text."""
    new_entries: int = 100_000
    """Untracked names that are looked at."""
    depth: int = 64
    """Folders above an untracked file."""


DEFAULT_LIMITS = ChangeLimits()


@dataclass(frozen=True, slots=True)
class Change:
    """One path whose content is to differ from the commit before."""

    path: str
    mode: str | None
    """Six octal digits, or None for a deletion."""
    object_id: str = ""
    data: bytes = b""


@dataclass(slots=True)
class Notes:
    """What does not get into the commit, one line each; after a hundred lines only counted."""

    _refused: list[str] = field(default_factory=list)
    _left_out: list[str] = field(default_factory=list)

    def refuse(self, path: str, reason: str) -> None:
        """Take note of a change that may not be made."""
        self._refused.append(f"{shown(path)}: {reason}")

    def leave_out(self, path: str, reason: str) -> None:
        """Take note of a new file that does not count as work."""
        self._left_out.append(f"{shown(path)}: {reason}")

    @property
    def refused(self) -> tuple[str, ...]:
        """The refused changes, sorted."""
        return _bounded(self._refused)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The files that do not count, sorted."""
        return _bounded(self._left_out)


def _bounded(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - _LINES_SHOWN
    return (*sorted(lines)[:_LINES_SHOWN], *([f"and {more} more"] if more > 0 else []))


def hasher(size: int, like: str) -> hashlib._Hash:
    """Start the id that git gives to `size` bytes of file content, in the hash function of another object id."""
    function = "sha1" if len(like) == _SHA1_DIGITS else "sha256"
    return hashlib.new(function, f"blob {size}\0".encode(), usedforsecurity=False)


def object_id(data: bytes, like: str) -> str:
    """Return the id that git gives to a file's content or a link's target."""
    digest = hasher(len(data), like)
    digest.update(data)
    return digest.hexdigest()


def refusal(change: Change, protected: Sequence[str], limits: ChangeLimits) -> str | None:
    """Say why a change may not be made, judging its path and its content; None when it may."""
    if is_protected(change.path, protected):
        return "protected: no run may change it"
    return refusal_of_name(change.path) or _refusal_of_content(change, limits)


def _refusal_of_content(change: Change, limits: ChangeLimits) -> str | None:
    if change.mode is None:
        return None
    if change.mode == LINK:
        return _refusal_of_link(change)
    size = len(change.data)
    if b"\0" in change.data[:_BINARY_PROBE]:
        return too_large(size, limits.binary_bytes, "a binary file of ") if size > limits.binary_bytes else None
    if size >= limits.line_bytes and max(map(len, change.data.split(b"\n"))) >= limits.line_bytes:
        return f"a line of {limits.line_bytes} bytes or more"
    return None


def _refusal_of_link(change: Change) -> str | None:
    if folded(change.path.rpartition("/")[2]).startswith(".git"):
        return "a file of git's cannot be a symbolic link"
    if not link_stays_inside(change.path, change.data):
        return "a symbolic link that leads out of the repository"
    return None


def too_large(size: int, limit: int, what: str = "") -> str:
    """Say that something has more bytes than allowed."""
    return f"{what}{size} bytes, more than the {limit} allowed"


class Totals:
    """Counts accepted changes against the bounds of the whole."""

    def __init__(self, limits: ChangeLimits) -> None:
        self._limits = limits
        self._files = 0
        self._bytes = 0

    def refusal(self, change: Change) -> str | None:
        """Say why there is no room for one more change; None, and count it, when there is."""
        if self._files + 1 > self._limits.files:
            return f"more than {self._limits.files} changed files"
        if self._bytes + len(change.data) > self._limits.total_bytes:
            return f"more than {self._limits.total_bytes} bytes of change altogether"
        self._files += 1
        self._bytes += len(change.data)
        return None
