"""The stand-in of GitHub refuses what GitHub's documentation says that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.standins.github_lab import GithubLab
from tests.standins.github_server import GithubServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.standins.github_state import Json

HEAD = "coordinator/issue-1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GithubServer]:
    with GithubServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, server: GithubServer) -> Iterator[GithubLab]:
    made = GithubLab(tmp_path, server)
    yield made
    made.close()


def _send(server: GithubServer, method: str, path: str, *, token: str = "", **headers: str) -> httpx.Response:
    sent = {"Authorization": f"token {token}"} if token else {}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, f"{server.api_url}{path}", headers={**sent, **names}, trust_env=False)


def test_who_is_not_known_or_says_no_name_gets_nothing(server: GithubServer) -> None:
    assert _send(server, "GET", "/user", token="wrong").json()["message"] == "Bad credentials"
    assert _send(server, "GET", "/user").status_code == 401
    assert _send(server, "GET", "/meta", user_agent="").status_code == 403
    assert _send(server, "GET", "/meta", x_github_api_version="2020-01-01").status_code == 400
    assert _send(server, "GET", "/meta", accept="text/html").status_code == 415
    assert _send(server, "PUT", "/meta").status_code == 404
    assert httpx.get(f"{server.url}/api/v1/version", trust_env=False).status_code == 404


def test_a_private_repository_is_not_there_for_strangers(server: GithubServer) -> None:
    server.state.private = True
    stranger = server.add_user("stranger")
    assert _send(server, "GET", "/repos/acme/app", token=stranger.token).status_code == 404
    assert _send(server, "GET", "/repos/acme/app", token=server.token).status_code == 200


def test_pages_have_at_most_a_hundred_items_and_links_by_id(lab: GithubLab, server: GithubServer) -> None:
    for _ in range(101):
        server.add_issue("one")
    reply = lab.owner.get("/issues?per_page=500")
    assert len(reply.json()) == 100
    assert reply.headers["link"].startswith(f"<{server.api_url}/repositories/1/issues?per_page=100&page=2>; rel=")
    assert 'rel="next"' not in lab.owner.get("/issues?per_page=100&page=2").headers["link"]
    assert len(lab.owner.get("/issues").json()) == 30
    assert "link" not in lab.owner.get("/labels-that-are-none").headers


def test_a_reader_sets_neither_labels_nor_assignees(server: GithubServer) -> None:
    reader = server.add_user("reader", "read")
    with httpx.Client(headers={"Authorization": f"token {reader.token}"}, trust_env=False) as client:
        address = f"{server.api_url}/repos/acme/app/issues"
        fields: Json = {"title": "t", "labels": ["agent"], "assignees": [server.bot.login]}
        made = client.post(address, json=fields).json()
        assert (made["labels"], made["assignees"]) == ([], [])
        for method, path in (("POST", "/1/labels"), ("DELETE", "/1/labels/agent"), ("PATCH", "/1")):
            assert client.request(method, f"{address}{path}", json={}).status_code == 403


def test_all_labels_go_when_none_is_named(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("one")
    server.state.add_labels(issue, ["agent", "bug"], server.owner)
    assert lab.owner.delete(f"/issues/{issue.number}/labels/").status_code == 204
    assert issue.labels == []


def test_the_actor_of_an_assignment_is_the_assigned(lab: GithubLab, server: GithubServer) -> None:
    number = lab.add_issue("one", "x")
    lab.assign(number, server.bot)
    (event,) = lab.owner.get(f"/issues/{number}/events").json()
    assert (event["actor"]["login"], event["assigner"]["login"]) == (server.bot.login, "acme")


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("/issues", {}, '"title" wasn\'t supplied'),
        ("/issues", {"title": " "}, "missing_field"),
        ("/issues", {"title": 7}, "is not a string"),
        ("/issues", {"title": "t", "body": "x" * 65_537}, "body is too long (maximum is 65536 characters)"),
        ("/issues", {"title": "t", "labels": [7]}, "is not an array of strings"),
        ("/issues", {"title": "t", "assignees": ["nobody-there"]}, "invalid"),
        ("/statuses/" + "1" * 40, {"state": "warning"}, "state is not included in the list"),
        ("/statuses/" + "1" * 40, {"state": "error", "description": "x" * 141}, "maximum is 140 characters"),
        ("/statuses/" + "1" * 40, {"state": "error"}, "No commit found for SHA"),
        ("/pulls", {"title": "t", "head": "nope", "base": "main"}, '"field":"head"'),
        ("/actions/workflows/x.yml/dispatches", {"ref": "main"}, "Not Found"),
    ],
)
def test_fields_that_are_wrong_are_named(lab: GithubLab, path: str, fields: dict[str, Json], said: str) -> None:
    reply = lab.owner.post(path, json=fields)
    assert reply.status_code in {422, 404}
    assert said in reply.text.replace('\\"', '"').replace('": ', '":')


def test_a_pair_has_one_open_pull_request_and_the_draft_state_is_not_patched(lab: GithubLab) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    fields: Json = {"title": "t", "head": HEAD, "base": "main", "draft": True}
    made = lab.ask("POST", "/pulls", fields)
    again = lab.owner.post("/pulls", json=fields)
    assert (again.status_code, "A pull request already exists for acme:coordinator/issue-1." in again.text) == (
        422,
        True,
    )
    assert lab.ask("PATCH", f"/pulls/{made['number']}", {"draft": False})["draft"] is True
    listed = lab.owner.get("/pulls").json()
    assert "merged" not in listed[0]
    assert lab.owner.get("/pulls?head=coordinator/issue-2").json() == listed
    assert lab.owner.get("/pulls?head=acme:coordinator/issue-2").json() == []


def test_graphql_refuses_with_status_200(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    lab.ask("POST", "/pulls", {"title": "t", "head": HEAD, "base": "main"})
    query = "mutation { convertPullRequestToDraft }"
    for token, identity, said in (
        (server.job_token, "PR_1", "FORBIDDEN"),
        (server.add_user("reader", "read").token, "PR_1", "FORBIDDEN"),
        (server.token, "PR_9", "NOT_FOUND"),
    ):
        reply = httpx.post(
            f"{server.url}/api/graphql",
            json={"query": query, "variables": {"id": identity}},
            headers={"Authorization": f"bearer {token}"},
            trust_env=False,
        )
        assert reply.status_code == 200
        assert reply.json()["errors"][0]["type"] == said
    server.state.drafts = False
    reply = httpx.post(
        f"{server.url}/api/graphql",
        json={"query": query, "variables": {"id": "PR_1"}},
        headers={"Authorization": f"bearer {server.token}"},
        trust_env=False,
    )
    assert "not supported" in reply.text
    assert httpx.post(f"{server.url}/api/graphql", json={}, trust_env=False).status_code == 401


def test_contents_are_json_unless_raw_is_asked_for(lab: GithubLab) -> None:
    assert lab.owner.get("/contents/README.md").json()["encoding"] == "base64"
    assert lab.owner.get("/contents/README.md?ref=nope").json()["message"] == "No commit found for the ref nope"
    raw = {"Accept": "application/vnd.github.raw+json"}
    assert lab.owner.get("/contents/README.md", headers=raw).text == "# App\n"
    assert lab.owner.get("/contents/docs", headers=raw).headers["content-type"].startswith("application/json")
