"""The stand-in itself: as strict as the server it stands for, and usable from another process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.forge.labs import FILES, WORKFLOW, basic, git_with
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.forge.labs import RestLab
    from tests.standins.forge_server import ForgeServer

REPOSITORY = "/repos/acme/app"


@pytest.fixture
def bot(server: ForgeServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"token {server.token}"}
    with httpx.Client(base_url=server.api_url, headers=headers, trust_env=False) as client:
        yield client


def test_unknown_labels_are_dropped_and_a_reader_sets_nothing(bot: httpx.Client, server: ForgeServer) -> None:
    number = server.add_issue("x")
    path = f"{REPOSITORY}/issues/{number}/labels"
    assert [label["name"] for label in bot.post(path, json={"labels": ["agent", "nope"]}).json()] == ["agent"]
    reader = {"Authorization": f"token {server.add_user('reader').token}"}
    made = bot.post(f"{REPOSITORY}/issues", json={"title": "t", "labels": [1], "assignees": ["acme"]}, headers=reader)
    assert (made.status_code, made.json()["labels"], made.json()["assignees"]) == (201, [], None)
    assert bot.post(path, json={"labels": ["agent"]}, headers=reader).status_code == 403


def test_comments_are_never_paged_and_timelines_are(bot: httpx.Client, server: ForgeServer) -> None:
    path = f"{REPOSITORY}/issues/{server.add_issue('x')}"
    for text in "abc":
        bot.post(f"{path}/comments", json={"body": text})
    assert len(bot.get(f"{path}/comments?limit=1&page=9").json()) == 3
    assert len(bot.get(f"{path}/timeline").json()) == 3
    assert len(bot.get(f"{path}/timeline?limit=2&page=2").json()) == 1
    assert bot.get(f"{path}/timeline?limit=2&page=3").json() is None


def test_a_locked_issue_takes_comments_of_writers_only(bot: httpx.Client, server: ForgeServer) -> None:
    number = server.add_issue("x")
    server.state.issues[number].locked = True
    reader = {"Authorization": f"token {server.add_user('reader').token}"}
    path = f"{REPOSITORY}/issues/{number}/comments"
    assert bot.post(path, json={"body": "x"}, headers=reader).status_code == 403
    comment = bot.post(path, json={"body": "x"}).json()["id"]
    assert bot.patch(f"{REPOSITORY}/issues/comments/{comment}", json={"body": "y"}, headers=reader).status_code == 403


def test_a_stranger_sets_labels_and_assignees_in_the_web_form(server: ForgeServer, bot: httpx.Client) -> None:
    stranger = server.add_user("stranger")
    number = server.add_issue("x", author=stranger, assignees=(server.bot,), labels=("agent",))
    entries = bot.get(f"{REPOSITORY}/issues/{number}/timeline").json()
    assert [(entry["type"], entry["user"]["login"]) for entry in entries] == [
        ("label", "stranger"),
        ("assignees", "stranger"),
    ]


def test_who_is_nobody_may_read_what_is_public_only(server: ForgeServer) -> None:
    server.add_issue("x")
    address = f"{server.api_url}{REPOSITORY}/issues/1"
    assert httpx.get(address, trust_env=False).status_code == 200
    assert httpx.post(f"{address}/comments", json={"body": "x"}, trust_env=False).status_code == 401
    assert httpx.get(f"{server.api_url}/user", trust_env=False).status_code == 401
    wrong = {"Authorization": "token wrong"}
    assert httpx.get(address, headers=wrong, trust_env=False).status_code == 401
    assert httpx.post(f"{address}/comments", content=b"{", headers=wrong, trust_env=False).status_code == 401
    assert httpx.get(f"{server.url}/elsewhere", trust_env=False).status_code == 404
    server.state.private = True
    assert httpx.get(address, trust_env=False).status_code == 404


def test_files_come_raw_and_in_base64_and_an_unknown_branch_gets_the_default_one(standin: RestLab) -> None:
    assert standin.owner.get("/raw/README.md?ref=main").text == FILES["README.md"]
    assert standin.owner.get("/raw/README.md?ref=nope").text == FILES["README.md"]
    assert standin.ask("GET", "/contents/README.md")["content"] == "IyBBcHAK"


def test_a_workflow_is_dispatched_with_strings_only(standin: RestLab, server: ForgeServer) -> None:
    standin.push_branch("work", {".gitea/workflows/agent.yml": WORKFLOW})
    path = "/actions/workflows/agent.yml/dispatches"
    wrong = standin.owner.post(path, json={"ref": "work", "inputs": {"issue": 7}})
    assert wrong.status_code == 422
    standin.ask("POST", path, {"ref": "work", "inputs": {"issue": "7"}})
    assert server.state.dispatched[0]["inputs"] == {"issue": "7", "event": ""}


def test_git_is_checked_for_the_token_and_the_right(standin: RestLab, server: ForgeServer, tmp_path: Path) -> None:
    remote = standin.forge.git_remote()
    reader = server.add_user("reader", "read").token
    for authorization, reads, writes in (
        (remote.authorization, True, True),
        (f"token {server.token}", True, True),
        ("", True, False),
        (f"Basic {basic(reader)}", True, False),
        (f"Basic {basic('wrong')}", False, False),
        ("Basic %%%", False, False),
    ):
        as_this = remote.model_copy(update={"authorization": authorization})
        target = f"HEAD:refs/heads/by-{len(authorization)}"
        for allowed, arguments in (
            (reads, ("ls-remote", remote.url)),
            (writes, ("push", "--quiet", remote.url, target)),
        ):
            if allowed:
                git_with(as_this, tmp_path / "start", *arguments)
            else:
                with pytest.raises(subprocess.CalledProcessError):
                    git_with(as_this, tmp_path / "start", *arguments)


def test_a_large_push_arrives_in_chunks(standin: RestLab, server: ForgeServer) -> None:
    commit = standin.push_branch("large", {"large.bin": "".join(f"{number:x}" for number in range(1_200_000))})
    assert server.state.repository.commit("refs/heads/large") == commit
    assert any(request.headers.get("transfer-encoding") == "chunked" for request in server.requests)


def test_a_pull_request_has_its_own_ref(standin: RestLab, server: ForgeServer) -> None:
    commit = standin.push_branch("work", {"a": "b"})
    pull = standin.forge.create_pull_request(head="work", base="main", title="t", body="", draft=False)
    assert server.state.repository.commit(f"refs/pull/{pull.number}/head") == commit


def test_it_runs_as_a_process_and_writes_down_the_requests(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.standins.forge_server", "--port", "0", "--state", str(tmp_path / "state")]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"]},
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        headers = {"Authorization": f"token {told['token']}"}
        made = httpx.post(
            f"{told['api_url']}/repos/{told['repository']}/issues",
            json={"title": "t"},
            headers=headers,
            trust_env=False,
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert made.status_code == 201
    assert {"maintainer", "reader", "coordinator", "gitea-actions"} < set(told["users"])
    assert Path(told["bare_repository"]).is_dir()
    logged = [json.loads(line) for line in Path(told["requests"]).read_text().splitlines()]
    assert [(line["method"], line["headers"]["authorization"]) for line in logged] == [
        ("POST", f"token {FORGE_CANARY}")
    ]
