"""A REST API over HTTP: tries again within one deadline, follows no redirect, and keeps its token to itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from coordinator.errors import Misconfigured, Unreachable
from coordinator.forge.credentials import checked_address, checked_token, forms_of
from coordinator.forge.rate_limit import seconds_until_allowed
from coordinator.forge.reply import Reply, refusal

if TYPE_CHECKING:
    from pydantic import JsonValue, SecretStr

T = TypeVar("T")
Query: TypeAlias = Mapping[str, str | int]

DEADLINE_SECONDS = 60.0
TRIES = 5
BODY_LIMIT = 64 * 1024 * 1024
"""Bytes of one answer; the largest are histories with all their comments."""
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""How long the server may say nothing at all."""
MESSAGE_LIMIT = 200
"""Characters of the server's own words in one of our messages."""

SETTLE_SECONDS = 1.0
"""How long to wait for what the server may still do in the background."""

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""What httpx raises before a request has left: sending it again cannot do a thing twice."""


class Uncertain(Unreachable):
    """A request that must not be sent twice got no answer; the server may or may not have carried it out."""


class _Failed(Exception):
    """One try that came to nothing."""

    def __init__(self, cause: str, *, maybe_done: bool, retry_after: float = 0.0, limited: bool = False) -> None:
        super().__init__(cause)
        self.maybe_done = maybe_done
        self.retry_after = retry_after
        self.limited = limited
        """Whether it was turned away because there were too many requests."""


class Deadline:
    """The moment at which a call with all its tries is over."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left, negative when it is over."""
        return self._end - self._clock()


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what it is and what it is for."""

    method: str
    path: str
    """Below the API's address, with ``/`` in front and percent-encoded."""
    about: str
    """Completes "the token may not …", e.g. ``read issue 7 of acme/app``."""
    query: Query | None = None
    json: JsonValue = None
    headers: Mapping[str, str] | None = None
    """Sent beside our own; not the token."""
    accept: Collection[int] = ()
    """Statuses that the caller deals with itself, beside those that mean success."""
    repeatable: bool | None = None
    """Whether sending it twice does no more than sending it once; default: by the method, POST is not."""

    @property
    def may_repeat(self) -> bool:
        """Whether a try without an answer may be followed by another."""
        return self.method != "POST" if self.repeatable is None else self.repeatable


class RestClient:
    """The REST API at one address, as seen with one token.

    Credentials go to that address only: redirects are not followed (a forge sends them for renamed repositories, and
    from http to https), and are reported as `Misconfigured` with the address that should be configured.
    """

    def __init__(
        self,
        api_url: str,
        token: SecretStr,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        tries: int = TRIES,
        silence_seconds: float = SILENCE_SECONDS,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api_url = checked_address(api_url, "API")
        self.host = urlsplit(self.api_url).netloc
        self._token = checked_token(token)
        self._forms = forms_of(self._token)
        self._deadline_seconds = deadline_seconds
        self._tries = tries
        self._silence_seconds = silence_seconds
        self._sleep = sleep
        self._clock = clock
        self._client = httpx.Client(transport=transport, follow_redirects=False, headers={"User-Agent": "coordinator"})

    def __repr__(self) -> str:
        return f"RestClient({self.api_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def deadline(self) -> Deadline:
        """Return a new deadline, for several calls that together are one."""
        return Deadline(self._deadline_seconds, self._clock)

    def send(self, call: Call, *, deadline: Deadline | None = None) -> Reply:
        """Send one request, again where that is harmless, until there is an answer.

        Tried again are: no connection, no answer, 429, 403 for too many requests, and 5xx; for a request that is not
        repeatable only what the server certainly has not carried out. Raises `Missing` for 404 and 410,
        `Misconfigured` for any other refusal, `Uncertain` or `Unreachable` when all tries failed.
        """
        end = deadline or self.deadline()
        wait = wait_random_exponential(multiplier=0.5, max=8)

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, _Failed) else 0.0
            return max(asked, wait(state))

        def over(state: RetryCallState) -> bool:
            return state.attempt_number >= self._tries or state.upcoming_sleep >= end.remaining()

        def again(error: BaseException) -> bool:
            return isinstance(error, _Failed) and (call.may_repeat or not error.maybe_done)

        tries = Retrying(sleep=self._sleep, wait=pause, stop=over, retry=retry_if_exception(again), reraise=True)
        try:
            reply = tries(self._try, call, end)
        except _Failed as error:
            if error.limited:
                raise self._limited(error, call) from None
            kind = Uncertain if error.maybe_done and not call.may_repeat else Unreachable
            what = f"{self.host} failed when asked to {call.about}: {self._clean(str(error))}"
            raise kind(
                what, mend="Check that the forge is up and reachable from this machine, then run again"
            ) from None
        return self._judge(reply, call)

    def settle(self) -> None:
        """Give the server a moment for what it may still be doing in the background."""
        self._sleep(SETTLE_SECONDS)

    def post_once(self, post: Callable[[], T], look: Callable[[], T | None]) -> T:
        """Post; after a lost answer `look` whether it was done, and only if it was not, post once more."""
        try:
            return post()
        except Uncertain:
            self.settle()
            found = look()
            return post() if found is None else found

    def _try(self, call: Call, deadline: Deadline) -> Reply:
        try:
            reply = self._exchange(call, deadline)
        except NEVER_SENT as error:
            raise _Failed(_cause(error), maybe_done=False) from None
        except httpx.RequestError as error:
            raise _Failed(_cause(error), maybe_done=True) from None
        retry_after = _retry_after(reply.headers.get("retry-after", ""))
        wait = seconds_until_allowed(reply, retry_after)
        if wait is not None:
            raise _Failed(f"status {reply.status} {reply.message()}", maybe_done=False, retry_after=wait, limited=True)
        if reply.status in call.accept or not _passing(reply.status):
            return reply
        refused_early = reply.status == HTTPStatus.TOO_MANY_REQUESTS or retry_after > 0
        raise _Failed(f"status {reply.status} {reply.message()}", maybe_done=not refused_early, retry_after=retry_after)

    def _exchange(self, call: Call, deadline: Deadline) -> Reply:
        left = max(deadline.remaining(), 0.001)
        timeout = httpx.Timeout(min(self._silence_seconds, left), connect=min(CONNECT_SECONDS, left))
        body = bytearray()
        with self._client.stream(
            call.method,
            f"{self.api_url}{call.path}",
            params=dict(call.query) if call.query else None,
            json=call.json,
            headers={
                "Accept": "*/*",
                **(call.headers or {}),
                "Authorization": f"token {self._token.get_secret_value()}",
            },
            timeout=timeout,
        ) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if deadline.remaining() <= 0:
                    raise _Failed(f"no complete answer within {self._deadline_seconds:g} s", maybe_done=True)
                if len(body) > BODY_LIMIT:
                    what = f"{self.host} sends more than {BODY_LIMIT} bytes when asked to {call.about}"
                    raise Misconfigured(what, mend="Work on another issue, or shorten this one's history")
            return Reply(response.status_code, response.headers, bytes(body), self.host, call.about)

    def _judge(self, reply: Reply, call: Call) -> Reply:
        if reply.succeeded or reply.status in call.accept:
            return reply
        raise self.refusal(reply)

    def refusal(self, reply: Reply) -> Misconfigured:
        """Return the error for an answer that is not one of success."""
        return refusal(reply, self.api_url, self._clean)

    def _limited(self, error: _Failed, call: Call) -> Unreachable:
        over = datetime.now(UTC) + timedelta(seconds=error.retry_after)
        what = f"{self.host} takes no more requests of this token for now, asked to {call.about}"
        mend = f"Run again after {over:%Y-%m-%d %H:%M:%S} UTC, when the limit is over"
        return Unreachable(f"{what}: {self._clean(str(error))}", mend=mend)

    def _clean(self, text: str) -> str:
        """Return someone else's text as one short line without the token."""
        for secret in self._forms:
            text = text.replace(secret, "***")
        line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).split()).rstrip(". ")
        return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"


def _passing(status: int) -> bool:
    """Whether a status may be gone at the next try."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _cause(error: httpx.RequestError) -> str:
    return f"{type(error).__name__} {error}".strip()


def _retry_after(value: str) -> float:
    """Return the seconds of a ``Retry-After`` header, which is a number or a date (RFC 9110, 10.2.3); 0 for none."""
    if value.strip().isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())
