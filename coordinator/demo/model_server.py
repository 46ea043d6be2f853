"""A scripted model behind a real Messages API on loopback: strict, for the demo and for tests.

It answers from a script (`coordinator.demo.model_script`) and refuses what the real API refuses
(`coordinator.demo.model_rules`), so that a client that works here has kept the API's rules. Only the standard library
is used. As a process::

    python -m coordinator.demo.model_server --script FILE.json --port 0

prints ``{"url": "http://127.0.0.1:PORT"}`` as its first line and serves until it is ended.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.demo.model_answers import Bill, Recorded, ScriptedModel
from coordinator.demo.model_rules import MODELS, ModelLimits
from coordinator.demo.model_script import Broken, Computed, Failure, Reply, Step, load_script
from coordinator.demo.model_stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from coordinator.demo.model_prompt import Json

SECONDS_BETWEEN_PINGS = 0.05
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ModelServer:
    """The scripted model; a context manager that serves on loopback while it is open.

    `key` None takes requests without a key. `vendor` False behaves like a compatible server and refuses the fields
    that only Anthropic's own API knows. `pace` seconds pass between two events of a stream.
    """

    def __init__(
        self,
        script: Sequence[Step | Callable[[Json], Reply]],
        *,
        key: str | None = None,
        models: Mapping[str, ModelLimits] = MODELS,
        vendor: bool = True,
        pace: float = 0.0,
        port: int = 0,
    ) -> None:
        steps: list[Step] = [
            step if isinstance(step, Reply | Failure | Broken | Computed) else Computed(step) for step in script
        ]
        self.model = ScriptedModel(steps, key=key, models=models, vendor=vendor)
        self.stopping = threading.Event()
        self.pace = pace
        self._http = _Listener(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """Base address, as a client is configured with it."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def requests(self) -> list[Recorded]:
        """What was asked, in order."""
        return self.model.requests

    @property
    def refused(self) -> list[str]:
        """What the rules refused, in order: empty for a client that keeps them."""
        return self.model.refused

    @property
    def steps_left(self) -> int:
        """How many steps of the script were not used; steps that repeat do not count."""
        return self.model.steps_left

    @property
    def bill(self) -> Bill:
        """What was used."""
        return self.model.bill

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


class _Listener(ThreadingHTTPServer):
    """One thread per connection; they end with the server."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: ModelServer) -> None:
        super().__init__(address, _Handler)
        self.owner = owner


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Listener

    def do_GET(self) -> None:
        self._give(self.server.owner.model.look_up(self._names(), self.path.partition("?")[0]))

    def do_POST(self) -> None:
        headers = self._names()
        raw = self.rfile.read(int(headers.get("content-length", "0")))
        try:
            self._give(self._answer(headers, raw))
        except OSError:
            self.close_connection = True

    def _names(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _answer(self, headers: Mapping[str, str], raw: bytes) -> Json | Stream | Failure:
        if self.path.partition("?")[0] != "/v1/messages":
            return Failure(404, "not_found_error", f"path not found: {self.path}")
        return self.server.owner.model.answer(headers, raw)

    def _give(self, answer: Json | Stream | Failure) -> None:
        if isinstance(answer, Failure):
            self._fail(answer)
        elif isinstance(answer, Stream):
            self._stream(answer)
        else:
            self._send(200, json.dumps(answer).encode())

    def _fail(self, failure: Failure) -> None:
        if failure.page is not None:
            self._send(failure.status, failure.page.encode(), {**failure.headers, "content-type": "text/html"})
            return
        error = {"type": "error", "error": {"type": failure.kind, "message": failure.message}}
        self._send(failure.status, json.dumps(error).encode(), failure.headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        fields = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        self._start(status, fields)
        self.wfile.write(body)

    def _start(self, status: int, fields: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**fields, "connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, stream: Stream) -> None:
        owner = self.server.owner
        if stream.ending == "mute":
            owner.stopping.wait()
            return
        self._start(200, {"content-type": stream.content_type, "transfer-encoding": "chunked"})
        for data in stream.frames:
            self._chunk(data)
            owner.stopping.wait(owner.pace)
        while stream.ending in {"pings", "silence"} and not owner.stopping.wait(SECONDS_BETWEEN_PINGS):
            self._chunk(b'event: ping\ndata: {"type": "ping"}\n\n' if stream.ending == "pings" else b"")
        if stream.ending == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif stream.ending == "end":
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the standard library's)
        """Stay silent: what was asked stands in `ModelServer.requests`."""


def main(arguments: Sequence[str]) -> int:
    """Serve a script from a file until the process is told to end."""
    parser = argparse.ArgumentParser(prog="python -m coordinator.demo.model_server", description=__doc__)
    parser.add_argument("--script", type=Path, required=True, help="JSON file with the steps")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--key", help="key that a request must carry; default: none is asked for")
    parser.add_argument("--compatible", action="store_true", help="behave like a server that is not Anthropic's own")
    options = parser.parse_args(arguments)
    steps = load_script(options.script)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # before any thread starts: they all inherit it
    with ModelServer(steps, key=options.key, port=options.port, vendor=not options.compatible) as server:
        print(json.dumps({"url": server.url}), flush=True)  # noqa: T201  (the address is this process's output)
        signal.sigwait(ENDING_SIGNALS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
