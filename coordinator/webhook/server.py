"""Listening, and ending in order."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from coordinator.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

CONNECTIONS: Final = 100
"""At once; further ones are told 503. With the largest bodies that is 100 MiB of memory."""
ANSWER_SECONDS: Final = 2
"""For answers that are under way when the end comes."""

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, with port 0 on any free port. Raises `Misconfigured` where that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such port"
        raise Misconfigured(
            f"Cannot listen on port {port} of {host}: {why}",
            mend="End what listens there, or choose another place with --port and --host (PORT, HOST)",
        ) from None


def make_server(app: FastAPI) -> uvicorn.Server:
    """Return the server. It logs nothing by itself: an error's traceback could show what nobody should see."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=ANSWER_SECONDS,
    )
    return uvicorn.Server(config)


def serve_until_told(server: uvicorn.Server, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, and return when all is in order. Call it in the main thread."""
    with _ending_server(server), listening:
        server.run(sockets=[listening])


@contextmanager
def _ending_server(server: uvicorn.Server) -> Iterator[None]:
    """Let a signal end the server also before it runs, and not kill us after: uvicorn raises those it got once more."""

    def stop(_number: int, _frame: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
