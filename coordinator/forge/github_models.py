"""What GitHub answers, as far as it is used (its OpenAPI description, version 2022-11-28, and its GraphQL schema)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from coordinator.forge.models import Account, Change, Comment, HistoryEntry, Issue, PullRequest, Repository
from coordinator.models import Foreign

GHOST = Account(id=-1, login="ghost")
"""Who stands for an account that was deleted, and for whoever GitHub does not name. No account has this id."""

_REPOSITORY_ADDRESS = re.compile(r".*/repos/([^/]+/[^/]+)")


class UserAnswer(Foreign):
    """A user, an organisation or an app's bot."""

    id: int
    login: str

    def account(self) -> Account:
        """Return it in our words."""
        return Account(id=self.id, login=self.login)


class RepositoryRights(Foreign):
    """What the token's account may do; absent for a job's token."""

    push: bool = False


class RepositoryAnswer(Foreign):
    """A repository."""

    id: int
    full_name: str
    default_branch: str
    html_url: str
    private: bool = False
    permissions: RepositoryRights | None = None

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

    name: str = ""


class PullMark(Foreign):
    """What an issue has that is a pull request; others lack the key."""


class IssueAnswer(Foreign):
    """An issue or pull request."""

    number: int
    title: str
    body: str | None = None
    state: Literal["open", "closed"]
    user: UserAnswer | None = None
    assignees: tuple[UserAnswer, ...] | None = None
    labels: tuple[LabelAnswer | str, ...] = ()
    updated_at: datetime
    html_url: str = ""
    comments: int | None = None
    pull_request: PullMark | None = None
    repository_url: str = ""

    def belongs_to(self, name: str) -> bool:
        """Whether it is an issue of the repository ``owner/name``."""
        return self._repository().casefold() == name.casefold()

    def full_name(self) -> str:
        """Return ``owner/name#number``, with a question mark for a repository that is not told."""
        return f"{self._repository() or '?'}#{self.number}"

    def _repository(self) -> str:
        found = _REPOSITORY_ADDRESS.fullmatch(self.repository_url)
        return found[1] if found else ""

    def issue(self) -> Issue:
        """Return it in our words."""
        return Issue(
            number=self.number,
            title=self.title,
            body=self.body or "",
            state=self.state,
            author=account_of(self.user),
            assignees=tuple(user.account() for user in self.assignees or ()),
            labels=tuple(label if isinstance(label, str) else label.name for label in self.labels),
            updated_at=self.updated_at,
            html_url=self.html_url,
            comment_count=self.comments,
            is_pull_request=self.pull_request is not None,
        )


class CommentAnswer(Foreign):
    """A comment."""

    id: int
    user: UserAnswer | None = None
    body: str = ""
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


class EventAnswer(Foreign):
    """One entry of an issue's events.

    For ``assigned`` and ``unassigned`` only `assigner` says who did it: `actor` is the one who *was* assigned
    (google/go-github#615, slapperwan/gh4a#265). The timeline has no `assigner` (github/docs#20795), so that it is no
    proof of anything.
    """

    event: str
    actor: UserAnswer | None = None
    assigner: UserAnswer | None = None
    assignee: UserAnswer | None = None
    label: LabelAnswer | None = None
    created_at: datetime

    def entry(self) -> HistoryEntry | None:
        """Return it in our words; None for what does not matter."""
        if self.event in {Change.ASSIGNED, Change.UNASSIGNED} and self.assignee is not None:
            return self._entry(self.assigner, self.assignee.login, self.assignee.id)
        if self.event in {Change.LABELED, Change.UNLABELED} and self.label is not None:
            return self._entry(self.actor, self.label.name, None)
        return None

    def _entry(self, by: UserAnswer | None, subject: str, subject_id: int | None) -> HistoryEntry:
        return HistoryEntry(
            change=Change(self.event), by=account_of(by), subject=subject, subject_id=subject_id, at=self.created_at
        )


class RepositoryId(Foreign):
    """The repository that a branch is in."""

    id: int


class BranchEnd(Foreign):
    """One end of a pull request. The repository is null when the fork is gone."""

    ref: str
    sha: str = ""
    repo: RepositoryId | None = None


class PullAnswer(Foreign):
    """A pull request. Lists lack `merged`."""

    node_id: str
    number: int
    title: str
    body: str | None = None
    state: Literal["open", "closed"]
    draft: bool = False
    merged_at: datetime | None = None
    html_url: str
    head: BranchEnd
    base: BranchEnd

    def pull_request(self) -> PullRequest:
        """Return it in our words."""
        return PullRequest(
            number=self.number,
            title=self.title,
            body=self.body or "",
            state=self.state,
            merged=self.merged_at is not None,
            draft=self.draft,
            head=self.head.ref,
            base=self.base.ref,
            head_commit=self.head.sha,
            url=self.html_url,
        )

    def joins(self, head: str, base: str) -> bool:
        """Whether these are its branches, both in one repository: a fork may name a branch like ours."""
        ours = self.head.repo is not None and self.head.repo == self.base.repo
        return ours and (self.head.ref, self.base.ref) == (head, base)


class RefObject(Foreign):
    """What a ref points to."""

    sha: str


class RefAnswer(Foreign):
    """A git ref."""

    ref: str
    object: RefObject


class PermissionAnswer(Foreign):
    """What a user may do: ``none read write admin``; triage counts as read, maintain as write."""

    permission: str
    user: UserAnswer | None = None


class MetaAnswer(Foreign):
    """What an Enterprise Server says about itself."""

    installed_version: str = ""


class SecretAnswer(Foreign):
    """A secret, without its value."""

    name: str


class RunAnswer(Foreign):
    """A run of a workflow."""

    conclusion: str | None = None
    """Null until it has ended."""


class WorkflowRights(Foreign):
    """What the repository lets its jobs' tokens do."""

    can_approve_pull_request_reviews: bool | None = None
    """The setting "Allow GitHub Actions to create and approve pull requests"."""


class GraphqlError(Foreign):
    """One error of GraphQL, which comes with status 200."""

    message: str = ""


class GraphqlAnswer(Foreign):
    """What every answer of GraphQL may have."""

    errors: tuple[GraphqlError, ...] = ()


class Viewer(Foreign):
    """Whose the token is."""

    login: str
    database_id: int = Field(alias="databaseId")


class ViewerData(Foreign):
    """The answer to the question whose the token is."""

    viewer: Viewer | None = None


class ViewerAnswer(GraphqlAnswer):
    """The same with its errors."""

    data: ViewerData | None = None


def account_of(user: UserAnswer | None) -> Account:
    """Return the account, or the one that stands for nobody who is known."""
    return GHOST if user is None else user.account()


def _secrets_of_page(page: object) -> object:
    """Return what is in ``{"total_count": …, "secrets": […]}``."""
    return page.get("secrets") if isinstance(page, dict) else page


USER = TypeAdapter(UserAnswer)
REPOSITORY = TypeAdapter(RepositoryAnswer)
ISSUE = TypeAdapter(IssueAnswer)
ISSUES = TypeAdapter(tuple[IssueAnswer, ...])
COMMENT = TypeAdapter(CommentAnswer)
COMMENTS = TypeAdapter(tuple[CommentAnswer, ...])
EVENTS = TypeAdapter(tuple[EventAnswer, ...])
PULL = TypeAdapter(PullAnswer)
PULLS = TypeAdapter(tuple[PullAnswer, ...])
REF = TypeAdapter(RefAnswer)
PERMISSION = TypeAdapter(PermissionAnswer)
META = TypeAdapter(MetaAnswer)
SECRETS: TypeAdapter[tuple[SecretAnswer, ...]] = TypeAdapter(
    Annotated[tuple[SecretAnswer, ...], BeforeValidator(_secrets_of_page)]
)
RUN = TypeAdapter(RunAnswer)
WORKFLOW_RIGHTS = TypeAdapter(WorkflowRights)
GRAPHQL = TypeAdapter(GraphqlAnswer)
VIEWER = TypeAdapter(ViewerAnswer)
