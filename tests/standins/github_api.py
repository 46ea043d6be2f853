"""How the stand-in of GitHub finds the route of a request, and what all routes check first."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qs, unquote

from tests.standins.forge_api import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.standins.github_state import IssueState, Json, Pull, State, User

MAX_PER_PAGE = 100
DEFAULT_PER_PAGE = 30
DOCUMENTATION = "https://docs.github.com/rest"
BODY_LIMIT = 65536
"""Characters of an issue, a comment or a pull request."""


class Stop(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def error(status: int, message: str) -> Answer:
    return Answer(status, {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)})


def not_found() -> Answer:
    return error(404, "Not Found")


def invalid(resource: str, *, field: str = "", code: str = "custom", message: str = "") -> Answer:
    """Return GitHub's answer to fields that it does not take."""
    detail: dict[str, Json] = {"resource": resource, "code": code}
    detail |= {"field": field} if field else {}
    detail |= {"message": message} if message else {}
    body: dict[str, Json] = {"message": "Validation Failed", "errors": [detail], "documentation_url": DOCUMENTATION}
    return Answer(422, {**body, "status": "422"})


@dataclass(frozen=True)
class Ask:
    """A request after the checks that all routes share."""

    state: State
    user: User | None
    groups: Mapping[str, str]
    path: str
    query: Mapping[str, str]
    fields: Mapping[str, Json]
    accept: str

    @property
    def doer(self) -> User:
        if self.user is None:
            raise Stop(error(401, "Requires authentication"))
        return self.user

    @property
    def issue(self) -> IssueState:
        found = self.state.issues.get(int(self.groups["number"]))
        if found is None:
            raise Stop(not_found())
        if found.deleted:
            raise Stop(error(410, "This issue was deleted"))
        return found

    @property
    def pull(self) -> tuple[IssueState, Pull]:
        issue = self.issue
        if issue.pull is None:
            raise Stop(not_found())
        return issue, issue.pull

    def must(self, right: str) -> None:
        """A person without the right is told 404 or 403, an app that its job lacks the permission."""
        if self.state.may(self.doer, right):
            return
        message = (
            "Resource not accessible by integration" if self.doer.is_job else "Must have admin rights to Repository."
        )
        raise Stop(error(403, message) if self.doer.is_job or not self.state.private else not_found())

    def text(self, key: str, *, resource: str, limit: int = BODY_LIMIT) -> str:
        value = self.fields.get(key)
        if value is not None and not isinstance(value, str):
            raise Stop(error(422, f"Invalid request.\n\nFor 'properties/{key}', {value!r} is not a string."))
        if len(value or "") > limit:
            raise Stop(invalid(resource, field=key, message=f"{key} is too long (maximum is {limit} characters)"))
        return value or ""

    def required(self, key: str, *, resource: str, limit: int = BODY_LIMIT) -> str:
        if key not in self.fields:
            raise Stop(error(422, f'Invalid request.\n\n"{key}" wasn\'t supplied.'))
        value = self.text(key, resource=resource, limit=limit)
        if not value.strip():
            raise Stop(invalid(resource, field=key, code="missing_field"))
        return value

    def texts(self, key: str) -> list[str]:
        value = self.fields.get(key) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise Stop(error(422, f"Invalid request.\n\nFor 'properties/{key}', {value!r} is not an array of strings."))
        return [str(one) for one in value]

    def paged(self, items: Sequence[Json], key: str = "") -> Answer:
        """Return a page; ``Link`` has an address by the repository's id, and is left out where one page holds all."""
        per_page = min(int(self.query.get("per_page", DEFAULT_PER_PAGE)), MAX_PER_PAGE)
        page = max(int(self.query.get("page", 1)), 1)
        last = max(1, -(-len(items) // per_page))
        shown = list(items[(page - 1) * per_page : page * per_page])
        address = (
            f"{self.state.api_url}/repositories/1{self.path.split(self.state.full_name, 1)[-1]}?per_page={per_page}"
        )
        wanted = {"prev": page - 1, "next": page + 1, "last": last}
        links = [f'<{address}&page={to}>; rel="{rel}"' for rel, to in wanted.items() if 0 < to <= last and to != page]
        headers = (("Link", ", ".join(links)),) if last > 1 else ()
        body: Json = {"total_count": len(items), key: shown} if key else shown
        return Answer(200, body, headers)


Handler: TypeAlias = Callable[[Ask], Answer]


@dataclass(frozen=True)
class Route:
    method: str
    path: re.Pattern[str]
    handler: Handler


class Routes(list[Route]):
    """The routes of one module."""

    def __call__(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Register a handler; `{x}` stands for a segment, `{x*}` for the rest, `R` for the repository."""
        pattern = re.sub(r"^R", "/repos/{owner}/{name}", path)
        pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", pattern)
        pattern = re.sub(r"\{number\}", r"(?P<number>\\d+)", pattern)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

        def register(handler: Handler) -> Handler:
            self.append(Route(method, re.compile(pattern), handler))
            return handler

        return register


@dataclass(frozen=True)
class Incoming:
    """A request whose sender is known."""

    method: str
    target: str
    """The path below ``/api/v3`` with its query."""
    user: User | None
    fields: Mapping[str, Json] | None
    """None where the body was no JSON object."""
    accept: str


def answer(routes: Sequence[Route], state: State, request: Incoming) -> Answer:
    """Answer one REST request. What is not a route is 404, whatever the method."""
    path, _, query = request.target.partition("?")
    for item in routes:
        match = item.path.fullmatch(path)
        if match is None or item.method != request.method:
            continue
        groups = {key: unquote(value) for key, value in match.groupdict().items()}
        try:
            _check_repository(state, groups, request)
            if request.fields is None:
                return error(400, "Problems parsing JSON")
            values = {key: value[-1] for key, value in parse_qs(query, keep_blank_values=True).items()}
            return item.handler(Ask(state, request.user, groups, path, values, request.fields, request.accept))
        except Stop as stop:
            return stop.answer
    return not_found()


def _check_repository(state: State, groups: Mapping[str, str], request: Incoming) -> None:
    if "owner" not in groups:
        return
    name = f"{groups['owner']}/{groups['name']}"
    if name in state.old_names:
        rest = request.target.split(name, 1)[1]
        moved: dict[str, Json] = {"message": "Moved Permanently", "url": f"{state.api_url}/repositories/1{rest}"}
        raise Stop(Answer(301, moved, (("Location", f"{state.api_url}/repositories/1{rest}"),)))
    if name.casefold() != state.full_name.casefold() or not state.may(request.user, "read"):
        raise Stop(not_found())
    if request.method != "GET" and request.user is None:
        raise Stop(error(401, "Requires authentication"))
    if request.method != "GET" and state.archived:
        raise Stop(error(403, "Repository was archived so is read-only."))
