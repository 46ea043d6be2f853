"""Taking secrets out of everything that leaves the process.

A runner masks the exact value at most, line by line; base64, hexadecimal and reversed forms of a token came through
a Gitea runner in clear. This is the net below the real control, which is that no confined command is given a secret.
"""

from __future__ import annotations

import base64
import json
import re
from enum import Enum
from typing import TYPE_CHECKING, NewType
from urllib.parse import quote, quote_plus

from coordinator.gates.protocol import Verdict
from coordinator.report.inert import visible
from coordinator.report.models import RunReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MASK = "***"
SHORTEST = 6
"""Shorter forms are words; taking them out would take the report apart."""
_LONG_SECRET = 20
"""Of a secret of this length also its first half is taken out: servers quote the beginning of a refused key."""

_KNOWN_SHAPES = re.compile(
    r"sk-ant-[\w-]{4,}"  # Anthropic keys
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}"  # GitHub tokens
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"  # JSON web tokens, such as the runner's own
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_AUTHORIZATION = re.compile(
    r"(?i)(\b(?:authorization|x-api-key)\b[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|token|basic)\s+)?)[^\s\"',]+"
)
_USER_INFORMATION = re.compile(r"(?i)(\bhttps?://)[^\s/@:]+(?::[^\s/@]*)?@")


class Redactor:
    """Replaces secrets by ``***``, in plain and in the usual encodings. Calling it twice changes nothing more."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the secret values. Those shorter than `SHORTEST` are ignored; of several lines, each one counts."""
        forms = {form for secret in secrets for part in _parts(secret) for form in _forms(part)}
        self._forms = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without secrets. A search per form is many times faster than one large pattern."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        text = _KNOWN_SHAPES.sub(MASK, text)
        text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
        return _USER_INFORMATION.sub(rf"\1{MASK}@", text)

    def __repr__(self) -> str:
        """Show how many forms there are, and none of them."""
        return f"Redactor({len(self._forms)} forms)"


CleanReport = NewType("CleanReport", RunReport)
"""A report whose every text is visible and free of secrets. All renderings take this, so that none can forget it."""


def clean_report(report: RunReport, redact: Callable[[str], str]) -> CleanReport:
    """Return the report with every text made visible and redacted.

    Hidden characters go first: between the letters of a secret they would hide it from the redactor.
    """
    return CleanReport(RunReport.model_validate(_cleaned(report.model_dump(), redact)))


def clean_verdict(verdict: Verdict, redact: Callable[[str], str]) -> Verdict:
    """Return the verdict with every text made visible and redacted, likewise."""
    return Verdict.model_validate(_cleaned(verdict.model_dump(), redact))


def _cleaned(value: object, redact: Callable[[str], str]) -> object:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return redact(visible(value))
    if isinstance(value, dict):
        return {_cleaned(key, redact): _cleaned(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cleaned(item, redact) for item in value)
    return value


def _parts(secret: str) -> Iterator[str]:
    yield secret
    yield from (line.strip() for line in secret.splitlines())


def _forms(secret: str) -> Iterator[str]:
    """Give a secret as it is, reversed, halved, and in the encodings that tools print."""
    if len(secret) < SHORTEST:
        return
    raw = secret.encode(errors="surrogatepass")
    yield from (secret, secret[::-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe="").lower())
    yield from (raw.hex(), raw.hex().upper(), raw.hex(":"), raw.hex(" "))
    yield from _base64_forms(raw)
    if len(secret) >= _LONG_SECRET:
        yield from (secret[: len(secret) // 2], base64.b64encode(raw[::-1]).decode().rstrip("="))


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Give what of the base64 text does not depend on what stands before and after, for the three alignments."""
    for lead in range(3):
        padded = b"\0" * lead + raw
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(padded).decode()
            start = (0, 2, 3)[lead]
            spare = len(padded) % 3
            end = len(text) - (0, 3, 2)[spare]
            yield text[start:end]
