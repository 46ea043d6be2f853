"""Workflows to be looked at, and what is found in them."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeAlias

from coordinator.doctor.workflow_file import find_workflow
from coordinator.init.workflow import workflow_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from coordinator.doctor.models import Finding
    from coordinator.doctor.workflow_file import Workflow

Answer: TypeAlias = "tuple[int, bytes, Mapping[str, str]]"
"""Status, body and headers."""
PATH = ".gitea/workflows/coordinator.yml"
OURS = workflow_text(None, None)


def changed(*changes: tuple[str, str]) -> str:
    """The workflow that `coordinator init` writes, with texts in it replaced; each has to be there."""
    text = OURS
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def workflow(text: str | bytes, *, path: str = PATH, product: str = "gitea") -> Workflow:
    """The workflow, as a forge of that product reads the one file."""
    raw = text.encode() if isinstance(text, str) else text
    return find_workflow({path: raw}.get, product, "main")


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """State and message of what was found."""
    return [(finding.state.value, finding.message) for finding in findings]


@dataclass
class Asked:
    """One request that an `OddServer` was sent."""

    path: str
    headers: dict[str, str]


class OddServer:
    """A server on loopback that is no Messages API: it answers a path with whatever the test says, others with 404.

    An answer is a status, a body and headers; None in its place says nothing until the server ends.
    """

    def __init__(self, answers: Mapping[str, Answer | None]) -> None:
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                self.rfile.read(size)
                server.asked.append(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}))
                answer = answers.get(self.path, (404, b"{}", {}))
                if answer is None:
                    server.stopping.wait(30)
                    return
                status, body, headers = answer
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), "connection": "close", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(body)

            do_POST = do_GET  # noqa: N815  (the name is the base class's)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name of the base class)
                """Stay silent."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
