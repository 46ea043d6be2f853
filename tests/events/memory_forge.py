"""A forge that is a few tables in memory: it answers what it was told, and refuses what it was told to refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError, Misconfigured
from coordinator.events.text import fold
from coordinator.forge.models import (
    Access,
    Account,
    Change,
    Comment,
    CommitStatus,
    Dependencies,
    Facility,
    GitRemote,
    HistoryEntry,
    Issue,
    LineComment,
    LineNote,
    Permission,
    PullRequest,
    Repository,
    Server,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

BOT = Account(id=5, login="coordinator")
MAINTAINER = Account(id=2, login="maintainer")
READER = Account(id=3, login="reader")
OUTSIDER = Account(id=4, login="outsider")
JOB_TOKEN = Account(id=-2, login="gitea-actions")


@dataclass
class MemoryForge:
    """One repository. Every write is recorded in `writes`; verification is to leave it empty."""

    me: Account = BOT
    kind: str = "gitea"
    full_name: str = "acme/app"
    issues: dict[int, Issue] = field(default_factory=dict)
    histories: dict[int, list[HistoryEntry]] = field(default_factory=dict)
    known_comments: dict[int, list[Comment]] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=lambda: [BOT, MAINTAINER, READER, OUTSIDER])
    rights: dict[int, Access | CoordinatorError] = field(
        default_factory=lambda: {
            BOT.id: Access(permission=Permission.WRITE, reason="write access by /assignees"),
            MAINTAINER.id: Access(permission=Permission.WRITE, reason="write access by /assignees"),
            READER.id: Access(permission=Permission.READ, reason="read access by the permission endpoint"),
        }
    )
    account_error: CoordinatorError | None = None
    writes: list[str] = field(default_factory=list)
    asked: list[Account] = field(default_factory=list)

    def put(self, issue: Issue, *history: tuple[Change, Account, str | Account, datetime]) -> None:
        """Store an issue with its history: change, by whom, whom or which label, when."""
        self.issues[issue.number] = issue
        self.histories[issue.number] = [
            HistoryEntry(
                change=change,
                by=by,
                subject=subject if isinstance(subject, str) else subject.login,
                subject_id=None if isinstance(subject, str) else subject.id,
                at=at,
            )
            for change, by, subject, at in history
        ]

    def myself(self) -> Account:
        return self.me

    def repository(self) -> Repository:
        return Repository(
            id=1, full_name=self.full_name, default_branch="main", html_url="https://gitea.example/acme/app"
        )

    def git_remote(self) -> GitRemote:
        return GitRemote(url="https://gitea.example/acme/app.git")

    def read_file(self, path: str, *, ref: str) -> bytes | None:
        del path, ref
        return None

    def account(self, login: str) -> Account | None:
        if self.account_error:
            raise self.account_error
        return next((one for one in self.accounts if fold(one.login) == fold(login)), None)

    def access(self, account: Account) -> Access:
        self.asked.append(account)
        answer = self.rights.get(account.id, Access(permission=Permission.NONE, reason="no access to the repository"))
        if isinstance(answer, CoordinatorError):
            raise answer
        return answer

    def issue(self, number: int) -> Issue:
        if number not in self.issues:
            raise Misconfigured(f"There is no issue #{number} in {self.full_name}", mend="Name one that exists")
        return self.issues[number]

    def server(self) -> Server:
        return Server(product="gitea", version="1.26.0")

    def facilities(self) -> tuple[Facility, ...]:
        return ()

    def secret_names(self) -> tuple[str, ...] | None:
        return None

    def find_issues(self, *, assignee: str, label: str) -> tuple[Issue, ...]:
        del assignee, label
        return ()

    def add_label(self, number: int, label: str) -> None:
        raise self._written(f"label {number} {label}")

    def remove_label(self, number: int, label: str) -> None:
        raise self._written(f"no label {number} {label}")

    def line_comments(self, number: int) -> tuple[LineComment, ...]:
        del number
        return ()

    def comment_on_lines(self, number: int, commit: str, notes: Sequence[LineNote]) -> None:
        raise self._written(f"lines of {number} at {commit}: {len(notes)}")

    def remove_line_comment(self, number: int, comment: LineComment) -> None:
        raise self._written(f"line comment {comment.id} of {number}")

    def branch_commit(self, branch: str) -> str | None:
        del branch
        return None

    def pull_request(self, number: int) -> PullRequest:
        raise Misconfigured(f"There is no pull request {number}", mend="Name one that exists")

    def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        raise self._written(f"dispatch {workflow} {ref} {inputs}")

    def run_is_cancelled(self, *, run_id: int | None, run_number: int | None) -> bool:
        del run_id, run_number
        return False

    def history(self, number: int) -> tuple[HistoryEntry, ...]:
        return tuple(self.histories[number])

    def dependencies(self, number: int) -> Dependencies:
        del number
        return Dependencies()

    def comments(self, number: int) -> tuple[Comment, ...]:
        return tuple(self.known_comments.get(number, ()))

    def create_comment(self, number: int, body: str) -> Comment:
        raise self._written(f"comment on {number}: {body}")

    def update_comment(self, comment_id: int, body: str) -> Comment:
        raise self._written(f"comment {comment_id}: {body}")

    def find_pull_request(self, *, head: str, base: str) -> PullRequest | None:
        del head, base
        return None

    def create_pull_request(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        raise self._written(f"pull request {head} {base} {title} {body} {draft}")

    def update_pull_request(self, number: int, *, title: str, body: str, draft: bool) -> PullRequest:
        raise self._written(f"pull request {number} {title} {body} {draft}")

    def set_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        raise self._written(f"statuses {commit} {statuses}")

    def compare_url(self, *, head: str, base: str) -> str:
        return f"https://gitea.example/acme/app/compare/{base}...{head}"

    def close(self) -> None:
        """Nothing is open."""

    def _written(self, what: str) -> AssertionError:
        self.writes.append(what)
        return AssertionError(f"verification wrote: {what}")
