"""An event inside a dispatch: what a webhook relay passes on where the forge starts no workflow of its own."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from coordinator.events.freshness import refused
from coordinator.events.models import Event, EventKind, Skipped
from coordinator.events.read import load_payload, parse_payload

SOURCE: Final = "Relayed event"
"""How messages call the payload."""

_MEND: Final = "Set the same secret in the forge's webhook, in the relay and as the action's input webhook-secret"
_KINDS: Final = {
    "comment": EventKind.ISSUE_COMMENT,
    "pull_request": EventKind.PULL_REQUEST,
    "issue": EventKind.ISSUES,
}
"""Kinds by the first key that the payload has: the header that names the event is not signed, so it is not asked."""


def open_relayed(event: Event, *, secret: str) -> Event | Skipped:
    """Return the event that a dispatch carries in the inputs ``event`` (the raw body) and ``signature``.

    The signature is the one of Gitea's and Forgejo's webhooks: HMAC-SHA256 of the raw body in lower-case hexadecimal
    digits (``X-Gitea-Signature``, ``services/webhook/deliver.go``). Raises `Refused` where it does not fit, and
    `Misconfigured` for a body that is no event.
    """
    body = event.inputs.get("event", "").encode()
    given = event.inputs.get("signature", "").encode()
    if not secret:
        raise refused("it carries a relayed event, and there is no secret to verify it with", _MEND)
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(given, expected):
        raise refused("the signature of the relayed event is wrong or missing", _MEND)
    return relayed_event(load_payload(body, SOURCE))


def relayed_event(document: dict[str, object]) -> Event | Skipped:
    """Make an event of a webhook's payload; raises `Misconfigured` for one that is about an issue, and malformed.

    A webhook tells ``label_cleared`` where all labels go at once, and lists them as they were before: Gitea's
    ``ClearIssueLabels`` (``models/issues/issue_label.go``) does not read them anew. So there are none left.
    """
    kind = next((kind for key, kind in _KINDS.items() if document.get(key)), None)
    if kind is None:
        return Skipped(reason="the relayed event is about neither an issue nor a pull request")
    event = parse_payload(kind, document, source=SOURCE, repository=None)
    if isinstance(event, Event) and event.issue and document.get("action") == "label_cleared":
        return event.model_copy(update={"issue": event.issue.model_copy(update={"labels": ()})})
    return event
