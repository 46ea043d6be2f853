"""Which request for work on an issue counts, and whether the text is still the one that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.events.freshness import SAME_MOMENT, TextChanged, digest, refused
from coordinator.events.standing import standing_requests
from coordinator.events.text import one_line
from coordinator.forge.models import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.events.permission import Permissions
    from coordinator.forge.models import HistoryEntry, Issue
    from coordinator.forge.protocol import Forge


def done(entry: HistoryEntry) -> str:
    """Return the request in words: ``assigned by @dev``."""
    verb = "assigned" if entry.change is Change.ASSIGNED else "labelled"
    return f"{verb} by @{one_line(entry.by.login)}"


def newest_allowed(
    issue: Issue,
    standing: Sequence[HistoryEntry],
    permissions: Permissions,
    *,
    trigger_assignee: str,
    trigger_label: str,
) -> tuple[HistoryEntry, str]:
    """Return the newest request of somebody allowed, and it in words; raise `Refused` where nobody allowed asks."""
    if not standing:
        raise refused(
            f"nobody asks for work on issue #{issue.number} (any more)",
            f"Assign @{trigger_assignee}, or put the label {trigger_label} on it",
        )
    for entry in standing:
        right = permissions.of(entry.by)
        if right.allowed:
            return entry, f"{done(entry)} ({right.reason})"
    right = permissions.of(standing[0].by)
    raise refused(
        f"issue #{issue.number} was {done(standing[0])}, who may not start runs: {right.reason}",
        f"Read it, take the assignment or label away and put it back. Or: {right.mend}",
    )


def check_unattended(issue: Issue, request: HistoryEntry, permissions: Permissions, *, seen: str) -> None:
    """Let a run that no person starts work only on a text that somebody allowed has asked for or written.

    `seen` is the digest of the text when a person last started a run for it, empty where that never was. An issue waits
    for days for what blocks it, and whoever wrote it may edit it all the while.
    """
    if _is_trusted(issue, permissions, seen):
        return
    if issue.updated_at is not None and issue.updated_at - request.at <= SAME_MOMENT:
        return
    raise TextChanged(
        f"Event refused: issue #{issue.number} may have been edited since it was {done(request)}, and its author may "
        "not start runs",
        mend="Read it again, take the assignment or label away and put it back",
    )


def check_dispatched_again(issue: Issue, permissions: Permissions, *, seen: str) -> None:
    """See on a re-run of a person's dispatch, whose event has neither text nor time, that the text is still the same.

    `seen` is as for `check_unattended`: the run of the first attempt has kept it, if it got that far.
    """
    if _is_trusted(issue, permissions, seen):
        return
    raise TextChanged(
        f"Event refused: issue #{issue.number} may have been edited since it was dispatched, and its author may not "
        "start runs",
        mend="Read it again, and dispatch it again",
    )


def request_to_start(
    issue: Issue, forge: Forge, permissions: Permissions, *, seen: str, trigger_assignee: str, trigger_label: str
) -> tuple[HistoryEntry, str]:
    """Return the request that allows a run to be started without a person; raise `Refused` where there is none."""
    names = {"trigger_assignee": trigger_assignee, "trigger_label": trigger_label}
    standing = standing_requests(issue, forge.history(issue.number), **names)
    request, why = newest_allowed(issue, standing, permissions, **names)
    check_unattended(issue, request, permissions, seen=seen)
    return request, why


def _is_trusted(issue: Issue, permissions: Permissions, seen: str) -> bool:
    """Whether somebody allowed has seen this very text, or has written it."""
    return digest(issue) == seen or permissions.of(issue.author).allowed
