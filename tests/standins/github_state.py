"""What the stand-in of GitHub knows, and how it writes that as JSON (GitHub's OpenAPI description, 2022-11-28)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.standins.forge_git import BareRepository

Json: TypeAlias = "Mapping[str, Json] | list[Json] | tuple[Json, ...] | str | int | bool | None"

JOB_USER_ID = 41898282
LEVELS = ("none", "read", "write", "admin")


def stamp() -> str:
    """Now, with the resolution that GitHub has."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class User:
    id: int
    login: str
    token: str

    @property
    def is_job(self) -> bool:
        return self.id == JOB_USER_ID

    def json(self) -> dict[str, Json]:
        kind = "Bot" if self.login.endswith("[bot]") else "User"
        return {"id": self.id, "login": self.login, "node_id": f"U_{self.id}", "type": kind, "site_admin": False}


@dataclass
class Pull:
    head: str
    base: str
    draft: bool = False
    head_repository: int = 1
    merged_at: str | None = None


@dataclass
class IssueState:
    number: int
    title: str
    body: str | None
    author: User
    state: str = "open"
    assignees: list[User] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    events: list[dict[str, Json]] = field(default_factory=list)
    comments: list[dict[str, Json]] = field(default_factory=list)
    blocked_by: list[int] = field(default_factory=list)
    foreign_blockers: list[tuple[str, int]] = field(default_factory=list)
    """``owner/name`` and number."""
    pull: Pull | None = None
    line_comments: list[dict[str, Json]] = field(default_factory=list)
    deleted: bool = False
    created_at: str = field(default_factory=stamp)
    updated_at: str = field(default_factory=stamp)


@dataclass
class State:
    """Everything about the one repository, and the accounts."""

    url: str
    full_name: str
    repository: BareRepository
    private: bool = False
    archived: bool = False
    drafts: bool = True
    """Whether the plan has draft pull requests."""
    dependencies: bool = True
    """Whether this server has them; Enterprise Servers got them late."""
    jobs_may_open_pulls: bool = True
    job_rights: set[str] = field(default_factory=lambda: {"actions", "contents", "issues", "pulls", "statuses"})
    """The `permissions:` of the job, those of them that are ``write``."""
    viewer_known: bool = True
    """Whether GraphQL tells whose the token is."""
    default_branch: str = "main"
    old_names: set[str] = field(default_factory=set)
    users: dict[str, User] = field(default_factory=dict)
    levels: dict[int, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """Colours by name."""
    issues: dict[int, IssueState] = field(default_factory=dict)
    statuses: list[dict[str, Json]] = field(default_factory=list)
    dispatched: list[dict[str, Json]] = field(default_factory=list)
    runs: dict[int, str | None] = field(default_factory=dict)
    """How the runs of workflows ended, by id; None for those that have not."""
    secrets: list[str] = field(default_factory=list)
    organization_secrets: list[str] | None = None
    """None where the owner is no organisation."""
    next_id: int = 1000

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/v3"

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def person(self, login: str) -> User | None:
        return next((user for user in self.users.values() if user.login.casefold() == login.casefold()), None)

    def level(self, user: User | None) -> str:
        lowest = "none" if self.private else "read"
        if user is None:
            return lowest
        if user.is_job:
            return "read"
        return max(lowest, self.levels.get(user.id, "none"), key=LEVELS.index)

    def may(self, user: User | None, right: str) -> bool:
        """Whether a user may do something: ``read``, ``admin``, or write what a job's permission is named after."""
        if user is not None and user.is_job:
            return right == "read" or right in self.job_rights
        needed = right if right in LEVELS else "write"
        return LEVELS.index(self.level(user)) >= LEVELS.index(needed)

    def next_number(self) -> int:
        return max(self.issues, default=0) + 1

    def add_event(self, issue: IssueState, kind: str, actor: User, **fields: Json) -> None:
        issue.updated_at = stamp()
        issue.events.append(
            {
                "id": self.new_id(),
                "event": kind,
                "actor": actor.json(),
                "commit_id": None,
                "commit_url": None,
                "created_at": stamp(),
                "performed_via_github_app": None,
                **fields,
            }
        )

    def set_assignees(self, issue: IssueState, users: list[User], by: User) -> None:
        """The actor of these events is the one who was assigned; only `assigner` did it."""
        before, issue.assignees = issue.assignees, users
        for kind, changed in (
            ("unassigned", [one for one in before if one not in users]),
            ("assigned", [one for one in users if one not in before]),
        ):
            for user in changed:
                self.add_event(issue, kind, user, assignee=user.json(), assigner=by.json())

    def add_labels(self, issue: IssueState, names: list[str], by: User) -> None:
        for name in names:
            known = next((one for one in self.labels if one.casefold() == name.casefold()), name)
            self.labels.setdefault(known, "ededed")
            if known not in issue.labels:
                issue.labels.append(known)
                self.add_event(issue, "labeled", by, label={"name": known, "color": self.labels[known]})

    def remove_label(self, issue: IssueState, name: str, by: User) -> bool:
        known = next((one for one in issue.labels if one.casefold() == name.casefold()), None)
        if known is None:
            return False
        issue.labels.remove(known)
        self.add_event(issue, "unlabeled", by, label={"name": known, "color": self.labels[known]})
        return True

    def label_json(self, name: str) -> dict[str, Json]:
        return {"id": sorted(self.labels).index(name) + 1, "name": name, "color": self.labels[name], "default": False}

    def repository_json(self, user: User | None) -> dict[str, Json]:
        owner, name = self.full_name.split("/")
        level = LEVELS.index(self.level(user))
        rights: dict[str, Json] = {"admin": level >= 3, "push": level >= 2, "pull": level >= 1}
        return {
            "id": 1,
            "name": name,
            "full_name": self.full_name,
            "owner": {"id": 1, "login": owner},
            "private": self.private,
            "archived": self.archived,
            "default_branch": self.default_branch,
            "html_url": f"{self.url}/{self.full_name}",
            **({} if user is None or user.is_job else {"permissions": rights}),
        }

    def issue_json(self, issue: IssueState) -> dict[str, Json]:
        place = "pull" if issue.pull else "issues"
        html_url = f"{self.url}/{self.full_name}/{place}/{issue.number}"
        assignees: list[Json] = [user.json() for user in issue.assignees]
        mark: dict[str, Json] = {"pull_request": {"html_url": html_url, "merged_at": None}} if issue.pull else {}
        return {
            "id": issue.number + 5000,
            "number": issue.number,
            "repository_url": f"{self.api_url}/repos/{self.full_name}",
            "html_url": html_url,
            "user": issue.author.json(),
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "locked": False,
            "labels": [self.label_json(name) for name in issue.labels],
            "assignee": assignees[0] if assignees else None,
            "assignees": assignees,
            "comments": len(issue.comments),
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "closed_at": issue.updated_at if issue.state == "closed" else None,
            "author_association": "NONE",
            **mark,
        }

    def pull_json(self, issue: IssueState, pull: Pull, *, whole: bool) -> dict[str, Json]:
        owner = self.full_name.split("/")[0]
        head_owner = owner if pull.head_repository == 1 else "stranger"
        more: dict[str, Json] = {"merged": pull.merged_at is not None, "mergeable": None} if whole else {}
        return {
            "id": issue.number + 7000,
            "node_id": f"PR_{issue.number}",
            "number": issue.number,
            "html_url": f"{self.url}/{self.full_name}/pull/{issue.number}",
            "user": issue.author.json(),
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "draft": pull.draft,
            "merged_at": pull.merged_at,
            "head": self._end(pull.head, head_owner, pull.head_repository),
            "base": self._end(pull.base, owner, 1),
            **more,
        }

    def _end(self, branch: str, owner: str, repository: int) -> dict[str, Json]:
        commit = self.repository.commit(f"refs/heads/{branch}") if repository == 1 else "f" * 40
        repo: Json = {"id": repository, "full_name": f"{owner}/app"} if repository else None
        return {"label": f"{owner}:{branch}", "ref": branch, "sha": commit, "repo": repo}
