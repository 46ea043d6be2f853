"""Ends a stream that brings nothing any more, whatever its pings say."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    import httpx2


class Watchdog:
    """Calls `end` from a thread when no `progress()` came for `stall` seconds, or when `deadline` is there.

    Server-sent pings reset the read timeout of the HTTP client, so that timeout alone never ends a stream of pings.
    """

    def __init__(self, end: Callable[[], None], *, stall: float, deadline: float) -> None:
        self.fired = False
        """Whether the stream was ended from here."""
        self._end = end
        self._stall = stall
        self._deadline = deadline
        self._expiry = min(time.monotonic() + stall, deadline)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-watchdog", daemon=True)

    def progress(self) -> None:
        """Note that something came that was no ping."""
        self._expiry = min(time.monotonic() + self._stall, self._deadline)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(max(0.0, self._expiry - time.monotonic())):
            if time.monotonic() >= self._expiry:
                self.fired = True
                self._end()
                return


def hang_up(response: httpx2.Response) -> None:
    """Shut down the socket of a response: the thread that reads from it wakes up and sees the end of the stream."""
    stream = response.extensions["network_stream"]
    connection = stream.get_extra_info("socket")
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
