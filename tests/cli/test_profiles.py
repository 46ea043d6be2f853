"""The same small job through all five agents and one of a person's own: one code path, and what differs on the wire."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.demo.model_rules import MODELS, ModelLimits
from coordinator.demo.model_server import ModelServer
from tests.cli.support import Shell, make_project
from tests.small_project import BAD, FILES, LINT_ONLY, MEND, submit
from tests.support import API_CANARY

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.demo.model_answers import Recorded

OPEN = {name: ModelLimits(128_000, 16_000) for name in ("zai-org/GLM-5.2", "MiniMaxAI/MiniMax-M2.5", "our-model")}
KEYS = {"glm": "glm-key-0a1b2c3d4e", "minimax": "", "house": "house-key-0a1b2c3d4e"}
EXPECTED: dict[str, tuple[str, int, str]] = {
    "opus": ("claude-opus-5-5", 32_000, API_CANARY),
    "sonnet": ("claude-sonnet-5-5", 32_000, API_CANARY),
    "haiku": ("claude-haiku-5-5", 32_000, API_CANARY),
    "glm": ("zai-org/GLM-5.2", 16_000, KEYS["glm"]),
    "minimax": ("MiniMaxAI/MiniMax-M2.5", 16_000, KEYS["minimax"]),
    "house": ("our-model", 16_000, KEYS["house"]),
}
VENDOR = ("opus", "sonnet", "haiku")
VENDOR_FIELDS = {"cache_control": {"type": "ephemeral"}, "thinking": {"type": "adaptive", "display": "summarized"}}
OWN_HEADERS = {"authorization", "host", "content-length"}
FENCE = re.compile(r"data-[0-9a-f]{16}")


@dataclass(frozen=True)
class Job:
    """What one agent was asked, and what came of it."""

    requests: list[Recorded]
    document: dict[str, Any]
    work: str


def do_job(shell: Shell, folder: Path, agent: str) -> Job:
    """Run the job once: a change that the gates reject, its mend, and an accepted submission."""
    vendor = agent in VENDOR
    key = EXPECTED[agent][2] or None
    script = [BAD, submit(), MEND, submit()]
    with ModelServer(script, key=key, vendor=vendor, models=MODELS if vendor else OPEN) as server:
        own = f"agents:\n  house: {{model: our-model, base_url: '{server.url}', api_key_env: HOUSE_API_KEY}}\n"
        shell.set(ANTHROPIC_API_KEY=API_CANARY, GLM_API_KEY=KEYS["glm"], HOUSE_API_KEY=KEYS["house"])
        shell.set(**{f"{'ANTHROPIC' if vendor else agent.upper()}_BASE_URL": server.url})
        shell.set(INPUT_AGENT=agent)
        folder.mkdir()
        project = make_project(folder, {**FILES, ".coordinator.yml": LINT_ONLY + own})
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
        assert ended.code == 0, ended.err
    assert server.refused == []
    assert server.steps_left == 0
    return Job(server.requests, ended.document, project.show("tool.py"))


def plain(request: Recorded, agent: str) -> str:
    """The text of a body without what may differ; nonce of the fence and name of the agent in the plan are the same."""
    body = {name: value for name, value in request.body.items() if name not in {"model", "max_tokens", *VENDOR_FIELDS}}
    return FENCE.sub("data-nonce", json.dumps(body)).replace(f"The plan: {agent}: ", "The plan: the agent: ")


@pytest.fixture(scope="module")
def jobs() -> dict[str, Job]:
    """Keep the jobs of all agents: each test looks at them."""
    return {}


@pytest.mark.parametrize("agent", EXPECTED)
def test_the_job_is_done_by_each_agent_with_its_own_model_limit_key_and_fields(
    shell: Shell, tmp_path: Path, jobs: dict[str, Job], agent: str
) -> None:
    job = jobs[agent] = do_job(shell, tmp_path / agent, agent)
    model, limit, key = EXPECTED[agent]
    assert (job.document["outcome"], job.document["agent"]) == ("completed", agent)
    assert job.work == "ONE = 1\nTWO = 2"
    assert (job.document["cost_usd"] > 0) == (agent in VENDOR)
    assert len(job.requests) == 4
    for request in job.requests:
        assert (request.body["model"], request.body["max_tokens"]) == (model, limit)
        sent = {name: request.body[name] for name in VENDOR_FIELDS if name in request.body}
        assert sent == (VENDOR_FIELDS if agent in VENDOR else {})
        assert request.headers.get("authorization") == (f"Bearer {key}" if key else None)
        assert not [value for value in request.headers.values() if API_CANARY in value and agent not in VENDOR]
        for tool in request.body["tools"]:
            assert set(tool) == {"name", "description", "input_schema"}


def test_nothing_else_differs_between_them(shell: Shell, tmp_path: Path, jobs: dict[str, Job]) -> None:
    for agent in EXPECTED.keys() - jobs.keys():
        jobs[agent] = do_job(shell, tmp_path / agent, agent)
    opus = jobs["opus"].requests
    expected = [plain(request, "opus") for request in opus]
    for agent, job in jobs.items():
        assert [plain(request, agent) for request in job.requests] == expected, agent
        for request, other in zip(job.requests, opus, strict=True):
            mine, theirs = (
                {name: value for name, value in one.headers.items() if name not in OWN_HEADERS}
                for one in (request, other)
            )
            assert mine == theirs, agent


@pytest.mark.parametrize("agent", ["opus", "glm", "house"])
def test_stray_variables_never_win(shell: Shell, tmp_path: Path, agent: str) -> None:
    """The decoy stands in every variable of the SDK; the addresses of the profiles stand in the configuration."""
    key = EXPECTED[agent][2]
    strayed = {"ANTHROPIC_AUTH_TOKEN": "stray-token", "ANTHROPIC_PROFILE": "stray", "OPUS_BASE_URL": ""}
    strayed |= {"ANTHROPIC_CUSTOM_HEADERS": "Authorization: stray-header\nX-Stray: stray\nanthropic-beta: stray"}
    with ModelServer([], key="decoy") as decoy:
        shell.set(**strayed, ANTHROPIC_BASE_URL=decoy.url, GLM_BASE_URL=decoy.url, HOUSE_BASE_URL=decoy.url)
        shell.set(GLM_API_KEY=KEYS["glm"], HOUSE_API_KEY=KEYS["house"])
        model = EXPECTED[agent][0]
        models = {model: ModelLimits(200_000, 32_000)}
        with ModelServer([MEND, submit()], key=key, vendor=False, models=models) as server:
            more = f", model: {model}, api_key_env: HOUSE_API_KEY" if agent == "house" else ""
            own = f"agents: {{{agent}: {{base_url: '{server.url}'{more}}}}}\n"
            shell.set(INPUT_AGENT=agent)
            project = make_project(tmp_path, {**FILES, ".coordinator.yml": LINT_ONLY + own})
            ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
        assert ended.code == 0, ended.err
        assert (decoy.requests, decoy.refused, server.refused) == ([], [], [])
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {key}"
        assert "stray" not in str(request.headers)
