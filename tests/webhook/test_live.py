"""A real Gitea delivers real webhooks to the relay as a process, and the relay starts a real workflow."""

from __future__ import annotations

import base64
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.live.server import DOCUMENT, Document, Gitea, Person, wait_for
from tests.webhook.support import WEBHOOK_CANARY
from tests.webhook.test_serve import Process, relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL, TOKEN = "COORDINATOR_TEST_GITEA_URL", "COORDINATOR_TEST_GITEA_TOKEN"
SCOPES = ("write:repository", "write:issue", "read:user")
SECONDS = 30.0
WORKFLOW = """
on:
  workflow_dispatch:
    inputs: {issue: {type: string}, event: {type: string}, signature: {type: string}}
jobs: {none: {runs-on: no-such-runner, steps: [{run: "true"}]}}
"""


@dataclass
class Place:
    """A repository of the owner with the workflow, and the account of the relay that may write to it."""

    gitea: Gitea
    owner: Person
    bot: Person
    path: str

    def send(self, method: str, path: str, json: object = None) -> Document:
        reply = self.gitea.send(method, f"{self.path}{path}", token=self.owner.token, json=json)
        return DOCUMENT.validate_json(reply.content) if reply.content else {}

    def hook(self, relay: Process, secret: str = WEBHOOK_CANARY) -> None:
        """Let the repository deliver to the relay, as docs/webhook.md says."""
        config = {"url": f"{relay.address}/webhook/gitea", "content_type": "json", "secret": secret}
        events = ["issues", "issue_assign", "issue_label", "issue_comment"]
        self.send("POST", "/hooks", {"type": "gitea", "active": True, "config": config, "events": events})

    def open_issue(self) -> int:
        return int(str(self.send("POST", "/issues", {"title": "Do it", "body": "Well"})["number"]))

    def runs(self) -> list[str]:
        """The events that started runs."""
        reply = self.gitea.get(f"{self.path}/actions/runs")
        return [str(DOCUMENT.validate_python(run)["event"]) for run in _list(reply["workflow_runs"])]


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


@pytest.fixture
def place() -> Iterator[Place]:
    if not (os.environ.get(URL) and os.environ.get(TOKEN)):
        pytest.skip(f"no real server: {URL}, {TOKEN} not set (address, administrator's token)")
    gitea = Gitea(os.environ[URL], os.environ[TOKEN])
    people = [gitea.add_person("owner"), gitea.add_person("relay", SCOPES)]
    owner, bot = people
    try:
        path = f"/repos/{owner.login}/hooked"
        made = Place(gitea, owner, bot, path)
        json = {"name": "hooked", "auto_init": True, "default_branch": "main"}
        gitea.send("POST", "/user/repos", token=owner.token, json=json)
        made.send("PUT", f"/collaborators/{bot.login}", {"permission": "write"})
        content = base64.b64encode(WORKFLOW.encode()).decode()
        made.send("POST", "/contents/.gitea/workflows/coordinator.yml", {"content": content, "message": "Add"})
        yield made
    finally:
        for person in people:
            gitea.remove(f"/admin/users/{person.login}?purge=true")
        gitea.close()


@contextmanager
def relayed(place: Place, folder: Path) -> Iterator[Process]:
    with relay(folder, GITEA_URL=place.gitea.url, GITEA_TOKEN=place.bot.token) as served:
        yield served


def said(served: Process, text: str) -> None:
    wait_for(f"line with {text!r}", lambda: served.said(text), SECONDS)


def test_an_assignment_starts_the_workflow_once(place: Place, tmp_path: Path) -> None:
    with relayed(place, tmp_path) as served:
        place.hook(served)
        issue = place.open_issue()
        said(served, "ignored: opened, neither assigned nor labelled")
        place.send("PATCH", f"/issues/{issue}", {"assignees": [place.bot.login]})
        said(served, f"issues assigned #{issue}: dispatched coordinator.yml")
        place.send("PATCH", f"/issues/{issue}", {"assignees": []})
        said(served, f"issues unassigned #{issue}: dispatched")
        place.send("PATCH", f"/issues/{issue}", {"state": "closed"})
        said(served, f"issues closed #{issue}: dispatched")
        assert served.health().json()["forge_reachable"] is True
        assert served.end() == 0
    assert place.runs() == ["workflow_dispatch"] * 3


def test_what_the_relays_own_account_does_starts_nothing(place: Place, tmp_path: Path) -> None:
    with relayed(place, tmp_path) as served:
        place.hook(served)
        issue = place.open_issue()
        place.gitea.send(
            "PATCH", f"{place.path}/issues/{issue}", token=place.bot.token, json={"assignees": [place.bot.login]}
        )
        said(served, f"issues assigned #{issue}: ignored: done by the coordinator's own account")
    assert place.runs() == []


def test_comments_and_labels(place: Place, tmp_path: Path) -> None:
    with relayed(place, tmp_path) as served:
        label = place.send("POST", "/labels", {"name": "agent", "color": "#ededed"})["id"]
        issue = place.open_issue()
        place.hook(served)
        place.send("POST", f"/issues/{issue}/comments", {"body": "Hello"})
        said(served, "ignored: a comment that is no command")
        place.send("POST", f"/issues/{issue}/comments", {"body": "/coordinator plan"})
        said(served, f"issue_comment created #{issue}: dispatched")
        place.gitea.send(
            "POST", f"{place.path}/issues/{issue}/labels", token=place.owner.token, json={"labels": [label]}
        )
        said(served, f"issues labeled #{issue}: dispatched")
        place.gitea.send("DELETE", f"{place.path}/issues/{issue}/labels", token=place.owner.token)
        said(served, f"issues unlabeled #{issue}: dispatched")
    assert place.runs() == ["workflow_dispatch"] * 3


def test_a_hook_with_another_secret_is_refused(place: Place, tmp_path: Path) -> None:
    with relayed(place, tmp_path) as served:
        place.hook(served, secret=secrets.token_hex(8))
        place.hook(served, secret="")
        place.open_issue()
        wait_for("two refusals", lambda: served.log.read_text().count("refused: the signature") == 2, SECONDS)
    assert place.runs() == []
