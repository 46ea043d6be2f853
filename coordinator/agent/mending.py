"""Completing a history that was broken off, so that the API takes it.

The API takes a history only whole: user and assistant in turn, every call answered in the message right after it
("tool_use ids were found without tool_result blocks immediately after"). So what a kill tore off is completed. No call
is run a second time: the model is told that it may or may not have run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.tools import SUBMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.agent.reply import Block, Message

KILLED = (
    "The run was killed while this call was open. The command may or may not have run, and it was not run again: look "
    "at the state of the checkout before you repeat it."
)
GO_ON = "The run was interrupted here and goes on now. Continue with a tool call, or call submit when the work is done."


def _calls(message: Message, name: str = "") -> list[str]:
    """Return the identifiers of the calls in a message, of all or of one tool."""
    calls = [block for block in message["content"] if block.get("type") == "tool_use"]
    return [str(call.get("id")) for call in calls if not name or call.get("name") == name]


def _results(message: Message) -> dict[str, Block]:
    blocks = [block for block in message["content"] if block.get("type") == "tool_result"]
    return {str(block.get("tool_use_id")): block for block in blocks}


def open_calls(messages: Sequence[Message]) -> tuple[str, ...]:
    """Return the calls of the last reply that have no result."""
    asked = next((at for at in reversed(range(len(messages))) if messages[at]["role"] == "assistant"), None)
    if asked is None:
        return ()
    done = _results(messages[asked + 1]) if asked + 1 < len(messages) else {}
    return tuple(call for call in _calls(messages[asked]) if call not in done)


def answered(messages: Sequence[Message], judged: str) -> list[Message]:
    """Complete the history so that a request can follow: what was open is answered, in the order of the calls.

    Results that are there stay as they are. `judged` is what the last submission was told, where that did not become a
    result any more.
    """
    missing = open_calls(messages)
    if messages[-1]["role"] == "user" and not missing:
        return list(messages)
    told: list[Block] = []
    if messages[-1]["role"] == "user":
        *messages, last = messages
        told = last["content"]
    results = _results({"role": "user", "content": told})
    for call in missing:
        results[call] = _killed(call)
    submitted = next((call for call in _calls(messages[-1], SUBMIT) if call in missing), None)
    if judged and submitted:
        results[submitted] = {**_killed(submitted), "content": judged}
    rest = [block for block in told if block.get("type") != "tool_result"]
    content = [*(results[call] for call in _calls(messages[-1])), *rest] or [{"type": "text", "text": GO_ON}]
    return [*messages, {"role": "user", "content": content}]


def _killed(call: str) -> Block:
    return {"type": "tool_result", "tool_use_id": call, "content": KILLED, "is_error": True}


def is_sound(messages: Sequence[Message]) -> bool:
    """Whether the API would take the messages: user first, in turn, and exactly one result for every call."""
    calls: list[str] = []
    seen: list[str] = []
    for position, message in enumerate(messages):
        if message["role"] != ("assistant" if position % 2 else "user"):
            return False
        results = [block for block in message["content"] if block.get("type") == "tool_result"]
        if [str(block.get("tool_use_id")) for block in results] != calls:
            return False
        if results != message["content"][: len(results)]:
            return False
        calls = _calls(message)
        seen += calls
    return len(set(seen)) == len(seen)
