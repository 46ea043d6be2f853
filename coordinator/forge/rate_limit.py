"""Whether a server turned a request away because there were too many, and for how long."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.forge.reply import Reply

UNTOLD_SECONDS = 60.0
"""How long to wait where the server does not say: "at least one minute" (GitHub: rate limits for the REST API)."""
LONGEST_SECONDS = 86_400.0
"""A day: GitHub's limits are per hour, and more than this is nothing to tell a person."""
_MARKS = ("secondary rate limit", "abuse detection")
"""What GitHub's message says about a secondary limit; the second is its older name."""


def seconds_until_allowed(reply: Reply, retry_after: float) -> float | None:
    """Return the seconds until the server takes requests again; None when the answer is no matter of limits.

    GitHub turns away with 403 or 429. It says how long by ``Retry-After`` (`retry_after`, 0 for none), or by
    ``x-ratelimit-remaining: 0`` with ``x-ratelimit-reset``, or, for a secondary limit, not at all.
    """
    if reply.status not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        return None
    if retry_after > 0:
        return min(retry_after, LONGEST_SECONDS)
    reset = reply.headers.get("x-ratelimit-reset", "")
    if reply.headers.get("x-ratelimit-remaining") == "0" and re.fullmatch(r"[0-9]{1,15}", reset):
        return min(max(1.0, int(reset) - _server_time(reply) + 1), LONGEST_SECONDS)
    said = reply.message().casefold()
    return UNTOLD_SECONDS if any(mark in said for mark in _MARKS) else None


def _server_time(reply: Reply) -> float:
    """Return when the answer was given, by the clock that the reset is told in: ours may be wrong."""
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except ValueError:
        return datetime.now(UTC).timestamp()
