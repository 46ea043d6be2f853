"""What the tests of the commands are given."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import Project, Shell, make_project
from tests.small_project import FOREIGN
from tests.support import API_CANARY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tool_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder in which prepared environments are shared by all tests."""
    return tmp_path_factory.mktemp("tool-cache")


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tool_cache: Path, tmp_path: Path
) -> Shell:
    """Give a shell with a key, a home of its own, and nothing of a job around it."""
    for name in os.environ:
        if name.startswith(FOREIGN) or name in {"VIRTUAL_ENV", "LOG_LEVEL", "HOST", "PORT"}:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    shutil.rmtree(tool_cache / "coordinator-environments" / "results", ignore_errors=True)  # no verdict of another test
    shell = Shell(monkeypatch, capsys, {})
    shell.set(HOME=str(home), RUNNER_TOOL_CACHE=str(tool_cache), ANTHROPIC_API_KEY=API_CANARY)
    return shell


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Give a small project whose only gate is lint, and an issue."""
    return make_project(tmp_path)
