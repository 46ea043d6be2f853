"""Single values as people write them in issues: token counts, difficulties, references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from coordinator.planning.models import Difficulty

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

MOST_TOKENS = 100_000_000
"""A larger estimate is a slip of the pen: a hundred times the largest window there is."""
MOST_REFERENCES = 100
MOST_VALUE = 100
"""Characters of an amount that are looked at."""

_ABSENT = frozenset({"", "-", "none", "no response", "n/a", "na", "nothing", "nobody", "unknown", "tbd", "?", "null"})
_NUMBER = r"(?:\d{1,3}(?:[,. _\u00a0\u202f]\d{3})+|\d+(?:\.\d+)?|\.\d+)"
_AMOUNT = re.compile(
    rf"^[\s~≈<≤=]*(?:about|around|approx\.?|circa|ca\.?|up to|roughly)?[\s~≈<≤=]*"
    rf"(?P<first>{_NUMBER})\s*(?P<first_unit>[km])?"
    rf"(?:\s*(?:-|–|to)\s*(?P<second>{_NUMBER})\s*(?P<second_unit>[km])?)?"  # noqa: RUF001  (people write the long dash)
    rf"\s*(?:tokens?\b.*|of context.*|\(.*)?\.?$",
    re.IGNORECASE,
)
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_GROUPED = re.compile(r"^\d{1,3}(?:[,. _\u00a0\u202f]\d{3})+$")
_REFERENCE = re.compile(r"(?<![\w/.-])(?:(?P<foreign>[\w.-]+/[\w.-]+)[#!]|[#!]|GH-)?(?P<number>\d{1,18})(?![\w.]\w)\b")
_LEADING_WORDS = re.compile(r"^(?:(?:issues?|tickets?|prs?|and|or|on)\b|[\s,;&+:])+", re.IGNORECASE)


def is_absent(text: str) -> bool:
    """Whether the text is one of the ways to leave a field empty, such as ``_No response_`` of an issue form."""
    return text.strip(" _*.`\t").lower() in _ABSENT


def parse_tokens(text: str) -> int | None:
    """Read a number of tokens: ``35000``, ``~ 35k tokens``, ``35,000``, ``35 000``, ``0.2M``, ``30-40k`` (40k)."""
    found = _AMOUNT.match(text.strip()[:MOST_VALUE])
    if found is None:
        return None
    amounts = [_amount(found["first"], found["first_unit"] or found["second_unit"])]
    if found["second"]:
        amounts.append(_amount(found["second"], found["second_unit"]))
    tokens = round(max(amounts))
    return tokens if 0 < tokens <= MOST_TOKENS else None


def _amount(digits: str, unit: str | None) -> float:
    plain = re.sub(r"\D", "", digits) if _GROUPED.match(digits) else digits
    return float(plain) * _UNITS[(unit or "").lower()]


def parse_difficulty(text: str) -> Difficulty | None:
    """Read a difficulty; what follows the word, in brackets or behind a dash, does not matter."""
    word = re.match(r"[a-z]+", text.strip().lower())
    try:
        return Difficulty(word[0]) if word else None
    except ValueError:
        return None


def parse_references(text: str, repository: str = "") -> tuple[list[int], list[str]]:
    """Read the list of issues at the start of a text: numbers of this repository, and ``owner/name#5`` of others.

    The list ends at the first other word, so that ``#9 because #8 was odd`` names only 9. `repository` is the
    ``owner/name`` of this one; forges take such names without regard to case.
    """
    own: list[int] = []
    foreign: list[str] = []
    rest = _LEADING_WORDS.sub("", text)
    while (found := _REFERENCE.match(rest)) and len(own) + len(foreign) < MOST_REFERENCES:
        if found["foreign"] and found["foreign"].casefold() != repository.casefold():
            foreign.append(f"{found['foreign']}#{found['number']}")
        else:
            own.append(int(found["number"]))
        rest = _LEADING_WORDS.sub("", rest[found.end() :])
    return own, foreign


def unique(values: Iterable[T]) -> tuple[T, ...]:
    """Return the values once each, in the order of their first appearance."""
    return tuple(dict.fromkeys(values))
