"""From the forges' payloads to the one `Event`: GitHub's words, None for what a payload only pretends to know."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from coordinator.events.models import Event, EventKind, EventPullRequest, EventRepository
from coordinator.forge.models import Account, Comment, Issue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coordinator.events.payloads import (
        IssueCommentPayload,
        IssuesPayload,
        PullRequestPayload,
        RawAccount,
        RawIssue,
        RawLabel,
        RawRepository,
        SchedulePayload,
        WorkflowDispatchPayload,
    )

NOBODY: Final = Account(id=-1, login="ghost")
"""Stands for an account that is gone, as Gitea's built-in user of that id does."""

_UNWRITTEN: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""Gitea writes the ``assigned`` event of a new issue before the commit, with time stamps of 1970-01-01."""


def from_issues(action: str, payload: IssuesPayload) -> Event:
    """Normalise a change of an issue. `label_updated` becomes ``labeled`` unless it only removed."""
    added, removed = _labels(action, payload)
    words = {"label_updated": "unlabeled" if removed and not added else "labeled", "label_cleared": "unlabeled"}
    return Event(
        kind=EventKind.ISSUES,
        action=words.get(action, action),
        sender=_account(payload.sender),
        repository=_repository(payload.repository),
        issue=_issue(payload.issue),
        assignee=_account(payload.assignee) if payload.assignee else None,
        added_labels=added,
        removed_labels=removed,
    )


def _labels(action: str, payload: IssuesPayload) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels that the event added and removed.

    GitHub and Forgejo send one event per label and name it on the top level (Forgejo: ``label_updated`` adds,
    ``label_cleared`` removes, ``services/actions/notifier.go``); Gitea sends one event with both lists.
    """
    if payload.label:
        name = (payload.label.name,)
        return (name, ()) if action in {"labeled", "label_updated"} else ((), name)
    if payload.changes:
        return _names(payload.changes.added_labels), _names(payload.changes.removed_labels)
    return (), ()


def from_comment(action: str, payload: IssueCommentPayload) -> Event:
    """Normalise a comment."""
    comment = payload.comment
    return Event(
        kind=EventKind.ISSUE_COMMENT,
        action=action,
        sender=_account(payload.sender),
        repository=_repository(payload.repository),
        issue=_issue(payload.issue, is_pull_request=payload.is_pull),
        comment=Comment(
            id=comment.id,
            author=_account(comment.user),
            body=comment.body or "",
            created_at=comment.created_at,
            updated_at=comment.updated_at,
            html_url=comment.html_url,
        ),
    )


def from_pull_request(action: str, payload: PullRequestPayload) -> Event:
    """Normalise a change of a pull request."""
    pull = payload.pull_request
    return Event(
        kind=EventKind.PULL_REQUEST,
        action="synchronize" if action == "synchronized" else action,
        sender=_account(payload.sender),
        repository=_repository(payload.repository),
        pull_request=EventPullRequest(
            number=pull.number,
            head_commit=pull.head.sha,
            head=pull.head.ref,
            base=pull.base.ref,
            head_repository_id=pull.head.repository_id,
            base_repository_id=payload.repository.id,
            author=_account(pull.user),
            updated_at=_time(pull.updated_at),
        ),
    )


def from_dispatch(payload: WorkflowDispatchPayload) -> Event:
    """Normalise a dispatch."""
    inputs = payload.inputs or {}
    return Event(
        kind=EventKind.WORKFLOW_DISPATCH,
        action="",
        sender=_account(payload.sender),
        repository=_repository(payload.repository),
        workflow=_file_name(payload.workflow or ""),
        inputs={name: _input(value) for name, value in inputs.items()},
    )


def from_schedule(payload: SchedulePayload, repository: str) -> Event:
    """Normalise a schedule; `repository` stands in where the payload has none."""
    known = payload.repository
    return Event(
        kind=EventKind.SCHEDULE,
        action="",
        sender=None,
        repository=_repository(known) if known else EventRepository(id=None, full_name=repository),
    )


def _file_name(workflow: str) -> str:
    """Return the name of a workflow's file, whether it stands there alone or with its path; empty for anything else."""
    name = workflow.rpartition("/")[2]
    return name if re.fullmatch(r"[\w-][\w.-]*\.ya?ml", name, re.ASCII) else ""


def _input(value: str | bool | int | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _account(raw: RawAccount | None) -> Account:
    return Account(id=raw.id, login=raw.login) if raw else NOBODY


def _repository(raw: RawRepository) -> EventRepository:
    return EventRepository(id=raw.id, full_name=raw.full_name, default_branch=raw.default_branch)


def _names(labels: Iterable[RawLabel] | None) -> tuple[str, ...]:
    return tuple(label.name for label in labels or ())


def _issue(raw: RawIssue, *, is_pull_request: bool = False) -> Issue:
    return Issue(
        number=raw.number,
        title=raw.title,
        body=raw.body or "",
        state=raw.state,
        author=_account(raw.user),
        assignees=tuple(_account(one) for one in raw.assignees or ()),
        labels=_names(raw.labels),
        updated_at=_time(raw.updated_at),
        html_url=raw.html_url,
        is_pull_request=is_pull_request or bool(raw.pull_request),
    )


def _time(moment: datetime | None) -> datetime | None:
    return moment if moment and moment >= _UNWRITTEN else None
