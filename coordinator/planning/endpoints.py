"""From a profile and the environment to what is needed to call the model, or to the reason why it cannot be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from coordinator.agent.protocol import ModelEndpoint
from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.planning.models import AgentProfile

ANTHROPIC_API = "https://api.anthropic.com"
"""Where the Anthropic profiles are called when nothing else is said."""


class Variables(Protocol):
    """The part of the environment that profiles refer to by name."""

    def secret(self, name: str) -> SecretStr | None:
        """Return the key in that variable; None when it is not set."""
        ...

    def variable(self, name: str) -> str | None:
        """Return the plain value of that variable; None when it is not set."""
        ...


def unavailable_agents(profiles: Mapping[str, AgentProfile], variables: Variables) -> dict[str, str]:
    """Return why profiles cannot be called here, by name. A profile that can be called is not in it."""
    reasons = {name: _why_not(profile, variables) for name, profile in profiles.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def make_endpoint(profile: AgentProfile, variables: Variables) -> ModelEndpoint:
    """Join a profile with its address and key. The key is empty where a self-hosted endpoint needs none.

    Raises `Misconfigured` naming the variable that is not set.
    """
    reason = _why_not(profile, variables)
    if reason:
        raise Misconfigured(
            f"The agent {profile.name} cannot be called: {reason}",
            mend=f"Set {_missing_variable(profile, variables)}",
        )
    return ModelEndpoint(
        profile=profile.name,
        model=profile.model,
        base_url=_address(profile, variables),
        api_key=variables.secret(profile.api_key_env) or SecretStr(""),
        context_limit=profile.context_limit,
        max_output_tokens=profile.max_output_tokens,
        price=profile.price,
        vendor_features=profile.vendor_features,
        api_key_env=profile.api_key_env,
    )


def _why_not(profile: AgentProfile, variables: Variables) -> str:
    missing = _missing_variable(profile, variables)
    return f"{missing} is not set" if missing else ""


def _missing_variable(profile: AgentProfile, variables: Variables) -> str:
    if not _address(profile, variables):
        return profile.base_url_env
    key = variables.secret(profile.api_key_env)
    if profile.key_required and not (key and key.get_secret_value()):
        return profile.api_key_env
    return ""


def _address(profile: AgentProfile, variables: Variables) -> str:
    default = ANTHROPIC_API if profile.base_url_env == "ANTHROPIC_BASE_URL" else ""
    return profile.base_url or variables.variable(profile.base_url_env) or default
