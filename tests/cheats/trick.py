"""One way to look green without doing the work, and what has to be said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Caught:
    """What one gate has to say."""

    gate: str
    state: str
    """``failed``, ``attention`` or ``error``: of the gate, or of integrity's finding."""
    word: str
    """Kind of the finding of integrity; of another gate a part of its message."""


@dataclass(frozen=True)
class Trick:
    """A change to the project."""

    name: str
    files: Mapping[str, str | bytes]
    caught: tuple[Caught, ...]
    """All of this has to be said."""
    removed: tuple[str, ...] = ()


def looked_at(*kinds: str) -> tuple[Caught, ...]:
    """Integrity demands a person's look because of findings of these kinds."""
    return tuple(Caught("integrity", "attention", kind) for kind in kinds)


def proven(kind: str) -> tuple[Caught, ...]:
    """Integrity has proven a fault."""
    return (Caught("integrity", "failed", kind),)


def failed(gate: str, word: str) -> tuple[Caught, ...]:
    """A gate found the hidden fault all the same."""
    return (Caught(gate, "failed", word),)


def broke(gate: str, word: str) -> tuple[Caught, ...]:
    """A gate could not be judged, and says so."""
    return (Caught(gate, "error", word),)
