"""What the scripted model takes for a prompt: its text, its tokens, its signatures, and the error it answers with."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeAlias

Json: TypeAlias = "dict[str, Any]"
"""A JSON object as it came over the wire; every use checks the type of what it takes out."""

BYTES_PER_TOKEN = 4
"""Close enough for English and code; what matters is that it is always counted in the same way."""


class ApiError(Exception):
    """A request that the API refuses, with the status code and the error type that it answers."""

    def __init__(self, message: str, *, status: int = 400, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


def rendered(body: Json) -> str:
    """Return the prompt of a request as one text, in the order in which it is cached: tools, system, messages.

    A request that continues another has a text that starts with the other's text.
    """
    parts = [*body.get("tools", ()), body.get("system", ""), *body["messages"]]
    return "\n".join(json.dumps(part, sort_keys=True) for part in parts)


def count_tokens(text: str) -> int:
    """Return how many tokens a text is taken for."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def signature(body: Json, position: int, thinking: str) -> str:
    """Return what a thinking block at `position` of the messages must be signed with.

    It covers system, tools and every message before: a block in a changed conversation is refused.
    """
    before = {**body, "messages": body["messages"][:position]}
    return hashlib.sha256(f"{rendered(before)}\n{thinking}".encode()).hexdigest()
