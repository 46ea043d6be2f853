"""A strict stand-in of a Gitea server on loopback: its REST API, and git over http from a real bare repository.

It refuses what the real server refuses, with the same statuses, and remembers every request. As a process it prints
its address and accounts as one line of JSON, and writes the requests into a file::

    python -m tests.standins.forge_server --port 0 --state DIR
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from tests.standins.forge_actions import ROUTES as ACTIONS_ROUTES
from tests.standins.forge_api import Answer, Incoming, answer, error
from tests.standins.forge_controls import Controls
from tests.standins.forge_git import BareRepository
from tests.standins.forge_http import LoopbackServer, Request
from tests.standins.forge_issues import ROUTES as ISSUE_ROUTES
from tests.standins.forge_labels import ROUTES as LABEL_ROUTES
from tests.standins.forge_lines import ROUTES as LINE_ROUTES
from tests.standins.forge_routes import ROUTES as OTHER_ROUTES
from tests.standins.forge_routes import refresh_pull_refs
from tests.standins.forge_state import (
    JOB_LOGINS,
    JOB_USER_ID,
    PAT_SCOPES,
    VERSIONS,
    Json,
    State,
    User,
)
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUTES = (*ISSUE_ROUTES, *LINE_ROUTES, *LABEL_ROUTES, *ACTIONS_ROUTES, *OTHER_ROUTES)
JOB_TOKEN = "job-token-5d1f0c7a9e34"


class ForgeServer(Controls):
    """The server with one repository; a context manager. `token` belongs to `bot`, who may write.

    `flavour` and `version` choose what it is: a Gitea of 1.22 to 1.27, or a Forgejo. What a test can do to it beside
    sending requests is in `Controls`. `requests` are all that came; with `log`, they are written into that file too.
    """

    def __init__(
        self,
        root: Path,
        *,
        full_name: str = "acme/app",
        flavour: Literal["gitea", "forgejo"] = "gitea",
        version: str = "",
        organisation: bool = False,
        private: bool = False,
        token: str = FORGE_CANARY,
        owner_scopes: frozenset[str] = PAT_SCOPES,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self._server = LoopbackServer(port, self.handle)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.api_url = f"{self.url}/api/v1"
        self.repository = full_name
        self.requests: list[Request] = []
        self._log = log
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        state = State(
            self.url,
            full_name,
            BareRepository(root, full_name),
            organisation,
            private,
            flavour=flavour,
            version=version or VERSIONS[flavour],
        )
        super().__init__(state, owner_scopes)
        self.bare_repository = self.state.repository.path
        self.token = token
        self.bot = self.add_user("coordinator", "write", token=token)
        self.job_token = JOB_TOKEN
        self.state.users[JOB_LOGINS[flavour]] = User(JOB_USER_ID, JOB_LOGINS[flavour], JOB_TOKEN, frozenset())
        self.add_label("agent")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._faults.release()
        self._server.shutdown()
        self._server.hang_up()
        self._thread.join()
        self._server.server_close()

    def describe(self) -> dict[str, Json]:
        """Return what a test in another process needs to know."""
        users: dict[str, Json] = {
            user.login: {"id": user.id, "token": user.token} for user in self.state.users.values()
        }
        return {
            "url": self.url,
            "api_url": self.api_url,
            "repository": self.repository,
            "token": self.token,
            "job_token": self.job_token,
            "users": users,
            "bare_repository": str(self.bare_repository),
            "requests": str(self._log or ""),
        }

    def handle(self, request: Request) -> Answer | None:
        """Answer one request; None closes the connection."""
        with self._lock:
            self.requests.append(request)
            self._write_log(request)
            fault = self._faults.next(request)
        if fault is None:
            return self._serve(request)
        return self._faults.suffer(fault, lambda: self._serve(request))

    def _serve(self, request: Request) -> Answer:
        user, known = self._who(request)
        path = request.path
        if re.match(r"/[^/]+/[^/]+\.git/", path):
            return self._serve_git(request, user)
        if short := re.match(r"(/[^/]+/[^/]+)(/(info/refs|git-upload-pack|git-receive-pack)\b.*)", path):
            return self._serve_git(replace(request, path=f"{short[1]}.git{short[2]}"), user)
        if path == "/api/forgejo/v1/version" and self.state.is_forgejo:
            return Answer(200, {"version": self.state.version})
        if not path.startswith("/api/v1/"):
            return Answer(404, b"Not found\n")
        if not known:
            return error(401, "user does not exist [uid: 0, name: ]")
        incoming = Incoming(request.method, path.removeprefix("/api/v1"), user, _fields(request))
        with self._lock:
            before = len(self.state.dispatched)
            answered = answer(ROUTES, self.state, incoming)
            dispatched = self.state.dispatched[before:]
        for record in dispatched:
            if start := self._starts.get(str(record["workflow"])):
                start(record)
        return answered

    def _serve_git(self, request: Request, user: User | None) -> Answer:
        name = request.path[1:].partition(".git/")[0]
        if name in self.state.old_names:
            location = request.path.replace(name, self.state.full_name, 1)
            return Answer(301, b"", (("Location", location),))
        pushes = "git-receive-pack" in request.path
        if user is None and (pushes or self.state.private or "authorization" in request.headers):
            return Answer(401, b"Unauthorized\n", (("WWW-Authenticate", 'Basic realm="Gitea"'),))
        if name != self.state.full_name or not self.state.may(user, "read"):
            return Answer(404, b"Not found\n")
        if pushes and (not self.state.may(user, "write") or self.state.archived):
            return Answer(403, b"User permission denied for writing.\n")
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
        if kind.lower() == "basic":
            with suppress(ValueError):
                value = base64.b64decode(value).decode().partition(":")[2]
        user = self.state.by_token(value) if kind.lower() in {"token", "bearer", "basic"} else None
        return user, not header or user is not None

    def _write_log(self, request: Request) -> None:
        if self._log is not None:
            body = request.body.decode(errors="replace")
            line = {"method": request.method, "path": request.path, "headers": dict(request.headers), "body": body}
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(line)}\n")


def _fields(request: Request) -> Mapping[str, Json] | None:
    if not request.body:
        return {} if request.method in {"GET", "DELETE"} else None
    try:
        fields: Json = json.loads(request.body)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def main(arguments: list[str]) -> int:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(prog="python -m tests.standins.forge_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True, help="folder for the bare repository and requests.jsonl")
    parser.add_argument("--token", default=FORGE_CANARY, help="of the account `coordinator`")
    parser.add_argument("--private", action="store_true")
    options = parser.parse_args(arguments)
    options.state.mkdir(parents=True, exist_ok=True)
    log = options.state / "requests.jsonl"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        ForgeServer(options.state, token=options.token, private=options.private, port=options.port, log=log) as forge,
        suppress(KeyboardInterrupt),
    ):
        forge.add_user("maintainer", "write")
        forge.add_user("reader", "read")
        sys.stdout.write(f"{json.dumps(forge.describe())}\n")
        sys.stdout.flush()
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
