"""An HTTP server on loopback that hands each request over as a whole, and ends cleanly."""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.standins.forge_api import Answer


@dataclass(frozen=True)
class Request:
    """What a client sent. Header names are in lower case."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    body: bytes


class Reset(Exception):
    """The connection is to be reset, as by a server that dies."""


class LoopbackServer(ThreadingHTTPServer):
    """Ends cleanly although clients keep their connections open."""

    daemon_threads = False

    def __init__(self, port: int, handle: Callable[[Request], Answer | None]) -> None:
        """Listen on a port, 0 for any; `handle` answers a request, or closes the connection by None."""
        self.answer = handle
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if isinstance(request, socket.socket):
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body must not wait 40 ms for the acknowledgement of its headers
    server: LoopbackServer

    def _answer(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            served = self.server.answer(Request(self.command, self.path, headers, self._read_body(headers)))
        except Reset:
            # Without lingering, closing sends RST; a shutdown before it, as the base class does one, would send FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            served = None
        if served is None:
            self.close_connection = True
            return
        is_json = not isinstance(served.body, bytes)
        body = served.body if isinstance(served.body, bytes) else json.dumps(served.body).encode()
        self.send_response(served.status)
        given = dict(served.headers)
        if "Content-Type" not in given:
            self.send_header(
                "Content-Type", "application/json;charset=utf-8" if is_json else "text/plain;charset=utf-8"
            )
        for key, value in given.items():
            self.send_header(key, value)
        if served.status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if served.status not in {204, 304}:
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  (names that http.server looks for)

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Print nothing."""

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(headers.get("content-length", "0")))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)
