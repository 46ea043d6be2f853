"""The five agents that come with the coordinator, and the ones that the configuration adds.

Model ids, prices and windows are those of the vendors' model pages of November 2026 (platform.claude.com, "Models
overview" and the page of each model; the model cards of zai-org/GLM-5.2 and MiniMaxAI/MiniMax-M2.5). Prices are
dollars per million tokens. A cache write costs 1.25 times the input (five-minute cache), a cache read what the page
of the model says. Claude Haiku 5.5 costs five times as much from 100,000 prompt tokens on.

The context limit of the Anthropic profiles is a budget: their windows are five times as large. That of the
self-hosted ones is what a common deployment is started with (``--max-model-len``).
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from coordinator.agent.protocol import Price
from coordinator.errors import Misconfigured
from coordinator.planning.models import AgentName, AgentProfile, Capability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coordinator.configuration import AgentSection

ADAPTIVE_MODELS = frozenset(
    {
        "claude-fable-5-1",
        "claude-opus-5-5",
        "claude-opus-5",
        "claude-sonnet-5-5",
        "claude-sonnet-5",
        "claude-haiku-5-5",
    }
)
"""Models whose page lists adaptive thinking. Older ones answer 400 to it, so they are called plainly."""

_LOW = (Capability.LOW,)
_MEDIUM = (Capability.LOW, Capability.MEDIUM)
_HIGH = (Capability.LOW, Capability.MEDIUM, Capability.HIGH)


def _anthropic(
    name: AgentName,
    model: str,
    price: Price,
    capabilities: tuple[Capability, ...],
    best_for: str,
) -> AgentProfile:
    return AgentProfile(
        name=name.value,
        model=model,
        context_limit=200_000,
        max_output_tokens=32_000,
        price=price,
        capabilities=capabilities,
        best_for=best_for,
        base_url_env="ANTHROPIC_BASE_URL",
        api_key_env="ANTHROPIC_API_KEY",
        vendor_features=True,
    )


def _self_hosted(name: str, model: str, capabilities: tuple[Capability, ...], best_for: str) -> AgentProfile:
    """Make a profile that costs nothing per token; its address comes from the environment or the configuration."""
    variable = name.upper().replace("-", "_")
    return AgentProfile(
        name=name,
        model=model,
        context_limit=128_000,
        max_output_tokens=16_000,
        price=Price(),
        capabilities=capabilities,
        best_for=best_for,
        base_url_env=f"{variable}_BASE_URL",
        api_key_env=f"{variable}_API_KEY",
        key_required=False,
    )


AGENT_PROFILES: Mapping[str, AgentProfile] = {
    profile.name: profile
    for profile in (
        _anthropic(
            AgentName.OPUS,
            "claude-opus-5-5",
            Price(input=4.0, output=20.0, cache_read=0.20, cache_write=5.0),
            _HIGH,
            "hard issues: design decisions, changes across many files, unclear causes",
        ),
        _anthropic(
            AgentName.SONNET,
            "claude-sonnet-5-5",
            Price(input=2.0, output=10.0, cache_read=0.10, cache_write=2.50),
            _MEDIUM,
            "medium issues: a feature or a fix in a few files, with its tests",
        ),
        _anthropic(
            AgentName.HAIKU,
            "claude-haiku-5-5",
            Price(
                input=0.10,
                output=0.50,
                cache_read=0.01,
                cache_write=0.125,
                long_prompt_over=100_000,
                long_prompt_factor=5.0,
            ),
            _LOW,
            "easy issues: a small fix, a text, a missing test",
        ),
        _self_hosted(
            AgentName.GLM.value,
            "zai-org/GLM-5.2",
            _MEDIUM,
            "easy and medium issues at no cost per token: a large open model made for long agent work",
        ),
        _self_hosted(
            AgentName.MINIMAX.value,
            "MiniMaxAI/MiniMax-M2.5",
            _LOW,
            "easy issues at no cost per token: a smaller and faster open model",
        ),
    )
}
"""The built-in profiles by name."""


def get_agent_profile(name: str, profiles: Mapping[str, AgentProfile] = AGENT_PROFILES) -> AgentProfile:
    """Return the profile of that name.

    Raises `Misconfigured` for an unknown name; the message lists the known ones, the nearest first.
    """
    profile = profiles.get(name.strip().lower())
    if profile is None:
        shown = name if len(name) <= 40 else f"{name[:40]}…"  # noqa: PLR2004  (keeps the message on one line)
        raise Misconfigured(
            f"There is no agent {shown!r}",
            mend=f"Use one of: {', '.join(_nearest_first(name, profiles))}",
        )
    return profile


def _nearest_first(name: str, known: Iterable[str]) -> list[str]:
    names = list(known)
    near = difflib.get_close_matches(name.lower(), names, n=len(names), cutoff=0.4)
    return near + [other for other in names if other not in near]


def configured_profiles(agents: Mapping[str, AgentSection]) -> dict[str, AgentProfile]:
    """Apply the section `agents` of the configuration to the built-in profiles.

    A name that is not built in becomes a profile of its own, which needs `model` and `base_url`. Where a model is
    changed and no price is given, the price of the built-in profile stays: a budget then rather counts too much.
    Raises `Misconfigured` with the key path of what is missing or does not fit.
    """
    profiles = dict(AGENT_PROFILES)
    for name, section in agents.items():
        try:
            profiles[name] = _apply(profiles.get(name) or _own_profile(name, section), section)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise Misconfigured(
                f"agents.{name}{f'.{field}' if field else ''} in .coordinator.yml: {first['msg']}",
                mend=f"Correct the section agents.{name}",
            ) from None
    return profiles


def _own_profile(name: str, section: AgentSection) -> AgentProfile:
    for key in ("model", "base_url"):
        if not getattr(section, key):
            builtin = ", ".join(AGENT_PROFILES)
            raise Misconfigured(
                f"agents.{name}.{key} in .coordinator.yml is missing",
                mend=f"Set model and base_url for an agent of your own, or use a built-in name: {builtin}",
            )
    return _self_hosted(name, str(section.model), _MEDIUM, "your own endpoint")


def _apply(profile: AgentProfile, section: AgentSection) -> AgentProfile:
    changes = section.model_dump(exclude_none=True, exclude={"price"})
    if section.price is not None:
        changes["price"] = Price(**section.price.model_dump())
    if section.api_key_env is not None:
        changes["key_required"] = True
    changes["vendor_features"] = (
        profile.vendor_features and section.base_url is None and changes.get("model", profile.model) in ADAPTIVE_MODELS
    )
    return AgentProfile.model_validate({**profile.model_dump(), **changes})
