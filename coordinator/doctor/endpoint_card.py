"""What a server says of its models, where it says anything: their windows, their longest replies, their end of life.

Anthropic's own API has ``GET /v1/models/{id}`` with ``max_input_tokens``, ``max_tokens``, ``lifecycle`` and
``retires_at`` (its documentation, "Get a model"); vLLM has ``GET /v1/models`` alone, with ``max_model_len``
(``vllm/entrypoints/openai``, ``ModelCard``). Gateways have either, or neither.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import ValidationError

from coordinator.models import Foreign

if TYPE_CHECKING:
    from coordinator.agent.protocol import ModelEndpoint

LOOK_UP_SECONDS = 5.0
LARGEST_LIST = 4_000_000
"""Bytes: a gateway to every model there is lists some hundreds, each with a description."""

AnswerT = TypeVar("AnswerT", bound="Foreign")


class Card(Foreign):
    """One model as its server describes it; None and empty for what is not said."""

    id: str = ""
    max_input_tokens: int | None = None
    max_model_len: int | None = None
    max_tokens: int | None = None
    """Of one reply."""
    lifecycle: str | None = None
    retires_at: str | None = None

    @property
    def window(self) -> int | None:
        """Tokens of prompt and reply together."""
        return self.max_input_tokens or self.max_model_len


class _Listing(Foreign):
    data: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a server says of its models."""

    card: Card | None = None
    """The model of the profile."""
    names: tuple[str, ...] = ()
    """All models that are listed; empty where the one was found by its own name."""


def look_up(endpoint: ModelEndpoint, deadline: float) -> Shelf:
    """Ask a server for the model of an endpoint, and for its models where it does not know that question.

    Nothing is raised: most servers tell less than Anthropic's, and what they do not tell is no fault. Redirects are not
    followed, and the key goes to the address of the endpoint alone.
    """
    deadline = min(deadline, time.monotonic() + LOOK_UP_SECONDS)
    card = _ask(endpoint, f"/v1/models/{quote(endpoint.model, safe='')}", Card, deadline)
    if card is not None and card.id:
        return Shelf(card)
    listing = _ask(endpoint, "/v1/models", _Listing, deadline) or _Listing()
    cards = {card.id: card for card in listing.data if card.id}
    return Shelf(cards.get(endpoint.model), tuple(cards))


def _ask(endpoint: ModelEndpoint, path: str, kind: type[AnswerT], deadline: float) -> AnswerT | None:
    """Return what a GET gives; None for everything that is no such thing."""
    key = endpoint.api_key.get_secret_value()
    headers = {"anthropic-version": "2026-10-21"} | ({"Authorization": f"Bearer {key}"} if key else {})
    secure = endpoint.base_url.lower().startswith("https:")
    timeout = max(0.01, deadline - time.monotonic())
    try:
        with (  # as for a model call: no redirect gets the key, and of plain http no proxy does
            httpx2.Client(follow_redirects=False, trust_env=secure, timeout=timeout) as client,
            client.stream("GET", f"{endpoint.base_url}{path}", headers=headers) as response,
        ):
            return (
                kind.model_validate_json(_read(response, deadline)) if response.status_code == httpx2.codes.OK else None
            )
    except (httpx2.HTTPError, OSError, ValidationError):
        return None


def _read(response: httpx2.Response, deadline: float) -> bytes:
    """Return the body, or as much of it as comes in time and is not too much."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > LARGEST_LIST or time.monotonic() > deadline:
            break
    return bytes(body)
