"""Reading one streamed reply, and knowing at any moment what of it has come."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.agent.protocol import Usage
from coordinator.agent.reply import CUT_REASONS, UnusableReply, read_usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic.lib.streaming import MessageStream, ParsedMessageStreamEvent
    from anthropic.types import RawContentBlockDelta

LONGEST_PAGE = 2_000
"""Bytes of an answer that is no stream, for the message about it."""


@dataclass(slots=True)
class Arrival:
    """What has come of one streamed reply."""

    begun: bool = False
    """`message_start` has come: from here on the call is billed."""
    ended: bool = False
    """`message_stop` has come. Without it the end of the stream is a cut, which the SDK does not tell."""
    calls: dict[int, str] = field(default_factory=dict)
    """JSON text of the tool calls, by the index of their block."""
    usage: Usage = field(default_factory=Usage)
    size: int = 0
    """Characters of text, thinking and calls."""

    def note(self, event: ParsedMessageStreamEvent[None]) -> None:
        """Take note of one event."""
        if event.type == "message_start":
            self.begun = True
        elif event.type == "message_stop":
            self.ended = True
        elif event.type == "content_block_delta":
            self._note_delta(event.index, event.delta)

    def _note_delta(self, index: int, delta: RawContentBlockDelta) -> None:
        if delta.type == "input_json_delta":
            self.calls[index] = self.calls.get(index, "") + delta.partial_json
            self.size += len(delta.partial_json)
        elif delta.type == "text_delta":
            self.size += len(delta.text)
        elif delta.type == "thinking_delta":
            self.size += len(delta.thinking)


def read_stream(stream: MessageStream[None], arrival: Arrival, progress: Callable[[], None]) -> dict[str, object]:
    """Read a stream to its end and return the message. Raises `UnusableReply` when it is not whole."""
    with warnings.catch_warnings():
        # the SDK serialises blocks on the way and warns about a call whose input is a string; `read_reply` mends that
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
        for event in stream:
            progress()
            arrival.note(event)
            if event.type in {"message_start", "message_delta"}:
                arrival.usage = read_usage(_snapshot(stream).get("usage") or {})
    if not arrival.ended:
        raise UnusableReply("the stream ended before the reply did")
    message = _snapshot(stream)
    if message.get("stop_reason") not in CUT_REASONS:
        _check_calls(arrival.calls)
    return message


def _snapshot(stream: MessageStream[None]) -> dict[str, object]:
    """Return what has come so far exactly as it came: no field is added that the API would not take back."""
    return stream.current_message_snapshot.to_dict(mode="json", warnings=False)


def _check_calls(calls: dict[int, str]) -> None:
    """Refuse a call whose JSON came in part: the SDK completes it, and half a command must not run."""
    for text in calls.values():
        try:
            json.loads(text)
        except ValueError as error:
            raise UnusableReply("the input of a tool call in it is incomplete") from error


def first_bytes(stream: MessageStream[None]) -> str:
    """Return the beginning of an answer that is no stream of events."""
    return next(stream.response.iter_bytes(), b"")[:LONGEST_PAGE].decode(errors="replace")
