"""What a failed model call means: try again, or one of the coordinator's exceptions with what the user can do."""

from __future__ import annotations

import email.utils
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coordinator.errors import BudgetExceeded, CoordinatorError, Misconfigured, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import anthropic

    from coordinator.agent.protocol import ModelEndpoint

OVERFLOW = re.compile(
    r"prompt is too long|input length and `?max_tokens`? exceed context limit|context length exceeded"
    r"|exceeds the available context size|please reduce the length of|input exceeds the context window"
    r"|context window exceeds limit|maximum context length|longer than the model's context length",
    re.IGNORECASE,
)
"""No status and no error code says that a prompt does not fit; these texts do. They are those of Anthropic, MiniMax,
vLLM and SGLang (anomalyco/opencode#25231, QwenLM/Qwen3#1321), and the list in OpenHands
``openhands/sdk/llm/exceptions/classifier.py``."""

UNSOUND = re.compile(
    r"`tool_use` ids were found without|unexpected `tool_use_id` found in|each tool_use must have a single result"
    r"|`tool_use` ids must be unique|invalid `signature` in `thinking` block|roles must alternate"
    r"|blocks in the latest assistant message cannot be modified",
    re.IGNORECASE,
)
"""How Anthropic's API refuses a history whose parts do not belong together; no error code says so either."""

STREAM_ERRORS: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that an error would have had, had it not come inside a stream, whose status is 200."""

TRANSIENT = frozenset({408, 409, 429})
SHORTEST_SECRET = 8
"""Characters: a word that shares this many with the key is not shown."""
LONGEST_EXCERPT = 300


class ContextOverflow(BudgetExceeded):
    """The conversation does not fit into the context of the model any more."""


class RequestRefused(Misconfigured):
    """The API took key, model and address, but not the request itself (status 400, 422 and the like)."""


class HistoryRefused(RequestRefused):
    """The API finds that the messages of the conversation do not belong together."""


class UnusableAnswer(Unreachable):
    """The model answered, but never in the form that was asked for."""


class Transient(Exception):
    """A failure that another try may mend; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def host(endpoint: ModelEndpoint) -> str:
    """Return host and port of an endpoint, without a user name that may stand in its address."""
    return urlsplit(endpoint.base_url).netloc.rpartition("@")[2]


def overflow(endpoint: ModelEndpoint) -> ContextOverflow:
    """Return the exception for a conversation that does not fit."""
    return ContextOverflow(
        f"The conversation does not fit into the context of {endpoint.model} (profile {endpoint.profile}, limit "
        f"{endpoint.context_limit} tokens)",
        mend="Split the issue, or give it to a profile with a larger context_limit",
    )


def excerpt(text: str, key: str) -> str:
    """Return foreign text as one short printable line in which nothing of the key is left."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    pieces = {key[start : start + SHORTEST_SECRET] for start in range(len(key) - SHORTEST_SECRET + 1)}
    words = ("***" if any(piece in word for piece in pieces) else word for word in line.split())
    line = " ".join(words)
    return line if len(line) <= LONGEST_EXCERPT else f"{line[:LONGEST_EXCERPT]}…"


def judge(error: anthropic.APIStatusError, endpoint: ModelEndpoint) -> CoordinatorError | Transient:
    """Return what an error status of the API means. 402 and the like are named, the key never is."""
    kind = error.type or ""
    status = STREAM_ERRORS.get(kind, 500) if error.status_code == 200 else error.status_code  # noqa: PLR2004  (OK)
    said = error.api_message or str(error.body or "")
    message = excerpt(said, endpoint.api_key.get_secret_value())
    if status == 413 or OVERFLOW.search(said):  # noqa: PLR2004  (Content Too Large)
        return overflow(endpoint)
    if (status in TRANSIENT or status >= 500) and error.response.headers.get("x-should-retry") != "false":  # noqa: PLR2004  (server errors)
        return Transient(f"status {status}: {message}", wait=_retry_after(error.response.headers))
    if status >= 500:  # noqa: PLR2004  (server errors)
        return Unreachable(f"The model API at {host(endpoint)} failed: {message}", mend="Run again later")
    return _final(status, message, endpoint)


def _final(status: int, message: str, endpoint: ModelEndpoint) -> CoordinatorError:
    place = host(endpoint)
    who = f"profile {endpoint.profile}, model {endpoint.model}"
    variable = endpoint.api_key_env or "the variable of the profile's api_key_env"
    if status in {401, 403}:
        what = f"{place} refused the key for {who} (status {status})"
        return Misconfigured(what, mend=f"Put a valid key that may use this model into {variable}")
    if status == 402:  # noqa: PLR2004  (Payment Required)
        what = f"{place} asks for payment for {who}"
        return Misconfigured(what, mend=f"Add credit to the account of the key in {variable}")
    if status == 404:  # noqa: PLR2004  (Not Found)
        what = f"{place} does not know the model {endpoint.model} of profile {endpoint.profile}"
        return Misconfigured(what, mend=f"Correct agents.{endpoint.profile}.model or its base_url")
    if status < 400:  # noqa: PLR2004  (redirects)
        what = f"{place} redirects the model API elsewhere (status {status}), where the key is not sent"
        return Misconfigured(what, mend=f"Set the base_url of profile {endpoint.profile} to the final address")
    what = f"{place} refused the request for {who} (status {status}): {message}"
    kind = HistoryRefused if UNSOUND.search(message) else RequestRefused
    return kind(what, mend=f"Correct agents.{endpoint.profile} in the configuration, or report it")


def no_address(endpoint: ModelEndpoint) -> Misconfigured:
    """Return the exception for an address whose host is neither a name nor a number."""
    return Misconfigured(
        f"The address {host(endpoint)} of profile {endpoint.profile} is none that can be called",
        mend=f"Correct agents.{endpoint.profile}.base_url, or the variable that holds it",
    )


def no_api(endpoint: ModelEndpoint, page: str) -> Misconfigured:
    """Return the exception for a web page, or anything but a stream, with status 200."""
    shown = excerpt(page, endpoint.api_key.get_secret_value())
    return Misconfigured(
        f"{host(endpoint)} answered profile {endpoint.profile} with something that is not the Messages API: {shown!r}",
        mend=f"Check the base_url of profile {endpoint.profile}, and whether a proxy stands in between",
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``retry-after-ms``, else ``retry-after`` in seconds or as a date (RFC 9110, 10.2.3)."""
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        return float(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        date = email.utils.parsedate_tz(headers.get("retry-after", ""))
        return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
