"""What the Messages API refuses in the messages of a request: roles, pairs of call and result, bad blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coordinator.demo.model_prompt import ApiError, Json, signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

IDENTIFIER = re.compile(r"[a-zA-Z0-9_-]+")


def check_messages(body: Json, *, paused: Sequence[Json] | None) -> None:
    """Raise `ApiError` unless roles alternate, every call has its one result, and no block is empty or changed."""
    messages = body["messages"]
    if not messages:
        raise ApiError("messages: at least one message is required")
    expected = "user"
    open_calls: list[str] = []
    seen: set[str] = set()
    for position, message in enumerate(messages):
        _check_role(message, position, expected)
        blocks = _content(message, position)
        _check_results(blocks, open_calls, position)
        open_calls = []
        for place, block in _places(blocks, position):
            _check_block(block, place, role=expected)
            if block["type"] == "thinking" and block.get("signature") != signature(body, position, block["thinking"]):
                raise ApiError(f"{place}: Invalid `signature` in `thinking` block")
            if block["type"] == "tool_use":
                if block["id"] in seen:
                    raise ApiError(f"{place}: `tool_use` ids must be unique")
                open_calls.append(block["id"])
                seen.add(block["id"])
        expected = "assistant" if expected == "user" else "user"
    _check_end(messages, open_calls, paused)


def _check_end(messages: list[Json], open_calls: list[str], paused: Sequence[Json] | None) -> None:
    if messages[-1]["role"] != "assistant":
        return
    if paused is not None and messages[-1]["content"][-len(paused) :] == paused:
        return
    if open_calls:
        raise _unanswered(len(messages), open_calls)
    raise ApiError(
        "This model does not support assistant message prefill. The conversation must end with a user message."
    )


def _check_role(message: object, position: int, expected: str) -> None:
    if not isinstance(message, dict) or set(message) != {"role", "content"}:
        raise ApiError(f"messages.{position}: Input should be an object with `role` and `content`")
    if message["role"] not in {"user", "assistant"}:
        raise ApiError(f"messages.{position}.role: Input should be 'user' or 'assistant'")
    if position == 0 and message["role"] != "user":
        raise ApiError('messages: first message must use the "user" role')
    if message["role"] != expected:
        raise ApiError(
            'messages: roles must alternate between "user" and "assistant", '
            f'but found multiple "{message["role"]}" roles in a row'
        )


def _content(message: Json, position: int) -> list[Json]:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise ApiError(f"messages.{position}.content: Input should be a valid list")
    if not blocks:
        raise ApiError(f"messages.{position}: all messages must have non-empty content")
    return blocks


def _places(blocks: list[Json], position: int) -> Iterator[tuple[str, Json]]:
    for index, block in enumerate(blocks):
        yield f"messages.{position}.content.{index}", block


def _unanswered(position: int, ids: Sequence[str]) -> ApiError:
    return ApiError(
        f"messages.{position}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _check_results(blocks: list[Json], open_calls: list[str], position: int) -> None:
    """Every call of the message before has exactly one result, and the results come before any text."""
    answered: set[str] = set()
    other_seen = False
    for place, block in _places(blocks, position):
        if block.get("type") != "tool_result":
            other_seen = True
            continue
        call = block.get("tool_use_id")
        if call not in open_calls:
            raise ApiError(
                f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each `tool_result` block "
                "must have a corresponding `tool_use` block in the previous message."
            )
        if call in answered:
            raise ApiError(
                f"{place}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {call}"
            )
        if other_seen:
            raise ApiError(f"{place}: `tool_result` blocks must come first in the content of a message")
        answered.add(call)
    missing = [call for call in open_calls if call not in answered]
    if missing:
        raise _unanswered(position, missing)


_FIELDS: Mapping[str, tuple[str, frozenset[str]]] = {
    "text": ("user assistant", frozenset({"type", "text", "cache_control", "citations"})),
    "tool_result": ("user", frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})),
    "tool_use": ("assistant", frozenset({"type", "id", "name", "input", "cache_control", "caller"})),
    "thinking": ("assistant", frozenset({"type", "thinking", "signature"})),
    "redacted_thinking": ("assistant", frozenset({"type", "data"})),
}
"""Kinds of block: the roles that may send them, and their fields."""


def _check_block(block: Json, place: str, *, role: str) -> None:
    kind = block.get("type")
    roles, fields = _FIELDS.get(str(kind), ("", frozenset()))
    if role not in roles.split():
        raise ApiError(f"{place}: `{kind}` blocks are not allowed in a message of the {role}")
    unknown = sorted(set(block) - fields)
    if unknown:
        raise ApiError(f"{place}.{kind}.{unknown[0]}: Extra inputs are not permitted")
    checks = {"text": _check_text, "tool_use": _check_call, "tool_result": _check_result, "thinking": _check_thinking}
    if str(kind) in checks:
        checks[str(kind)](block, place)


def _check_text(block: Json, place: str) -> None:
    text = block.get("text")
    if not isinstance(text, str):
        raise ApiError(f"{place}.text.text: Input should be a valid string")
    if not text:
        raise ApiError("messages: text content blocks must be non-empty")
    if not text.strip():
        raise ApiError("messages: text content blocks must contain non-whitespace text")


def _check_call(block: Json, place: str) -> None:
    for name in ("id", "name"):
        if not isinstance(block.get(name), str) or not IDENTIFIER.fullmatch(block[name]):
            raise ApiError(f"{place}.tool_use.{name}: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("input"), dict):
        raise ApiError(f"{place}.tool_use.input: Input should be a valid dictionary")


def _check_result(block: Json, place: str) -> None:
    content = block.get("content", "")
    if isinstance(content, list):
        for part in content:
            if not isinstance(part, dict) or part.get("type") != "text":
                raise ApiError(f"{place}.tool_result.content: Input should be a list of text blocks")
            _check_text(part, place)
    elif not isinstance(content, str):
        raise ApiError(f"{place}.tool_result.content: Input should be a valid string or list")
    if block.get("is_error") and not content:
        raise ApiError(f"{place}.tool_result: content cannot be empty if `is_error` is true")


def _check_thinking(block: Json, place: str) -> None:
    for name in ("thinking", "signature"):
        if not isinstance(block.get(name), str):
            raise ApiError(f"{place}.thinking.{name}: Field required")
