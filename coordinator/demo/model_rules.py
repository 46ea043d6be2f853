"""What the Messages API refuses, as rules over one request: used by the scripted model.

The rules and the wording of the errors follow the public documentation of the Messages API (errors, tool use, extended
thinking, prompt caching) in version 2026-10-21. Some rules exist for the newest models only, such as the ban on prefill
and on sampling settings; the strict server applies them always, because a client that obeys them works everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.demo.model_history import check_messages
from coordinator.demo.model_prompt import ApiError, Json, count_tokens, rendered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KNOWN_FIELDS = frozenset(
    {"model", "messages", "max_tokens", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"}
    | {"stop_sequences", "metadata", "service_tier", "stream", "diagnostics", "container", "inference_geo", "speed"}
)
SAMPLING_FIELDS = ("temperature", "top_p", "top_k")
VENDOR_FIELDS = frozenset({"cache_control", "thinking", "diagnostics", "container", "inference_geo", "speed", "thread"})
"""Known to Anthropic's own API only: a compatible server drops them silently, so a client must not count on them."""

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """Sizes of one model, in tokens."""

    window: int
    max_output: int


MODELS: Mapping[str, ModelLimits] = {
    "claude-opus-5-5": ModelLimits(1_000_000, 128_000),
    "claude-sonnet-5-5": ModelLimits(1_000_000, 128_000),
    "claude-haiku-5-5": ModelLimits(1_000_000, 128_000),
}


def check_request(
    body: Json, *, models: Mapping[str, ModelLimits], vendor: bool, paused: Sequence[Json] | None = None
) -> None:
    """Raise `ApiError` for whatever the API would refuse.

    `paused` is the content of the last reply when it ended with ``pause_turn``: that one may stand at the end.
    """
    _check_fields(body, vendor=vendor)
    _check_tools(body.get("tools", []))
    _check_settings(body)
    check_messages(body, paused=paused)
    limits = models.get(str(body["model"]))
    if limits is None:
        raise ApiError(f"model: {body['model']}", status=404, kind="not_found_error")
    _check_sizes(body, limits)


def _check_fields(body: Json, *, vendor: bool) -> None:
    for name in SAMPLING_FIELDS:
        if name in body:
            raise ApiError(f"`{name}` is not supported by this model.")
    for name in body:
        if name not in KNOWN_FIELDS or (not vendor and name in VENDOR_FIELDS):
            raise ApiError(f"{name}: Extra inputs are not permitted")
    for name, kind in (("model", str), ("messages", list), ("max_tokens", int)):
        if name not in body:
            raise ApiError(f"{name}: Field required")
        if not isinstance(body[name], kind) or isinstance(body[name], bool):
            raise ApiError(f"{name}: Input should be a valid {kind.__name__}")
    if body["max_tokens"] < 1:
        raise ApiError("max_tokens: Input should be greater than or equal to 1")


def _check_tools(tools: object) -> None:
    if not isinstance(tools, list):
        raise ApiError("tools: Input should be a valid list")
    names = [tool.get("name") if isinstance(tool, dict) else None for tool in tools]
    for position, (tool, name) in enumerate(zip(tools, names, strict=True)):
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            raise ApiError(f"tools.{position}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        schema = tool.get("input_schema")
        if not isinstance(schema, dict):
            raise ApiError(f"tools.{position}.input_schema: Field required")
        if schema.get("type") != "object":
            raise ApiError(f"tools.{position}.input_schema.type: Input should be 'object'")
        if tool.get("type", "custom") != "custom":  # the type that a tool of one's own has where none is said
            raise ApiError(f"tools.{position}.type: Input should be 'custom'")
        unknown = sorted(set(tool) - {"type", "name", "description", "input_schema", "cache_control", "strict"})
        if unknown:
            raise ApiError(f"tools.{position}.{unknown[0]}: Extra inputs are not permitted")
    if len(set(names)) != len(names):
        raise ApiError("tools: Tool names must be unique.")


def _check_settings(body: Json) -> None:
    choice = body.get("tool_choice", {"type": "auto"})
    if not isinstance(choice, dict) or choice.get("type") not in {"auto", "none"}:
        raise ApiError("tool_choice: this model supports `auto` and `none` only.")
    thinking = body.get("thinking", {"type": "adaptive"})
    if not isinstance(thinking, dict) or thinking.get("type") not in {"adaptive", "between_tools"}:
        raise ApiError("thinking: this model supports `adaptive` and `between_tools` only.")
    cache = body.get("cache_control", {"type": "ephemeral"})
    if not isinstance(cache, dict) or cache.get("type") != "ephemeral" or set(cache) - {"type", "ttl"}:
        raise ApiError("cache_control.type: Input should be 'ephemeral'")
    _check_system(body.get("system", "x"))
    _check_output(body.get("output_config", {}))


def _check_system(system: object) -> None:
    texts = [system] if isinstance(system, str) else system
    if not isinstance(texts, list):
        raise ApiError("system: Input should be a valid string or list")
    for block in texts:
        text = block.get("text") if isinstance(block, dict) else block
        if not isinstance(text, str) or not text.strip():
            raise ApiError("system: text content blocks must contain non-whitespace text")


def _check_output(config: object) -> None:
    if not isinstance(config, dict) or set(config) - {"format", "effort", "task_budget"}:
        raise ApiError("output_config: Extra inputs are not permitted")
    wanted = config.get("format")
    if wanted is None:
        return
    schema = wanted.get("schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None
    if not isinstance(schema, dict):
        raise ApiError("output_config.format: Input should be a `json_schema` with a `schema`")
    _check_schema(schema, "output_config.format.schema")


def _check_schema(schema: Json, place: str) -> None:
    """Structured output takes closed objects only, and no numeric or length constraints."""
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise ApiError(f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for word in ("minimum", "maximum", "minLength", "maxLength", "multipleOf"):
        if word in schema:
            raise ApiError(f"{place}: For '{schema.get('type')}' type, property '{word}' is not supported")
    for name, value in schema.items():
        for part in _subschemas(name, value):
            if isinstance(part, dict):
                _check_schema(part, f"{place}.{name}")


def _subschemas(name: str, value: object) -> list[object]:
    if isinstance(value, dict) and name in {"properties", "$defs"}:
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _check_sizes(body: Json, limits: ModelLimits) -> None:
    wanted = body["max_tokens"]
    if wanted > limits.max_output:
        raise ApiError(
            f"max_tokens: {wanted} > {limits.max_output}, which is the maximum allowed number of output tokens "
            f"for {body['model']}"
        )
    prompt = count_tokens(rendered(body))
    if prompt > limits.window:
        raise ApiError(f"prompt is too long: {prompt} tokens > {limits.window} maximum")
    if prompt + wanted > limits.window:
        raise ApiError(
            f"input length and `max_tokens` exceed context limit: {prompt} + {wanted} > {limits.window}, "
            "decrease input length or `max_tokens` and try again"
        )
