"""What the scripted model says of the models that it has: ``GET /v1/models`` and ``GET /v1/models/{id}``.

Anthropic's own API tells ``max_input_tokens`` and ``max_tokens`` (its documentation, "Get a model"). vLLM knows the
list alone, in OpenAI's form, with ``max_model_len`` added (``ModelCard`` in ``vllm/entrypoints/openai``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from coordinator.demo.model_prompt import ApiError, Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.demo.model_rules import ModelLimits

PATH = "/v1/models"


def model_cards(path: str, models: Mapping[str, ModelLimits], *, vendor: bool) -> Json:
    """Return the answer to a GET. Raises `ApiError` (404) for a path or a model that is not there."""
    cards = {name: _vendor_card(name, limits) if vendor else _card(name, limits) for name, limits in models.items()}
    if path == PATH:
        return (
            {"data": list(cards.values()), "has_more": False}
            if vendor
            else {"object": "list", "data": [*cards.values()]}
        )
    wanted = unquote(path.removeprefix(f"{PATH}/"))
    if not vendor or wanted not in cards:
        raise ApiError(f"path not found: {path}", status=404, kind="not_found_error")
    return cards[wanted]


def _vendor_card(name: str, limits: ModelLimits) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "retires_at": None,
        "max_input_tokens": limits.window,
        "max_tokens": limits.max_output,
    }


def _card(name: str, limits: ModelLimits) -> Json:
    return {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": limits.window}
