"""From an event file to an `Event`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError

from coordinator.errors import Misconfigured
from coordinator.events.models import EventKind, Skipped
from coordinator.events.normalise import (
    from_comment,
    from_dispatch,
    from_issues,
    from_pull_request,
    from_schedule,
)
from coordinator.events.payloads import (
    IssueCommentPayload,
    IssuesPayload,
    PullRequestPayload,
    SchedulePayload,
    WorkflowDispatchPayload,
)
from coordinator.events.text import one_line
from coordinator.models import Foreign

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.events.models import Event

PAYLOAD_LIMIT: Final = 25 * 1024 * 1024
"""Bytes. GitHub caps payloads at 25 MB and delivers none above ("Webhook events and payloads", payload cap)."""

ACTIONS: Final[dict[EventKind, frozenset[str]]] = {
    EventKind.ISSUES: frozenset(
        {"opened", "edited", "closed", "reopened", "assigned", "unassigned"}
        | {"labeled", "unlabeled", "label_updated", "label_cleared"}
    ),
    EventKind.ISSUE_COMMENT: frozenset({"created"}),
    EventKind.PULL_REQUEST: frozenset({"opened", "synchronize", "synchronized", "reopened", "closed"}),
}
"""The actions that can be ours, as any of the forges spells them. A kind that is not here has none."""

_MEND: Final = "Let the job's runner write the event file, or point GITHUB_EVENT_PATH at one"
_Payload = TypeVar("_Payload", bound=Foreign)


def read_event(name: str, path: Path, *, repository: str | None) -> Event | Skipped:
    """Read the event file that the runner wrote.

    `name` is the event's name (``GITHUB_EVENT_NAME``), `repository` the ``owner/name`` of the job, which stands in
    where the file names none. Raises `Misconfigured` for a file that is missing, unreadable, over `PAYLOAD_LIMIT`
    bytes or no event of this name.
    """
    if name not in set(EventKind):
        return Skipped(reason=f"the event {one_line(name, limit=40)} is none that the coordinator handles")
    source = f"Event file {one_line(str(path), limit=300)}"
    document = load_payload(_read(path, source), source)
    return parse_payload(EventKind(name), document, source=source, repository=repository)


def parse_payload(
    kind: EventKind, document: dict[str, object], *, source: str, repository: str | None
) -> Event | Skipped:
    """Make an event of its payload. `source` is how messages call it; raises as `read_event` does."""
    if kind not in ACTIONS:
        return _normalised(kind, "", document, source, repository)
    action = document.get("action")
    if not isinstance(action, str):
        raise Misconfigured(f"{source}: action: missing, or no text", mend=_MEND)
    if action not in ACTIONS[kind]:
        return Skipped(reason=f"the action {one_line(action, limit=40)!r} of {kind} is none that asks for work")
    return _normalised(kind, action, document, source, repository)


def _read(path: Path, source: str) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(PAYLOAD_LIMIT + 1)
    except OSError as error:
        raise Misconfigured(f"{source}: cannot be read: {error.strerror}", mend=_MEND) from error
    if len(raw) > PAYLOAD_LIMIT:
        raise Misconfigured(f"{source}: larger than the 25 MiB that a forge sends", mend=_MEND)
    return raw


def load_payload(raw: bytes, source: str) -> dict[str, object]:
    """Parse a payload; raises `Misconfigured` for anything but a JSON object."""
    try:
        document: object = json.loads(raw)
    except RecursionError as error:
        raise Misconfigured(f"{source}: nested too deeply", mend=_MEND) from error
    except ValueError as error:
        raise Misconfigured(f"{source}: not JSON: {one_line(str(error), limit=120)}", mend=_MEND) from error
    if not isinstance(document, dict):
        raise Misconfigured(f"{source}: not a JSON object", mend=_MEND)
    return document


def _normalised(
    kind: EventKind, action: str, document: dict[str, object], source: str, repository: str | None
) -> Event:
    match kind:
        case EventKind.ISSUES:
            return from_issues(action, _valid(IssuesPayload, document, source))
        case EventKind.ISSUE_COMMENT:
            return from_comment(action, _valid(IssueCommentPayload, document, source))
        case EventKind.PULL_REQUEST:
            return from_pull_request(action, _valid(PullRequestPayload, document, source))
        case EventKind.WORKFLOW_DISPATCH:
            return from_dispatch(_valid(WorkflowDispatchPayload, document, source))
        case EventKind.SCHEDULE:
            payload = _valid(SchedulePayload, document, source)
            if payload.repository is None and not repository:
                raise Misconfigured(
                    f"{source}: repository: missing, and the job names none", mend="Set GITHUB_REPOSITORY"
                )
            return from_schedule(payload, repository or "")


def _valid(model: type[_Payload], document: dict[str, object], source: str) -> _Payload:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = one_line(".".join(str(part) for part in first["loc"]))
        raise Misconfigured(f"{source}: {field}: {one_line(first['msg'])}", mend=_MEND) from None
