"""Text that others wrote, as a person sees it on the forge: what a page hides is not shown to the model either.

Hidden text is how instructions are smuggled past the maintainer who assigns an issue: HTML comments, characters without
width, text in the Unicode tag block, bidirectional overrides.
"""

from __future__ import annotations

import re
import secrets
import unicodedata

HIDDEN_NOTE = "[hidden text removed]"

_COMMENT_MARK = re.compile(r"(?P<open>(?:<|&lt;|&#0*60;|&#x0*3c;)!--)|--!?(?:>|&gt;|&#0*62;|&#x0*3e;)", re.IGNORECASE)
_UNSHOWN_REFERENCE = re.compile(r"^[ ]{0,3}\[(?://|comment)\]:.*$", re.IGNORECASE | re.MULTILINE)
"""Link definitions used as comments: Markdown shows nothing of them."""
_OUR_WORDS = re.compile(
    r"<(?=\s{0,4}/?\s{0,4}(?:data-|data\b|system|issue|instructions|assistant|user|human|tool))", re.IGNORECASE
)
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co"})
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\u2800\U000e0000-\U000e0fff]"
)
"""Invisible, though Unicode counts them as letters, marks, symbols or as not assigned: fillers, joiners, variation
selectors, the blank Braille pattern, the tag block and what follows it."""


def visible(text: str) -> str:
    """Return what a reader sees, with tags that mimic the frame of a prompt made inert."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _without_comments(_without_invisible(text))
    text = _UNSHOWN_REFERENCE.sub(HIDDEN_NOTE, text)
    return _OUR_WORDS.sub("&lt;", text)


def inert(text: str) -> str:
    """Return a text that is shown whole, as code has to be, with tags that mimic the frame of a prompt made inert."""
    return _OUR_WORDS.sub("&lt;", _without_invisible(text))


class Fence:
    """Lines around foreign text that the text itself cannot contain, as its authors cannot know the word in them."""

    def __init__(self, nonce: str = "") -> None:
        self._nonce = nonce or secrets.token_hex(8)

    def around(self, kind: str, text: str) -> str:
        """Return the text between the two lines. `kind` is a word of ours that says what it is."""
        return f"<data-{self._nonce} kind={kind}>\n{text.replace(self._nonce, '…')}\n</data-{self._nonce}>"


def bounded(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, and say that something is missing."""
    return text if len(text) <= limit else f"{text[:limit]}\n[… {len(text) - limit} characters left out …]"


def _without_invisible(text: str) -> str:
    text = _INVISIBLE.sub("", text)
    return "".join(
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character) not in _INVISIBLE_CATEGORIES
    )


def _without_comments(text: str) -> str:
    """Remove HTML comments, nested ones whole; one that is not closed hides everything after it."""
    kept: list[str] = []
    depth = start = 0
    for mark in _COMMENT_MARK.finditer(text):
        if mark["open"]:
            if depth == 0:
                kept += [text[start : mark.start()], HIDDEN_NOTE]
            depth += 1
        elif depth:
            depth -= 1
            start = mark.end()
    if depth == 0:
        kept.append(text[start:])
    return "".join(kept)
