"""Text that somebody else wrote, made safe to keep, to compare and to name in a message."""

from __future__ import annotations

import re
from string import ascii_lowercase, ascii_uppercase

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ASCII_FOLD = str.maketrans(ascii_uppercase, ascii_lowercase)


def clean(text: str) -> str:
    """Replace NUL and lone surrogates, which JSON may carry and UTF-8, git and argument lists may not."""
    return _UNSTORABLE.sub("\ufffd", text)


def fold(name: str) -> str:
    """Lower the ASCII letters of a login or a label, and nothing else: no look-alike becomes another name.

    Logins are unique without regard to case on Gitea, Forgejo and GitHub, and so are GitHub's labels. Gitea compares
    labels exactly and lets ``Agent`` stand beside ``agent``; both count here, because a label starts nothing that the
    account which put it there might not start anyway.
    """
    return name.translate(_ASCII_FOLD)


def one_line(text: str, *, limit: int = 80) -> str:
    """Make foreign text fit to be named in a message: printable, one line, at most `limit` characters."""
    line = "".join(character if character.isprintable() else "?" for character in text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
