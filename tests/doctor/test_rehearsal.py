from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from coordinator.doctor.rehearsal import rehearse_push
from coordinator.errors import Misconfigured, Unreachable
from coordinator.forge.credentials import basic_authorization
from coordinator.forge.models import GitRemote
from coordinator.workspace.git import Git
from tests.standins.forge_server import ForgeServer
from tests.support import FORGE_CANARY, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForgeServer]:
    with ForgeServer(tmp_path / "server") as server:
        start = make_repository(tmp_path / "start", {"README.md": "x"})
        git(start, "push", "--quiet", str(server.bare_repository), "HEAD:refs/heads/main")
        yield server


def remote(server: ForgeServer, token: str) -> GitRemote:
    return GitRemote(url=f"{server.url}/{server.repository}.git", authorization=basic_authorization(SecretStr(token)))


def test_a_writer_may_begin_a_push_and_nothing_is_sent(server: ForgeServer, tmp_path: Path) -> None:
    before = git(server.bare_repository, "for-each-ref")
    rehearse_push(remote(server, FORGE_CANARY), Git(), tmp_path)
    assert git(server.bare_repository, "for-each-ref") == before
    assert {request.method for request in server.requests} == {"GET"}
    assert any("service=git-receive-pack" in request.path for request in server.requests)
    assert not [
        path
        for path in (tmp_path / "rehearsal.git").rglob("*")
        if path.is_file() and FORGE_CANARY in path.read_text("latin-1")
    ]


@pytest.mark.parametrize("why", ["a reader", "archived", "no such token"])
def test_who_may_not_push_is_told_why(server: ForgeServer, tmp_path: Path, why: str) -> None:
    token = FORGE_CANARY if why == "archived" else "wrong-token"
    if why == "a reader":
        token = server.add_user("reader", "read").token
    server.state.archived = why == "archived"
    with pytest.raises(Misconfigured) as caught:
        rehearse_push(remote(server, token), Git(), tmp_path)
    assert "neither archived nor a mirror" in caught.value.mend
    assert token not in str(caught.value)


def test_a_server_that_is_down_is_no_refusal(tmp_path: Path) -> None:
    with ForgeServer(tmp_path / "server") as server:
        where = remote(server, FORGE_CANARY)
    with pytest.raises(Unreachable):
        rehearse_push(where, Git(), tmp_path)
