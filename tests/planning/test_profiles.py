"""The agents, their prices, and what the configuration changes about them."""

from __future__ import annotations

import re

import pytest

from coordinator.agent.protocol import Usage
from coordinator.configuration import AgentSection, PriceSection
from coordinator.errors import Misconfigured
from coordinator.planning.models import AgentName, Capability
from coordinator.planning.profiles import AGENT_PROFILES, configured_profiles, get_agent_profile


def test_the_five_agents_are_there_with_their_limits() -> None:
    assert set(AGENT_PROFILES) == {name.value for name in AgentName}
    limits = {name: profile.context_limit for name, profile in AGENT_PROFILES.items()}
    assert limits == {"opus": 200_000, "sonnet": 200_000, "haiku": 200_000, "glm": 128_000, "minimax": 128_000}
    assert all(profile.best_for for profile in AGENT_PROFILES.values())


def test_capabilities_grow_with_the_price() -> None:
    assert get_agent_profile("opus").capabilities == (Capability.LOW, Capability.MEDIUM, Capability.HIGH)
    assert get_agent_profile("sonnet").capabilities == (Capability.LOW, Capability.MEDIUM)
    assert get_agent_profile("haiku").capabilities == (Capability.LOW,)


@pytest.mark.parametrize(
    ("name", "model", "cost"),
    [
        ("opus", "claude-opus-5-5", 8.0),
        ("sonnet", "claude-sonnet-5-5", 4.0),
        ("haiku", "claude-haiku-5-5", 0.2),
        ("glm", "zai-org/GLM-5.2", 0.0),
        ("minimax", "MiniMaxAI/MiniMax-M2.5", 0.0),
    ],
)
def test_models_and_blended_prices(name: str, model: str, cost: float) -> None:
    profile = get_agent_profile(name)
    assert profile.model == model
    assert profile.cost_per_mtok == pytest.approx(cost)


@pytest.mark.parametrize(("prompt", "dollars"), [(100_000, 0.01), (100_001, 0.05000050)])
def test_haiku_costs_five_times_as_much_above_100k(prompt: int, dollars: float) -> None:
    assert get_agent_profile("haiku").price.cost(Usage(input_tokens=prompt)) == pytest.approx(dollars)


def test_a_cache_write_costs_a_quarter_more_and_a_read_little() -> None:
    for name in ("opus", "sonnet", "haiku"):
        price = get_agent_profile(name).price
        assert price.cache_write == pytest.approx(price.input * 1.25)
        assert price.cache_read <= price.input * 0.1


def test_self_hosted_agents_need_an_address_and_no_key() -> None:
    profile = get_agent_profile("glm")
    assert (profile.base_url_env, profile.key_required, profile.vendor_features) == ("GLM_BASE_URL", False, False)


def test_a_name_is_found_in_any_case() -> None:
    assert get_agent_profile(" Opus ").name == "opus"


def test_an_unknown_name_lists_the_known_ones_nearest_first() -> None:
    with pytest.raises(Misconfigured, match=re.escape("There is no agent 'sonet'. Use one of: sonnet, ")):
        get_agent_profile("sonet")


def test_a_long_unknown_name_is_cut() -> None:
    with pytest.raises(Misconfigured) as caught:
        get_agent_profile("x" * 5_000)
    assert len(caught.value.what) < 80


def test_overrides_keep_what_they_do_not_name() -> None:
    section = AgentSection(context_limit=100_000, capabilities=("easy", "medium", "hard"), enabled=False)
    sonnet = configured_profiles({"sonnet": section})["sonnet"]
    assert (sonnet.context_limit, sonnet.enabled, sonnet.model) == (100_000, False, "claude-sonnet-5-5")
    assert sonnet.capabilities == (Capability.LOW, Capability.MEDIUM, Capability.HIGH)
    assert sonnet.vendor_features
    assert AGENT_PROFILES["sonnet"].context_limit == 200_000


def test_a_price_replaces_the_whole_price() -> None:
    haiku = configured_profiles({"haiku": AgentSection(price=PriceSection(input=1, output=5))})["haiku"]
    assert haiku.price.cost(Usage(input_tokens=1_000_000)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("section", "features"),
    [
        (AgentSection(model="claude-opus-5"), True),
        (AgentSection(model="claude-haiku-4-5"), False),
        (AgentSection(model="something-else"), False),
        (AgentSection(base_url="http://gateway.example"), False),
    ],
)
def test_vendor_features_end_with_another_address_or_an_older_model(section: AgentSection, *, features: bool) -> None:
    assert configured_profiles({"sonnet": section})["sonnet"].vendor_features is features


def test_a_profile_of_ones_own() -> None:
    section = AgentSection(model="qwen", base_url="http://gpu.example:8000", api_key_env="GPU_KEY")
    own = configured_profiles({"my-gpu": section})["my-gpu"]
    assert (own.model, own.base_url, own.api_key_env, own.key_required) == (
        "qwen",
        "http://gpu.example:8000",
        "GPU_KEY",
        True,
    )
    assert (own.context_limit, own.cost_per_mtok, own.base_url_env) == (128_000, 0.0, "MY_GPU_BASE_URL")


def test_a_profile_of_ones_own_without_a_key_variable_needs_no_key() -> None:
    own = configured_profiles({"gpu": AgentSection(model="qwen", base_url="http://gpu.example")})["gpu"]
    assert not own.key_required


@pytest.mark.parametrize(
    ("section", "path"),
    [
        (AgentSection(base_url="http://x.example"), "agents.mine.model "),
        (AgentSection(model="m"), "agents.mine.base_url "),
        (AgentSection(model="m", base_url="http://x.example", context_limit=10), "agents.mine"),
    ],
)
def test_a_bad_profile_names_the_key(section: AgentSection, path: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(path)):
        configured_profiles({"mine": section})


def test_a_name_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(Misconfigured, match=re.escape("agents.No Good.name")):
        configured_profiles({"No Good": AgentSection(model="m", base_url="http://x.example")})
