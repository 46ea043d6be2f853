"""The message of a commit: the agent's own words, so that nobody but people does anything because of them.

Forges and their runners act on words in commit messages: they close issues, notify people, credit authors, skip checks
(GitHub Docs, "Linking a pull request to an issue" and "Skipping workflow runs"; Gitea, ``SKIP_WORKFLOW_STRINGS``). The
agent's words come out readable, and without those effects.
"""

from __future__ import annotations

import re
import unicodedata

SUBJECT_CHARACTERS = 72
BODY_CHARACTERS = 4000

_TRAILER_LINE = re.compile(
    r"^[ \t>*-]*(?:[a-z0-9]+(?:-[a-z0-9]+)*-(?:by|checks?|id|of|on|to)|issue|cc)[ \t]*[:=].*$",
    re.IGNORECASE | re.MULTILINE,
)
_SWITCH = re.compile(r"\[([^\[\]\n]*\b(?:skip|no|ci)\b[^\[\]\n]*)\]", re.IGNORECASE)
_STARRED_SWITCH = re.compile(r"\*+(NO_CI)\*+", re.IGNORECASE)
_REFERENCE = re.compile(r"(?:(?<!\w)GH-|[#!])(?=\d)", re.IGNORECASE)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)
_SPACES = re.compile(r"(?<=\S) {2,}(?=no\. \d)")
_BLANK_LINES = re.compile(r"\n{3,}")


def inert(text: str) -> str:
    """Return a text in which no forge finds a command, a mention, a reference, an address or a trailer."""
    text = _printable(text)
    text = _SCHEME.sub("", text)
    text = _TRAILER_LINE.sub("", text)
    text = _SWITCH.sub(r"(\1)", text)
    text = _STARRED_SWITCH.sub(r"\1", text)
    text = _REFERENCE.sub(" no. ", text)
    text = _MENTION.sub("@ ", text)
    return _BLANK_LINES.sub("\n\n", _SPACES.sub(" ", text)).strip()


def commit_message(summary: str, *, issue: int) -> str:
    """Return subject, body and the trailer ``Issue: #N`` made from what the agent said about its work."""
    subject, _, body = inert(summary).partition("\n")
    subject = " ".join(subject.split()) or f"Work on issue {issue}"
    if len(subject) > SUBJECT_CHARACTERS:
        body = f"{subject}\n\n{body}"
        subject = subject[: SUBJECT_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"
    paragraphs = [subject, body.strip()[:BODY_CHARACTERS].strip(), f"Issue: #{issue}"]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _printable(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join("".join(filter(_shows, line.expandtabs(4))) for line in lines)


def _shows(character: str) -> bool:
    return character == " " or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
