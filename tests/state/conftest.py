from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.forge.labs import RealGitea
from tests.standins.forge_server import ForgeServer
from tests.state.parts import Clock, FolderPlace, GitPlace, Place, remote_of
from tests.support import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REAL_URL, REAL_TOKEN = "COORDINATOR_TEST_GITEA_URL", "COORDINATOR_TEST_GITEA_TOKEN"
PLACES = ["folder", "standin", *(["gitea"] if os.environ.get(REAL_URL) else [])]
"""Without a real server `test_a_real_server_keeps_state_too` alone is skipped, and says why."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForgeServer]:
    """The stand-in, with one commit in its repository."""
    with ForgeServer(tmp_path / "server") as running:
        source = make_repository(tmp_path / "source", {"README.md": "# App\n"})
        git(source, "push", "--quiet", str(running.bare_repository), "main")
        yield running


@pytest.fixture
def git_place(server: ForgeServer, tmp_path: Path, clock: Clock) -> GitPlace:
    return GitPlace(remote_of(server), tmp_path, clock)


@pytest.fixture(scope="session")
def real_gitea() -> Iterator[RealGitea]:
    url, token = os.environ.get(REAL_URL), os.environ.get(REAL_TOKEN)
    if not url or not token:
        pytest.skip(f"no real Gitea: {REAL_URL} and {REAL_TOKEN} (of an admin) are not set")
    gitea = RealGitea(url, token)
    yield gitea
    gitea.close()


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Place]:
    """A place for state; the tests that use it say what all places have in common."""
    if request.param == "folder":
        yield FolderPlace(tmp_path / "state", clock)
    elif request.param == "standin":
        yield request.getfixturevalue("git_place")
    else:
        lab = request.getfixturevalue("real_gitea").lab(tmp_path)
        yield GitPlace(lab.forge.git_remote(), tmp_path, clock)
        lab.close()
