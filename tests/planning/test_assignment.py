"""The cheapest agent that can do it and has room."""

from __future__ import annotations

import re

import pytest

from coordinator.configuration import AgentSection, PriceSection
from coordinator.errors import Misconfigured
from coordinator.planning.assignment import Assignment, assign, more_capable
from coordinator.planning.endpoints import unavailable_agents
from coordinator.planning.profiles import AGENT_PROFILES, configured_profiles
from tests.planning.support import FakeVariables, estimate, metadata

ALL = {"ANTHROPIC_API_KEY": "k", "GLM_BASE_URL": "http://g.example", "MINIMAX_BASE_URL": "http://m.example"}
ANTHROPIC = {"ANTHROPIC_API_KEY": "k"}


def choose(
    difficulty: str,
    tokens: int,
    *,
    variables: dict[str, str] | None = None,
    agents: dict[str, AgentSection] | None = None,
    requested: str | None = None,
    wish: str | None = None,
) -> Assignment:
    profiles = configured_profiles(agents or {})
    return assign(
        metadata(difficulty, wish),
        estimate(tokens),
        profiles,
        requested=requested,
        unavailable=unavailable_agents(profiles, FakeVariables(ANTHROPIC if variables is None else variables)),
    )


@pytest.mark.parametrize(
    ("difficulty", "tokens", "with_anthropic", "with_all"),
    [
        ("easy", 30_000, "haiku", "minimax"),
        ("medium", 30_000, "sonnet", "glm"),
        ("hard", 30_000, "opus", "opus"),
        ("easy", 64_000, "haiku", "minimax"),
        ("easy", 64_001, "haiku", "haiku"),
        ("medium", 100_000, "sonnet", "sonnet"),
        ("hard", 100_000, "opus", "opus"),
    ],
)
def test_the_cheapest_that_fits(difficulty: str, tokens: int, with_anthropic: str, with_all: str) -> None:
    assert choose(difficulty, tokens).agent == with_anthropic
    assert choose(difficulty, tokens, variables=ALL).agent == with_all


def test_the_reason_is_one_line_with_the_price() -> None:
    assert choose("medium", 30_000).reason == (
        "sonnet: cheapest ($4.00 per million tokens) of 2 that take medium issues and hold 2 x 30k tokens"
    )
    assert choose("easy", 30_000, variables=ALL).reason.startswith("minimax: cheapest (free) of 5 ")


def test_equal_cost_takes_the_less_capable_then_the_name() -> None:
    price = PriceSection(input=2, output=10)
    agents = {"haiku": AgentSection(price=price), "opus": AgentSection(price=price)}
    assert choose("easy", 1, agents=agents).agent == "haiku"
    own = {name: AgentSection(model="m", base_url="http://x.example") for name in ("zeta", "alpha")}
    assert choose("easy", 1, agents=own).agent == "alpha"


@pytest.mark.parametrize("tokens", [100_001, 180_000])
def test_an_issue_too_big_for_all_is_to_be_split(tokens: int) -> None:
    result = choose("medium", tokens)
    assert result.agent is None
    assert result.reason == (
        f"needs 2 x {round(tokens / 1000)}k tokens of context, the largest agent for medium issues (sonnet) takes 200k:"
        " split the issue"
    )
    assert all(candidate.why_not for candidate in result.candidates)


def test_too_big_for_what_is_there_names_what_would_do() -> None:
    result = choose("medium", 70_000, variables={"GLM_BASE_URL": "http://g.example"})
    assert result.agent is None
    assert (
        "(glm) takes 128k: make a larger one available (sonnet cannot be called, as ANTHROPIC_API_KEY is not set; opus"
        in (result.reason)
    )
    assert result.reason.endswith(", or split the issue")


def test_no_agent_for_the_difficulty_names_what_would_do() -> None:
    result = choose("hard", 1_000, agents={"opus": AgentSection(enabled=False)})
    assert result == Assignment(
        None, "no agent here takes hard issues: make one available (opus is disabled)", result.candidates
    )
    weak = choose("hard", 1_000, agents={"opus": AgentSection(capabilities=("easy",))})
    assert weak.reason.endswith("(none is set up for it)")


def test_a_disabled_agent_is_passed_over() -> None:
    assert choose("easy", 1_000, agents={"haiku": AgentSection(enabled=False)}).agent == "sonnet"


def test_without_any_key_the_variables_are_named() -> None:
    with pytest.raises(Misconfigured, match=re.escape("Set one of ANTHROPIC_API_KEY, GLM_BASE_URL, MINIMAX_BASE_URL.")):
        choose("easy", 1_000, variables={})


def test_a_key_that_only_serves_another_difficulty_is_no_misconfiguration() -> None:
    assert choose("hard", 1_000, variables={"GLM_BASE_URL": "http://g.example"}).agent is None


def test_all_disabled() -> None:
    agents = {name: AgentSection(enabled=False) for name in AGENT_PROFILES}
    with pytest.raises(Misconfigured, match="Every agent is disabled"):
        choose("easy", 1_000, agents=agents)


def test_a_requested_agent_that_fits_is_taken() -> None:
    assert choose("easy", 1_000, requested="Opus", wish="haiku").agent == "opus"


@pytest.mark.parametrize(
    ("difficulty", "tokens", "requested", "message"),
    [
        ("easy", 1_000, "gpt", "There is no agent 'gpt'. Use one of: "),
        ("hard", 1_000, "haiku", "does not fit: haiku does not take hard issues. Use opus, or name no agent."),
        (
            "easy",
            1_000,
            "glm",
            "does not fit: glm cannot be called, as GLM_BASE_URL is not set. Use haiku, sonnet, opus",
        ),
        ("easy", 150_000, "opus", "does not fit: opus holds 200k tokens of 300k. Name no agent"),
    ],
)
def test_a_requested_agent_that_does_not_fit_is_an_error(
    difficulty: str, tokens: int, requested: str, message: str
) -> None:
    with pytest.raises(Misconfigured, match=re.escape(message)):
        choose(difficulty, tokens, requested=requested)


def test_a_wish_of_the_issue_is_followed_when_it_fits() -> None:
    assert choose("easy", 1_000, wish="opus").reason == "opus: the issue asks for it"


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("gpt", "; the issue asks for gpt, but there is none"),
        ("glm", "; the issue asks for glm, but it cannot be called, as GLM_BASE_URL is not set"),
    ],
)
def test_a_wish_that_cannot_be_fulfilled_is_said(wish: str, why: str) -> None:
    result = choose("easy", 1_000, wish=wish)
    assert result.agent == "haiku"
    assert result.reason.endswith(why)


def better(
    used: str, tokens: int = 30_000, *, agents: dict[str, AgentSection] | None = None, free: bool = False
) -> str:
    """Return who takes over from an agent; empty for nobody."""
    profiles = configured_profiles(agents or {})
    unavailable = unavailable_agents(profiles, FakeVariables(ALL if free else ANTHROPIC))
    found = more_capable(profiles[used], estimate(tokens), profiles, unavailable=unavailable)
    return found.name if found else ""


@pytest.mark.parametrize(
    ("used", "with_anthropic", "with_all"),
    [
        ("haiku", "sonnet", "glm"),
        ("minimax", "sonnet", "glm"),
        ("glm", "opus", "opus"),
        ("sonnet", "opus", "opus"),
        ("opus", "", ""),
    ],
)
def test_the_cheapest_of_the_more_capable_takes_over(used: str, with_anthropic: str, with_all: str) -> None:
    assert better(used) == with_anthropic
    assert better(used, free=True) == with_all


def test_who_takes_over_has_room_a_key_and_is_enabled() -> None:
    assert better("haiku", 64_001, free=True) == "sonnet", "glm holds too little"
    assert better("haiku", 100_001) == ""
    assert better("haiku", agents={"sonnet": AgentSection(enabled=False)}) == "opus"
    assert better("haiku", agents={"sonnet": AgentSection(api_key_env="OTHER_KEY")}) == "opus"


def test_an_agent_for_hard_issues_alone_is_more_capable() -> None:
    own = AgentSection(model="m", base_url="http://h.example", capabilities=("hard",))
    assert better("haiku", agents={"hero": own}) == "hero"
    assert better("hero", agents={"hero": own}) == ""
