"""Whether what the event says still holds: its age, the text that was asked for, the comment that asked."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from coordinator.errors import Refused
from coordinator.events.models import Event, EventKind
from coordinator.events.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coordinator.forge.models import Comment, HistoryEntry, Issue

STALE_AFTER: Final = timedelta(hours=24)
"""After this time Gitea and Forgejo give up a job that waits for a runner (``ABANDONED_JOB_TIMEOUT``)."""

SAME_MOMENT: Final = timedelta(seconds=30)
"""How far apart the two time stamps of one act may be: of the history's entry and of the issue in the event."""

_AGAIN: Final = {
    EventKind.ISSUES: "Take the assignment or label away and put it back",
    EventKind.ISSUE_COMMENT: "Write the command again",
    EventKind.PULL_REQUEST: "Close the pull request and open it again",
}


def refused(why: str, mend: str) -> Refused:
    """Word a refusal so that the log line of the run contains ``refused``."""
    return Refused(f"Event refused: {why}", mend=mend)


class TextChanged(Refused):
    """The text is not the one that somebody allowed has asked for. That person waits, so the issue is told."""


def check_age(event: Event, now: datetime, *, live: Issue | None = None) -> None:
    """Refuse an event from before yesterday.

    Where Gitea wrote it before the commit it has no time of its own; then the time of the issue as it is now, which is
    no earlier, has to do.
    """
    moment = _moment(event) or (live.updated_at if live else None)
    if moment and now - moment > STALE_AFTER:
        hours = int(STALE_AFTER.total_seconds() // 3600)
        raise refused(f"it is older than {hours} hours, so things may have changed since", _AGAIN[event.kind])


def _moment(event: Event) -> datetime | None:
    if event.comment:
        return event.comment.created_at
    source = event.issue or event.pull_request
    return source.updated_at if source else None


def precedes(request: HistoryEntry, event: Event) -> bool:
    """Whether the request was made before the act that the event tells of.

    Gitea and Forgejo do not say who was assigned, and Forgejo repeats labels that were kept. The issue's own time stamp
    in the event is never later than the act, and never earlier than the last edit before it.
    """
    moment = _moment(event)
    return moment is not None and moment - request.at > SAME_MOMENT


def check_text(event: Event, live: Issue) -> None:
    """Freeze the text: an issue's author may edit it after somebody trusted has asked for the work."""
    seen = event.issue
    if seen and (seen.title, seen.body) != (clean(live.title), clean(live.body)):
        raise TextChanged(
            f"Event refused: issue #{live.number} was edited after the trigger",
            mend=f"Read it again, then: {_AGAIN[event.kind]}",
        )


def digest(issue: Issue) -> str:
    """Return what tells one text of an issue from another: SHA-256 of title and body, cleaned as everywhere."""
    return hashlib.sha256(f"{clean(issue.title)}\0{clean(issue.body)}".encode()).hexdigest()


def check_comment(event: Event, comments: Iterable[Comment]) -> None:
    """See on a re-run that the command still stands: the event is the old one, whatever happened since."""
    asked = event.comment
    if not asked or all((known.id, clean(known.body)) != (asked.id, asked.body) for known in comments):
        raise refused("the comment that asked for this was edited or deleted", _AGAIN[EventKind.ISSUE_COMMENT])
