from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Literal

import pytest

from tests.forge.labs import Lab, LocalLab, RealGitea, RestLab, standin_lab
from tests.standins.forge_server import ForgeServer
from tests.standins.forge_state import PAT_SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REAL_URL, REAL_TOKEN = "COORDINATOR_TEST_GITEA_URL", "COORDINATOR_TEST_GITEA_TOKEN"
STANDINS = ["standin", "standin-forgejo"]
SERVERS = [*STANDINS, "real"] if os.environ.get(REAL_URL) else STANDINS
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


@contextmanager
def _lab_on(
    kind: str, request: pytest.FixtureRequest, folder: Path, *, organisation: bool = False
) -> Iterator[RestLab]:
    if kind == "real":
        with closing(request.getfixturevalue("real_gitea").lab(folder, organisation=organisation)) as lab:
            yield lab
        return
    flavour: Literal["gitea", "forgejo"] = "forgejo" if kind == "standin-forgejo" else "gitea"
    scopes = PAT_SCOPES | {"write:organization"}
    with (
        ForgeServer(folder / "server", flavour=flavour, organisation=organisation, owner_scopes=scopes) as server,
        closing(standin_lab(folder, server)) as lab,
    ):
        yield lab


@pytest.fixture(params=SERVERS)
def rest_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RestLab]:
    with _lab_on(request.param, request, tmp_path) as lab:
        yield lab


@pytest.fixture(params=SERVERS)
def organisation_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RestLab]:
    """A repository that belongs to an organisation."""
    with _lab_on(request.param, request, tmp_path, organisation=True) as lab:
        yield lab


@pytest.fixture(params=["local", *SERVERS])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """A forge with a repository; the tests that use it say what all forges have in common."""
    if request.param == "local":
        yield LocalLab(tmp_path)
        return
    with _lab_on(request.param, request, tmp_path) as made:
        yield made
