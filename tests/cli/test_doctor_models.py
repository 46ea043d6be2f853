"""`coordinator doctor --models`: the command that calls models, and the same command without it, which calls none."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_rules import MODELS, ModelLimits
from coordinator.demo.model_script import Broken, Failure, call, say
from coordinator.demo.model_server import ModelServer
from tests.cli.support import Project, Shell, make_project, wait_until
from tests.doctor.clinic import Found
from tests.doctor.support import OddServer
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = say(call("echo", {"text": "ready"}), repeat=True)
ABOUT = ["endpoint", "tool call", "stream", "usage", "thinking", "cache", "price", "window", "trial"]


@pytest.fixture
def server(shell: Shell) -> Iterator[ModelServer]:
    """Serve the three models of the vendor to a shell; the strict rules may have refused nothing."""
    with ModelServer([GOOD], key=API_CANARY) as server:
        shell.set(ANTHROPIC_BASE_URL=server.url)
        yield server
    assert server.refused == []


def find(shell: Shell, project: Project) -> Found:
    return Found(shell.run("doctor", "--repo", project.folder, "--format", "json", "--models"), FORGE_CANARY)


def names(found: Found) -> list[str]:
    return [check["name"] for check in found.checks if check["group"] == "models"]


def test_each_model_is_called_once_and_every_answer_is_a_line(
    shell: Shell, project: Project, server: ModelServer
) -> None:
    found = find(shell, project)
    assert found.errors == []
    tried = [f"{name} {about}" for name in ("opus", "sonnet", "haiku") for about in ABOUT]
    assert names(found) == ["opus", "sonnet", "haiku", "agents", *tried, "glm", "minimax"]
    assert found.one("models", "glm") == ("ok", "not configured: GLM_BASE_URL is not set")
    assert sorted(request.body["model"] for request in server.requests) == sorted(MODELS)
    assert found.code == 0


def test_people_get_the_same_as_lines(shell: Shell, project: Project, server: ModelServer) -> None:
    ended = shell.run("doctor", "--repo", project.folder, "--models")
    lines = ended.out.splitlines()
    assert f"ok       models         haiku endpoint: {server.url[7:]} answers and knows claude-haiku-5-5" in lines
    assert ended.err == ""
    assert API_CANARY not in ended.out


def test_without_the_option_nothing_is_sent_to_any_model(shell: Shell, project: Project) -> None:
    with OddServer({}) as server:
        shell.set(ANTHROPIC_BASE_URL=server.url, GLM_BASE_URL=server.url, MINIMAX_BASE_URL=server.url)
        ended = shell.run("doctor", "--repo", project.folder)
        assert (ended.code, server.asked) == (0, [])


def test_disabled_agents_are_neither_called_nor_named(shell: Shell, tmp_path: Path, server: ModelServer) -> None:
    agents = "agents: {opus: {enabled: false}, glm: {enabled: false}, sonnet: {enabled: false}}\n"
    found = find(shell, make_project(tmp_path, {".coordinator.yml": agents}))
    assert {name.split()[0] for name in names(found)} == {"haiku", "agents", "minimax"}
    assert [request.body["model"] for request in server.requests] == ["claude-haiku-5-5"]


def test_an_agent_of_ones_own_is_tried_with_its_own_key_alone(shell: Shell, tmp_path: Path) -> None:
    shell.unset("ANTHROPIC_API_KEY")
    models = {"our-model": ModelLimits(100_000, 16_000)}
    with ModelServer([GOOD], key="house-key-0123456789", models=models, vendor=False) as server:
        agents = f"agents:\n  house: {{model: our-model, base_url: '{server.url}', api_key_env: HOUSE_API_KEY}}\n"
        shell.set(HOUSE_API_KEY="house-key-0123456789")
        ended = shell.run(
            "doctor",
            "--models",
            "--format",
            "json",
            "--repo",
            make_project(tmp_path, {".coordinator.yml": agents}).folder,
        )
    found = Found(ended, FORGE_CANARY)
    assert "house-key" not in ended.out + ended.err
    assert found.one("models", "house tool call") == ("ok", "came back as tool_use with valid input")
    assert found.one("models", "house window")[0] == "warning"
    assert found.one("models", "opus") == ("ok", "not configured: ANTHROPIC_API_KEY is not set")
    assert server.refused == []


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Failure(401, "authentication_error", f"bad key {API_CANARY}", repeat=True), "refused the key"),
        (Failure(400, "invalid_request_error", f"no {API_CANARY[:20]}…", repeat=True), "refused the request"),
        (Failure(200, page=f"<b>{API_CANARY}</b>", repeat=True), "is not the Messages API"),
        (Failure(529, "overloaded_error", f"::error::\n{API_CANARY}", repeat=True), "529"),
        (Broken("eof", repeat=True), "ended before the reply did"),
    ],
)
def test_a_model_that_fails_is_an_error_without_the_key_and_without_noise(
    shell: Shell, project: Project, failure: Failure | Broken, said: str
) -> None:
    shell.set(ANTHROPIC_API_KEY=API_CANARY)
    with ModelServer([failure], key=API_CANARY) as server:
        shell.set(ANTHROPIC_BASE_URL=server.url)
        ended = shell.run("doctor", "--repo", project.folder, "--format", "json", "--models")
    found = Found(ended, FORGE_CANARY)
    assert (found.code, ended.err) == (2, "")
    assert len(found.errors) == 3
    assert all(said in message for _, message in found.errors)
    assert API_CANARY[:20] not in ended.out


def test_what_a_model_answers_does_not_reach_the_log(shell: Shell, project: Project) -> None:
    """As a process, because here pytest takes in what is logged."""
    with ModelServer([Failure(529, "overloaded_error", "::error::no", repeat=True)], key=API_CANARY) as server:
        shell.set(ANTHROPIC_BASE_URL=server.url)
        ended = shell.finish(shell.start("doctor", "--repo", project.folder, "--models"))
    assert (ended.code, ended.err) == (2, "")
    assert "529" in ended.out


def test_a_redirect_is_not_followed_and_gets_no_key(shell: Shell, project: Project) -> None:
    with OddServer({}) as other:
        moved = (308, b"", {"location": f"{other.url}/v1/messages"})
        with OddServer({"/v1/messages": moved}) as server:
            shell.set(ANTHROPIC_BASE_URL=server.url)
            found = find(shell, project)
            assert {asked.path for asked in server.asked} == {"/v1/messages"}
        assert other.asked == []
    assert len(found.errors) == 3
    assert all("redirects the model API elsewhere" in message for _, message in found.errors)


def test_the_environment_of_the_sdk_has_no_say(shell: Shell, project: Project, server: ModelServer) -> None:
    shell.set(ANTHROPIC_AUTH_TOKEN="stray-token-123", ANTHROPIC_CUSTOM_HEADERS="X-Stray: 1", ANTHROPIC_PROFILE="stray")
    assert find(shell, project).errors == []
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {API_CANARY}"
        assert "stray" not in str(request.headers)


def test_a_configuration_that_is_wrong_calls_nothing(shell: Shell, tmp_path: Path, server: ModelServer) -> None:
    found = find(shell, make_project(tmp_path, {".coordinator.yml": "agents: {opus: {modell: x}}\n"}))
    assert found.one("models", "trials") == ("warning", "not checked, because the configuration is not known")
    assert server.requests == []


def test_a_profile_that_does_not_fit_is_one_error(shell: Shell, tmp_path: Path, server: ModelServer) -> None:
    agents = "agents: {opus: {context_limit: 1000}}\n"
    found = find(shell, make_project(tmp_path, {".coordinator.yml": agents}))
    [(group, message)] = found.errors
    assert (group, "agents.opus" in message) == ("models", True)
    assert found.one("models", "trials") == ("warning", "not checked, because the list of agents is not known")
    assert server.requests == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_person_can_end_it(shell: Shell, project: Project, number: signal.Signals) -> None:
    with ModelServer([Broken("mute", repeat=True)], key=API_CANARY) as server:
        shell.set(ANTHROPIC_BASE_URL=server.url)
        process = shell.start("doctor", "--repo", project.folder, "--models")
        wait_until(lambda: len(server.requests) == 3)
        started = time.monotonic()
        process.send_signal(number)
        ended = shell.finish(process, seconds=20)
    assert time.monotonic() - started < 5
    assert ended.code != 0
    assert "Traceback" not in ended.err
    assert API_CANARY not in ended.out + ended.err
