"""Who asked for the work on an issue, and has not been contradicted since.

A label or an assignee proves nothing about who put it there: the web form of Gitea and Forgejo for a new issue takes
both from anybody (``NewIssuePost`` in ``routers/web/repo``). Nor does a trusted sender: a maintainer who assigns
himself to a stranger's issue causes an event with the coordinator among the assignees. Only the history tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.events.models import EventKind
from coordinator.events.text import fold
from coordinator.forge.models import Change, HistoryEntry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from coordinator.events.models import Event
    from coordinator.forge.models import Issue


def standing_requests(
    issue: Issue, history: Iterable[HistoryEntry], *, trigger_assignee: str, trigger_label: str
) -> tuple[HistoryEntry, ...]:
    """Return the last assignment to the trigger account and the last addition of the trigger label, if they still hold.

    `issue` is as it is now, `history` oldest first, the answer newest first. Whoever takes either of the two away takes
    the request back as a whole: what was asked before counts no more, even where the other one was left in place.
    """
    standing: list[HistoryEntry] = []
    for entry in concerning(issue, history, trigger_assignee=trigger_assignee, trigger_label=trigger_label):
        if entry.change in {Change.UNASSIGNED, Change.UNLABELED}:
            standing.clear()
        else:
            standing = [entry, *(other for other in standing if other.change is not entry.change)]
    in_place = {
        Change.ASSIGNED: bool(_holders(issue, trigger_assignee)),
        Change.LABELED: fold(trigger_label) in map(fold, issue.labels),
    }
    return tuple(entry for entry in standing if in_place[entry.change])


def concerning(
    issue: Issue, history: Iterable[HistoryEntry], *, trigger_assignee: str, trigger_label: str
) -> list[HistoryEntry]:
    """Return the entries about the trigger account (by id where both sides know it, else by login) and label."""
    holders = _holders(issue, trigger_assignee)

    def concerns(entry: HistoryEntry) -> bool:
        if entry.change in {Change.LABELED, Change.UNLABELED}:
            return fold(entry.subject) == fold(trigger_label)
        if entry.subject_id is not None and holders:
            return entry.subject_id in holders
        return fold(entry.subject) == fold(trigger_assignee)

    return [entry for entry in history if concerns(entry)]


def _holders(issue: Issue, login: str) -> set[int]:
    return {account.id for account in issue.assignees if fold(account.login) == fold(login)}


def asked_by_event(event: Event, *, trigger_assignee: str, trigger_label: str, now: datetime) -> HistoryEntry | None:
    """Return what the event itself proves: the label or the account that its sender has just added.

    For a history that does not have the newest entry yet. Gitea and Forgejo do not say who was assigned.
    """
    if event.kind is not EventKind.ISSUES or event.sender is None:
        return None
    if event.action == "labeled" and fold(trigger_label) in map(fold, event.added_labels):
        return HistoryEntry(change=Change.LABELED, by=event.sender, subject=trigger_label, at=now)
    named = event.assignee
    if event.action == "assigned" and named and fold(named.login) == fold(trigger_assignee):
        return HistoryEntry(change=Change.ASSIGNED, by=event.sender, subject=named.login, subject_id=named.id, at=now)
    return None
