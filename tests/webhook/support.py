"""What the tests of the relay share: signed bodies, the server on loopback, and a handler that remembers."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import httpx
from pydantic import JsonValue, SecretStr, TypeAdapter

from coordinator.events.models import Skipped
from coordinator.webhook.app import make_app
from coordinator.webhook.delivery import Delivery, read_delivery
from coordinator.webhook.health import ForgeHealth
from coordinator.webhook.relay import Relay
from coordinator.webhook.server import listen, make_server
from coordinator.webhook.signature import sign
from tests.events.payload_files import payload_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Document: TypeAlias = "dict[str, JsonValue]"
DOCUMENT = TypeAdapter(dict[str, JsonValue])
WEBHOOK_CANARY = "wcanary-51c2d4e8f0a17b39"
SECRET = SecretStr(WEBHOOK_CANARY)
ASSIGNED = "gitea/issues.assigned"
UUID = "f2b7c1d0-9f3e-4b0a-8a53-8f3d1f1b1c11"


def document(name: str = ASSIGNED, **changes: JsonValue) -> Document:
    """Return a payload that a real server wrote, with some of its keys changed."""
    return {**DOCUMENT.validate_json(payload_path(name).read_bytes()), **changes}


def body_of(payload: object) -> bytes:
    """Return a payload as webhooks send it: indented by two spaces."""
    return json.dumps(payload, indent=2, ensure_ascii=False).encode()


def issue_body(number: int = 1, name: str = ASSIGNED, **changes: JsonValue) -> bytes:
    """Return the body of an event about the issue of this number."""
    event = document(name, **changes)
    issue = DOCUMENT.validate_python(event["issue"])
    return body_of({**event, "issue": {**issue, "number": number}})


def delivery(number: int = 1, name: str = ASSIGNED, **changes: JsonValue) -> Delivery:
    """Return what is made of such a body."""
    body = issue_body(number, name, **changes)
    read = read_delivery("-", body, sign(body, SECRET))
    assert not isinstance(read, Skipped), read.reason
    return read


def signed(body: bytes, **headers: str) -> dict[str, str]:
    """Return the headers with which Gitea delivers a body (``services/webhook/deliver.go``)."""
    signature = sign(body, SECRET)
    return {
        "Content-Type": "application/json",
        "X-Gitea-Delivery": UUID,
        "X-Gitea-Event": "issues",
        "X-Gitea-Event-Type": "issue_assign",
        "X-Gitea-Signature": signature,
        "X-Hub-Signature-256": f"sha256={signature}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }


def wait_until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


@dataclass
class Recorder:
    """Remembers what it was given. `answers` are raised one after the other where they are errors."""

    answers: list[Exception] = field(default_factory=list)
    gate: threading.Event | None = None
    """Waited for in each call."""
    seen: list[Delivery] = field(default_factory=list)
    begun: list[Delivery] = field(default_factory=list)
    ended: bool = False
    abandoned: bool = False

    def handle(self, delivery: Delivery) -> str:
        self.begun.append(delivery)
        if self.gate is not None:
            self.gate.wait(30)
        if self.answers:
            raise self.answers.pop(0)
        self.seen.append(delivery)
        return "remembered"

    def end(self) -> None:
        self.ended = True

    def abandon(self) -> None:
        self.abandoned = True


def make_relay(handler: Recorder, *, workers: int = 2, limit: int = 8, stop_seconds: float = 5.0) -> Relay:
    return Relay(handler, secret=SECRET, workers=workers, limit=limit, waits=(0.01, 0.02), stop_seconds=stop_seconds)


@dataclass
class Served:
    """A relay that listens on loopback."""

    url: str
    port: int
    client: httpx.Client

    def deliver(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post a body, signed if no headers are given."""
        return self.client.post("/webhook/gitea", content=body, headers=signed(body) if headers is None else headers)


@contextmanager
def serving(
    relay: Relay,
    *,
    ask: Callable[[], bool] = lambda: True,
    body_limit: int = 64 * 1024,
    read_seconds: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Served]:
    """Serve a relay by the real server until the end of the block."""
    health = ForgeHealth(ask, clock=clock, fresh_seconds=60)
    app = make_app(relay, health, version="1.2.3", clock=clock, body_limit=body_limit, read_seconds=read_seconds)
    server = make_server(app)
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
                yield Served(url, port, client)
        finally:
            server.should_exit = True
            thread.join()
