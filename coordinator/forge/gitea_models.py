"""What Gitea and Forgejo answer, as far as it is used (modules/structs in their sources)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter

from coordinator.forge.models import (
    Account,
    Change,
    Comment,
    HistoryEntry,
    Issue,
    PullRequest,
    Repository,
)
from coordinator.models import Foreign

GHOST = Account(id=-1, login="Ghost")
"""Who stands for an account that was deleted (models/user/user_system.go)."""

DRAFT_PREFIX = "WIP: "
_DRAFT_PREFIXES = re.compile(r"^(?:\s*(?:WIP:|\[WIP\]))+\s*", re.IGNORECASE)
"""``WORK_IN_PROGRESS_PREFIXES`` of a server's configuration, as it is by default."""


def draft_title(title: str, *, draft: bool) -> str:
    """Return the title that makes a pull request a draft, or keeps it from being one."""
    plain = plain_title(title)
    return f"{DRAFT_PREFIX}{plain}" if draft else plain


def plain_title(title: str) -> str:
    """Return a title without the prefixes that mean draft; never an empty one, which the server would ignore."""
    return _DRAFT_PREFIXES.sub("", title) or "Untitled"


class UserAnswer(Foreign):
    """A user."""

    id: int
    login: str

    def account(self) -> Account:
        """Return it in our words."""
        return Account(id=self.id, login=self.login)


class RightsAnswer(Foreign):
    """What the account behind the token may do in a repository."""

    push: bool = False


class RepositoryAnswer(Foreign):
    """A repository."""

    id: int
    full_name: str
    default_branch: str
    html_url: str
    private: bool = False
    permissions: RightsAnswer | None = None

    def repository(self) -> Repository:
        """Return it in our words."""
        return Repository(
            id=self.id,
            full_name=self.full_name,
            default_branch=self.default_branch,
            html_url=self.html_url,
            private=self.private,
        )


class LabelAnswer(Foreign):
    """A label."""

    id: int = 0
    name: str


class RepositoryName(Foreign):
    """The repository of an issue."""

    full_name: str = ""


class PullMark(Foreign):
    """What an issue has that is a pull request; null on others."""


class IssueAnswer(Foreign):
    """An issue or pull request. `assignees` is null for nobody, `repository` where it is hidden from the token."""

    number: int
    title: str
    body: str | None = None
    state: Literal["open", "closed"]
    user: UserAnswer | None = None
    assignees: tuple[UserAnswer, ...] | None = None
    labels: tuple[LabelAnswer, ...] | None = None
    updated_at: datetime
    html_url: str = ""
    comments: int | None = None
    pull_request: PullMark | None = None
    repository: RepositoryName | None = None

    def belongs_to(self, name: str) -> bool:
        """Whether it is an issue of the repository ``owner/name``."""
        return self.repository is not None and self.repository.full_name.casefold() == name.casefold()

    def full_name(self) -> str:
        """Return ``owner/name#number``, with a question mark for a repository that is hidden from the token."""
        return f"{(self.repository and self.repository.full_name) or '?'}#{self.number}"

    def issue(self) -> Issue:
        """Return it in our words."""
        return Issue(
            number=self.number,
            title=self.title,
            body=self.body or "",
            state=self.state,
            author=account_of(self.user),
            assignees=tuple(user.account() for user in self.assignees or ()),
            labels=tuple(label.name for label in self.labels or ()),
            updated_at=self.updated_at if self.updated_at.timestamp() > 0 else None,
            html_url=self.html_url,
            comment_count=self.comments,
            is_pull_request=self.pull_request is not None,
        )


class CommentAnswer(Foreign):
    """A comment."""

    id: int
    user: UserAnswer | None = None
    body: str
    created_at: datetime
    updated_at: datetime
    html_url: str = ""

    def comment(self) -> Comment:
        """Return it in our words."""
        return Comment(
            id=self.id,
            author=account_of(self.user),
            body=self.body,
            created_at=self.created_at,
            updated_at=self.updated_at,
            html_url=self.html_url,
        )


class TimelineAnswer(Foreign):
    """One entry of an issue's timeline. Of interest are the types ``assignees`` and ``label``."""

    type: str
    user: UserAnswer | None = None
    body: str | None = None
    """``1`` for a label that was added, empty for one that was removed."""
    created_at: datetime
    label: LabelAnswer | None = None
    """Null when the label has been deleted since."""
    assignee: UserAnswer | None = None
    """Null when the account has been deleted since."""
    removed_assignee: bool = False

    def entry(self) -> HistoryEntry | None:
        """Return it in our words; None for what does not matter."""
        if self.type == "assignees" and self.assignee is not None:
            change = Change.UNASSIGNED if self.removed_assignee else Change.ASSIGNED
            return self._entry(change, self.assignee.login, self.assignee.id)
        if self.type == "label" and self.label is not None:
            return self._entry(Change.LABELED if self.body == "1" else Change.UNLABELED, self.label.name, None)
        return None

    def _entry(self, change: Change, subject: str, subject_id: int | None) -> HistoryEntry:
        by = account_of(self.user)
        return HistoryEntry(change=change, by=by, subject=subject, subject_id=subject_id, at=self.created_at)


class BranchEnd(Foreign):
    """One end of a pull request."""

    ref: str
    sha: str = ""
    repo_id: int


class PullAnswer(Foreign):
    """A pull request. A draft is one by the prefix of its title."""

    number: int
    title: str
    body: str | None = None
    state: Literal["open", "closed"]
    merged: bool = False
    draft: bool | None = None
    """Absent before Gitea 1.20."""
    html_url: str
    head: BranchEnd
    base: BranchEnd

    def pull_request(self) -> PullRequest:
        """Return it in our words."""
        by_title = _DRAFT_PREFIXES.match(self.title) is not None
        return PullRequest(
            number=self.number,
            title=plain_title(self.title),
            body=self.body or "",
            state=self.state,
            merged=self.merged,
            draft=by_title if self.draft is None else self.draft,
            head=self.head.ref,
            base=self.base.ref,
            head_commit=self.head.sha,
            url=self.html_url,
        )

    def joins(self, head: str, base: str) -> bool:
        """Whether these are its branches, both in this repository: a fork may name a branch like ours."""
        return self.head.ref == head and self.base.ref == base and self.head.repo_id == self.base.repo_id


class BranchCommit(Foreign):
    """The commit of a branch."""

    id: str


class BranchAnswer(Foreign):
    """A branch."""

    commit: BranchCommit


class PermissionAnswer(Foreign):
    """What a user may do: ``none read write admin owner``."""

    permission: str
    user: UserAnswer


class TeamAnswer(Foreign):
    """A team of an organisation that has the repository."""

    name: str
    permission: str = "none"
    units_map: dict[str, str] | None = None
    """Right by unit, e.g. ``{"repo.code": "read", "repo.pulls": "write"}``."""


class VersionAnswer(Foreign):
    """What a server says of itself."""

    version: str = ""


class SecretAnswer(Foreign):
    """A secret, as far as anybody gets to see it."""

    name: str


class TaskAnswer(Foreign):
    """A job of a run."""

    run_number: int
    status: str


class TasksAnswer(Foreign):
    """Jobs, newest first; null for none."""

    workflow_runs: tuple[TaskAnswer, ...] | None = None


def account_of(user: UserAnswer | None) -> Account:
    """Return the account, or the one that stands for a deleted one."""
    return GHOST if user is None else user.account()


USER = TypeAdapter(UserAnswer)
USERS = TypeAdapter(tuple[UserAnswer, ...])
REPOSITORY = TypeAdapter(RepositoryAnswer)
ISSUE = TypeAdapter(IssueAnswer)
ISSUES = TypeAdapter(tuple[IssueAnswer, ...])
LABEL = TypeAdapter(LabelAnswer)
LABELS = TypeAdapter(tuple[LabelAnswer, ...])
VERSION = TypeAdapter(VersionAnswer)
SECRETS = TypeAdapter(tuple[SecretAnswer, ...])
TASKS = TypeAdapter(TasksAnswer)
COMMENT = TypeAdapter(CommentAnswer)
COMMENTS = TypeAdapter(tuple[CommentAnswer, ...])
TIMELINE: TypeAdapter[tuple[TimelineAnswer | None, ...] | None] = TypeAdapter(tuple[TimelineAnswer | None, ...] | None)
"""Null for no entries; an entry is null where the server could not load it (services/convert/issue_comment.go)."""
PULL = TypeAdapter(PullAnswer)
PULLS = TypeAdapter(tuple[PullAnswer, ...])
BRANCH = TypeAdapter(BranchAnswer)
PERMISSION = TypeAdapter(PermissionAnswer)
TEAMS = TypeAdapter(tuple[TeamAnswer, ...])
