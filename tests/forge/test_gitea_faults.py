"""What GiteaForge does when the server stumbles, refuses, or is not the one it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from coordinator.errors import Misconfigured, Unreachable
from coordinator.forge.gitea import GiteaForge
from coordinator.forge.gitea_api import PAGE_LIMIT
from coordinator.forge.models import CommitStatus, StatusState
from coordinator.forge.protocol import Missing, PullRequestForbidden
from tests.forge.labs import RestLab, basic, standin_lab
from tests.standins.forge_server import ForgeServer
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "coordinator/issue-1"
STATUS = CommitStatus(context="coordinator", state=StatusState.SUCCESS, description="fine")


def _open(forge: GiteaForge) -> int:
    return forge.create_pull_request(head=HEAD, base="main", title="Add", body="b", draft=False).number


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_a_job_token_may_not_open_pull_requests(tmp_path: Path, *, private: bool) -> None:
    with ForgeServer(tmp_path / "server", private=private) as server:
        lab = standin_lab(tmp_path, server)
        lab.push_branch(HEAD, {"new.txt": "new\n"})
        with lab.forge_of(server.job_token) as forge:
            with pytest.raises(PullRequestForbidden, match="open a pull request in acme/app") as caught:
                _open(forge)
            assert "by hand" in caught.value.mend
            assert forge.myself().id == -2
            assert forge.compare_url(head=HEAD, base="main") == f"{server.url}/acme/app/compare/main...{HEAD}"
            assert forge.create_comment(lab.add_issue("x", "y"), "text").author.id == -2
        lab.close()


def test_a_repository_that_counts_as_empty_for_a_moment_after_a_push(standin: RestLab, server: ForgeServer) -> None:
    standin.push_branch(HEAD, {"new.txt": "new\n"})
    server.fail("(GET|POST) .*/pulls", status=404, times=2)
    assert standin.forge.find_pull_request(head=HEAD, base="main") is None
    assert _open(standin.forge) > 0


def test_a_fork_with_a_branch_of_our_name_is_not_ours(standin: RestLab, server: ForgeServer) -> None:
    standin.push_branch(HEAD, {"new.txt": "new\n"})
    theirs = server.add_fork_pull(HEAD)
    assert standin.forge.find_pull_request(head=HEAD, base="main") is None
    assert _open(standin.forge) != theirs
    assert standin.ask("GET", f"/pulls/{theirs}")["title"] == "From a fork"


def test_a_pull_request_on_a_later_page_is_found(standin: RestLab, server: ForgeServer) -> None:
    for _ in range(60):
        server.add_fork_pull("theirs")
    standin.push_branch(HEAD, {"new.txt": "new\n"})
    number = _open(standin.forge)
    found = standin.forge.find_pull_request(head=HEAD, base="main")
    assert found is not None
    assert found.number == number
    pages = [request.path for request in server.requests if "/pulls?" in request.path]
    assert [("page=1&" in path, "page=2&" in path) for path in pages] == [(True, False), (False, True)]


def test_a_conflict_without_an_open_pull_request_is_said(standin: RestLab, server: ForgeServer) -> None:
    standin.push_branch(HEAD, {"new.txt": "new\n"})
    server.fail("POST .*/pulls", status=409, body=b'{"message": "already exists"}')
    with pytest.raises(Misconfigured, match="already exists"):
        _open(standin.forge)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_never_makes_a_second_comment(standin: RestLab, server: ForgeServer, drop: str) -> None:
    number = standin.add_issue("x", "y")
    standin.ask("POST", f"/issues/{number}/comments", {"body": "the same text by another"})
    server.fail("POST .*/comments", drop=drop)
    comment = standin.forge.create_comment(number, "the same text by another")
    assert [one.author.login for one in standin.forge.comments(number)] == ["acme", "coordinator"]
    assert comment == standin.forge.comments(number)[1]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_never_makes_a_second_pull_request(standin: RestLab, server: ForgeServer, drop: str) -> None:
    standin.push_branch(HEAD, {"new.txt": "new\n"})
    server.fail("POST .*/pulls", drop=drop)
    number = _open(standin.forge)
    found = standin.forge.find_pull_request(head=HEAD, base="main")
    assert found is not None
    assert found.number == number
    assert number == 1


def test_an_open_pull_request_gets_the_new_text_also_when_the_answer_was_lost(
    standin: RestLab, server: ForgeServer
) -> None:
    standin.push_branch(HEAD, {"new.txt": "new\n"})
    _open(standin.forge)
    server.fail("POST .*/pulls", drop="before")
    again = standin.forge.create_pull_request(head=HEAD, base="main", title="New", body="new", draft=True)
    assert (again.number, again.title, again.body, again.draft) == (1, "New", "new", True)


def test_a_post_that_is_lost_twice_is_unreachable(standin: RestLab, server: ForgeServer) -> None:
    number = standin.add_issue("x", "y")
    server.fail("POST .*/comments", status=502, times=2)
    with pytest.raises(Unreachable, match="502"):
        standin.forge.create_comment(number, "text")
    assert standin.forge.comments(number) == ()


def test_a_fault_of_the_server_is_not_taken_for_a_missing_issue(standin: RestLab, server: ForgeServer) -> None:
    number = standin.add_issue("x", "y")
    server.fail("GET .*/(comments|timeline)", status=500, times=2)
    assert standin.forge.comments(number) == ()
    assert standin.forge.history(number) == ()
    server.fail("GET .*/comments", status=500, times=9)
    with pytest.raises(Unreachable, match="read the comments of issue 1 of acme/app"):
        standin.forge.comments(number)


def test_a_status_is_sent_again_because_the_last_one_counts(standin: RestLab, server: ForgeServer) -> None:
    commit = standin.push_branch(HEAD, {"new.txt": "new\n"})
    server.fail("POST .*/statuses", status=503, times=2)
    server.fail("POST .*/statuses", drop="after", times=1)
    standin.forge.set_statuses(commit, [STATUS])
    assert {status["status"] for status in server.state.statuses} == {"success"}


def test_switched_off_dependencies_are_none_but_a_missing_issue_is_missing(
    standin: RestLab, server: ForgeServer
) -> None:
    server.state.dependencies_enabled = False
    number = standin.add_issue("x", "y")
    assert standin.forge.dependencies(number).blocked_by == ()
    with pytest.raises(Missing):
        standin.forge.dependencies(number + 1)


def test_blockers_elsewhere_are_named_and_hidden_ones_counted(standin: RestLab, server: ForgeServer) -> None:
    number = standin.add_issue("x", "y")
    answer = standin.owner.get(f"/issues/{number}").text
    elsewhere = answer.replace('"full_name": "acme/app"', '"full_name": "acme/lib"')
    hidden = answer.replace('"number": 1', '"number": 0').replace('"repository": {', '"repository": null, "was": {')
    done = elsewhere.replace('"state": "open"', '"state": "closed"')
    assert done != elsewhere
    server.fail("GET .*/dependencies", status=200, body=f"[{elsewhere}, {hidden}, {done}]".encode())
    found = standin.forge.dependencies(number)
    assert (found.blocked_by, found.foreign) == ((), (f"acme/lib#{number}", "?#0"))


def test_a_list_without_an_end_ends(standin: RestLab, server: ForgeServer) -> None:
    number = standin.add_issue("x", "y")
    answer = standin.owner.get(f"/issues/{number}").text
    server.fail("GET .*/dependencies", status=200, body=f"[{answer}]".encode(), times=10_000)
    with pytest.raises(Misconfigured, match="no end"):
        standin.forge.dependencies(number)
    assert len([request for request in server.requests if "/dependencies" in request.path]) == PAGE_LIMIT


def test_entries_that_the_server_could_not_load_are_left_out_of_the_history(
    standin: RestLab, server: ForgeServer
) -> None:
    when = '"created_at": "2026-01-02T03:04:05Z"'
    gone = f'{{"type": "assignees", "user": null, "assignee": null, {when}}}'
    unlabelled = f'{{"type": "label", "user": null, "label": null, {when}}}'
    kept = f'{{"type": "label", "user": null, "label": {{"name": "agent"}}, "body": "", {when}}}'
    server.fail("GET .*/timeline", status=200, body=f"[null, {gone}, {unlabelled}, {kept}]".encode())
    entries = standin.forge.history(standin.add_issue("x", "y"))
    assert [(entry.subject, entry.by.login) for entry in entries] == [("agent", "Ghost")]


def test_a_renamed_account_is_nobodys_login(standin: RestLab, server: ForgeServer) -> None:
    server.fail("GET .*/users/", status=301, headers={"Location": "/api/v1/users/acme"})
    assert standin.forge.account("old-name") is None


def test_a_renamed_repository_is_named_by_its_new_address(standin: RestLab, server: ForgeServer) -> None:
    server.state.old_names.add("acme/old")
    with standin.forge_of(server.token, "acme/old") as forge, pytest.raises(Misconfigured) as caught:
        forge.issue(1)
    assert f"{server.api_url}/repos/acme/app/issues/1" in caught.value.what


def test_an_archived_repository_is_said_to_be_archived(standin: RestLab, server: ForgeServer) -> None:
    number = standin.add_issue("x", "y")
    server.state.archived = True
    with pytest.raises(Misconfigured, match="archived"):
        standin.forge.create_comment(number, "text")


def test_a_token_without_the_scope_is_told_which(standin: RestLab, server: ForgeServer) -> None:
    user = server.add_user("poor", "write", scopes=frozenset({"read:repository", "read:issue"}))
    number = standin.add_issue("x", "y")
    with standin.forge_of(user.token) as forge, pytest.raises(Misconfigured, match="write:issue") as caught:
        forge.create_comment(number, "text")
    assert "write:issue" in caught.value.mend


def test_the_token_goes_into_the_header_and_nowhere_else(standin: RestLab, server: ForgeServer) -> None:
    number = standin.add_issue("x", "y")
    forge = standin.forge
    forge.comments(number)
    forge.create_comment(number, "text")
    standin.push_branch(HEAD, {"new.txt": "new\n"})
    _open(forge)
    for request in server.requests:
        elsewhere = {key: value for key, value in request.headers.items() if key != "authorization"}
        for secret in (FORGE_CANARY, basic(FORGE_CANARY)):
            assert secret not in f"{request.method} {request.path} {elsewhere} {request.body!r}"
    for shown in (repr(forge), str(forge), repr(forge.git_remote()), repr(vars(forge)), repr(vars(forge)["_rest"])):
        assert FORGE_CANARY not in shown
        assert basic(FORGE_CANARY) not in shown


@pytest.mark.parametrize("name", ["app", "acme/app/x", "../app", "acme/..", "acme/a b", "acme/app?x", ""])
def test_a_name_that_is_no_repository_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="name of a repository"):
        GiteaForge("https://git.example/api/v1", "https://git.example", name, SecretStr("t"))


@pytest.mark.parametrize(
    "server_url",
    ["http://git.example", "https://other.example", "https://git.example:8443", "https://git.example.evil"],
)
def test_git_and_api_on_different_hosts_are_refused(server_url: str) -> None:
    with pytest.raises(Misconfigured, match="differ"):
        GiteaForge("https://git.example/api/v1", server_url, "acme/app", SecretStr("t"))


def test_a_server_below_a_path_keeps_it() -> None:
    address = "https://git.example/forge/"
    with GiteaForge(f"{address}api/v1", address, "acme/app", SecretStr("t")) as forge:
        assert forge.git_remote().url == "https://git.example/forge/acme/app.git"
