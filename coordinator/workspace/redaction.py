"""Taking secrets out of what git says."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_SHORTEST_SECRET = 6
"""Shorter pieces are words like ``token`` or ``x``, not secrets."""


def redacted(text: str, secrets: Sequence[str]) -> str:
    """Take user information of addresses and every form of the secrets out of a text."""
    for form in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        text = text.replace(form, "***")
    return _USERINFO.sub("***@", text)


def _forms(secret: str) -> Iterator[str]:
    """Yield a header value, its words, and the user and password inside a Basic one."""
    for word in (secret, *secret.split()):
        for form in (word, *_basic_parts(word)):
            if len(form) >= _SHORTEST_SECRET:
                yield form


def _basic_parts(word: str) -> Sequence[str]:
    try:
        return base64.b64decode(word, validate=True).decode().split(":")
    except (binascii.Error, UnicodeDecodeError):
        return ()
