"""Asking the model for a note on its work, at the end of a conversation that is nearly full."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import TYPE_CHECKING

from coordinator.agent.conversation import estimate_tokens
from coordinator.agent.model import Request
from coordinator.errors import CoordinatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coordinator.agent.budget import Budget
    from coordinator.agent.conversation import Conversation
    from coordinator.agent.model import ModelClient
    from coordinator.agent.reply import Block, Message, Reply, ToolCall

log = logging.getLogger(__name__)

NOTE_TOKENS = 8_000
"""Limit of the reply, thinking included."""
SHORTEST_NOTE = 200
"""Characters: a shorter text beside a call is what a model says on the way to the call, and no note."""
NOT_RUN = "This call did not run: the conversation ends here."
AGAIN = "No tool runs any more in this conversation. Write the note now, as plain text, without a call."


def note_request() -> str:
    """Return what the model is asked for. It stands in `note_request.md`."""
    return files(__package__).joinpath("note_request.md").read_text(encoding="utf-8")


class NoteTaker:
    """Asks in the conversation itself, with the same system prompt and tools: only so the provider's cache is hit."""

    def __init__(
        self, client: ModelClient, *, budget: Budget, system: str, tools: Sequence[Block], redact: Callable[[str], str]
    ) -> None:
        self._client = client
        self._budget = budget
        self._system = system
        self._tools = tools
        self._redact = redact
        self._limit = min(NOTE_TOKENS, client.endpoint.max_output_tokens)

    def take(self, conversation: Conversation) -> str:
        """Return the model's note; empty where there is none to be had, whatever the reason. The conversation stays."""
        asked: list[Block] = [{"type": "text", "text": note_request()}]
        *before, last = conversation.messages
        messages: list[Message] = [*before, {"role": "user", "content": [*last["content"], *asked]}]
        tokens, estimate = (size + estimate_tokens(asked) for size in (conversation.tokens, conversation.estimate))
        note = ""
        for _ in range(2):
            reply = self._ask(messages, tokens, estimate)
            if reply is None:
                break
            note = max(note, self._redact(reply.text).strip(), key=len)
            if not reply.calls or len(note) >= SHORTEST_NOTE:
                break
            answer: list[Block] = [*map(_not_run, reply.calls), {"type": "text", "text": AGAIN}]
            messages += [reply.message, {"role": "user", "content": answer}]
            added = estimate_tokens([reply.message, answer])
            tokens, estimate = tokens + added, estimate + added
        return note

    def _ask(self, messages: Sequence[Message], tokens: int, estimate: int) -> Reply | None:
        """Return a reply that may hold a note. What keeps the next request from being answered will be seen there."""
        request = Request(messages, system=self._system, tools=self._tools, max_tokens=self._limit, estimate=estimate)
        try:
            self._budget.check(tokens)
            reply = self._client.send(request)
        except CoordinatorError as error:
            log.warning("the model wrote no note on its work: %s", error)
            return None
        if reply.stop_reason in {"refusal", "model_context_window_exceeded"}:
            log.warning("the model wrote no note on its work: it ended with %s", reply.stop_reason)
            return None
        return reply


def _not_run(call: ToolCall) -> Block:
    return {"type": "tool_result", "tool_use_id": call.identifier, "content": NOT_RUN, "is_error": True}
