from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from coordinator.configuration import Configuration
from coordinator.configuration_file import load_configuration
from coordinator.settings import LogLevel, make_settings, read_environment
from tests.support import API_CANARY, FORGE_CANARY

CONFIGURATION = b"""
trigger: {assignee: robot, label: bot}
base_branch: develop
agents:
  house: {model: m, base_url: "http://models.example.com", api_key_env: HOUSE_API_KEY}
"""


def configuration() -> Configuration:
    return load_configuration(CONFIGURATION, file=".coordinator.yml")


def test_defaults_where_nobody_says_anything() -> None:
    settings = make_settings(read_environment({}), Configuration())
    assert (settings.trigger_assignee, settings.trigger_label) == ("coordinator", "agent")
    assert settings.base_branch is None
    assert settings.agent is None
    assert not settings.dry_run
    assert settings.log_level is LogLevel.INFO
    assert settings.configuration_path == ".coordinator.yml"


def test_the_configuration_wins_over_the_default() -> None:
    settings = make_settings(read_environment({}), configuration())
    assert (settings.trigger_assignee, settings.trigger_label) == ("robot", "bot")
    assert settings.base_branch == "develop"


def test_an_input_wins_over_the_configuration() -> None:
    environ = {
        "INPUT_TRIGGER-ASSIGNEE": "helper",
        "INPUT_TRIGGER-LABEL": "help",
        "INPUT_BASE-BRANCH": "release/1",
        "INPUT_AGENT": "house",
        "INPUT_DRY-RUN": "true",
        "INPUT_LOG-LEVEL": "error",
        "INPUT_CONFIG": "ci/x.yml",
    }
    settings = make_settings(read_environment(environ), configuration())
    assert (settings.trigger_assignee, settings.trigger_label) == ("helper", "help")
    assert settings.base_branch == "release/1"
    assert settings.agent == "house"
    assert settings.dry_run
    assert settings.log_level is LogLevel.ERROR
    assert settings.configuration_path == "ci/x.yml"


def test_settings_do_not_change() -> None:
    settings = make_settings(read_environment({}), Configuration())
    with pytest.raises(ValidationError):
        settings.dry_run = True  # type: ignore[misc]  # what the test is about


def test_the_description_says_what_is_set_and_no_value() -> None:
    environ = {"INPUT_TOKEN": FORGE_CANARY, "HOUSE_API_KEY": API_CANARY, "GITEA_WEBHOOK_SECRET": "wcanary-1122334455"}
    settings = make_settings(read_environment(environ), configuration())
    described = settings.describe()
    assert "canary" not in json.dumps(described)
    assert "canary" not in repr(settings)
    assert "canary" not in settings.model_dump_json()
    assert (described["token"], described["webhook_secret"]) == ("set", "set")
    assert described["keys"] == {
        "ANTHROPIC_API_KEY": "not set",
        "GLM_API_KEY": "not set",
        "HOUSE_API_KEY": "set",
        "MINIMAX_API_KEY": "not set",
    }
    assert described["trigger_label"] == "bot"
    assert described["configuration"] == {
        "trigger": {"assignee": "robot", "label": "bot"},
        "base_branch": "develop",
        "agents": {
            "house": {"model": "m", "base_url": "http://models.example.com", "api_key_env": "HOUSE_API_KEY"},
        },
    }
