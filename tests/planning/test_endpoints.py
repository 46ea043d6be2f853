"""Which agents can be called here, and how."""

from __future__ import annotations

import re

import pytest

from coordinator.configuration import AgentSection
from coordinator.errors import Misconfigured
from coordinator.planning.endpoints import ANTHROPIC_API, make_endpoint, unavailable_agents
from coordinator.planning.profiles import AGENT_PROFILES, configured_profiles, get_agent_profile
from tests.planning.support import FakeVariables
from tests.support import API_CANARY


def test_with_the_anthropic_key_alone_the_self_hosted_are_unavailable() -> None:
    reasons = unavailable_agents(AGENT_PROFILES, FakeVariables({"ANTHROPIC_API_KEY": API_CANARY}))
    assert reasons == {"glm": "GLM_BASE_URL is not set", "minimax": "MINIMAX_BASE_URL is not set"}


def test_without_anything_none_is_available() -> None:
    reasons = unavailable_agents(AGENT_PROFILES, FakeVariables({"ANTHROPIC_API_KEY": ""}))
    assert set(reasons) == set(AGENT_PROFILES)
    assert reasons["opus"] == "ANTHROPIC_API_KEY is not set"


def test_an_address_makes_a_self_hosted_agent_available() -> None:
    variables = FakeVariables({"GLM_BASE_URL": "http://gpu.example"})
    assert "glm" not in unavailable_agents(AGENT_PROFILES, variables)
    endpoint = make_endpoint(get_agent_profile("glm"), variables)
    assert (endpoint.base_url, endpoint.api_key.get_secret_value()) == ("http://gpu.example", "")


def test_the_key_goes_into_the_endpoint_and_not_into_its_repr() -> None:
    endpoint = make_endpoint(get_agent_profile("opus"), FakeVariables({"ANTHROPIC_API_KEY": API_CANARY}))
    assert endpoint.api_key.get_secret_value() == API_CANARY
    assert API_CANARY not in repr(endpoint)
    assert endpoint.base_url == ANTHROPIC_API
    assert (endpoint.model, endpoint.context_limit, endpoint.vendor_features) == ("claude-opus-5-5", 200_000, True)


def test_the_variable_moves_the_anthropic_profiles_and_the_file_wins() -> None:
    variables = FakeVariables({"ANTHROPIC_API_KEY": API_CANARY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})
    profiles = configured_profiles({"opus": AgentSection(base_url="http://file.example")})
    assert make_endpoint(profiles["opus"], variables).base_url == "http://file.example"
    assert make_endpoint(profiles["sonnet"], variables).base_url == "http://127.0.0.1:9"


def test_an_endpoint_without_its_key_names_the_variable() -> None:
    with pytest.raises(Misconfigured, match=re.escape("Set ANTHROPIC_API_KEY.")):
        make_endpoint(get_agent_profile("opus"), FakeVariables())
