"""From a signed body to what is passed on, or to why nothing is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic import Field, ValidationError

from coordinator.errors import Misconfigured
from coordinator.events.models import Event, EventKind, Skipped
from coordinator.events.payloads import RawAccount, RawRepository
from coordinator.events.read import load_payload
from coordinator.events.relay import SOURCE, relayed_event
from coordinator.events.trigger import command_of
from coordinator.events.verify import ACTIONS_USER
from coordinator.models import Foreign, Frozen

if TYPE_CHECKING:
    from coordinator.forge.models import Issue

_MEND: Final = "Point a webhook of Gitea or Forgejo here, with the content type application/json"
_REPOSITORY: Final = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}", re.ASCII)
_DELIVERY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
"""Gitea and Forgejo send a UUID; the header is not signed, so nothing else gets into the log."""
_ASKING: Final = frozenset({"opened", "assigned", "unassigned", "labeled", "unlabeled", "closed"})


class Delivery(Frozen):
    """One event that somebody asked us to see to. Its `repr` has neither body nor signature."""

    id: str
    """Of the delivery, for the log; ``-`` where the forge gave none that looks like one."""
    event: Event = Field(repr=False)
    body: bytes = Field(repr=False)
    """As it came: what was signed."""
    signature: str = Field(repr=False)

    @property
    def repository(self) -> str:
        """The repository's ``owner/name``."""
        return self.event.repository.full_name

    @property
    def number(self) -> int:
        """The issue."""
        return self.event.issue.number if self.event.issue else 0

    def describe(self) -> str:
        """Return one line for the log, without anything that a person wrote."""
        what = f"{self.event.kind.value} {self.event.action}"
        return f"delivery {self.id}: {self.repository} {what} #{self.number}"


class _Envelope(Foreign):
    """What every event of a forge has at least one of (``modules/structs/hook.go``)."""

    repository: RawRepository | None = None
    sender: RawAccount | None = None


def clean_id(given: str) -> str:
    """Return the id of a delivery, or ``-`` for what is none."""
    return given if _DELIVERY_ID.fullmatch(given) else "-"


def read_delivery(delivery_id: str, body: bytes, signature: str) -> Delivery | Skipped:
    """Read a body whose signature was checked. Raises `Misconfigured` for what is no event of a forge."""
    event = _event(body)
    if isinstance(event, Skipped):
        return event
    if not _REPOSITORY.fullmatch(event.repository.full_name):
        raise Misconfigured(f"{SOURCE}: repository.full_name: not owner/name", mend=_MEND)
    reason = why_not(event)
    return Skipped(reason=reason) if reason else Delivery(id=delivery_id, event=event, body=body, signature=signature)


def _event(body: bytes) -> Event | Skipped:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Misconfigured(f"{SOURCE}: not UTF-8", mend=_MEND) from None
    document = load_payload(body, SOURCE)
    try:
        envelope = _Envelope.model_validate(document)
    except ValidationError:
        raise Misconfigured(f"{SOURCE}: repository or sender is malformed", mend=_MEND) from None
    if not envelope.repository and not envelope.sender:
        raise Misconfigured(f"{SOURCE}: names neither a repository nor a sender", mend=_MEND)
    return relayed_event(document)


def why_not(event: Event) -> str:
    """Say in one line why nobody need see to this event, whatever the configuration; empty where somebody may need to.

    Pull requests are checked by the workflow's own trigger: relayed, one from a fork would start without the approval
    that the forge asks for.
    """
    if event.sender and event.sender.id == ACTIONS_USER["gitea"]:
        return "done by a workflow, and a workflow's doings start nothing"
    if event.kind is EventKind.PULL_REQUEST:
        return "pull requests are checked by the workflow itself"
    issue = event.issue
    if issue is None or issue.is_pull_request:
        return "a pull request, not an issue"
    return _unasked_comment(event) if event.kind is EventKind.ISSUE_COMMENT else _unasked(event.action, issue)


def _unasked_comment(event: Event) -> str:
    body = event.comment.body if event.comment else ""
    return "" if command_of(body) else "a comment that is no command"


def _unasked(action: str, issue: Issue) -> str:
    if action not in _ASKING:
        return f"an issue that is {action} asks for nothing"
    if action != "closed" and issue.state == "closed":
        return "the issue is closed"
    if action == "opened" and not issue.assignees and not issue.labels:
        return "opened, neither assigned nor labelled"
    return ""
