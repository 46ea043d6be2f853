"""What the stand-in of a Gitea server knows, and how it writes that as JSON (modules/structs in Gitea's source)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.standins.forge_git import BareRepository

Json: TypeAlias = "Mapping[str, Json] | list[Json] | tuple[Json, ...] | str | int | bool | None"

JOB_USER_ID = -2
RIGHTS = {"admin": "admin", "push": "write", "pull": "read"}
LEVELS = ("none", "read", "write", "admin", "owner")
JOB_LOGINS = {"gitea": "gitea-actions", "forgejo": "forgejo-actions"}
VERSIONS = {"gitea": "1.26.0", "forgejo": "16.0.0+gitea-1.22.0"}
PAT_SCOPES = frozenset({"write:repository", "write:issue", "read:user"})


def stamp() -> str:
    """Now, with the resolution that Gitea has."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class User:
    id: int
    login: str
    token: str
    scopes: frozenset[str] = PAT_SCOPES
    """Of the token; empty for a job's token, which is not looked at by scope."""
    site_admin: bool = False


@dataclass(frozen=True)
class Team:
    name: str
    members: tuple[int, ...]
    units: Mapping[str, str]

    @property
    def assigns(self) -> bool:
        """Whether its members are on /assignees (models/repo/user_repo.go)."""
        writes = any(LEVELS.index(level) >= LEVELS.index("write") for level in self.units.values())
        return writes or self.units.get("repo.pulls", "none") == "read"


@dataclass
class Pull:
    head: str
    base: str
    head_repository: int = 1
    merged: bool = False


@dataclass
class Review:
    """A review of a pull request; comments on lines are in no timeline."""

    id: int
    author: User
    commit: str
    body: str
    comments: list[dict[str, Json]] = field(default_factory=list)


@dataclass
class IssueState:
    number: int
    title: str
    body: str
    author: User
    state: str = "open"
    assignees: list[User] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    timeline: list[dict[str, Json]] = field(default_factory=list)
    """As the API gives it; comments stand in it with the type ``comment``."""
    blocked_by: list[int] = field(default_factory=list)
    pull: Pull | None = None
    reviews: list[Review] = field(default_factory=list)
    locked: bool = False
    created_at: str = field(default_factory=stamp)
    updated_at: str = field(default_factory=stamp)

    @property
    def comments(self) -> list[dict[str, Json]]:
        return [entry for entry in self.timeline if entry["type"] == "comment"]


@dataclass
class State:
    """Everything about the one repository, and the accounts."""

    url: str
    full_name: str
    repository: BareRepository
    organisation: bool = False
    private: bool = False
    archived: bool = False
    flavour: Literal["gitea", "forgejo"] = "gitea"
    version: str = ""
    dependencies_enabled: bool = True
    actions_enabled: bool = True
    disabled_workflows: set[str] = field(default_factory=set)
    default_branch: str = "main"
    old_names: set[str] = field(default_factory=set)
    """Names that redirect to `full_name`."""
    users: dict[str, User] = field(default_factory=dict)
    levels: dict[int, str] = field(default_factory=dict)
    """Direct rights by user id."""
    teams: list[Team] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    """Names of the repository's labels by id."""
    organisation_labels: dict[int, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    organisation_secrets: list[str] = field(default_factory=list)
    tasks: list[dict[str, Json]] = field(default_factory=list)
    """Jobs of runs, newest first."""
    issues: dict[int, IssueState] = field(default_factory=dict)
    statuses: list[dict[str, Json]] = field(default_factory=list)
    dispatched: list[dict[str, Json]] = field(default_factory=list)
    """Started workflows: file, branch, inputs that arrive, login of the sender, and the `event` that the run gets."""
    comment_count: int = 0

    @property
    def is_forgejo(self) -> bool:
        return self.flavour == "forgejo"

    def since(self, *version: int) -> bool:
        """Whether this is a Gitea of that version or newer."""
        own = tuple(int(part) for part in self.version.split(".")[:2])
        return not self.is_forgejo and own >= version

    def by_id(self, user_id: int) -> User | None:
        return next((user for user in self.users.values() if user.id == user_id), None)

    def by_token(self, token: str) -> User | None:
        return next((user for user in self.users.values() if user.token == token), None)

    def level(self, user: User | None) -> str:
        """Return what a user may do with the code."""
        lowest = "none" if self.private else "read"
        if user is None:
            return lowest
        if user.id == JOB_USER_ID:
            return "write"
        team_levels = [team.units.get("repo.code", "none") for team in self.teams if user.id in team.members]
        return max(lowest, self.levels.get(user.id, "none"), *team_levels, key=LEVELS.index)

    def may(self, user: User | None, level: str) -> bool:
        return LEVELS.index(self.level(user)) >= LEVELS.index(level)

    def assignable(self) -> list[User]:
        """Return who is on /assignees: writers, and in an organisation members of some teams that are not."""
        by_team = {member for team in self.teams if team.assigns for member in team.members}
        users = [user for user in self.users.values() if user.id > 0]
        return [user for user in users if LEVELS.index(self.level(user)) >= LEVELS.index("write") or user.id in by_team]

    def next_number(self) -> int:
        return max(self.issues, default=0) + 1

    def new_label(self) -> int:
        return max((*self.labels, *self.organisation_labels, 0)) + 1

    def add_entry(self, issue: IssueState, user: User, kind: str, **fields: Json) -> dict[str, Json]:
        """Add to an issue's timeline."""
        self.comment_count += 1
        now = stamp()
        place = "pulls" if issue.pull else "issues"
        address = f"{self.url}/{self.full_name}/{place}/{issue.number}"
        entry: dict[str, Json] = {
            "id": self.comment_count,
            "type": kind,
            "html_url": f"{address}#issuecomment-{self.comment_count}",
            "issue_url": "" if issue.pull else address,
            "pull_request_url": address if issue.pull else "",
            "user": self.user_json(user),
            "body": "",
            "created_at": now,
            "updated_at": now,
            "ref_action": "none",
            **fields,
        }
        issue.timeline.append(entry)
        issue.updated_at = now
        return entry

    def set_assignees(self, issue: IssueState, users: list[User], by: User) -> None:
        for user in [one for one in issue.assignees if one not in users]:
            self.add_entry(issue, by, "assignees", assignee=self.user_json(user), removed_assignee=True)
        for user in [one for one in users if one not in issue.assignees]:
            self.add_entry(issue, by, "assignees", assignee=self.user_json(user))
        issue.assignees = users

    def set_labels(self, issue: IssueState, labels: list[int], by: User) -> None:
        for label in [one for one in issue.labels if one not in labels]:
            self.add_entry(issue, by, "label", label=self.label_json(label))
        for label in [one for one in labels if one not in issue.labels]:
            self.add_entry(issue, by, "label", label=self.label_json(label), body="1")
        issue.labels = labels

    def user_json(self, user: User) -> dict[str, Json]:
        return {
            "id": user.id,
            "login": user.login,
            "username": user.login,
            "login_name": "",
            "full_name": "",
            "email": f"{user.login}@noreply.invalid",
            "html_url": f"{self.url}/{user.login}",
            "is_admin": False,
            "last_login": "0001-01-01T00:00:00Z",
        }

    def label_json(self, label: int) -> dict[str, Json]:
        url = f"{self.url}/api/v1/repos/{self.full_name}/labels/{label}"
        name = self.labels.get(label) or self.organisation_labels[label]
        return {"id": label, "name": name, "color": "ededed", "description": "", "url": url}

    def repository_json(self, user: User | None = None) -> dict[str, Json]:
        owner, name = self.full_name.split("/")
        return {
            "id": 1,
            "owner": {"id": 1, "login": owner, "username": owner},
            "name": name,
            "full_name": self.full_name,
            "private": self.private,
            "archived": self.archived,
            "empty": not self.repository.commit(f"refs/heads/{self.default_branch}"),
            "default_branch": self.default_branch,
            "html_url": f"{self.url}/{self.full_name}",
            "clone_url": f"{self.url}/{self.full_name}.git",
            "permissions": {right: self.may(user, level) for right, level in RIGHTS.items()},
        }

    def issue_json(self, issue: IssueState) -> dict[str, Json]:
        owner, name = self.full_name.split("/")
        place = "pulls" if issue.pull else "issues"
        html_url = f"{self.url}/{self.full_name}/{place}/{issue.number}"
        assignees: list[Json] = [self.user_json(user) for user in issue.assignees]
        return {
            "id": issue.number,
            "number": issue.number,
            "url": f"{self.url}/api/v1/repos/{self.full_name}/issues/{issue.number}",
            "html_url": html_url,
            "user": self.user_json(issue.author),
            "title": issue.title,
            "body": issue.body,
            "state": issue.state,
            "labels": [self.label_json(label) for label in issue.labels],
            "milestone": None,
            "assignee": assignees[0] if assignees else None,
            "assignees": assignees or None,
            "is_locked": issue.locked,
            "comments": len(issue.comments),
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "closed_at": issue.updated_at if issue.state == "closed" else None,
            "pull_request": self._pull_mark(issue, html_url),
            "repository": {"id": 1, "name": name, "owner": owner, "full_name": self.full_name},
        }

    def pull_json(self, issue: IssueState, pull: Pull) -> dict[str, Json]:
        own = pull.head_repository == 1
        head = self.repository.commit(f"refs/heads/{pull.head}" if own else f"refs/pull/{issue.number}/head")
        base = self.repository.commit(f"refs/heads/{pull.base}")
        html_url = f"{self.url}/{self.full_name}/pulls/{issue.number}"
        return {
            **{
                key: value for key, value in self.issue_json(issue).items() if key not in {"pull_request", "repository"}
            },
            "url": html_url,
            "html_url": html_url,
            "draft": is_draft(issue.title),
            "assignees": [self.user_json(user) for user in issue.assignees],
            "mergeable": True,
            "merged": pull.merged,
            "merged_at": None,
            "merge_commit_sha": None,
            "head": {"label": pull.head, "ref": pull.head, "sha": head, "repo_id": pull.head_repository},
            "base": {"label": pull.base, "ref": pull.base, "sha": base, "repo_id": 1},
        }

    def _pull_mark(self, issue: IssueState, html_url: str) -> Json:
        if issue.pull is None:
            return None
        return {"merged": issue.pull.merged, "merged_at": None, "draft": is_draft(issue.title), "html_url": html_url}


def is_draft(title: str) -> bool:
    """Whether a title makes a pull request a draft (models/issues/pull.go)."""
    return title.upper().startswith(("WIP:", "[WIP]"))
