"""Who may write: the permission endpoint, and what is known without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.forge.models import Account, Permission
from tests.forge.labs import standin_lab
from tests.standins.forge_server import ForgeServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.forge.models import Access
    from tests.forge.labs import RestLab
    from tests.standins.forge_state import User


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[tuple[ForgeServer, RestLab]]:
    with ForgeServer(tmp_path / "server", organisation=True) as server:
        lab = standin_lab(tmp_path, server)
        yield server, lab
        lab.close()


def _ask(lab: RestLab, user: User) -> Access:
    return lab.forge.access(Account(id=user.id, login=user.login))


@pytest.mark.parametrize(
    ("level", "expected"),
    [("none", Permission.READ), ("read", Permission.READ), ("write", Permission.WRITE), ("admin", Permission.ADMIN)],
)
def test_an_admins_token_is_told_exactly(
    standin: RestLab, server: ForgeServer, level: str, expected: Permission
) -> None:
    user = server.add_user("someone", level)
    with standin.forge_of(server.owner.token) as forge:
        access = forge.access(Account(id=user.id, login=user.login))
    assert access.permission is expected
    assert bool(access.mend) is not expected.may_write


@pytest.mark.parametrize(
    ("level", "expected"),
    [("none", Permission.NONE), ("read", Permission.NONE), ("write", Permission.WRITE), ("admin", Permission.WRITE)],
)
def test_a_writers_token_has_to_look_at_the_assignees(
    standin: RestLab, server: ForgeServer, level: str, expected: Permission
) -> None:
    access = _ask(standin, server.add_user("someone", level))
    assert access.permission is expected
    assert bool(access.mend) is not expected.may_write


def test_a_job_token_can_find_out_too(standin: RestLab, server: ForgeServer) -> None:
    with standin.forge_of(server.job_token) as forge:
        assert forge.access(Account(id=server.bot.id, login=server.bot.login)).permission is Permission.WRITE


def test_a_login_that_nobody_has_gives_nothing(standin: RestLab, server: ForgeServer) -> None:
    with standin.forge_of(server.owner.token) as forge:
        access = forge.access(Account(id=7, login="../issues"))
    assert access.permission is Permission.NONE
    assert server.requests[-1].path.endswith("/collaborators/..%2Fissues/permission")


@pytest.mark.parametrize("by_admin", [False, True])
def test_a_login_that_changed_hands_gives_nothing(standin: RestLab, server: ForgeServer, *, by_admin: bool) -> None:
    writer = server.add_user("alice", "write")
    with standin.forge_of(server.owner.token if by_admin else server.token) as forge:
        access = forge.access(Account(id=writer.id + 100, login="alice"))
    assert access.permission is Permission.NONE


@pytest.mark.parametrize("identity", [0, -1, -2])
def test_a_built_in_account_has_no_right_of_its_own(standin: RestLab, identity: int) -> None:
    access = standin.forge.access(Account(id=identity, login="gitea-actions"))
    assert access.permission is Permission.UNKNOWN
    assert "allow" in access.mend


def test_an_unknown_word_of_the_server_is_unknown(standin: RestLab, server: ForgeServer) -> None:
    body = f'{{"permission": "sudo", "user": {{"id": {server.bot.id}, "login": "coordinator"}}}}'
    server.fail("GET .*/permission", status=200, body=body.encode())
    access = _ask(standin, server.bot)
    assert access.permission is Permission.UNKNOWN
    assert not access.permission.may_write


def test_a_token_that_may_ask_nothing_knows_nothing(standin: RestLab, server: ForgeServer) -> None:
    writer = server.add_user("alice", "write")
    server.fail("GET .*/assignees", status=403)
    access = _ask(standin, writer)
    assert access.permission is Permission.UNKNOWN
    assert "allow" in access.mend


def test_in_an_organisation_whose_teams_all_write_the_assignees_prove_it(
    organisation: tuple[ForgeServer, RestLab],
) -> None:
    server, lab = organisation
    writer = server.add_user("alice")
    server.add_team("developers", (writer,), {"repo.code": "write", "repo.pulls": "write"})
    server.add_team("readers", (server.add_user("bob"),), {"repo.code": "read", "repo.issues": "read"})
    access = _ask(lab, writer)
    assert access.permission is Permission.WRITE
    assert "/teams" in access.reason


@pytest.mark.parametrize(
    "units",
    [
        {"repo.code": "read", "repo.pulls": "read"},
        {"repo.pulls": "read"},
        {"repo.issues": "write"},
        {"repo.code": "read", "repo.issues": "write"},
    ],
)
def test_a_team_that_is_assignable_without_writing_makes_it_unknown_for_all(
    organisation: tuple[ForgeServer, RestLab], units: dict[str, str]
) -> None:
    server, lab = organisation
    member = server.add_user("mallory")
    server.add_team("triage", (member,), units)
    for user in (member, server.add_user("alice", "write")):
        access = _ask(lab, user)
        assert access.permission is Permission.UNKNOWN
        assert "triage" in access.reason
        assert "allow" in access.mend
    assert _ask(lab, server.add_user("bob")).permission is Permission.NONE


@pytest.mark.parametrize("status", [403, 404])
def test_teams_that_may_not_be_seen_make_it_unknown(organisation: tuple[ForgeServer, RestLab], status: int) -> None:
    server, lab = organisation
    writer = server.add_user("alice", "write")
    server.fail("GET .*/teams", status=status)
    access = _ask(lab, writer)
    assert access.permission is Permission.UNKNOWN
    assert str(status) in access.reason
