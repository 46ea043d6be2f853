"""Reading one streamed reply, and knowing at any moment what of it has come.

The events are put together here and not by the SDK. Its message is built anew out of typed parts with every event,
parses the whole input of a call again with every piece of it, completes an input that was cut, and has filters of
warnings changed for the whole process while it is at work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import Field

from coordinator.agent.protocol import Usage
from coordinator.agent.reply import CUT_REASONS, UnusableReply, read_usage
from coordinator.models import Foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx2

LONGEST_PAGE = 2_000
"""Bytes of an answer that is no stream, for the message about it."""

_PIECES = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""What a delta adds to: the type of the block, and the field of the delta that holds the piece."""


class _Event(Foreign):
    """One event; which fields it has goes by its type. Blocks are kept as they come, whatever is in them."""

    type: str
    index: int = -1
    message: dict[str, object] = Field(default_factory=dict)
    content_block: dict[str, object] = Field(default_factory=dict)
    delta: dict[str, object] = Field(default_factory=dict)
    usage: dict[str, object] | None = None


@dataclass(slots=True)
class Arrival:
    """What has come of one streamed reply."""

    begun: bool = False
    """`message_start` has come: from here on the call is billed."""
    ended: bool = False
    """`message_stop` has come. Without it the end of the stream is a cut, which no exception tells."""
    usage: Usage = field(default_factory=Usage)
    size: int = 0
    """Characters of text, thinking and calls."""
    _message: dict[str, object] = field(default_factory=dict)
    _usage: dict[str, object] = field(default_factory=dict)
    _blocks: list[dict[str, object]] = field(default_factory=list)
    _pieces: dict[int, list[str]] = field(default_factory=dict)
    """What the deltas of each block have brought, by its index."""

    def take(self, raw: object) -> None:
        """Take one event as it came. Raises `ValueError` or `UnusableReply` for one that does not fit."""
        event = _Event.model_validate(raw)
        if event.type == "message_start":
            self.begun, self._message, self._blocks, self._pieces = True, event.message, [], {}
            self._count(event.message.get("usage"))
        elif event.type == "content_block_start":
            self._start(event)
        elif event.type == "content_block_delta":
            self._add(event)
        elif event.type == "message_delta":
            self._message = {**self._message, **event.delta}
            self._count(event.usage)
        elif event.type == "message_stop":
            self.ended = True

    def message(self) -> dict[str, object]:
        """Return the reply, with no field that did not come: the API takes back what it has sent and nothing else."""
        whole = self._message.get("stop_reason") not in CUT_REASONS
        last = len(self._blocks) - 1
        content = [self._block(index, whole=whole or index != last) for index in range(len(self._blocks))]
        return {**self._message, "content": content, "usage": self._usage}

    def _count(self, usage: object) -> None:
        """Take a count of tokens over. Each is a total, and one that is left out stands as it was."""
        if not isinstance(usage, dict):
            raise UnusableReply("it says nothing of what it used")
        self._usage = {**self._usage, **{name: value for name, value in usage.items() if value is not None}}
        self.usage = read_usage(self._usage)

    def _start(self, event: _Event) -> None:
        if not self.begun or event.index != len(self._blocks):
            raise UnusableReply(f"block {event.index} of it begins out of turn")
        self._blocks.append(event.content_block)

    def _add(self, event: _Event) -> None:
        """Add a delta to its block. Kinds that are not known belong to blocks that are not known either."""
        if not 0 <= event.index < len(self._blocks):
            raise UnusableReply(f"block {event.index} of it goes on without having begun")
        block, kind = self._blocks[event.index], event.delta.get("type")
        if kind == "signature_delta":
            block["signature"] = event.delta.get("signature")
        if kind not in _PIECES:
            return
        where, name = _PIECES[str(kind)]
        piece = event.delta.get(name)
        if block.get("type") != where or not isinstance(piece, str):
            raise UnusableReply(f"a {kind} in it does not fit its block")
        self.size += len(piece)
        self._pieces.setdefault(event.index, []).append(piece)

    def _block(self, index: int, *, whole: bool) -> dict[str, object]:
        block, text = self._blocks[index], "".join(self._pieces.get(index, ()))
        kind = str(block.get("type"))
        if not text:
            return block
        if kind == "tool_use":
            return {**block, "input": _read_input(text)} if whole else block
        return {**block, kind: f"{block.get(kind) or ''}{text}"}


def read_stream(stream: Iterable[object], arrival: Arrival, progress: Callable[[], None]) -> dict[str, object]:
    """Read the events to their end and return the message. Raises `UnusableReply` when it is not whole."""
    for event in stream:
        progress()
        arrival.take(event)
    if not arrival.ended:
        raise UnusableReply("the stream ended before the reply did")
    return arrival.message()


def _read_input(text: str) -> object:
    """Read the input of a call. What came in part is refused, as half a command must not run.

    So is what could not be sent back, such as NaN or a number beyond what a float can hold.
    """
    try:
        value: object = json.loads(text)
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise UnusableReply("the input of a tool call in it is incomplete") from error
    return value


def first_bytes(response: httpx2.Response) -> str:
    """Return the beginning of an answer that is no stream of events."""
    return next(response.iter_bytes(), b"")[:LONGEST_PAGE].decode(errors="replace")
