"""What a test can do to the stand-in: each control does what its documentation says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.standins.forge_faults import STUMBLES
from tests.standins.forge_server import ForgeServer
from tests.support import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.standins.forge_faults import Stumble

ISSUE = "/repos/acme/app/issues/1"


@pytest.fixture
def bot(server: ForgeServer) -> Iterator[httpx.Client]:
    server.add_issue("One")
    headers = {"Authorization": f"token {server.token}"}
    with httpx.Client(base_url=server.api_url, headers=headers, trust_env=False, timeout=0.5) as client:
        yield client


@pytest.mark.parametrize("kind", STUMBLES)
def test_one_request_stumbles_once_after_the_others(bot: httpx.Client, server: ForgeServer, kind: Stumble) -> None:
    server.stumble("POST .*/comments", kind, after=1)
    path = f"{ISSUE}/comments"
    assert bot.post(path, json={"body": "first"}).status_code == 201
    assert bot.get(path).status_code == 200
    expected = {"hang": httpx.ReadTimeout, "reset": httpx.ReadError, "lost": httpx.RemoteProtocolError}
    if kind in expected:
        with pytest.raises(expected[kind]):
            bot.post(path, json={"body": "second"})
    else:
        reply = bot.post(path, json={"body": "second"})
        assert (str(reply.status_code), reply.headers.get("retry-after")) == (kind, "1" if kind == "429" else None)
    done = 2 if kind == "lost" else 1
    assert len(bot.get(path).json()) == done
    assert bot.post(path, json={"body": "third"}).status_code == 201


def test_what_hangs_ends_with_the_server(tmp_path: Path) -> None:
    ended: list[str] = []
    with ForgeServer(tmp_path / "server") as server:
        server.stumble("GET", "hang")

        def ask() -> None:
            try:
                httpx.get(f"{server.api_url}/version", trust_env=False, timeout=20)
            except httpx.HTTPError as error:
                ended.append(type(error).__name__)

        thread = threading.Thread(target=ask)
        thread.start()
        while not server.requests:
            thread.join(0.01)
    thread.join()
    assert len(ended) == 1


def test_faults_of_one_route_are_used_up_in_their_order_and_can_be_taken_back(
    bot: httpx.Client, server: ForgeServer
) -> None:
    server.fail("GET .*/issues/1$", status=503, times=2)
    server.fail("GET .*/issues/1$", status=418, after=1)
    assert [bot.get(ISSUE).status_code for _ in range(5)] == [503, 503, 200, 418, 200]
    server.fail("GET", status=503)
    server._faults.clear()
    assert bot.get(ISSUE).status_code == 200


def test_somebody_else_does_something_in_between(bot: httpx.Client, server: ForgeServer) -> None:
    server.before("GET .*/issues/1$", lambda: server.close_issue(1), after=1)
    assert [bot.get(ISSUE).json()["state"] for _ in range(3)] == ["open", "closed", "closed"]
    server.before("GET .*/issues/1$", lambda: server.add_label("late"), status=503)
    assert bot.get(ISSUE).status_code == 503
    assert "late" in server.state.labels.values()


def test_blockers_are_native_dependencies(bot: httpx.Client, server: ForgeServer) -> None:
    server.block(1, by=server.add_issue("Two"))
    assert [issue["number"] for issue in bot.get(f"{ISSUE}/dependencies").json()] == [2]
    assert [issue["number"] for issue in bot.get("/repos/acme/app/issues/2/blocks").json()] == [1]
    assert bot.patch(ISSUE, json={"state": "closed"}).status_code == 412
    server.close_issue(2)
    assert bot.patch(ISSUE, json={"state": "closed"}).status_code == 201


def test_settings_are_changed_by_who_administers_it(bot: httpx.Client, server: ForgeServer) -> None:
    assert bot.patch("/repos/acme/app", json={"archived": True}).status_code == 403
    owner = {"Authorization": f"token {server.owner.token}"}
    assert bot.patch("/repos/acme/app", json={"archived": True, "private": True}, headers=owner).status_code == 200
    assert (server.state.archived, server.state.private, server.state.actions_enabled) == (True, True, True)


def test_a_deleted_label_is_gone_from_its_issues(bot: httpx.Client, server: ForgeServer) -> None:
    label = server.add_label("going")
    number = server.add_issue("Two", labels=("going", "agent"))
    assert bot.delete(f"/repos/acme/app/labels/{label}").status_code == 204
    assert [one["name"] for one in bot.get(f"/repos/acme/app/issues/{number}").json()["labels"]] == ["agent"]


def test_only_its_owner_adds_labels_to_an_organisation(tmp_path: Path) -> None:
    scopes = frozenset({"write:organization"})
    with ForgeServer(tmp_path / "server", organisation=True, owner_scopes=scopes) as server:
        member = server.add_user("member", "admin", scopes=scopes)
        label = server.add_organisation_label("shared")
        for user, status in ((member, 403), (server.owner, 201)):
            reply = httpx.post(
                f"{server.api_url}/orgs/acme/labels",
                json={"name": "more", "color": "ededed"},
                headers={"Authorization": f"token {user.token}"},
                trust_env=False,
            )
            assert reply.status_code == status
        assert server.state.organisation_labels == {label: "shared", label + 1: "more"}


@pytest.mark.parametrize(
    ("declared", "given", "arrives"),
    [
        ("{issue: {}}", {"issue": "7"}, {"issue": "7"}),
        ("{flag: {type: boolean}}", {"flag": "true"}, {"flag": "false"}),
        ("{flag: {type: boolean}}", {"flag": "on"}, {"flag": "true"}),
        ("{mode: {default: repair}, empty: }", {}, {"mode": "repair"}),
    ],
)
def test_inputs_arrive_on_forgejo_as_its_source_has_it(
    tmp_path: Path, declared: str, given: dict[str, str], arrives: dict[str, str]
) -> None:
    with ForgeServer(tmp_path / "server", flavour="forgejo") as server:
        _push_workflow(tmp_path, server, f"on: {{workflow_dispatch: {{inputs: {declared}}}}}\n")
        assert _dispatch(server, given) == 204
        assert server.state.dispatched[0]["inputs"] == arrives


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("on: {workflow_dispatch: {inputs: {issue: {required: true}}}}\n", 400),
        (f"on: {{workflow_dispatch: {{inputs: {{{', '.join(f'i{n}: ' for n in range(11))}}}}}}}\n", 500),
        ("on: push\n", 204),
        ("[]\n", 204),
    ],
)
def test_what_forgejo_makes_of_a_workflow(tmp_path: Path, text: str, status: int) -> None:
    with ForgeServer(tmp_path / "server", flavour="forgejo") as server:
        _push_workflow(tmp_path, server, text)
        assert _dispatch(server, {}) == status


def _push_workflow(folder: Path, server: ForgeServer, text: str) -> None:
    source = make_repository(folder / "source", {".forgejo/workflows/agent.yml": text})
    git(source, "push", "--quiet", str(server.bare_repository), "HEAD:refs/heads/main")


def _dispatch(server: ForgeServer, inputs: dict[str, str]) -> int:
    return httpx.post(
        f"{server.api_url}/repos/acme/app/actions/workflows/agent.yml/dispatches",
        json={"ref": "main", "inputs": inputs},
        headers={"Authorization": f"token {server.token}"},
        trust_env=False,
    ).status_code
