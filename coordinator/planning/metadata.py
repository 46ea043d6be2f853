"""What an issue itself says about the work: front matter first, then headings and lines, then labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml
from pydantic import Field

from coordinator.models import Frozen
from coordinator.planning.issue_text import Line, plain_lines, split_front_matter
from coordinator.planning.models import Difficulty
from coordinator.planning.values import MOST_TOKENS, is_absent, parse_difficulty, parse_references, parse_tokens, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FRONT_MATTER = "front matter"
SECTION = "section"
LABEL = "label"
MOST_NOTES = 20

_KEYS = {
    "difficulty": "difficulty",
    "context estimate": "estimated_context",
    "estimated context": "estimated_context",
    "estimated context tokens": "estimated_context",
    "agent": "assigned_agent",
    "assigned agent": "assigned_agent",
    "priority": "priority",
    "blocks": "blocks",
    "blocked by": "blocked_by",
    "depends on": "blocked_by",
    "dependencies": "blocked_by",
}
"""What people write, lower case and with spaces, and the field it means."""
_LISTS = ("blocks", "blocked_by")
_ANY_KEY = "|".join(key.replace(" ", "[ _-]") for key in sorted(_KEYS, key=len, reverse=True))
_KEY_LINE = re.compile(rf"^(?P<key>{_ANY_KEY})\s*[:=]\s*(?P<value>.*)$", re.IGNORECASE)
_BARE_LIST_LINE = re.compile(
    r"^(?P<key>blocks|blocked[ _-]by|depends[ _-]on)\s+(?P<value>(?:issues?\s+)?\S*[#!]\d.*)$", re.IGNORECASE
)
_LABEL = re.compile(r"^(?P<key>difficulty|priority|agent)\s*[/:=]+\s*(?P<value>.+)$", re.IGNORECASE)
_WORD = re.compile(r"^(?P<word>[a-z][a-z0-9-]{0,31})[.\s]*(?:[(,].*)?$", re.IGNORECASE)
_HASH_NUMBER = re.compile(r"(?<=[\s\[,])#(\d+)(?=[ \t]*(?:[,\]]|$))", re.MULTILINE)
_LIST_KEY = re.compile(r"^\s*(?:blocks|blocked_by|number)\s*:|^\s*-\s", re.IGNORECASE)


class PartialMetadata(Frozen):
    """What the issue says. A field that it does not mention is None or empty."""

    difficulty: Difficulty | None = None
    estimated_context: int | None = None
    assigned_agent: str | None = None
    priority: str | None = None
    blocks: tuple[int, ...] = ()
    blocked_by: tuple[int, ...] = ()
    foreign: tuple[str, ...] = ()
    """Blockers in other repositories, as ``owner/name#number``."""
    source: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass
class _Found:
    """What has been read so far. The first valid word on a field stands; lists add up: no blocker is lost."""

    repository: str
    difficulty: Difficulty | None = None
    estimated_context: int | None = None
    assigned_agent: str | None = None
    priority: str | None = None
    lists: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in _LISTS})
    foreign: list[str] = field(default_factory=list)
    source: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, name: str, text: str, source: str) -> None:
        """Take one value as text; a bad one becomes a note."""
        if is_absent(text):
            return
        if name in _LISTS:
            self._take_list(name, text, source)
        elif name not in self.source:
            self._take_single(name, text, source)

    def _take_list(self, name: str, text: str, source: str) -> None:
        own, foreign = parse_references(text, self.repository)
        if name == "blocked_by":
            self.foreign += foreign
        else:
            self.notes += [f"{name} {reference} is in another repository and is not watched" for reference in foreign]
        if own:
            self.lists[name] += own
            self.source.setdefault(name, source)
        elif not foreign:
            self.notes.append(f"{name} {_shown(text)} names no issue and is ignored")

    def _take_single(self, name: str, text: str, source: str) -> None:
        value = _SINGLE[name](text)
        if value is None:
            self.notes.append(f"{name} {_shown(text)} is not understood and is ignored")
            return
        setattr(self, name, value)
        self.source[name] = source


def _word(text: str) -> str | None:
    found = _WORD.match(text.strip())
    return found["word"].lower() if found else None


_SINGLE: dict[str, Callable[[str], object | None]] = {
    "difficulty": parse_difficulty,
    "estimated_context": parse_tokens,
    "assigned_agent": _word,
    "priority": _word,
}


def read_metadata(body: str, labels: Sequence[str] = (), *, repository: str = "") -> PartialMetadata:
    """Read what the text and the labels of an issue say. Never raises: what is not understood becomes a note.

    Front matter counts before headings and lines, and those before labels such as ``difficulty/hard``. `repository`
    is the ``owner/name`` of the issue's own, in which ``owner/name#5`` is just ``#5``.
    """
    found = _Found(repository)
    front_matter, text = split_front_matter(body)
    _read_front_matter(front_matter, found)
    _read_lines(plain_lines(text), found)
    _read_labels(labels, found)
    return PartialMetadata(
        difficulty=found.difficulty,
        estimated_context=found.estimated_context,
        assigned_agent=found.assigned_agent,
        priority=found.priority,
        blocks=unique(found.lists["blocks"]),
        blocked_by=unique(found.lists["blocked_by"]),
        foreign=unique(found.foreign),
        source=found.source,
        notes=tuple(found.notes[:MOST_NOTES]),
    )


def _read_front_matter(text: str, found: _Found) -> None:
    if not text:
        return
    try:
        values = yaml.safe_load(_with_plain_numbers(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark else ""
        found.notes.append(f"the front matter is no valid YAML{where} and is ignored")
        return
    if not isinstance(values, dict):
        return
    for key, value in values.items():
        name = _KEYS.get(str(key).strip().lower().replace("_", " ").replace("-", " "))
        if name is not None:
            for item in value if isinstance(value, list) else [value]:
                found.take(name, _as_text(item), FRONT_MATTER)


def _as_text(item: object) -> str:
    if isinstance(item, int) and item > MOST_TOKENS:
        return "a number that is too large"
    return "" if item is None else str(item)


def _with_plain_numbers(text: str) -> str:
    """Take the hash off ``blocked_by: [#9]``: YAML would see a comment, or nothing it could read."""
    lines = (_HASH_NUMBER.sub(r"\1", line) if _LIST_KEY.match(line) else line for line in text.splitlines())
    return "\n".join(lines)


def _read_lines(lines: Iterable[Line], found: _Found) -> None:
    for line in lines:
        keyed = _KEY_LINE.match(line.text) or _BARE_LIST_LINE.match(line.text)
        if keyed:
            found.take(_KEYS[re.sub(r"[_-]", " ", keyed["key"].lower())], keyed["value"], SECTION)
        elif line.section in _KEYS:
            _read_section_line(_KEYS[line.section], line.text, found)


def _read_section_line(name: str, text: str, found: _Found) -> None:
    """Read a line below a heading such as ``Context Estimate``. Only its first line is the value; a list has many."""
    if name not in _LISTS or any(parse_references(text)):
        found.take(name, text, SECTION)


def _read_labels(labels: Sequence[str], found: _Found) -> None:
    for label in labels:
        keyed = _LABEL.match(label.strip())
        if keyed:
            found.take(_KEYS[keyed["key"].lower()], keyed["value"], LABEL)


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else f"{line[:60]}…")  # noqa: PLR2004  (keeps a note on one line)
