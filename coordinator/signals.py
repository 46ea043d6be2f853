"""Ending in order when the runner or a person says so."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Terminated(BaseException):
    """The process was told to end.

    No `Exception`: the model's SDK takes one that a signal handler raises during a request for a connection error, and
    tries again.
    """


@contextmanager
def ending_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Meanwhile, the first signal calls `stop` and raises `Terminated` in the main thread; later ones are ignored.

    `stop` ends what would keep other threads waiting. What is left to do then (save the work, say so) is not
    interrupted any more, except by SIGKILL.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        stop()
        raise Terminated

    before = {number: signal.signal(number, handle) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
