"""A strict stand-in of GitHub Enterprise Server on loopback: REST, what is used of GraphQL, and git over http.

It refuses what GitHub's documentation says that it refuses, with the same statuses and texts, and remembers every
request. It has not been held against the real one.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests.standins.forge_api import Answer
from tests.standins.forge_git import BareRepository
from tests.standins.forge_http import LoopbackServer, Request
from tests.standins.github_api import Incoming, answer, error
from tests.standins.github_issues import ROUTES as ISSUE_ROUTES
from tests.standins.github_lines import ROUTES as LINE_ROUTES
from tests.standins.github_routes import ROUTES as OTHER_ROUTES
from tests.standins.github_routes import graphql, refresh_pull_refs
from tests.standins.github_state import JOB_USER_ID, IssueState, Json, Pull, State, User
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

JOB_TOKEN = "ghs-job-token-5d1f0c7a9e34"
API_VERSIONS = {"2022-11-28", "2026-03-10"}


@dataclass
class Fault:
    """What goes wrong with the next requests whose ``METHOD path`` matches."""

    route: re.Pattern[str]
    times: int
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: str = ""
    """``before``: the connection is closed and nothing was done; ``after``: it was done, and then closed."""


class GithubServer:
    """The server with one repository; a context manager. `token` belongs to `bot`, who may write.

    Controls: `state` has switches for what a plan, a server or a job's token lacks; `fail` breaks the next requests;
    `requests` are all that came.
    """

    def __init__(self, root: Path, *, full_name: str = "acme/app", private: bool = False) -> None:
        self._server = LoopbackServer(0, self.handle)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.api_url = f"{self.url}/api/v3"
        self.repository = full_name
        self.requests: list[Request] = []
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.state = State(self.url, full_name, BareRepository(root, full_name), private)
        self.state.labels["agent"] = "00ff00"
        self.owner = self.add_user(full_name.partition("/")[0], "admin")
        self.token = FORGE_CANARY
        self.bot = self.add_user("coordinator-bot", "write", token=FORGE_CANARY)
        self.job_token = JOB_TOKEN
        self.state.users["github-actions[bot]"] = User(JOB_USER_ID, "github-actions[bot]", JOB_TOKEN)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.hang_up()
        self._thread.join()
        self._server.server_close()

    def add_user(self, login: str, level: str = "none", *, token: str = "") -> User:
        """Add an account with a token of its own and a right: none, read, write or admin."""
        user = User(self.state.new_id(), login, token or f"{login}-token-0a1b2c3d4e5f")
        self.state.users[login] = user
        self.state.levels[user.id] = level
        return user

    def add_issue(self, title: str, *, author: User | None = None) -> IssueState:
        """Add an issue."""
        with self._lock:
            issue = IssueState(self.state.next_number(), title, None, author or self.owner)
            self.state.issues[issue.number] = issue
            return issue

    def add_fork_pull(self, head: str, base: str = "main", *, repository: int = 2) -> int:
        """Add a pull request from a fork whose branch has this name; 0 for a fork that is gone. Return its number."""
        with self._lock:
            issue = self.add_issue("From a fork", author=self.state.users.get("stranger") or self.add_user("stranger"))
            issue.pull = Pull(head, base, head_repository=repository)
            return issue.number

    def fail(
        self,
        route: str,
        *,
        times: int = 1,
        status: int = 0,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        drop: str = "",
    ) -> None:
        """Let the next requests whose ``METHOD path`` matches go wrong."""
        self._faults.append(Fault(re.compile(route), times, status, body, headers or {}, drop))

    def handle(self, request: Request) -> Answer | None:
        """Answer a request, or close the connection by None."""
        self.requests.append(request)
        fault = self._fault(request)
        if fault is None:
            return self._serve(request)
        if fault.drop == "before":
            return None
        if fault.status:
            return Answer(fault.status, fault.body, tuple(fault.headers.items()))
        self._serve(request)
        return None

    def _fault(self, request: Request) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fault.route.search(f"{request.method} {request.path}"):
                fault.times -= 1
                return fault
        return None

    def _serve(self, request: Request) -> Answer:
        user, known = self._who(request)
        path = request.path
        if re.match(r"/[^/]+/[^/]+\.git/", path):
            return self._serve_git(request, user)
        if not request.headers.get("user-agent"):
            return error(
                403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent"
            )
        if not known:
            return error(401, "Bad credentials")
        with self._lock:
            return self._serve_api(request, user)

    def _serve_api(self, request: Request, user: User | None) -> Answer:
        path, fields = request.path, _fields(request)
        if path == "/api/graphql" and request.method == "POST":
            return graphql(self.state, user, fields)
        if not path.startswith("/api/v3/"):
            return Answer(404, b"Not Found\n")
        version = request.headers.get("x-github-api-version", "2022-11-28")
        if version not in API_VERSIONS:
            return error(400, f"API version {version} is not supported")
        accept = request.headers.get("accept", "")
        if not accept.startswith(("application/vnd.github", "application/json", "*/*")):
            return error(415, "Must accept 'application/json'")
        target = path.removeprefix("/api/v3")
        return answer(
            (*ISSUE_ROUTES, *LINE_ROUTES, *OTHER_ROUTES),
            self.state,
            Incoming(request.method, target, user, fields, accept),
        )

    def _serve_git(self, request: Request, user: User | None) -> Answer:
        """A password alone is what counts; the token of a job has to come with ``x-access-token``."""
        name = request.path[1:].partition(".git/")[0]
        pushes = "git-receive-pack" in request.path
        if user is None and (pushes or self.state.private or "authorization" in request.headers):
            return Answer(401, b"Unauthorized\n", (("WWW-Authenticate", 'Basic realm="GitHub"'),))
        if name != self.state.full_name or not self.state.may(user, "read"):
            return Answer(404, b"Not Found\n")
        if pushes and (not self.state.may(user, "contents") or self.state.archived):
            return Answer(403, b"Permission denied\n")
        login = user.login if user else None
        served = self.state.repository.serve(request.method, request.path, request.headers, request.body, login)
        if pushes:
            with self._lock:
                refresh_pull_refs(self.state)
        return Answer(served.status, served.body, tuple(served.headers.items()))

    def _who(self, request: Request) -> tuple[User | None, bool]:
        """Return the user, and whether the credentials, if there are any, are good."""
        header = request.headers.get("authorization", "")
        kind, _, value = header.partition(" ")
        name = "x-access-token"
        if kind.lower() == "basic":
            with suppress(ValueError):
                name, _, value = base64.b64decode(value).decode().partition(":")
        known = kind.lower() in {"token", "bearer", "basic"}
        user = next((one for one in self.state.users.values() if known and one.token == value), None)
        if user is not None and user.is_job and name != "x-access-token":
            user = None
        return user, not header or user is not None


def _fields(request: Request) -> Mapping[str, Json] | None:
    if not request.body:
        return {}
    try:
        fields: Json = json.loads(request.body)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
