"""One reply of a model, and the message records that make up a conversation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, TypedDict

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from coordinator.agent.protocol import Usage
from coordinator.models import Foreign

Block = dict[str, JsonValue]
"""A content block of the Messages API, exactly as it is sent."""

EMPTY = "(no content)"
"""Stands for a reply without content: the API refuses messages that are empty."""

CUT_REASONS = frozenset({"max_tokens", "model_context_window_exceeded"})
"""Stop reasons after which the last block is incomplete."""


class Message(TypedDict):
    """One entry of the history."""

    role: Literal["user", "assistant"]
    content: list[Block]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a reply asks for."""

    identifier: str
    name: str
    arguments: dict[str, JsonValue]
    fault: str | None = None
    """Why it cannot run as it stands: it arrived cut, or its input is no object."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said, ready to be appended to the history."""

    content: tuple[Block, ...]
    """Blocks without the ones that the API would refuse to get back."""
    calls: tuple[ToolCall, ...]
    stop_reason: str
    refusal: str
    """Category of a refusal, where one was given."""
    usage: Usage
    estimated: bool = False
    """Whether `usage` is the client's estimate, as the server counted no prompt."""

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        return "\n".join(str(block["text"]) for block in self.content if block["type"] == "text")

    @property
    def message(self) -> Message:
        """The reply as an entry of the history."""
        return {"role": "assistant", "content": list(self.content) or [{"type": "text", "text": EMPTY}]}


class UnusableReply(Exception):
    """The reply breaks a rule that makes it useless; it is discarded and asked for again."""


class _StopDetails(Foreign):
    category: str | None = None


class _Usage(Foreign):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(Foreign):
    content: list[dict[str, JsonValue]]
    stop_reason: str
    stop_details: _StopDetails | None = None
    usage: _Usage


class _Call(Foreign):
    id: str = Field(min_length=1)
    name: str
    input: JsonValue = None


_OBJECT = TypeAdapter(dict[str, JsonValue])


def read_usage(raw: object) -> Usage:
    """Read the usage of the Messages API; what is missing counts as 0."""
    usage = _Usage.model_validate(raw)
    return Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_creation_input_tokens or 0,
    )


def read_reply(raw: object) -> Reply:
    """Read a whole message of the Messages API. Raises `UnusableReply` when it cannot be used."""
    try:
        message = _Message.model_validate(_sound(raw))
        cut = message.stop_reason in CUT_REASONS
        last = len(message.content) - 1
        content: list[Block] = []
        calls: list[ToolCall] = []
        for position, block in enumerate(message.content):
            if block.get("type") == "tool_use":
                calls.append(_read_call(block, cut=cut and position == last))
                content.append({**block, "input": calls[-1].arguments})
            elif _may_return(block, cut=cut and position == last):
                content.append(block)
    except ValidationError as error:
        raise UnusableReply(f"it is no message of the Messages API ({error.error_count()} faults)") from error
    if len({call.identifier for call in calls}) != len(calls):
        raise UnusableReply("two tool calls in it have the same id")
    refusal = message.stop_details.category if message.stop_details else None
    usage = read_usage(message.usage.model_dump())
    return Reply(tuple(content), tuple(calls), message.stop_reason, refusal or "", usage)


def _sound(value: object) -> object:
    """Join surrogate pairs that a gateway split over two pieces of a stream; a half alone becomes U+FFFD."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {name: _sound(part) for name, part in value.items()}
    return [_sound(part) for part in value] if isinstance(value, list) else value


def _may_return(block: Block, *, cut: bool) -> bool:
    """Return whether the API takes a block back: no empty text, no thinking that was cut before its signature."""
    if block.get("type") == "text":
        return bool(str(block.get("text", "")).strip())
    return not (cut and block.get("type") == "thinking" and not block.get("signature"))


def _read_call(block: Block, *, cut: bool) -> ToolCall:
    call = _Call.model_validate(block)
    if cut:
        fault = "it was cut off by the limit on the length of one reply and was not run; ask for less at once"
        return ToolCall(call.id, call.name, {}, fault)
    try:
        return ToolCall(call.id, call.name, _as_object(call.input))
    except ValueError:
        return ToolCall(call.id, call.name, {}, f"its input must be a JSON object, not {str(call.input)[:200]!r}")


def _as_object(value: JsonValue) -> dict[str, JsonValue]:
    """Return the input of a call; some gateways send it as a string that holds the object."""
    return _OBJECT.validate_python(json.loads(value) if isinstance(value, str) else value)
