"""What of a change is more than before: counted per file and kind, with what was only moved taken out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing that counts, at one line."""

    kind: str
    text: str
    """By this it is known again in another file: the line without its indentation, or the code of a rule."""
    line: int
    weight: int = 1
    """How many it counts for: a comment that silences three rules counts for three."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What one file has more of one kind."""

    path: str
    kind: str
    number: int
    lines: tuple[int, ...]
    """Where the new ones stand, 1-based, ascending."""


def growth(before: Mapping[str, Sequence[Occurrence]], after: Mapping[str, Sequence[Occurrence]]) -> tuple[Growth, ...]:
    """Return what there is more of, per file and kind, sorted.

    A file has more of a kind only where its number has grown: a line that was reworded is no new one. What another file
    has lost word for word, and this one has won, was moved.
    """
    gone = _gone(before, after)
    found: list[Growth] = []
    for path in sorted(after):
        for kind in sorted({each.kind for each in after[path]}):
            grown = _weight(after[path], kind) - _weight(before.get(path, ()), kind)
            fresh = _fresh(after[path], before.get(path, ()), kind, gone)
            number = min(grown, sum(each.weight for each in fresh))
            if number > 0:
                found.append(Growth(path, kind, number, tuple(sorted({each.line for each in fresh}))))
    return tuple(found)


def _gone(
    before: Mapping[str, Sequence[Occurrence]], after: Mapping[str, Sequence[Occurrence]]
) -> Counter[tuple[str, str]]:
    """Return what files have lost."""
    lost: Counter[tuple[str, str]] = Counter()
    for path, old in before.items():
        lost += _keys(old) - _keys(after.get(path, ()))
    return lost


def _fresh(
    after: Sequence[Occurrence], before: Sequence[Occurrence], kind: str, gone: Counter[tuple[str, str]]
) -> list[Occurrence]:
    """Return the occurrences that neither this file had nor another one has lost; what was moved here is used up."""
    had = _keys(before)
    fresh = []
    for each in (each for each in after if each.kind == kind):
        key = (each.kind, each.text)
        if had[key]:
            had[key] -= 1
        elif gone[key]:
            gone[key] -= 1
        else:
            fresh.append(each)
    return fresh


def _keys(occurrences: Sequence[Occurrence]) -> Counter[tuple[str, str]]:
    return Counter((each.kind, each.text) for each in occurrences)


def _weight(occurrences: Sequence[Occurrence], kind: str) -> int:
    return sum(each.weight for each in occurrences if each.kind == kind)
