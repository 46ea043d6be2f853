from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from coordinator.errors import Misconfigured, Refused
from coordinator.events.models import Event, EventKind, EventRepository, Skipped
from coordinator.events.relay import open_relayed
from coordinator.events.trigger import is_relayed
from coordinator.forge.models import Account
from tests.events.payload_files import payload_path

SECRET = "webhook-canary-51c2"


def webhook_body(name: str) -> str:
    """Return a payload as the webhook sends it: indented by two spaces, as ``services/webhook/deliver.go`` signs it."""
    return json.dumps(json.loads(payload_path(name).read_bytes()), indent=2)


def sign(body: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def relayed(body: str, signature: str) -> Event:
    return Event(
        kind=EventKind.WORKFLOW_DISPATCH,
        action="",
        sender=Account(id=5, login="coordinator"),
        repository=EventRepository(id=1, full_name="acme/app"),
        inputs={"event": body, "signature": signature, "issue": ""},
    )


@pytest.mark.parametrize(
    ("name", "kind", "action"),
    [
        ("gitea/issues.assigned", EventKind.ISSUES, "assigned"),
        ("derived/issues.label_updated.webhook", EventKind.ISSUES, "labeled"),
        ("gitea/issue_comment.created", EventKind.ISSUE_COMMENT, "created"),
        ("gitea/pull_request.synchronized", EventKind.PULL_REQUEST, "synchronize"),
    ],
)
def test_a_signed_event_is_opened(name: str, kind: EventKind, action: str) -> None:
    body = webhook_body(name)
    outer = relayed(body, sign(body))
    event = open_relayed(outer, secret=SECRET)
    assert is_relayed(outer)
    assert isinstance(event, Event)
    assert (event.kind, event.action) == (kind, action)
    assert event.sender is not None
    assert event.sender.id == json.loads(body)["sender"]["id"]


@pytest.mark.parametrize("wrong", ["", "0" * 64, sign("x"), "sha256=", "ü" * 64])
def test_a_wrong_or_missing_signature_is_refused(wrong: str) -> None:
    with pytest.raises(Refused, match="refused: the signature") as caught:
        open_relayed(relayed(webhook_body("gitea/issues.assigned"), wrong), secret=SECRET)
    assert "webhook-secret" in caught.value.mend
    assert SECRET not in str(caught.value)


def test_every_byte_of_the_body_is_signed() -> None:
    body = webhook_body("gitea/issues.assigned.by-stranger")
    forged = body.replace('"login": "outsider"', '"login": "maintainer"')
    assert forged != body
    with pytest.raises(Refused):
        open_relayed(relayed(forged, sign(body)), secret=SECRET)


def test_without_a_secret_nothing_is_opened_not_even_what_is_signed_with_none() -> None:
    body = webhook_body("gitea/issues.assigned")
    with pytest.raises(Refused, match="no secret"):
        open_relayed(relayed(body, sign(body, "")), secret="")


def test_a_signed_body_that_is_no_event() -> None:
    with pytest.raises(Misconfigured, match="Relayed event: not JSON"):
        open_relayed(relayed("{", sign("{")), secret=SECRET)
    body = json.dumps({"ref": "refs/heads/main", "commits": []})
    assert isinstance(open_relayed(relayed(body, sign(body)), secret=SECRET), Skipped)
