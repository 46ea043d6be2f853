from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.forge.labs import Lab, LocalLab, RealGitea, RestLab, standin_lab
from tests.standins.forge_server import ForgeServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REAL_URL, REAL_TOKEN = "COORDINATOR_TEST_GITEA_URL", "COORDINATOR_TEST_GITEA_TOKEN"
SERVERS = ["standin", "real"] if os.environ.get(REAL_URL) else ["standin"]
"""Without a real server `test_a_real_server_keeps_the_contract_too` alone is skipped, and says why."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForgeServer]:
    with ForgeServer(tmp_path / "server") as running:
        yield running


@pytest.fixture(scope="session")
def real_gitea() -> Iterator[RealGitea]:
    url, token = os.environ.get(REAL_URL), os.environ.get(REAL_TOKEN)
    if not url or not token:
        pytest.skip(f"no real Gitea: {REAL_URL} and {REAL_TOKEN} (of an admin) are not set")
    gitea = RealGitea(url, token)
    yield gitea
    gitea.close()


@pytest.fixture
def standin(server: ForgeServer, tmp_path: Path) -> Iterator[RestLab]:
    """The stand-in with a repository on it, for what cannot be had from a real server at will."""
    lab = standin_lab(tmp_path, server)
    yield lab
    lab.close()


@pytest.fixture(params=SERVERS)
def rest_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RestLab]:
    if request.param == "standin":
        lab = standin_lab(tmp_path, request.getfixturevalue("server"))
    else:
        lab = request.getfixturevalue("real_gitea").lab(tmp_path)
    yield lab
    lab.close()


@pytest.fixture(params=["local", *SERVERS])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """A forge with a repository; the tests that use it say what all forges have in common."""
    if request.param == "local":
        yield LocalLab(tmp_path)
        return
    if request.param == "standin":
        made = standin_lab(tmp_path, request.getfixturevalue("server"))
    else:
        made = request.getfixturevalue("real_gitea").lab(tmp_path)
    yield made
    made.close()
