"""What servers and tokens offer and lack, found out by asking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from coordinator.errors import Misconfigured
from tests.forge.labs import standin_lab
from tests.standins.forge_server import ForgeServer

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.forge.gitea import GiteaForge
    from coordinator.forge.models import Facility
    from tests.forge.labs import RestLab

ALL = frozenset({"all"})


def _facilities(forge: GiteaForge) -> dict[str, Facility]:
    return {facility.name: facility for facility in forge.facilities()}


def _available(forge: GiteaForge) -> dict[str, bool | None]:
    return {name: facility.available for name, facility in _facilities(forge).items()}


def test_a_healthy_repository_and_token(rest_lab: RestLab) -> None:
    rest_lab.add_issue("One", "x")
    found = _available(rest_lab.forge)
    forgejo = rest_lab.forge.server().product == "forgejo"
    assert found["start workflows"] is (None if forgejo else True)
    assert found["open pull requests"] is True
    assert found["native dependencies"] is True
    assert found["ask what an account may do"] is False
    assert found["take one label off an issue"] is True
    assert found["a token that is not the site administrator's"] is True
    assert found["scopes of the token"] is True
    assert found["job summary"] is not True


def test_looking_writes_nothing(standin: RestLab, server: ForgeServer) -> None:
    server.requests.clear()
    standin.forge.facilities()
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.23.8", (False, False, False, False)),
        ("1.25.0", (True, False, False, False)),
        ("1.26.0", (True, False, True, True)),
        ("1.27.1", (True, True, True, True)),
        ("2.0.0", (True, True, True, True)),
    ],
)
def test_versions_of_gitea(tmp_path: Path, version: str, expected: tuple[bool, ...]) -> None:
    with ForgeServer(tmp_path / "server", version=version) as server:
        lab = standin_lab(tmp_path, server)
        found = _available(lab.forge)
        names = ("start workflows", "job summary", "rights of a job (`permissions:`)", "`concurrency:` of a workflow")
        assert tuple(found[name] for name in names) == expected
        lab.close()


def test_a_build_without_a_number_may_have_anything(standin: RestLab, server: ForgeServer) -> None:
    server.fail("GET /api/v1/version", status=200, body=b'{"version": "development"}')
    found = _facilities(standin.forge)["job summary"]
    assert found.available is None
    assert "1.27" in found.mend


def test_what_answers_like_neither_is_neither(standin: RestLab, server: ForgeServer) -> None:
    server.fail("GET /api/v1/version", status=200, body=b"{}")
    with pytest.raises(Misconfigured, match="no Gitea and no Forgejo"):
        standin.forge.server()


@pytest.mark.parametrize(("flavour", "version"), [("gitea", "1.26.0"), ("forgejo", "16.0.0+gitea-1.22.0")])
def test_the_server_is_asked_once(tmp_path: Path, flavour: Literal["gitea", "forgejo"], version: str) -> None:
    with ForgeServer(tmp_path / "server", flavour=flavour) as server:
        lab = standin_lab(tmp_path, server)
        for _ in range(2):
            assert (lab.forge.server().product, lab.forge.server().version) == (flavour, version)
        assert len([request for request in server.requests if request.path.endswith("/version")]) <= 2
        lab.close()


@pytest.mark.parametrize(
    ("flavour", "private", "opens"),
    [("gitea", False, False), ("gitea", True, False), ("forgejo", False, True), ("forgejo", True, False)],
)
def test_a_jobs_token(tmp_path: Path, flavour: Literal["gitea", "forgejo"], *, private: bool, opens: bool) -> None:
    with ForgeServer(tmp_path / "server", flavour=flavour, private=private) as server:
        lab = standin_lab(tmp_path, server)
        with lab.forge_of(server.job_token) as forge:
            found = _facilities(forge)
        assert found["open pull requests"].available is opens
        assert found["take one label off an issue"].available is None
        assert not {"scopes of the token", "a token that is not the site administrator's"} & set(found)
        lab.close()


def test_a_reader_opens_no_pull_requests(standin: RestLab, server: ForgeServer) -> None:
    reader = server.add_user("reader", "read")
    with standin.forge_of(reader.token) as forge:
        assert _available(forge)["open pull requests"] is False


@pytest.mark.parametrize(
    ("scopes", "missing"),
    [
        ({"read:repository", "write:issue", "write:user"}, "write:repository"),
        ({"write:repository", "read:issue", "read:user"}, "write:issue"),
        ({"read:repository", "read:issue", "read:user"}, "write:repository write:issue"),
    ],
)
def test_the_scopes_that_a_token_lacks_are_named(
    standin: RestLab, server: ForgeServer, scopes: set[str], missing: str
) -> None:
    poor = server.add_user("poor", "write", scopes=frozenset(scopes))
    with standin.forge_of(poor.token) as forge:
        found = _facilities(forge)["scopes of the token"]
    assert (found.available, found.mend) == (False, f"Give it {missing}")
    assert missing in found.effect


def test_a_site_administrators_token_is_too_mighty(standin: RestLab, server: ForgeServer) -> None:
    boss = server.add_user("boss", "owner", scopes=ALL, site_admin=True)
    with standin.forge_of(boss.token) as forge:
        found = _facilities(forge)
    mighty = found["a token that is not the site administrator's"]
    assert (mighty.available, found["scopes of the token"].available) == (False, True)
    assert "whole server" in mighty.effect
    assert mighty.mend


def test_scopes_that_no_answer_tells_are_not_known(standin: RestLab, server: ForgeServer) -> None:
    everything = server.add_user("everything", "write", scopes=ALL)
    with standin.forge_of(everything.token) as forge:
        found = _facilities(forge)["scopes of the token"]
    assert found.available is None
    assert "write:repository" in found.mend


def test_what_is_switched_off_is_missing(standin: RestLab, server: ForgeServer) -> None:
    standin.add_issue("One", "x")
    server.state.actions_enabled = server.state.dependencies_enabled = False
    found = _available(standin.forge)
    assert (found["start workflows"], found["native dependencies"]) == (False, False)


def test_dependencies_cannot_be_asked_for_without_an_issue(standin: RestLab) -> None:
    assert _available(standin.forge)["native dependencies"] is None


@pytest.mark.parametrize(("level", "expected"), [("admin", True), ("owner", True), ("write", False)])
def test_who_may_ask_what_others_may(standin: RestLab, server: ForgeServer, level: str, *, expected: bool) -> None:
    user = server.add_user("somebody", level)
    with standin.forge_of(user.token) as forge:
        assert _available(forge)["ask what an account may do"] is expected


def test_an_owner_who_is_nobody_is_no_proof(standin: RestLab, server: ForgeServer) -> None:
    server.fail("GET .*/permission", status=404)
    assert _available(standin.forge)["ask what an account may do"] is None
