"""Foreign text made inert: it can be read, and it does nothing.

Gitea and GitHub act on what stands in a comment or a pull request: they notify ``@names``, link and close ``#9``,
load images, render HTML, and bots obey lines such as ``/approve``. Text of a model, of a person or of a tool that we
pass on keeps its words and loses these powers. Characters with a meaning become numeric entities, which CommonMark
never reads as structure (section 2.5, "Entity and numeric character references"); what a forge would link goes into
code marks, where neither forge looks for references (Gitea: ``modules/markup/mdstripper``).
"""

from __future__ import annotations

import re

_ESCAPE_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""Control, zero-width, bidirectional, filler, tag and variation characters: nobody sees them, programs do."""

_LIVE = re.compile(
    r"`(?P<code>[^`]{1,200})`"
    r"|(?P<live>[A-Za-z][\w+.-]{0,30}://\S+|www\.\S+"
    r"|[\w.+-]{0,64}@[\w./-]+"
    r"|[\w./-]{0,140}[#!]\d+"
    r"|\b(?:GH|[A-Z][A-Z0-9]{1,9})-\d+\b"
    r"|\b[0-9a-f]{7,64}\b)"
)
"""Code marks, and what a forge links: addresses, mentions and mail, references to issues, tickets and commits."""
_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "&<>*~$|\\[]"} | {ord("`"): "'"}
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_BULLET = re.compile(r"(?:(?P<bullet>[-*+])|(?P<number>\d{1,3})[.)])\s+(?=\S)")
_BLOCK_START = re.compile(r"[#+=/:-]|\d+[.)](?:\s|$)")
_FENCE_LINE = re.compile(r"\s*(?:`{3,}|~{3,})[^`]*$")
_TITLE_LIVE = re.compile(r"(://|[#!@]|\bGH-)(?=\w)")


def visible(text: str) -> str:
    """Return the text without hidden characters and terminal sequences; line ends become newlines."""
    text = _LINE_ENDS.sub("\n", _ESCAPE_SEQUENCES.sub("", text))
    return HIDDEN.sub("", _SURROGATES.sub("\ufffd", text))


def one_line(text: str, limit: int) -> str:
    """Return the text as one visible line of at most `limit` characters. Not inert: for plain text only."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def inert_line(text: str, limit: int) -> str:
    """Return one line of inert Markdown, for a sentence or a list item. `limit` counts the source."""
    return _guarded(one_line(text, limit))


def inert_cell(text: str, limit: int) -> str:
    """Return one line of inert Markdown for a table cell, where a bar would end the cell even in code marks."""
    return inert_line(text, limit).replace("|", r"\|")


def inert_block(text: str, limit: int) -> str:
    """Return the text as an inert quotation of several lines. Simple lists and code marks stay what they are."""
    cut = visible(text).strip()
    if len(cut) > limit:
        cut = f"{cut[:limit].rstrip()} … (cut)"
    lines = (_inert_list_item(line) for line in cut.split("\n") if not _FENCE_LINE.match(line))
    return "\n".join(f"> {line}".rstrip() for line in lines)


def inert_title(text: str, limit: int) -> str:
    """Return a plain-text title that names nobody and closes nothing: ``@x`` and ``#9`` get a gap."""
    return one_line(_TITLE_LIVE.sub(r"\1 ", one_line(text, limit)), limit)


def fenced(text: str, language: str = "text") -> str:
    """Return the text in a code fence that it cannot break out of."""
    shown = visible(text).rstrip()
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def code(text: str) -> str:
    """Return the text in code marks."""
    bare = " ".join(text.replace("`", "'").split())
    return f"`{bare}`" if bare else ""


def link(text: str, url: str) -> str:
    """Return a Markdown link where the address is a plain web address, else the text alone. `text` is ours."""
    return f"[{text}]({url})" if is_web_address(url) else text


def is_web_address(url: str) -> bool:
    """Whether the address can stand in a link: http or https, and nothing that could end the link."""
    return re.fullmatch(r"https?://[^\s()<>\[\]\"'`\\]{1,2000}", url) is not None


def _inert_list_item(line: str) -> str:
    bare = line.strip()
    bullet = _BULLET.match(bare)
    if not bullet:
        return _guarded(bare)
    mark = "-" if bullet["bullet"] else f"{int(bullet['number'])}."
    return f"{mark} {_guarded(bare[bullet.end() :])}"


def _guarded(line: str) -> str:
    """Return the line inert, also where its beginning would start a block or be a command."""
    if _BLOCK_START.match(line) and not _LIVE.match(line):
        return f"&#{ord(line[0])};{_inert(line[1:])}"
    return _inert(line)


def _inert(text: str) -> str:
    parts: list[str] = []
    position = 0
    for match in _LIVE.finditer(text):
        parts.append(_escaped(text[position : match.start()]))
        marked = code(match["code"] or match["live"])
        parts.append(f" {marked}" if marked and parts[-1] == "" and len(parts) > 1 else marked)
        position = match.end()
    parts.append(_escaped(text[position:]))
    return "".join(parts)


def _escaped(text: str) -> str:
    return _EMPHASIS.sub("&#95;", text.translate(_ENTITIES))
