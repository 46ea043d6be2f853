"""The script of the scripted model: which reply, failure or broken stream answers which request.

A script is a list of steps. Each request takes the first step that is left and that wants it, so a script reads from
top to bottom, and planning calls may stand apart from agent calls by `wants_json` and `is_agent_call`.

As a JSON file, a script is a list of objects of one of three kinds::

    {"reply": ["I look around.", {"tool": "bash", "input": {"command": "ls"}}], "when": "agent", "repeat": false}
    {"fail": 529, "error": "overloaded_error", "message": "Overloaded", "headers": {"retry-after": "1"}}
    {"break": "eof", "reply": ["half a"]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coordinator.demo.model_prompt import Json

Predicate: TypeAlias = "Callable[[Json], bool]"


def any_request(_body: Json) -> bool:
    """Match every request."""
    return True


def wants_json(body: Json) -> bool:
    """Match requests for structured output, by the field or, as compatible servers get it, by having no tools."""
    return "format" in body.get("output_config", {}) or not body.get("tools")


def is_agent_call(body: Json) -> bool:
    """Match requests that offer tools."""
    return bool(body.get("tools"))


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply of the model."""

    blocks: tuple[Json, ...]
    """Content blocks. A `tool_use` without `id` and a `thinking` without `signature` get them from the server."""
    stop_reason: str | None = None
    """Default: ``tool_use`` when there is a call, else ``end_turn``. With ``max_tokens`` the last call arrives cut."""
    stop_details: Json | None = None
    usage: Json | None = None
    """Replaces fields of the usage that the server counts."""
    when: Predicate = any_request
    repeat: bool = False
    """Answers every request that it wants, not only one."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer with an error status instead of a reply."""

    status: int
    kind: str = "api_error"
    message: str = "scripted failure"
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None
    """An HTML body in place of the API's JSON, as proxies answer."""
    when: Predicate = any_request
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A stream that starts well and breaks, in one of the ways of `coordinator.demo.model_stream.FAULTS`."""

    how: str
    blocks: tuple[Json, ...] = ({"type": "text", "text": "This reply never arrives whole."},)
    kind: str = "overloaded_error"
    """Type of the error that an ``error_event`` carries."""
    message: str = "Overloaded"
    when: Predicate = any_request
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Computed:
    """A reply, or a failure, that depends on the request."""

    answer: Callable[[Json], Reply | Failure | Broken]
    when: Predicate = any_request
    repeat: bool = False


Step: TypeAlias = "Reply | Failure | Broken | Computed"


def text(content: str) -> Json:
    """Return a text block."""
    return {"type": "text", "text": content}


def thinking(content: str) -> Json:
    """Return a thinking block; the server signs it."""
    return {"type": "thinking", "thinking": content}


def call(tool: str, arguments: object, *, identifier: str | None = None) -> Json:
    """Return a `tool_use` block."""
    block: Json = {"type": "tool_use", "name": tool, "input": arguments}
    return block if identifier is None else {**block, "id": identifier}


def say(*blocks: Json | str, **settings: Any) -> Reply:
    """Return a reply of blocks; a string is a text block. `settings` are the other fields of `Reply`."""
    return Reply(tuple(text(block) if isinstance(block, str) else block for block in blocks), **settings)


_PREDICATES: Mapping[str, Predicate] = {"any": any_request, "planning": wants_json, "agent": is_agent_call}


def load_script(path: Path) -> list[Step]:
    """Read a script from a JSON file. Raises `ValueError` that names the step that is wrong."""
    steps = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(steps, list):
        raise ValueError(f"{path}: a script is a list of steps")  # noqa: TRY004  (one kind of error for a bad file)
    return [_step(path, number, step) for number, step in enumerate(steps, start=1)]


def _step(path: Path, number: int, given: Json) -> Step:
    try:
        when, repeat = _PREDICATES[given.get("when", "any")], bool(given.get("repeat", False))
        blocks = tuple(_block(block) for block in given.get("reply", ()))
        if "fail" in given:
            kind, message = given.get("error", "api_error"), given.get("message", "scripted failure")
            return Failure(given["fail"], kind, message, given.get("headers", {}), when=when, repeat=repeat)
        if "break" in given:
            return Broken(given["break"], blocks, when=when, repeat=repeat)
        return Reply(blocks, given.get("stop_reason"), when=when, repeat=repeat) if blocks else _nothing()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: step {number} is no step: {error!r}") from error


def _nothing() -> Reply:
    raise ValueError("it has none of `reply`, `fail` and `break`")


def _block(given: Json | str) -> Json:
    if isinstance(given, str):
        return text(given)
    return call(given["tool"], given["input"]) if "tool" in given else given
