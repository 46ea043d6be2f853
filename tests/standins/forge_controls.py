"""What a test can do to the stand-in of a Gitea server beside sending requests."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from tests.standins.forge_faults import Fault, Faults, Stumble, stumble
from tests.standins.forge_state import PAT_SCOPES, IssueState, Json, Pull, State, Team, User, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Controls:
    """The hands of the people on the forge, and of fate.

    - People: `add_user` (a token and a direct right each), `add_team`; `owner` is there from the start.
    - Things: `add_label`, `add_organisation_label`, `add_issue`, `add_fork_pull`, `block`, `close_issue`, `cancel_run`.
    - Switches are fields of `state`: `private`, `archived`, `dependencies_enabled`, `actions_enabled`,
      `disabled_workflows`, `old_names`, `secrets`, `organisation_secrets`.
    - Dispatches are recorded in `state.dispatched`, each with the `event` that its run would get; `on_dispatch` lets a
      test start that run.
    - What goes wrong: `fail` for anything, `stumble` for one request failing once in one of the usual ways (see
      `forge_faults.STUMBLES`), `before` for what somebody else does in between. Several for one route are used up in
      the order in which they were given.
    """

    def __init__(self, state: State, owner_scopes: frozenset[str]) -> None:
        self.state = state
        self._lock = threading.RLock()
        self._faults = Faults()
        self._starts: dict[str, Callable[[Mapping[str, Json]], object]] = {}
        self.owner = self.add_user(state.full_name.partition("/")[0], "owner", scopes=owner_scopes)

    def add_user(
        self,
        login: str,
        level: str = "none",
        *,
        token: str = "",
        scopes: frozenset[str] = PAT_SCOPES,
        site_admin: bool = False,
    ) -> User:
        """Add an account with a token of its own and a direct right: none, read, write, admin or owner."""
        number = max((user.id for user in self.state.users.values()), default=0) + 1
        user = User(number, login, token or f"{login}-token-0a1b2c3d4e5f", scopes, site_admin)
        self.state.users[login] = user
        self.state.levels[number] = level
        return user

    def add_team(self, name: str, members: tuple[User, ...], units: Mapping[str, str]) -> None:
        """Add a team of the organisation that has the repository."""
        self.state.teams.append(Team(name, tuple(user.id for user in members), units))

    def add_label(self, name: str) -> int:
        """Add a label and return its id."""
        label = self.state.new_label()
        self.state.labels[label] = name
        return label

    def add_organisation_label(self, name: str) -> int:
        """Add a label of the organisation that owns the repository, and return its id."""
        label = self.state.new_label()
        self.state.organisation_labels[label] = name
        return label

    def add_issue(
        self,
        title: str,
        body: str = "",
        *,
        author: User | None = None,
        assignees: tuple[User, ...] = (),
        labels: tuple[str, ...] = (),
    ) -> int:
        """Add an issue as the web form does it, which lets any author set assignees and labels; return its number."""
        with self._lock:
            by = author or self.owner
            issue = IssueState(self.state.next_number(), title, body, by)
            self.state.issues[issue.number] = issue
            self.state.set_labels(issue, [key for key, name in self.state.labels.items() if name in labels], by)
            self.state.set_assignees(issue, list(assignees), by)
            return issue.number

    def add_fork_pull(self, head: str, base: str = "main") -> int:
        """Add a pull request from a fork whose branch has this name; return its number."""
        with self._lock:
            author = self.state.users.get("stranger") or self.add_user("stranger")
            pull = Pull(head, base, head_repository=2)
            issue = IssueState(self.state.next_number(), "From a fork", "", author, pull=pull)
            self.state.issues[issue.number] = issue
            return issue.number

    def fail(
        self,
        route: str,
        *,
        times: int = 1,
        after: int = 0,
        status: int = 0,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        drop: str = "",
    ) -> None:
        """Let `times` requests whose ``METHOD path`` contains the pattern `route` go wrong (see `Fault`)."""
        self._faults.add(Fault(re.compile(route), times, after, status, body, headers or {}, delay, drop))

    def stumble(self, route: str, kind: Stumble, *, after: int = 0) -> None:
        """Let one request that matches fail once in one of the `STUMBLES`, `after` so many others."""
        self._faults.add(stumble(route, kind, after=after))

    def before(self, route: str, meanwhile: Callable[[], object], *, after: int = 0, status: int = 0) -> None:
        """Let somebody else do something just before one request that matches is looked at, `after` so many others.

        With a `status`, that is the answer instead of the real thing.
        """
        self._faults.add(Fault(re.compile(route), after=after, status=status, meanwhile=meanwhile))

    def on_dispatch(self, workflow: str, start: Callable[[Mapping[str, Json]], object]) -> None:
        """Call `start` with each record (see `State.dispatched`) of a started workflow, before the answer is sent.

        It is called by the thread of the request and without a lock, so it may ask the server; whatever takes long
        belongs elsewhere, because who dispatches waits for it.
        """
        self._starts[workflow] = start

    def block(self, number: int, *, by: int) -> None:
        """Let an issue be blocked by another, natively."""
        with self._lock:
            self.state.issues[number].blocked_by.append(by)

    def close_issue(self, number: int) -> None:
        """Close an issue or pull request, whatever blocks it."""
        with self._lock:
            self.state.issues[number].state = "closed"
            self.state.issues[number].updated_at = stamp()

    def cancel_run(self, run_number: int) -> None:
        """Let a run of a workflow be a cancelled one."""
        with self._lock:
            self.state.tasks.insert(
                0, {"id": len(self.state.tasks) + 1, "run_number": run_number, "status": "cancelled"}
            )
