"""What happened, in one shape for Gitea, Forgejo and GitHub."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from coordinator.forge.models import Account, Comment, Issue
from coordinator.models import Frozen


class EventKind(StrEnum):
    """The events that may be ours, by the name that the runner gives them."""

    ISSUES = "issues"
    ISSUE_COMMENT = "issue_comment"
    PULL_REQUEST = "pull_request"
    WORKFLOW_DISPATCH = "workflow_dispatch"
    SCHEDULE = "schedule"


class EventRepository(Frozen):
    """The repository that the event came from."""

    id: int | None
    """None where the event does not say (a schedule on Forgejo names no repository)."""
    full_name: str
    """``owner/name``"""
    default_branch: str = ""


class EventPullRequest(Frozen):
    """A pull request as the event had it."""

    number: int
    head_commit: str
    head: str
    """Branch name, or ``refs/pull/N/head`` where there is no branch (any more)."""
    base: str
    """Branch name."""
    head_repository_id: int | None
    """None where the repository is gone."""
    base_repository_id: int
    """The repository that the event came from, whatever the payload says about the base."""
    author: Account
    updated_at: datetime | None = None

    @property
    def fork(self) -> bool:
        """Whether somebody without a right to write here may have made the head.

        Told by the ids, never by a flag of the payload: a flag that says no while the ids differ is how approval was
        bypassed in CVE-2026-71184. A head without a branch counts too: on Gitea a reader may open a pull request by
        pushing to ``refs/for/<branch>``, which carries the ids of one repository.
        """
        return self.head_repository_id != self.base_repository_id or self.head.startswith("refs/")


class Event(Frozen):
    """One event file, with GitHub's words for the actions."""

    kind: EventKind
    action: str
    """GitHub's word (``labeled``, ``synchronize``); empty for a dispatch and a schedule."""
    sender: Account | None
    """The account that caused the event; None for a schedule, which nobody sends."""
    repository: EventRepository
    issue: Issue | None = None
    """The issue as it was at the event: the text that the sender saw."""
    assignee: Account | None = None
    """Who was assigned or unassigned. GitHub says so; Gitea and Forgejo only give the list afterwards."""
    added_labels: tuple[str, ...] = ()
    removed_labels: tuple[str, ...] = ()
    """Both may be filled: Gitea tells a replacement in one event. Both empty on a label event: unknown which."""
    comment: Comment | None = None
    pull_request: EventPullRequest | None = None
    workflow: str = ""
    """Of a dispatch: the name of the workflow's file."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """The inputs of a dispatch; native booleans as ``true`` and ``false``."""


class Skipped(Frozen):
    """The event is none of ours, or there is rightly nothing to do. Ends green."""

    reason: str
    """One line without text that a person wrote."""
