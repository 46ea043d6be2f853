"""What the real server refuses, and how it answers: the stand-ins do the same, or this fails on one of the two."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.forge.labs import WORKFLOW, basic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.forge.labs import RestLab
    from tests.standins.forge_state import Json

NO_COMMIT = "1" * 40
STRANGERS_NAME = "nobody-of-that-name"


@pytest.fixture
def bot(rest_lab: RestLab) -> Iterator[httpx.Client]:
    """The account that may write, on a repository with one issue and one workflow."""
    rest_lab.add_issue("x", "y")
    rest_lab.push_branch("work", {".gitea/workflows/agent.yml": WORKFLOW})
    authorization = rest_lab.forge.git_remote().authorization
    with httpx.Client(
        base_url=f"{rest_lab.api_url}/repos/{rest_lab.full_name}",
        headers={"Authorization": authorization},
        trust_env=False,
    ) as client:
        while client.get(f"{rest_lab.api_url}/repos/{rest_lab.full_name}").json()["empty"]:
            time.sleep(0.1)  # just after the first push the real server has 404 and 500 for much that is there
        yield client


@pytest.mark.parametrize(
    ("ask", "fields", "status"),
    [
        ("GET /nonsense", None, 404),
        ("DELETE /assignees", None, 405),
        ("GET /teams", None, 405),
        ("GET /issues/99", None, 404),
        ("GET /issues/99/comments", None, 500),
        ("GET /issues/99/timeline", None, 500),
        ("GET /issues/99/labels", None, 404),
        ("GET /issues/99/dependencies", None, 404),
        ("POST /issues/99/comments", {"body": "x"}, 500),
        ("POST /issues/1/comments", {"body": ""}, 422),
        ("POST /issues/1/comments", {"body": 7}, 422),
        ("POST /issues/1/comments", {"body": "x"}, 201),
        ("PATCH /issues/comments/99999999", {"body": "x"}, 404),
        ("POST /issues", {"title": ""}, 422),
        ("POST /issues", {"title": "x", "labels": ["agent"]}, 422),
        ("POST /issues", {"title": "x", "labels": "agent"}, 422),
        ("POST /issues", {"title": "x", "assignees": [STRANGERS_NAME]}, 422),
        ("PATCH /issues/1", {"assignees": [STRANGERS_NAME]}, 500),
        ("PATCH /issues/1", {"title": "y"}, 201),
        ("PATCH /issues/1", {"state": "neither"}, 412),
        ("GET /issues?assigned_by=nobody-of-that-name", None, 404),
        ("GET /issues?labels=no+such+label", None, 200),
        ("POST /issues/1/labels", {"labels": ["agent", 1]}, 400),
        ("POST /issues/1/labels", {"labels": [True]}, 400),
        ("POST /issues/1/labels", {"labels": [99999999]}, 200),
        ("POST /issues/99/labels", {"labels": []}, 404),
        ("DELETE /issues/1/labels/99999999", None, 422),
        ("DELETE /issues/99/labels/1", None, 404),
        ("POST /labels", {"name": "x"}, 422),
        ("POST /labels", {"name": "", "color": "ededed"}, 422),
        ("POST /labels", {"name": "x", "color": "red"}, 422),
        ("POST /labels", {"name": "agent", "color": "ededed"}, 201),
        ("DELETE /labels/99999999", None, 204),
        ("POST /issues/1/dependencies", {"index": 1}, 404),
        ("GET /pulls/99", None, 404),
        ("GET /pulls/1", None, 404),
        ("POST /pulls", {"head": "main", "base": "main", "title": "x"}, 422),
        ("POST /pulls", {"head": "nope", "base": "main", "title": "x"}, 404),
        ("POST /pulls", {"head": "work", "base": "nope", "title": "x"}, 404),
        ("POST /pulls", {"head": "work", "base": "main", "title": ""}, 422),
        (f"POST /statuses/{NO_COMMIT}", {"state": "success"}, 500),
        ("GET /git/commits/nope", None, 404),
        ("GET /branches/work~1", None, 404),
        ("GET /branches/nope", None, 404),
        (f"GET /raw/README.md?ref={NO_COMMIT}", None, 404),
        ("GET /raw/README.md?ref=nope", None, 200),
        ("GET /collaborators/nobody-of-that-name/permission", None, 403),
        ("GET /actions/secrets", None, 403),
        ("GET /actions/tasks", None, 200),
    ],
)
def test_the_status_of_an_answer(bot: httpx.Client, ask: str, fields: Json, status: int) -> None:
    assert bot.request(*ask.split(" "), json=fields).status_code == status


@pytest.mark.parametrize(
    ("file", "fields", "statuses"),
    [
        ("agent.yml", {}, {"gitea": 422, "forgejo": 400}),
        ("agent.yml", {"ref": "nope"}, {"gitea": 404, "forgejo": 500}),
        ("agent.yml", {"ref": "main"}, {"gitea": 404, "forgejo": 500}),
        ("other.yml", {"ref": "work"}, {"gitea": 404, "forgejo": 500}),
        ("agent.yml", {"ref": "work", "inputs": {"issue": 7}}, {"gitea": 422, "forgejo": 422}),
        ("agent.yml", {"ref": "work", "inputs": []}, {"gitea": 422, "forgejo": 422}),
        ("agent.yml", {"ref": "work", "inputs": {"issue": "7", "other": "x"}}, {"gitea": 204, "forgejo": 204}),
        ("agent.yml", {"ref": "refs/heads/work"}, {"gitea": 204, "forgejo": 204}),
    ],
)
def test_the_status_of_a_dispatch(
    rest_lab: RestLab, bot: httpx.Client, file: str, fields: Json, statuses: dict[str, int]
) -> None:
    reply = bot.post(f"/actions/workflows/{file}/dispatches", json=fields)
    assert reply.status_code == statuses[rest_lab.forge.server().product]


def test_an_issue_with_an_open_blocker_stays_open(rest_lab: RestLab) -> None:
    first, second, third = (rest_lab.add_issue(f"Issue {index}", "x") for index in range(3))
    owner, name = rest_lab.full_name.split("/")
    client = rest_lab.owner

    def blocker(number: int) -> Json:
        return {"owner": owner, "repo": name, "index": number}

    path = f"/issues/{first}"
    assert client.post(f"{path}/dependencies", json=blocker(second)).status_code == 201
    assert client.post(f"{path}/dependencies", json=blocker(second)).status_code == 500
    assert client.post(f"/issues/{second}/dependencies", json=blocker(first)).status_code == 500
    assert client.patch(path, json={"state": "closed"}).status_code == 412
    assert client.patch(f"/issues/{second}", json={"state": "closed"}).status_code == 201
    assert client.patch(path, json={"state": "closed"}).status_code == 201
    listed = client.get("/issues?state=closed&type=issues").json()
    assert [issue["number"] for issue in listed] == [second, first]
    for status in (201, 500):
        reply = client.request("DELETE", f"{path}/dependencies", json=blocker(second))
        assert reply.status_code == status
    assert client.post(f"/issues/{third}/dependencies", json=blocker(999)).status_code == 404


def test_a_pair_of_branches_has_one_open_pull_request(rest_lab: RestLab, bot: httpx.Client) -> None:
    pull: Json = {"head": "work", "base": "main", "title": "t"}
    number = bot.post("/pulls", json=pull).json()["number"]
    assert rest_lab.owner.post("/pulls", json=pull).status_code == 409
    assert rest_lab.owner.patch(f"/pulls/{number}", json={"state": "closed"}).status_code == 201
    assert rest_lab.owner.post("/pulls", json=pull).status_code == 201


def test_comments_are_never_paged_and_lists_of_issues_are(rest_lab: RestLab, bot: httpx.Client) -> None:
    for text in "abc":
        bot.post("/issues/1/comments", json={"body": text})
    rest_lab.add_issue("Two", "x")
    assert len(bot.get("/issues/1/comments?limit=1&page=9").json()) == 3
    page = bot.get("/issues?limit=1&page=2")
    assert ([issue["number"] for issue in page.json()], page.headers["x-total-count"]) == ([1], "2")
    assert bot.get("/issues?page=9").json() == []


def test_a_wrong_token_is_401_everywhere(rest_lab: RestLab, bot: httpx.Client) -> None:
    for wrong in ("token wrong", f"Basic {basic('wrong')}"):
        for path in ("/issues/1", "/issues"):
            assert bot.get(path, headers={"Authorization": wrong}).status_code == 401
    nobody = httpx.post(f"{bot.base_url}issues/1/comments", json={"body": "x"}, trust_env=False)
    assert nobody.status_code == 401
    assert httpx.get(f"{rest_lab.api_url}/user", trust_env=False).status_code == 401


def test_a_body_that_is_no_object_is_refused(bot: httpx.Client) -> None:
    for content in (b"", b"{", b"[]"):
        reply = bot.post("/issues", content=content, headers={"Content-Type": "application/json"})
        assert reply.status_code == 422


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/issues/1", {"number", "title", "body", "state", "user", "labels", "assignees", "pull_request", "comments"}),
        ("/branches/main", {"name", "commit", "protected"}),
        ("", {"id", "full_name", "default_branch", "html_url", "private", "permissions", "owner", "empty"}),
        ("/actions/tasks", {"workflow_runs", "total_count"}),
    ],
)
def test_the_keys_of_an_answer(rest_lab: RestLab, bot: httpx.Client, path: str, keys: set[str]) -> None:
    reply = bot.get(f"{rest_lab.api_url}/repos/{rest_lab.full_name}{path}")
    assert keys <= set(reply.json())


def test_a_token_without_the_scope_is_told_what_it_has(rest_lab: RestLab, bot: httpx.Client) -> None:
    reply = bot.get(f"{rest_lab.api_url}/admin/users")
    assert reply.status_code == 403
    assert "required=[read:admin]" in reply.json()["message"]
    assert "token scope=" in reply.json()["message"]
