"""A reply of the scripted model on the wire: server-sent events as the Messages API streams them, whole or broken."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Broken

PIECE = 40
"""Characters of one delta."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What is sent, and how the connection ends."""

    frames: tuple[bytes, ...]
    ending: str = "end"
    """``end`` properly, ``cut`` inside the transfer encoding, ``reset``, or go on with ``pings`` or with ``silence``;
    ``mute`` does not even start."""
    content_type: str = "text/event-stream; charset=utf-8"


def events(message: Json) -> list[Json]:
    """Return the events that carry a whole message of the API."""
    start_usage = {**message["usage"], "output_tokens": 1}
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": start_usage}
    start.pop("stop_details", None)
    delta = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in message}
    usage = {"output_tokens": message["usage"]["output_tokens"]}
    cut = message["stop_reason"] in {"max_tokens", "model_context_window_exceeded"}
    last = len(message["content"]) - 1
    return [
        {"type": "message_start", "message": start},
        {"type": "ping"},
        *(
            event
            for index, block in enumerate(message["content"])
            for event in _block_events(index, block, cut=cut and index == last)
        ),
        {"type": "message_delta", "delta": delta, "usage": usage},
        {"type": "message_stop"},
    ]


def _block_events(index: int, block: Json, *, cut: bool) -> Iterator[Json]:
    empty, deltas = _parts(block, cut=cut)
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _parts(block: Json, *, cut: bool) -> tuple[Json, list[Json]]:
    """Return the block as it starts, and the deltas that fill it."""
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
    if block["type"] == "thinking":
        pieces: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
        signed = [] if cut else [{"type": "signature_delta", "signature": block["signature"]}]
        return {"type": "thinking", "thinking": "", "signature": ""}, pieces + signed
    if block["type"] == "tool_use" and isinstance(block["input"], dict):
        text = json.dumps(block["input"])
        text = text[: len(text) // 2] if cut else text
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(text)]
    return block, []


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def frame(event: Json) -> bytes:
    """Return one event as the bytes on the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def whole(message: Json) -> Stream:
    """Return the stream of a reply that arrives."""
    return Stream(tuple(frame(event) for event in events(message)))


def _without_end(message: Json, *, ending: str) -> Stream:
    stream = whole(message)
    return replace(stream, frames=stream.frames[:-2], ending=ending)


def _changed(message: Json, kind: str, change: Callable[[Json], Json]) -> Stream:
    """Return the stream with the last event of one kind changed."""
    listed = events(message)
    position = max(index for index, event in enumerate(listed) if event["type"] == kind)
    listed[position] = change(listed[position])
    return Stream(tuple(frame(event) for event in listed))


def _cut_call(event: Json) -> Json:
    return {**event, "delta": {**event["delta"], "partial_json": event["delta"]["partial_json"][:-1]}}


def _spoiled_call(event: Json) -> Json:
    return {**event, "delta": {**event["delta"], "partial_json": "}{"}}


def _bad_json(message: Json) -> Stream:
    stream = whole(message)
    broken = b'event: content_block_delta\ndata: {"type": "content_block_delta", "ind\n\n'
    return replace(stream, frames=(*stream.frames[:3], broken, *stream.frames[3:]))


def _nameless(message: Json) -> Stream:
    return Stream(tuple(f"data: {json.dumps(event)}\n\n".encode() for event in events(message)))


def _page(_message: Json) -> Stream:
    return Stream((b"<!doctype html><title>Log in</title><p>Welcome to the guest network",), content_type="text/html")


FAULTS: Mapping[str, Callable[[Json], Stream]] = {
    "eof": lambda message: _without_end(message, ending="end"),
    "eof_before_stop": lambda message: replace(whole(message), frames=whole(message).frames[:-1]),
    "cut": lambda message: _without_end(message, ending="cut"),
    "reset": lambda message: _without_end(message, ending="reset"),
    "empty": lambda _message: Stream(()),
    "pings": lambda _message: Stream((), ending="pings"),
    "mute": lambda _message: Stream((), ending="mute"),
    "silence": lambda message: _without_end(message, ending="silence"),
    "late_pings": lambda message: _without_end(message, ending="pings"),
    "bad_json": _bad_json,
    "nameless": _nameless,
    "html": _page,
    "json": lambda message: Stream((json.dumps(message).encode(),), content_type="application/json"),
    "wrong_index": lambda message: _changed(message, "content_block_delta", lambda event: {**event, "index": 7}),
    "cut_call": lambda message: _changed(message, "content_block_delta", _cut_call),
    "spoiled_call": lambda message: _changed(message, "content_block_delta", _spoiled_call),
    "no_usage": lambda message: _changed(message, "message_delta", lambda event: {**event, "usage": None}),
    "no_stop_reason": lambda message: _changed(message, "message_delta", lambda event: {**event, "delta": {}}),
}
"""Ways in which a stream breaks, by name; ``error_event`` comes with its own type and message."""


def broken(step: Broken, message: Json) -> Stream:
    """Return the stream of a reply that breaks. Raises `ValueError` for a way that does not exist."""
    if step.how == "error_event":
        error = {"type": "error", "error": {"type": step.kind, "message": step.message}}
        return Stream((frame(events(message)[0]), frame(error)))
    if step.how not in FAULTS:
        raise ValueError(f"a stream breaks by error_event, {', '.join(FAULTS)}, not by {step.how}")
    return FAULTS[step.how](message)
