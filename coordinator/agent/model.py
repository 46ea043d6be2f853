"""The client of one model: one call at a time, streamed, retried here and nowhere else, under one deadline."""

from __future__ import annotations

import json
import logging
import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast

import anthropic
import httpx2
from pydantic import BaseModel, JsonValue, ValidationError

from coordinator.agent.conversation import BYTES_PER_TOKEN, estimate_tokens
from coordinator.agent.failures import Transient, UnusableAnswer, excerpt, host, judge, no_address, no_api
from coordinator.agent.protocol import Usage
from coordinator.agent.reply import UnusableReply, read_reply
from coordinator.agent.streaming import Arrival, first_bytes, read_stream
from coordinator.agent.watchdog import Watchdog, hang_up
from coordinator.agent.wire import BodyWriter
from coordinator.errors import BudgetExceeded, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.agent.reply import Block, Message, Reply

log = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT", bound=BaseModel)

KEY_PLACEHOLDER = "none"
"""The SDK wants some key; for an endpoint without one, no Authorization header is sent."""
ANSWER_TOKENS = 8_000
"""Limit of a structured answer, thinking included."""
CONNECT_SECONDS = 10.0
THINKING: Mapping[str, JsonValue] = {"type": "adaptive", "display": "summarized"}
SENT_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "user-agent", "content-length", "content-type"}
    | {"anthropic-version", "authorization"}
)
"""All that is sent. The SDK adds whatever ``ANTHROPIC_CUSTOM_HEADERS`` holds, also when a key is given."""
BROKEN = (
    httpx2.HTTPError,
    OSError,
    AssertionError,
    AttributeError,
    IndexError,
    TypeError,
    ValueError,
    RuntimeError,
    UnusableReply,
)
"""What the SDK raises in the middle of a stream for a connection that breaks and for a server that breaks the protocol.
None of it is retried by the SDK, and none of it is an `anthropic.APIError`."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call is tried. All times in seconds."""

    tries: int = 5
    first_wait: float = 1.0
    """Doubles from try to try; up to a quarter is taken off at random, so that runs do not come back all at once."""
    longest_wait: float = 30.0
    stall: float = 300.0
    """A stream that brings nothing but pings for so long is ended and tried again."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the model."""

    messages: Sequence[Message]
    system: str = ""
    tools: Sequence[Block] = ()
    max_tokens: int | None = None
    """Default: the limit of the endpoint."""
    schema: Block | None = None
    """JSON Schema of the answer; only for endpoints with `vendor_features`."""

    estimate: int | None = None
    """Estimate of the prompt, where it is kept up already: a long history is not gone through once more for it."""

    @property
    def tokens(self) -> int:
        """Estimate of the whole prompt."""
        if self.estimate is not None:
            return self.estimate
        parts = [self.system, list(self.tools), list(self.messages)]
        return estimate_tokens(parts)


class ModelClient:
    """Calls one model. `charge` is told the usage of every call that was billed, also of one that then failed.

    Raises `Misconfigured` for an address that no HTTP client can call, such as ``http://999.999.999.999``.
    `deadline` is a reading of `time.monotonic()`; no call, wait or retry goes beyond it.
    """

    def __init__(
        self,
        endpoint: ModelEndpoint,
        *,
        deadline: float,
        charge: Callable[[Usage], None],
        patience: Patience | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._deadline = deadline
        self._charge = charge
        self._patience = patience or Patience()
        self._bodies = BodyWriter()
        secure = endpoint.base_url.lower().startswith("https:")
        self._http = httpx2.Client(
            follow_redirects=False,  # a redirect would carry the conversation, and the key, to another address
            trust_env=secure,  # the runner's proxy tunnels https; of plain http it would read the key
            event_hooks={"request": [self._set_headers]},
        )
        try:
            self._sdk = anthropic.Anthropic(
                api_key=endpoint.api_key.get_secret_value() or KEY_PLACEHOLDER,
                base_url=endpoint.base_url,
                max_retries=0,
                http_client=self._http,
                open_telemetry=False,
            )
        except httpx2.InvalidURL as error:
            self._http.close()
            raise no_address(endpoint) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sdk.close()

    def send(self, request: Request) -> Reply:
        """Return the model's reply to one request.

        Raises `Misconfigured` (key, model, address or request refused), `ContextOverflow`, `Unreachable` (after all
        tries, or when the next would lie beyond the deadline), `BudgetExceeded` (deadline in the middle of a reply).
        """
        last = ""
        for attempt in range(self._patience.tries):
            try:
                return self._try(request)
            except Transient as failure:
                last = failure.reason
                log.warning("model %s at %s: %s", self.endpoint.model, host(self.endpoint), last)
                if attempt + 1 < self._patience.tries:
                    self._wait(failure, attempt)
        raise self._unreachable(f"failed {self._patience.tries} times, at last with: {last}")

    def structured(self, prompt: str, schema_model: type[AnswerT]) -> AnswerT:
        """Return the model's answer in the given shape; one more try when the first has another shape.

        Raises what `send` raises, and `UnusableAnswer`.
        """
        schema = cast("Block", anthropic.transform_schema(schema_model.model_json_schema()))
        vendor = self.endpoint.vendor_features
        if not vendor:
            prompt += (
                f"\n\nAnswer with one JSON object that fits this JSON Schema, and nothing else:\n{json.dumps(schema)}"
            )
        messages: list[Message] = [_user(prompt)]
        limit = min(ANSWER_TOKENS, self.endpoint.max_output_tokens)
        fault = ""
        for _ in range(2):
            reply = self.send(Request(messages, max_tokens=limit, schema=schema if vendor else None))
            if reply.stop_reason == "refusal":
                raise self._unusable(f"the model declined ({reply.refusal or 'no reason given'})")
            try:
                return schema_model.model_validate_json(_json_object(reply.text))
            except ValidationError as error:
                fault = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
                messages += [
                    reply.message,
                    _user(f"That answer cannot be used: {fault}. Answer with the JSON object only."),
                ]
        raise self._unusable(fault)

    def _unusable(self, fault: str) -> UnusableAnswer:
        shown = excerpt(fault, self.endpoint.api_key.get_secret_value())
        return UnusableAnswer(
            f"The answer of {self.endpoint.model} at {host(self.endpoint)} cannot be used: {shown}",
            mend="Run again, or choose another profile",
        )

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(
            f"The model API at {host(self.endpoint)} (profile {self.endpoint.profile}) {reason}",
            mend="Check the address and the provider's status page, then run again",
        )

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    def _wait(self, failure: Transient, attempt: int) -> None:
        jitter = 1 - random.random() / 4  # noqa: S311  (spreads retries, guards nothing)
        wait = min(self._patience.first_wait * 2**attempt, self._patience.longest_wait) * jitter
        wait = wait if failure.wait is None else failure.wait
        if wait >= self._remaining():
            raise self._unreachable(f"wants a wait of {wait:.0f} s, beyond the run's time limit ({failure.reason})")
        time.sleep(wait)

    def _try(self, request: Request) -> Reply:
        if self._remaining() <= 0:
            raise self._out_of_time()
        try:
            with self._stream(request) as stream:
                return self._read(stream, request)
        except anthropic.APIStatusError as error:
            raise judge(error, self.endpoint) from None
        except anthropic.APIConnectionError as error:
            raise Transient(f"{type(error.__cause__ or error).__name__}: {error.__cause__ or error}") from None

    def _stream(self, request: Request) -> anthropic.Stream[object]:
        """Send a request, and return the events of the answer as they come: as JSON, without pings."""
        read = min(self._patience.stall, self._remaining())
        return self._sdk.post(
            "/v1/messages",
            cast_to=object,
            content=self._body(request),
            options={"timeout": httpx2.Timeout(read, connect=min(CONNECT_SECONDS, read))},
            stream=True,
            stream_cls=anthropic.Stream[object],
        )

    def _body(self, request: Request) -> bytes:
        ours = self.endpoint
        vendor: Block = {"cache_control": {"type": "ephemeral"}, "thinking": dict(THINKING)}
        after: Block = {
            "model": ours.model,
            **(vendor if ours.vendor_features else {}),
            **({"output_config": {"format": _format(request.schema)}} if request.schema is not None else {}),
            **({"system": request.system} if request.system else {}),
            **({"tools": list(request.tools)} if request.tools else {}),
            "stream": True,
        }
        return self._bodies.write({"max_tokens": request.max_tokens or ours.max_output_tokens}, request.messages, after)

    def _read(self, stream: anthropic.Stream[object], request: Request) -> Reply:
        """Read one reply to its end and charge for it, whether or not it turns out to be whole."""
        arrival = Arrival()
        watchdog = Watchdog(lambda: hang_up(stream.response), stall=self._patience.stall, deadline=self._deadline)
        try:
            with watchdog:
                if "event-stream" not in stream.response.headers.get("content-type", "event-stream"):
                    raise no_api(self.endpoint, first_bytes(stream.response))
                reply = read_reply(read_stream(stream, arrival, watchdog.progress))
                estimated = not arrival.usage.prompt_tokens
                return replace(reply, usage=self._counted(arrival, request), estimated=estimated)
        except BROKEN as error:
            raise self._broken(error, arrival, fired=watchdog.fired) from None
        finally:
            if arrival.begun:
                self._charge(self._counted(arrival, request))

    def _counted(self, arrival: Arrival, request: Request) -> Usage:
        """Return what a call used; estimated where the server counts nothing, as some gateways do."""
        if arrival.usage.prompt_tokens:
            return arrival.usage
        output = arrival.usage.output_tokens or arrival.size // BYTES_PER_TOKEN
        return Usage(input_tokens=request.tokens, output_tokens=output)

    def _broken(self, error: Exception, arrival: Arrival, *, fired: bool) -> Exception:
        """Return what to raise for a stream that broke, or that the watchdog has ended."""
        if fired and self._remaining() <= 0:
            return self._out_of_time() if arrival.begun else self._unreachable("said nothing until the time was up")
        if fired:
            return Transient(f"nothing came for {self._patience.stall:.0f} s")
        return Transient(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)

    @staticmethod
    def _out_of_time() -> BudgetExceeded:
        return BudgetExceeded(
            "The run's time limit was reached in the middle of a model call",
            mend="Raise budget.run.minutes in .coordinator.yml, or split the issue",
        )

    def _set_headers(self, request: httpx2.Request) -> None:
        """Send the headers that we mean to send, and the key only where there is one."""
        for name in [name for name in request.headers if name.lower() not in SENT_HEADERS]:
            del request.headers[name]
        key = self.endpoint.api_key.get_secret_value()
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        else:
            request.headers.pop("Authorization", None)


def _format(schema: Block) -> Block:
    return {"type": "json_schema", "schema": schema}


def _user(text: str) -> Message:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _json_object(text: str) -> str:
    """Return the part of an answer from its first to its last brace: models like to fence it and to talk around it."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text
