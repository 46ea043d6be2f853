"""Ending commands from another thread, without ending the sandbox that runs them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Interrupt:
    """Once set, it ends every command that carries it: those that run, and those that are started later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._stops: set[Callable[[], None]] = set()

    @property
    def is_set(self) -> bool:
        """Whether commands are to end."""
        return self._is_set

    def set(self) -> None:
        """End what runs, and all that is started from now on."""
        with self._lock:
            self._is_set = True
            for stop in self._stops:
                stop()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop`, from whatever thread, when it is set meanwhile or was before. It must not block."""
        with self._lock:
            self._stops.add(stop)
            if self._is_set:
                stop()
        try:
            yield
        finally:
            with self._lock:
                self._stops.discard(stop)
