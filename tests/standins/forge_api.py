"""How the stand-in of a Gitea server finds the route of a request, and what all routes check first."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import parse_qs, unquote

from tests.standins.forge_state import JOB_USER_ID, IssueState, Json, Pull, State, User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")

MAX_LIMIT = 50
DEFAULT_LIMIT = 30


@dataclass(frozen=True)
class Answer:
    """What is sent back. `body` is JSON, unless it is bytes."""

    status: int
    body: Json | bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Ask:
    """A request after the checks that all routes share."""

    state: State
    user: User | None
    groups: Mapping[str, str]
    query: Mapping[str, str]
    fields: Mapping[str, Json]

    @property
    def doer(self) -> User:
        if self.user is None:
            raise Stop(error(401, "token is required"))
        return self.user

    @property
    def issue(self) -> IssueState:
        found = self.state.issues.get(int(self.groups["number"]))
        if found is None:
            raise Stop(not_found())
        return found

    @property
    def issue_or_500(self) -> IssueState:
        """As the routes have it that do not tell a missing issue from a fault."""
        found = self.state.issues.get(int(self.groups["number"]))
        if found is None:
            raise Stop(error(500, ""))
        return found

    @property
    def pull(self) -> tuple[IssueState, Pull]:
        issue = self.issue
        if issue.pull is None:
            raise Stop(not_found())
        return issue, issue.pull

    @property
    def writes(self) -> bool:
        return self.state.may(self.user, "write")

    def must_write(self, message: str = "") -> None:
        if not self.writes:
            raise Stop(error(403, message) if message else Answer(403))

    def text(self, key: str) -> str:
        """Return a string field; a missing one is empty, as in Go."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, str):
            raise Stop(error(422, f"[]: json: cannot unmarshal into Go struct field {key} of type string"))
        return value or ""

    def required(self, key: str) -> str:
        value = self.text(key)
        if not value.strip():
            raise Stop(error(422, f"[{key.capitalize()}]: Required"))
        return value

    def items(self, key: str) -> list[Json]:
        value = self.fields.get(key) or []
        if not isinstance(value, list):
            raise Stop(error(422, f"[]: json: cannot unmarshal into Go struct field {key}"))
        return value

    def page_of(self, items: Sequence[T]) -> Sequence[T]:
        """Return the items of the page that is asked for."""
        limit = min(int(self.query.get("limit", DEFAULT_LIMIT)), MAX_LIMIT)
        start = (max(int(self.query.get("page", 1)), 1) - 1) * limit
        return items[start : start + limit]

    def paged(self, items: Sequence[T], show: Callable[[T], Json]) -> Answer:
        """Answer with that page, and say how many there are."""
        return Answer(200, [show(item) for item in self.page_of(items)], (("X-Total-Count", str(len(items))),))


class Stop(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def error(status: int, message: str) -> Answer:
    return Answer(status, {"message": message, "url": "/api/swagger"})


def not_found(message: str = "not found") -> Answer:
    return Answer(404, {"errors": None, "message": message, "url": "/api/swagger"})


Handler: TypeAlias = Callable[[Ask], Answer]


@dataclass(frozen=True)
class Route:
    method: str
    path: re.Pattern[str]
    scope: str
    """Of a token; empty for none."""
    handler: Handler


class Routes(list[Route]):
    """The routes of one module."""

    def __call__(self, method: str, path: str, scope: str) -> Callable[[Handler], Handler]:
        """Register a handler; `{x}` stands for a segment, `{x*}` for the rest, `R` for the repository."""
        pattern = re.sub(r"^R", "/repos/{owner}/{name}", path)
        pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", pattern)
        pattern = re.sub(r"\{number\}", r"(?P<number>\\d+)", pattern)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

        def register(handler: Handler) -> Handler:
            self.append(Route(method, re.compile(pattern), scope, handler))
            return handler

        return register


@dataclass(frozen=True)
class Incoming:
    """A request whose sender is known."""

    method: str
    target: str
    """The path below ``/api/v1`` with its query."""
    user: User | None
    fields: Mapping[str, Json] | None
    """None where the body was no JSON object."""


def answer(routes: Sequence[Route], state: State, request: Incoming) -> Answer:
    """Answer one API request."""
    path, _, query = request.target.partition("?")
    found = [(item, match) for item in routes if (match := item.path.fullmatch(path))]
    if not found:
        return Answer(404, b"404 page not found\n")
    for item, match in found:
        if item.method != request.method:
            continue
        groups = {key: unquote(value) for key, value in match.groupdict().items()}
        try:
            _check_scope(request, item.scope)
            _check_repository(state, groups, request)
            if request.fields is None:
                return error(422, "[]: EOF")
            values = {key: value[-1] for key, value in parse_qs(query).items()}
            return item.handler(Ask(state, request.user, groups, values, request.fields))
        except Stop as stop:
            return stop.answer
    return Answer(405)


def _check_scope(request: Incoming, scope: str) -> None:
    user, method = request.user, request.method
    if user is None or user.id == JOB_USER_ID or not scope:
        return
    needed = f"{'read' if method == 'GET' else 'write'}:{scope}"
    if user.scopes.isdisjoint({needed, f"write:{scope}", "all"}):
        have = ",".join(sorted(user.scopes))
        text = f"token does not have at least one of required scope(s), required=[{needed}], token scope={have}"
        raise Stop(error(403, text))


def _check_repository(state: State, groups: Mapping[str, str], request: Incoming) -> None:
    if "owner" not in groups:
        return
    name = f"{groups['owner']}/{groups['name']}"
    if name in state.old_names:
        location = f"/api/v1{request.target.replace(name, state.full_name, 1)}"
        raise Stop(Answer(301, b"", (("Location", location),)))
    if name.casefold() != state.full_name.casefold() or not state.may(request.user, "read"):
        raise Stop(not_found())
    if request.method != "GET" and request.user is None:
        raise Stop(error(401, "token is required"))
    if request.method != "GET" and state.archived:
        raise Stop(error(423, f"{state.full_name} is archived"))


def person(state: State, login: str) -> User | None:
    return next((one for one in state.users.values() if one.login.casefold() == login.casefold() and one.id > 0), None)
