"""What the tests of `coordinator run` are given."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.run.support import make_job
from tests.standins.forge_server import ForgeServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.run.support import Job


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
    shutil.rmtree(tool_cache / "coordinator-environments" / "results", ignore_errors=True)  # no verdict of another test
    return make_job(tmp_path, forge, tool_cache, monkeypatch, capsys)
