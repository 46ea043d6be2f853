"""The history of one conversation: linear, only ever appended to, and never changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.agent.reply import Block, Message, Reply

BYTES_PER_TOKEN = 3
"""For text that the model has not counted yet: on the high side, so that the context is never overrun unseen."""


def estimate_tokens(value: object) -> int:
    """Return a high estimate of the tokens of anything that JSON can hold."""
    return len(json.dumps(value).encode()) // BYTES_PER_TOKEN


class Conversation:
    """Messages in order, and how full the context is.

    What was sent once is sent again byte for byte: the provider's cache and the signatures of thinking blocks cover
    everything before them.
    """

    def __init__(self, task: str, *, overhead_tokens: int) -> None:
        """Start with the task. `overhead_tokens` is an estimate for the system prompt and the tools."""
        self.messages: list[Message] = []
        self._counted = overhead_tokens
        self._uncounted = 0
        self.append_user([{"type": "text", "text": task}])

    @property
    def tokens(self) -> int:
        """Tokens of the next prompt: what the server counted last, and an estimate of what came since."""
        return self._counted + self._uncounted

    def append_user(self, content: list[Block]) -> Message:
        """Append what the model is told: results of its calls, or text."""
        message: Message = {"role": "user", "content": content}
        self.messages.append(message)
        self._uncounted += estimate_tokens(content)
        return message

    def append_reply(self, reply: Reply) -> Message:
        """Append what the model said. Its usage is the whole conversation up to here.

        What comes after a ``pause_turn`` continues the paused message: no two messages of one role follow each other.
        """
        paused = self.messages.pop()["content"] if self.messages[-1]["role"] == "assistant" else []
        self.messages.append({"role": "assistant", "content": [*paused, *reply.message["content"]]})
        self._counted, self._uncounted = reply.usage.total_tokens, 0
        return reply.message
