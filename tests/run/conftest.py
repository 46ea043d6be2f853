"""What the tests of `coordinator run` are given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.run.support import FILES, FOREIGN, Job
from tests.standins.forge_server import ForgeServer
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def tool_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that a runner keeps between its jobs."""
    return tmp_path_factory.mktemp("tool-cache")


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[ForgeServer]:
    """Give a forge with one repository."""
    with ForgeServer(tmp_path / "server") as server:
        yield server


@pytest.fixture
def job(
    forge: ForgeServer,
    tmp_path: Path,
    tool_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Job:
    """Give a job on a host-mode runner of Gitea, for a repository with one open issue, whose only gate is lint."""
    for name in os.environ:
        if name.startswith(FOREIGN) or name in {"VIRTUAL_ENV", "LOG_LEVEL", "HOST", "PORT"}:
            monkeypatch.delenv(name)
    job = Job(tmp_path, forge, monkeypatch, capsys, forge.add_user("maintainer", "write"))
    job.push(FILES)
    job.add_issue()
    for folder in ("home", "temp", "workspace"):
        (tmp_path / folder).mkdir()
    for file in ("output", "summary"):
        (tmp_path / file).touch()
    job.set(
        HOME=tmp_path / "home",
        RUNNER_TEMP=tmp_path / "temp",
        RUNNER_TOOL_CACHE=tool_cache,
        CI="true",
        GITHUB_ACTIONS="true",
        GITEA_ACTIONS="true",
        GITHUB_SERVER_URL=forge.url,
        GITHUB_API_URL=forge.api_url,
        GITHUB_REPOSITORY=forge.repository,
        GITHUB_RUN_ID="41",
        GITHUB_RUN_NUMBER="7",
        GITHUB_RUN_ATTEMPT="1",
        GITHUB_WORKSPACE=tmp_path / "workspace",
        GITHUB_OUTPUT=tmp_path / "output",
        GITHUB_STEP_SUMMARY=tmp_path / "summary",
        INPUT_TOKEN=FORGE_CANARY,
        INPUT_ANTHROPIC_API_KEY=API_CANARY,
        INPUT_ISSUE="",
        INPUT_AGENT="",
        INPUT_CONFIG=".coordinator.yml",
        INPUT_DRY_RUN="false",
    )
    return job
