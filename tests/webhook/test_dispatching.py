"""Dispatches at the stand-in, by the real client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import JsonValue, SecretStr

from coordinator.errors import Misconfigured
from coordinator.events.models import Event, EventKind, EventRepository
from coordinator.events.relay import open_relayed
from coordinator.forge.gitea import GiteaForge
from coordinator.forge.models import Account
from coordinator.webhook.dispatching import Dispatching
from tests.standins.forge_server import ForgeServer
from tests.support import FORGE_CANARY, git, make_repository
from tests.webhook import support
from tests.webhook.support import WEBHOOK_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.webhook.delivery import Delivery

FILES = {".gitea/workflows/coordinator.yml": "on: {workflow_dispatch: {inputs: {event: {}, signature: {}}}}\n"}


def delivery(number: int = 1, **changes: JsonValue) -> Delivery:
    """Return a delivery of somebody whom the stand-in does not know."""
    changes.setdefault("sender", {"id": 4711, "login": "dev"})
    return support.delivery(number, support.ASSIGNED, **changes)


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[ForgeServer]:
    with ForgeServer(tmp_path / "server") as server:
        source = make_repository(tmp_path / "source", FILES)
        git(source, "push", "--quiet", str(server.bare_repository), "main")
        yield server


@pytest.fixture
def dispatching(forge: ForgeServer) -> Dispatching:
    token = SecretStr(FORGE_CANARY)
    return Dispatching(lambda name: GiteaForge(forge.api_url, forge.url, name, token))


def test_body_and_signature_arrive_so_that_the_run_can_open_them(forge: ForgeServer, dispatching: Dispatching) -> None:
    given = delivery(7, commit_id="ünïcode \u2028 \u0000 \U0001f600")
    assert dispatching.handle(given) == "dispatched coordinator.yml"
    (dispatched,) = forge.state.dispatched
    assert (dispatched["workflow"], dispatched["ref"], dispatched["sender"]) == (
        "coordinator.yml",
        "main",
        "coordinator",
    )
    inputs = dispatched["inputs"]
    assert isinstance(inputs, dict)
    outer = Event(
        kind=EventKind.WORKFLOW_DISPATCH,
        action="",
        sender=Account(id=5, login="coordinator"),
        repository=EventRepository(id=1, full_name="acme/app"),
        inputs={name: str(value) for name, value in inputs.items()},
    )
    assert open_relayed(outer, secret=WEBHOOK_CANARY) == given.event


def test_the_default_branch_is_asked_for_where_the_event_does_not_say(
    forge: ForgeServer, dispatching: Dispatching
) -> None:
    dispatching.handle(delivery(1, repository={"id": 1, "full_name": "acme/app"}))
    assert [one["ref"] for one in forge.state.dispatched] == ["main"]


def test_what_the_own_account_does_starts_nothing(forge: ForgeServer, dispatching: Dispatching) -> None:
    own = delivery(1, sender={"id": forge.bot.id, "login": "renamed"})
    assert "own account" in dispatching.handle(own)
    assert forge.state.dispatched == []
    dispatching.handle(delivery(1, sender={"id": forge.bot.id + 90, "login": "coordinator"}))
    assert len(forge.state.dispatched) == 1
    assert sum(request.path == "/api/v1/user" for request in forge.requests) == 1


def test_each_delivery_goes_to_its_own_repository(forge: ForgeServer, dispatching: Dispatching) -> None:
    with pytest.raises(Misconfigured):
        dispatching.handle(delivery(1, repository={"id": 2, "full_name": "acme/other", "default_branch": "main"}))
    assert forge.state.dispatched == []
    assert any("acme/other" in request.path for request in forge.requests)


def test_a_missing_workflow_says_so(forge: ForgeServer, dispatching: Dispatching) -> None:
    gone = delivery(1, repository={"id": 1, "full_name": "acme/app", "default_branch": "gone"})
    with pytest.raises(Misconfigured):
        dispatching.handle(gone)
    assert forge.state.dispatched == []
