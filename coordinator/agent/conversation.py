"""The history of one conversation: linear, only ever appended to, and never changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.agent.reply import Block, Message, Reply

BYTES_PER_TOKEN = 3
"""For text that the model has not counted yet: on the high side, so that the context is never overrun unseen."""


def json_bytes(value: object) -> int:
    """Return the size of anything that JSON can hold, with everything beyond ASCII escaped."""
    return len(json.dumps(value))


def estimate_tokens(value: object) -> int:
    """Return a high estimate of the tokens of anything that JSON can hold."""
    return json_bytes(value) // BYTES_PER_TOKEN


def user_message(text: str) -> Message:
    """Return a text as an entry of the history."""
    return {"role": "user", "content": [{"type": "text", "text": text}]}


class Conversation:
    """Messages in order, and how full the context is.

    What was sent once is sent again byte for byte: the provider's cache and the signatures of thinking blocks cover
    everything before them. Sizes are kept up message by message: the history is never gone through again for them.
    """

    def __init__(self, opening: str | Sequence[Message], *, overhead_tokens: int) -> None:
        """Start with a task, or go on with a history that ends with a message of the user.

        `overhead_tokens` is an estimate for the system prompt and the tools.
        """
        self.messages: list[Message] = [user_message(opening)] if isinstance(opening, str) else list(opening)
        self.overhead_tokens = overhead_tokens
        self._counted = overhead_tokens
        self._uncounted = 0
        self._bytes = 0
        self._grow([message["content"] for message in self.messages])

    @property
    def tokens(self) -> int:
        """Tokens of the next prompt: what the server counted last, and an estimate of what came since."""
        return self._counted + self._uncounted

    @property
    def estimate(self) -> int:
        """High estimate of the tokens of the next prompt, from nothing but its size.

        Two histories are compared by this: a count of the server and an estimate differ by more than what was won.
        """
        return self.overhead_tokens + self._bytes // BYTES_PER_TOKEN

    def append_user(self, content: list[Block]) -> Message:
        """Append what the model is told: results of its calls, or text."""
        message: Message = {"role": "user", "content": content}
        self.messages.append(message)
        self._grow(content)
        return message

    def append_reply(self, reply: Reply) -> Message:
        """Append what the model said. Its usage is the whole conversation up to here.

        What comes after a ``pause_turn`` continues the paused message: no two messages of one role follow each other.
        """
        paused = self.messages.pop()["content"] if self.messages[-1]["role"] == "assistant" else []
        self.messages.append({"role": "assistant", "content": [*paused, *reply.message["content"]]})
        self._grow(reply.message["content"])
        self._counted, self._uncounted = reply.usage.total_tokens, 0
        return reply.message

    def _grow(self, added: object) -> None:
        size = json_bytes(added)
        self._bytes += size
        self._uncounted += size // BYTES_PER_TOKEN
