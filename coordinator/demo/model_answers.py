"""What the scripted model answers to one request, and what it remembers: script, prompts for the cache, bill."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.demo.model_cards import model_cards
from coordinator.demo.model_prompt import ApiError, Json, count_tokens, rendered, signature
from coordinator.demo.model_rules import check_request
from coordinator.demo.model_script import Broken, Computed, Failure, Reply
from coordinator.demo.model_stream import Stream, broken, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coordinator.demo.model_rules import ModelLimits
    from coordinator.demo.model_script import Step


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came."""

    headers: Mapping[str, str]
    """Names in lower case."""
    raw: bytes
    body: Json


@dataclass(slots=True)
class Bill:
    """What all calls together cost, in tokens; a broken stream costs what its start said."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def add(self, usage: Json) -> None:
        """Add the usage of one call."""
        self.calls += 1
        self.input_tokens += usage["input_tokens"]
        self.output_tokens += usage["output_tokens"]
        self.cache_read_tokens += usage.get("cache_read_input_tokens", 0)
        self.cache_write_tokens += usage.get("cache_creation_input_tokens", 0)


class ScriptedModel:
    """Checks requests, takes the next step of the script and counts; thread-safe."""

    def __init__(
        self, script: Sequence[Step], *, key: str | None, models: Mapping[str, ModelLimits], vendor: bool
    ) -> None:
        self.requests: list[Recorded] = []
        self.refused: list[str] = []
        self.bill = Bill()
        self._steps = list(script)
        self._key = key
        self._models = models
        self._vendor = vendor
        self._prompts: dict[str, str] = {}
        self._paused: list[Json] | None = None
        self._calls = 0
        self._lock = threading.Lock()

    @property
    def steps_left(self) -> int:
        """How many steps of the script were not used."""
        return sum(not step.repeat for step in self._steps)

    def answer(self, headers: Mapping[str, str], raw: bytes) -> Json | Stream | Failure:
        """Return a message, a stream when one is asked for, or the failure that the script or the rules want."""
        with self._lock:
            try:
                body = self._checked(headers, raw)
            except ApiError as error:
                self.refused.append(error.message)
                return Failure(error.status, error.kind, error.message)
            step = self._next_step(body)
            return step if isinstance(step, Failure) else self._answer(body, step)

    def look_up(self, headers: Mapping[str, str], path: str) -> Json | Failure:
        """Return what a GET asks for: the models, or one of them."""
        try:
            self._check_key(headers)
            return model_cards(path, self._models, vendor=self._vendor)
        except ApiError as error:
            return Failure(error.status, error.kind, error.message)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        given = {headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")}
        if self._key is not None and self._key not in given:
            raise ApiError("invalid x-api-key", status=401, kind="authentication_error")

    def _checked(self, headers: Mapping[str, str], raw: bytes) -> Json:
        self._check_key(headers)
        if not headers.get("anthropic-version"):
            raise ApiError("anthropic-version: header is required")
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise ApiError(f"The request body is not valid JSON: {error}") from error
        if not isinstance(body, dict):
            raise ApiError("The request body is not valid JSON: an object is expected")
        self.requests.append(Recorded(headers, raw, body))
        check_request(body, models=self._models, vendor=self._vendor, paused=self._paused)
        return body

    def _next_step(self, body: Json) -> Reply | Failure | Broken:
        for position, step in enumerate(self._steps):
            if step.when(body):
                if not step.repeat:
                    del self._steps[position]
                return step.answer(body) if isinstance(step, Computed) else step
        message = f"script exhausted: no step is left for request {len(self.requests)}"
        return Failure(500, message=message, headers={"x-should-retry": "false"})

    def _answer(self, body: Json, step: Reply | Broken) -> Json | Stream:
        message = self._message(body, step)
        if isinstance(step, Broken):
            self.bill.add({**message["usage"], "output_tokens": 1})
            return broken(step, message)
        self.bill.add(message["usage"])
        self._paused = message["content"] if message["stop_reason"] == "pause_turn" else None
        return whole(message) if body.get("stream") is True else message

    def _message(self, body: Json, step: Reply | Broken) -> Json:
        content = [self._block(body, block) for block in step.blocks]
        calls = any(block["type"] == "tool_use" for block in content)
        message: Json = {
            "id": f"msg_{len(self.requests):04}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": self._usage(body, content),
        }
        if isinstance(step, Reply):
            message["stop_reason"] = step.stop_reason or message["stop_reason"]
            message["usage"] |= step.usage or {}
            message |= {"stop_details": step.stop_details} if step.stop_details else {}
        return message

    def _block(self, body: Json, block: Json) -> Json:
        if block["type"] == "tool_use" and "id" not in block:
            self._calls += 1
            return {**block, "id": f"toolu_{self._calls:04}"}
        if block["type"] == "thinking" and "signature" not in block:
            return {**block, "signature": signature(body, len(body["messages"]), block["thinking"])}
        return block

    def _usage(self, body: Json, content: list[Json]) -> Json:
        prompt = rendered(body)
        total, output = count_tokens(prompt), count_tokens(json.dumps(content))
        if "cache_control" not in body:
            return {"input_tokens": total, "output_tokens": output}
        read = _shared_tokens(prompt, self._prompts.get(body["model"], ""))
        self._prompts[body["model"]] = prompt
        return {
            "input_tokens": 0,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": total - read,
            "output_tokens": output,
        }


def _shared_tokens(prompt: str, previous: str) -> int:
    """Return how much of a prompt is in the cache: what it has in common with the one before, from the start."""
    low, high = 0, min(len(prompt), len(previous))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if prompt.startswith(previous[:middle]) else (low, middle - 1)
    return count_tokens(prompt[:low])
