"""The parts of an issue's text that say something about the work, without what is quoted, hidden or an example."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FRONT_MATTER_LIMIT = 16 * 1024
"""Characters. A longer block is no front matter."""
TEXT_LIMIT = 256 * 1024
"""Characters of a body that are looked at. Gitea and GitHub allow 64 Ki and more; the rest is attachments and logs."""

_FENCE = re.compile(r"^\s*(?:[-*+>]\s+)*(?P<fence>`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(?P<title>.+)$")
_BULLET = re.compile(r"^\s*(?:[-*+]\s+|\d{1,3}[.)]\s+)?(?:\[[ xX]\]\s+)?")
_DECORATION = re.compile(r"\*{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w)|`+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the text, bare of bullets and emphasis, and the heading it stands under."""

    section: str
    """Lower-case title of the nearest heading above; empty before the first."""
    text: str


def split_front_matter(body: str) -> tuple[str, str]:
    """Return the YAML between two ``---`` lines at the very start (empty when there is none), and the rest."""
    text = body.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.startswith("---\n"):
        return "", text
    end = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE).search(text, 4)
    if end is None or end.start() > FRONT_MATTER_LIMIT:
        return "", text
    return text[4 : end.start()], text[end.end() :].removeprefix("\n")


def plain_lines(body: str) -> list[Line]:
    """Return the lines that count: not in code fences, quotes or HTML comments (an unclosed one hides the rest)."""
    lines = []
    section = ""
    for line in _visible_lines(body[:TEXT_LIMIT]):
        heading = _HEADING.match(line)
        if heading:
            section = undecorated(heading["title"]).rstrip("# :").lower()
        elif line.strip() and not line.lstrip().startswith(">"):
            lines.append(Line(section, undecorated(_BULLET.sub("", line, count=1))))
    return lines


def undecorated(text: str) -> str:
    """Return the text without Markdown emphasis and code marks; an underscore inside a word stays."""
    return " ".join(_DECORATION.sub("", text).split())


def _visible_lines(text: str) -> Iterator[str]:
    fence = ""
    hidden = False
    for line in text.splitlines():
        if fence:
            fence = "" if _closes(line, fence) else fence
            continue
        shown, hidden = _outside_comments(line, hidden=hidden)
        opening = _FENCE.match(shown)
        if opening and not hidden:
            fence = opening["fence"]
        else:
            yield shown


def _closes(line: str, fence: str) -> bool:
    bare = line.strip().lstrip("> ")
    return len(bare) >= len(fence) and set(bare) == {fence[0]}


def _outside_comments(line: str, *, hidden: bool) -> tuple[str, bool]:
    """Return what of a line stands outside ``<!-- -->``, and whether a comment is still open behind it."""
    shown = []
    rest = line
    while rest:
        before, mark, rest = rest.partition("-->" if hidden else "<!--")
        if not hidden:
            shown.append(before)
        if mark:
            hidden = not hidden
    return "".join(shown), hidden
