"""What every forge is made of, in the words of none of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from coordinator.models import Frozen


class Account(Frozen):
    """A user of the forge. `id` is what identifies it; a login can be renamed and taken over."""

    id: int
    login: str


class Permission(StrEnum):
    """What an account may do in the repository, weakest first."""

    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    UNKNOWN = "unknown"
    """The forge does not let us know. Treat as `NONE`, and say why."""

    @property
    def may_write(self) -> bool:
        """Whether this is proof of write access."""
        return self in {Permission.WRITE, Permission.ADMIN}


class Access(Frozen):
    """The answer to "may this account write here", with how it was found out."""

    permission: Permission
    reason: str
    """One line for the log, e.g. ``write access by /assignees`` or ``403: token may not ask``."""
    mend: str = ""
    """What the operator can do when the answer is no or unknown."""


class Server(Frozen):
    """Which server answers."""

    product: Literal["gitea", "forgejo", "github", "local"]
    version: str
    """As the server writes it; empty where it does not say (github.com)."""


class Facility(Frozen):
    """One thing that the coordinator can use of a forge, and whether this server and token offer it."""

    name: str
    """For people, e.g. ``start workflows``."""
    available: bool | None
    """None where it can only be found out by doing it."""
    effect: str = ""
    """What is different without it, in one line."""
    mend: str = ""
    """What the operator can do to get it."""


class Repository(Frozen):
    """A repository of the forge."""

    id: int
    full_name: str
    """``owner/name``"""
    default_branch: str
    html_url: str
    private: bool = False


class Issue(Frozen):
    """An issue as the forge has it now, or as an event file had it then."""

    number: int
    title: str
    body: str = ""
    state: Literal["open", "closed"] = "open"
    author: Account
    assignees: tuple[Account, ...] = ()
    labels: tuple[str, ...] = ()
    updated_at: datetime | None = None
    """None where the event was written before the forge had committed the issue (1970 on Gitea)."""
    html_url: str = ""
    comment_count: int | None = None
    """None where the forge does not say."""
    is_pull_request: bool = False


class Change(StrEnum):
    """What somebody did to an issue that matters for whether it is ours."""

    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    LABELED = "labeled"
    UNLABELED = "unlabeled"


class HistoryEntry(Frozen):
    """One entry of an issue's history: who did what to whom or with which label, and when."""

    change: Change
    by: Account
    subject: str
    """The login of the assignee, or the name of the label."""
    subject_id: int | None = None
    """The assignee's id, where the forge tells it."""
    at: datetime


class Comment(Frozen):
    """A comment on an issue or a pull request."""

    id: int
    author: Account
    body: str
    created_at: datetime
    updated_at: datetime
    html_url: str = ""


class LineNote(Frozen):
    """What is to be said about one line of a pull request's head."""

    path: str
    line: int = Field(ge=1)
    """1-based; one that the pull request adds or changes, as GitHub takes no other."""
    body: str


class LineComment(Frozen):
    """A comment on a line of a pull request."""

    id: int
    author: Account
    path: str
    body: str
    review: int = 0
    """The review that it belongs to, where the forge keeps them together in one."""
    answered: bool = False
    """Whether somebody else has replied: then it is a conversation, and no longer its author's alone."""


class Dependencies(Frozen):
    """The native dependencies of an issue, as issue numbers of the same repository."""

    blocked_by: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()
    foreign: tuple[str, ...] = ()
    """Open blockers in other repositories, as ``owner/name#number``."""


class PullRequest(Frozen):
    """A pull request. A draft is native on GitHub, a title prefix on Gitea; here a flag, and `title` is without it."""

    number: int
    title: str
    body: str
    state: Literal["open", "closed"] = "open"
    merged: bool = False
    draft: bool
    head: str
    """Branch name."""
    base: str
    """Branch name."""
    head_commit: str = ""
    url: str
    """Where a person looks at it."""


class StatusState(StrEnum):
    """The states that all forges know."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class CommitStatus(Frozen):
    """One status of a commit. `description` is at most 140 characters (GitHub's limit)."""

    context: str
    """E.g. ``coordinator/build``; ``coordinator`` is the whole."""
    state: StatusState
    description: str
    target_url: str = ""


class GitRemote(Frozen):
    """Where git reads and writes the repository, and the header that gives it the right to.

    `authorization` is the value of an HTTP ``Authorization`` header, or empty for a folder. It never goes onto a
    command line.
    """

    url: str
    """An http(s) address without user information, or an absolute path."""
    authorization: str = ""

    def __repr__(self) -> str:
        """Leave the header out: this record must be safe in any log."""
        return f"GitRemote(url={self.url!r})"

    __str__ = __repr__
