"""Request bodies, in which a message of the history is encoded once and never again.

A request holds the whole history, and nearly all of it stood in the request before. Joining bytes costs next to
nothing; encoding them anew with every turn would make the five hundredth turn many times as dear as the fifth.
"""

from __future__ import annotations

import json
from operator import is_
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coordinator.agent.reply import Message


def encode(value: object) -> bytes:
    """Return compact JSON in UTF-8. Raises `ValueError` for what the standard of JSON does not know, such as NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class BodyWriter:
    """Writes the bodies of requests that follow each other. It goes by identity: a message is never changed."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._encoded: list[bytes] = []

    def write(self, before: Mapping[str, object], messages: Sequence[Message], after: Mapping[str, object]) -> bytes:
        """Return the object with the fields of `before`, `messages` and the fields of `after`, in this order.

        Neither of the two is empty.
        """
        self._take(messages)
        joined = b",".join(self._encoded)
        return b'%b,"messages":[%b],%b' % (encode(before)[:-1], joined, encode(after)[1:])

    def _take(self, messages: Sequence[Message]) -> None:
        """Keep what is the same as in the request before, and encode the rest."""
        pairs = enumerate(map(is_, messages, self._messages))
        shared = min(len(messages), len(self._messages))
        shared = next((position for position, same in pairs if not same), shared)
        del self._messages[shared:], self._encoded[shared:]
        for message in messages[shared:]:
            self._messages.append(message)
            self._encoded.append(encode(message))
