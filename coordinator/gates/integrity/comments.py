"""What the comments of a source silence, read as mypy, ruff and coverage read them."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from coordinator.gates.integrity.growth import Occurrence
from coordinator.gates.integrity.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.gates.integrity.sources import Source

SILENCING = (
    (Kind.TYPE_IGNORE, re.compile(r"#\s*type:\s*ignore\b(?:\s*\[(?P<codes>[^\]#]*)\])?")),
    (Kind.NOQA, re.compile(r"#\s*noqa\b(?:\s*:(?P<codes>[^#]*))?", re.IGNORECASE)),
    (Kind.RUFF_COMMENT, re.compile(r"#\s*(?:ruff|flake8|isort)\s*:(?:\s*noqa\s*:(?P<codes>[^#]*))?", re.IGNORECASE)),
)
"""Comments that may name what they silence (mypy: "Error codes", ruff: "Error suppression"). No pattern runs past the
next ``#``: a line of a million of them is looked at once."""

RULE = re.compile(r"[A-Za-z]+[0-9]+")
TYPE_COMMENT = re.compile(r"#\s*type:(?!\s*ignore\b)")
ANY = re.compile(r"\bAny\b")
MYPY_LINE = re.compile(r"#\s*mypy\s*:")
"""At the very start of a line, inside a string too: ``mypy.util.get_mypy_comments`` looks at lines, not at tokens."""

PRAGMA = re.compile(r"#\s*(?:pragma\b|no\W?cov)", re.IGNORECASE)
"""coverage looks at lines too, and so sees a pragma in a string (``coverage.config.DEFAULT_EXCLUDE``)."""


def silenced(source: Source) -> Iterator[Occurrence]:
    """Yield what the comments silence. One that names nothing counts beside as ``kind:bare``: it silences more."""
    for number, comment in source.comments:
        for kind, pattern in SILENCING:
            for match in pattern.finditer(comment):
                yield from _matched(source, kind, number, match["codes"])
        if TYPE_COMMENT.match(comment) and ANY.search(comment):
            yield Occurrence(Kind.ANY, source.line(number), number)
    for number, line in enumerate(source.lines, 1):
        if MYPY_LINE.match(line):
            yield Occurrence(Kind.MYPY_COMMENT, line.strip(), number)
        if PRAGMA.search(line):
            yield Occurrence(Kind.PRAGMA, line.strip(), number)


def _matched(source: Source, kind: Kind, number: int, codes: str | None) -> Iterator[Occurrence]:
    named = _named(kind, codes or "")
    yield Occurrence(kind, source.line(number), number, weight=max(len(named), 1))
    if not named:
        yield Occurrence(f"{kind}:bare", source.line(number), number)


def _named(kind: Kind, codes: str) -> list[str]:
    """Return the codes at the start of a list; behind them a reason may stand."""
    words = [word for word in re.split(r"[,\s]+", codes) if word]
    if kind is Kind.TYPE_IGNORE:
        return words
    return list(takewhile(RULE.fullmatch, words))
