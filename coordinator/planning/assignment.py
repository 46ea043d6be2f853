"""Which agent takes an issue: the cheapest that can do it and has room for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.planning.models import Capability
from coordinator.planning.profiles import get_agent_profile
from coordinator.planning.show import thousands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.planning.models import AgentProfile, ContextEstimate, IssueMetadata

ROOM = 2
"""The context limit has to be this many times the estimate: half of it is left for what nobody foresaw."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One profile and why it is not chosen; an empty reason means that it would do."""

    profile: AgentProfile
    why_not: str
    lacks: str = ""
    """What kind of reason: ``access`` (disabled, no key), ``capability`` or ``room``."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The chosen agent, or None, and the reason in one line."""

    agent: str | None
    reason: str
    candidates: tuple[Candidate, ...]
    """All profiles, cheapest first."""


def assign(
    metadata: IssueMetadata,
    estimate: ContextEstimate,
    profiles: Mapping[str, AgentProfile],
    *,
    requested: str | None,
    unavailable: Mapping[str, str],
) -> Assignment:
    """Choose the agent.

    `requested` is the name that the operator gave for this run: it has to fit, or the run is `Misconfigured`. A wish
    in the issue is followed when it fits; otherwise the cheapest takes the issue and the reason says so.
    `unavailable` holds why a profile cannot be called here, by name. Raises `Misconfigured` when no profile can be
    called at all, naming the variables to set.
    """
    need = Capability(metadata.difficulty.value)
    candidates = tuple(
        _judge(profile, need, estimate.tokens, unavailable) for profile in sorted(profiles.values(), key=_rank)
    )
    _require_any_access(candidates)
    if requested is not None:
        return _requested(get_agent_profile(requested, profiles), candidates)
    return _wished(metadata.assigned_agent, candidates) or _cheapest(candidates, need, estimate.tokens, metadata)


def more_capable(
    used: AgentProfile,
    estimate: ContextEstimate,
    profiles: Mapping[str, AgentProfile],
    *,
    unavailable: Mapping[str, str],
) -> AgentProfile | None:
    """Return the cheapest profile that handles harder issues than `used` does and has room; None where there is none.

    What the issue itself needs does not count: `used` had that, and it was not enough.
    """
    fitting = [
        profile
        for profile in sorted(profiles.values(), key=_rank)
        if profile.enabled
        and profile.name not in unavailable
        and _hardest(profile) > _hardest(used)
        and profile.context_limit >= ROOM * estimate.tokens
    ]
    return fitting[0] if fitting else None


def _hardest(profile: AgentProfile) -> int:
    return max(list(Capability).index(capability) for capability in profile.capabilities)


def _rank(profile: AgentProfile) -> tuple[float, int, str]:
    """Order by cost; of the equally cheap the less capable first, so that the more capable stay free."""
    return (profile.cost_per_mtok, len(profile.capabilities), profile.name)


def _judge(profile: AgentProfile, need: Capability, tokens: int, unavailable: Mapping[str, str]) -> Candidate:
    if not profile.enabled:
        return Candidate(profile, "is disabled", "access")
    if profile.name in unavailable:
        return Candidate(profile, f"cannot be called, as {unavailable[profile.name]}", "access")
    if need not in profile.capabilities:
        return Candidate(profile, f"does not take {need.value} issues", "capability")
    if profile.context_limit < ROOM * tokens:
        return Candidate(
            profile, f"holds {thousands(profile.context_limit)} tokens of {thousands(ROOM * tokens)}", "room"
        )
    return Candidate(profile, "")


def _require_any_access(candidates: tuple[Candidate, ...]) -> None:
    if any(candidate.lacks != "access" for candidate in candidates):
        return
    enabled = [candidate for candidate in candidates if candidate.profile.enabled]
    if not enabled:
        raise Misconfigured("Every agent is disabled", mend="Enable one below agents: in .coordinator.yml")
    keys = sorted({_way_in(candidate.profile) for candidate in enabled})
    reasons = "; ".join(f"{candidate.profile.name} {candidate.why_not}" for candidate in enabled)
    raise Misconfigured(f"No agent can be called ({reasons})", mend=f"Set one of {', '.join(keys)}")


def _way_in(profile: AgentProfile) -> str:
    return profile.api_key_env if profile.key_required else profile.base_url_env


def _requested(profile: AgentProfile, candidates: tuple[Candidate, ...]) -> Assignment:
    chosen = next(candidate for candidate in candidates if candidate.profile.name == profile.name)
    if chosen.why_not:
        fitting = ", ".join(other.profile.name for other in candidates if not other.why_not)
        advice = f"Use {fitting}, or name no agent" if fitting else "Name no agent, and see what the plan says"
        raise Misconfigured(f"The requested agent does not fit: {profile.name} {chosen.why_not}", mend=advice)
    return Assignment(profile.name, f"{profile.name}: requested for this run", candidates)


def _wished(name: str | None, candidates: tuple[Candidate, ...]) -> Assignment | None:
    fitting = any(candidate.profile.name == name and not candidate.why_not for candidate in candidates)
    return Assignment(name, f"{name}: the issue asks for it", candidates) if fitting else None


def _cheapest(
    candidates: tuple[Candidate, ...],
    need: Capability,
    tokens: int,
    metadata: IssueMetadata,
) -> Assignment:
    fitting = [candidate.profile for candidate in candidates if not candidate.why_not]
    if not fitting:
        return Assignment(None, _why_none(candidates, need, tokens), candidates)
    best = fitting[0]
    price = f"${best.cost_per_mtok:.2f} per million tokens" if best.cost_per_mtok else "free"
    reason = (
        f"{best.name}: cheapest ({price}) of {len(fitting)} that take {need.value} issues"
        f" and hold {ROOM} x {thousands(tokens)} tokens"
    )
    return Assignment(best.name, reason + _unfulfilled(metadata.assigned_agent, candidates), candidates)


def _unfulfilled(wish: str | None, candidates: tuple[Candidate, ...]) -> str:
    if wish is None:
        return ""
    why = next(
        (f"it {candidate.why_not}" for candidate in candidates if candidate.profile.name == wish), "there is none"
    )
    return f"; the issue asks for {wish}, but {why}"


def _why_none(candidates: tuple[Candidate, ...], need: Capability, tokens: int) -> str:
    small = [candidate.profile for candidate in candidates if candidate.lacks == "room"]
    absent = [
        f"{candidate.profile.name} {candidate.why_not}"
        for candidate in candidates
        if candidate.lacks == "access" and _would_do(candidate.profile, need, tokens)
    ]
    if not small:
        why = "; ".join(absent) or "none is set up for it"
        return f"no agent here takes {need.value} issues: make one available ({why})"
    largest = max(small, key=lambda profile: profile.context_limit)
    advice = f"make a larger one available ({'; '.join(absent)}), or split the issue" if absent else "split the issue"
    return (
        f"needs {ROOM} x {thousands(tokens)} tokens of context, the largest agent for {need.value} issues"
        f" ({largest.name}) takes {thousands(largest.context_limit)}: {advice}"
    )


def _would_do(profile: AgentProfile, need: Capability, tokens: int) -> bool:
    return need in profile.capabilities and profile.context_limit >= ROOM * tokens
