"""The parts of event files that are used, as the forges write them.

Sources: GitHub, "Webhook events and payloads"; Gitea ``modules/structs/hook.go`` and event files written by a real
Gitea 1.26; Forgejo ``modules/structs/hook.go`` of 10.0. One model reads all three; where they differ the field says so.
Identifiers are integers and never anything that merely looks like one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, StrictBool

from coordinator.events.text import clean
from coordinator.models import Foreign


def _cleaned(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_cleaned)]
Id = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
"""Database id; negative for the built-in users of Gitea and Forgejo (-1 ghost, -2 actions)."""
Number = Annotated[int, Field(strict=True, gt=0, lt=2**63)]


class RawAccount(Foreign):
    """A user."""

    id: Id
    login: Text


class RawLabel(Foreign):
    """A label."""

    name: Text


class RawIssue(Foreign):
    """An issue, or the issue side of a pull request."""

    number: Number
    title: Text
    body: Text | None = None
    state: Literal["open", "closed"]
    user: RawAccount | None = None
    """Null on GitHub once the account is gone."""
    assignees: tuple[RawAccount, ...] | None = None
    """Null on Gitea and Forgejo when there are none."""
    labels: tuple[RawLabel, ...] | None = None
    updated_at: AwareDatetime | None = None
    html_url: Text = ""
    pull_request: object = None
    """Null on Gitea, absent on GitHub, for an issue: the value tells, not the key."""


class RawRepository(Foreign):
    """A repository."""

    id: Id
    full_name: Text
    default_branch: Text = ""


class RawChanges(Foreign):
    """What changed. The labels are Gitea's."""

    added_labels: tuple[RawLabel, ...] | None = None
    removed_labels: tuple[RawLabel, ...] | None = None


class RawComment(Foreign):
    """A comment."""

    id: Id
    user: RawAccount | None = None
    body: Text | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    html_url: Text = ""


class RawRepositoryId(Foreign):
    """A repository of which only the id counts."""

    id: Id


class RawBranch(Foreign):
    """One side of a pull request."""

    ref: Text
    sha: Text
    repo: RawRepositoryId | None = None
    """Null once the fork is deleted."""
    repo_id: Id | None = None
    """Gitea and Forgejo only."""

    @property
    def repository_id(self) -> int | None:
        """The id of the repository; None where it is gone."""
        return self.repo.id if self.repo else self.repo_id


class RawPullRequest(Foreign):
    """A pull request."""

    number: Number
    user: RawAccount | None = None
    head: RawBranch
    base: RawBranch
    updated_at: AwareDatetime | None = None


class IssuesPayload(Foreign):
    """``issues``: a change of an issue."""

    issue: RawIssue
    repository: RawRepository
    sender: RawAccount
    assignee: RawAccount | None = None
    """GitHub, on ``assigned`` and ``unassigned``."""
    label: RawLabel | None = None
    """GitHub and Forgejo, on label events: the one label that was added or removed."""
    changes: RawChanges | None = None


class IssueCommentPayload(Foreign):
    """``issue_comment``: a comment on an issue or on a pull request."""

    issue: RawIssue
    comment: RawComment
    repository: RawRepository
    sender: RawAccount
    is_pull: StrictBool = False
    """Gitea and Forgejo only."""


class PullRequestPayload(Foreign):
    """``pull_request``: a change of a pull request."""

    pull_request: RawPullRequest
    repository: RawRepository
    sender: RawAccount


class WorkflowDispatchPayload(Foreign):
    """``workflow_dispatch``: somebody, or a workflow, asked for a run.

    Inputs are strings; on GitHub and from Gitea 1.27 on booleans may be native. Forgejo leaves out what has no value.
    """

    workflow: Text | None = None
    """Name of the workflow's file on Gitea; its path on Forgejo and GitHub."""
    inputs: dict[Text, Text | StrictBool | Annotated[int, Field(strict=True)] | None] | None = None
    repository: RawRepository
    sender: RawAccount


class SchedulePayload(Foreign):
    """``schedule``. Forgejo writes neither repository nor sender."""

    repository: RawRepository | None = None
    sender: RawAccount | None = None
