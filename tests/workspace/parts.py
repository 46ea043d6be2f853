"""What the tests of this room share: a sandbox without confinement, a server for git, a workspace in one call."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self

from coordinator.forge.models import GitRemote
from coordinator.sandbox.protocol import Command, CommandResult
from coordinator.workspace.remote import RemoteLimits
from coordinator.workspace.workspace import Workspace, WorkspaceOptions
from tests.support import FORGE_CANARY, GIT_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AUTHORIZATION = f"token {FORGE_CANARY}"
IMPATIENT = RemoteLimits(seconds=30, pauses=())
OPTIONS = WorkspaceOptions(remote=IMPATIENT)


class PlainSandbox:
    """Runs commands as the same user in a clean environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.given: list[Path] = []

    @property
    def description(self) -> str:
        return "no confinement at all"

    def run(self, command: Command) -> CommandResult:
        started = time.monotonic()
        env = {"PATH": os.defpath, "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **command.env}
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        timed_out = False
        try:
            out, err = process.communicate(command.stdin, timeout=command.limits.seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        code = process.returncode
        return CommandResult(
            exit_code=None if code < 0 else code,
            signal=-code if code < 0 else None,
            timed_out=timed_out,
            stdout=out,
            stderr=err,
            truncated=False,
            seconds=time.monotonic() - started,
        )

    def give(self, folder: Path) -> None:
        self.given.append(folder)

    def make_folder(self, prefix: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self._folder))

    def aside(self) -> Self:
        return self


def open_workspace(
    remote: str | GitRemote,
    folder: Path,
    *,
    issue: int = 7,
    base_branch: str | None = None,
    options: WorkspaceOptions = OPTIONS,
) -> Workspace:
    """Open a workspace below a folder, which may hold others already."""
    private = Path(tempfile.mkdtemp(prefix="private-", dir=folder))
    where = remote if isinstance(remote, GitRemote) else GitRemote(url=remote)
    sandbox = PlainSandbox(folder)
    return Workspace.open(where, issue=issue, folder=private, sandbox=sandbox, base_branch=base_branch, options=options)


@dataclass
class GitServer:
    """A git server on loopback and what it has seen."""

    url: str = ""
    authorization: str = AUTHORIZATION
    status: int | None = None
    """Answer everything with this status instead."""
    failures: int = 1_000_000
    """To so many requests only."""
    location: str = ""
    """With this Location."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Authorization header."""
    command_lines: list[str] = field(default_factory=list)
    """Of all processes of the machine, at the time of each request."""


def _command_lines() -> str:
    texts = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                texts.append((process / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return "\n".join(texts)


class _Handler(BaseHTTPRequestHandler):
    """Gives requests to `git http-backend` (git-http-backend(1)) by the rules of CGI."""

    def __init__(self, *arguments: object, root: Path, server_record: GitServer) -> None:
        self._root = root
        self._record = server_record
        super().__init__(*arguments)  # type: ignore[arg-type]  # the three that the server passes on

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        sent = self.headers.get("Authorization", "")
        self._record.requests.append((self.command, self.path, sent))
        self._record.command_lines.append(_command_lines())
        if self._record.status is not None and len(self._record.requests) <= self._record.failures:
            self._plain(self._record.status, {"Location": self._record.location} if self._record.location else {})
        elif sent != self._record.authorization:
            self._plain(401, {"WWW-Authenticate": "Basic"})
        else:
            self._serve(body)

    def _plain(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REMOTE_USER": "bot",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        command = ["git", "http-backend"]
        done = subprocess.run(command, env=env, input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def git_server(root: Path) -> Iterator[GitServer]:
    """Serve the bare repositories below a folder."""
    record = GitServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, root=root, server_record=record)) as server:
        record.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield record
        finally:
            server.shutdown()
            thread.join()


def git_bytes(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git in a folder with an input, and return what it printed."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, env=GIT_ENVIRONMENT, input=stdin, capture_output=True, check=True).stdout


def write_blob(folder: Path, content: bytes) -> str:
    """Write an object into a repository and return its id."""
    return git_bytes(folder, "hash-object", "-w", "--stdin", stdin=content).decode().strip()


def write_tree_of(folder: Path, *lines: bytes) -> str:
    """Write a tree as git itself would not, from lines as those of `git ls-tree`, and return its id."""
    return (
        git_bytes(folder, "mktree", "-z", "--missing", stdin=b"".join(line + b"\0" for line in lines)).decode().strip()
    )


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return mode and content of everything below a folder, by path; links by their target."""
    found: dict[str, tuple[int, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (mode, content)
    return found
