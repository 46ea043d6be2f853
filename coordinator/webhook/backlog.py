"""What was taken and not yet seen to: bounded, in the order of its coming, one at a time for each issue."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.webhook.delivery import Delivery

LIMIT = 256
"""Deliveries that may wait. With the largest bodies that is 256 MiB of memory."""


class Backlog:
    """Deliveries and the threads that see to them.

    `see_to` is called in one of `workers` threads and must not raise. Two deliveries about one issue are never seen to
    at once, and in the order of their coming: a release must not overtake the assignment.
    """

    def __init__(self, see_to: Callable[[Delivery], None], *, workers: int, limit: int = LIMIT) -> None:
        self._see_to = see_to
        self._limit = limit
        self._waiting: deque[Delivery] = deque()
        self._busy: dict[tuple[str, int], Delivery] = {}
        self._ending = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        """Start the threads. They do not keep the process alive."""
        for thread in self._threads:
            thread.start()

    def offer(self, delivery: Delivery) -> bool:
        """Take a delivery; return False where there is no room, or the end has come."""
        with self._changed:
            if self._ending or len(self._waiting) >= self._limit:
                return False
            self._waiting.append(delivery)
            self._changed.notify()
            return True

    def stop(self, seconds: float) -> tuple[Delivery, ...]:
        """Take no more, see to what is there, and return what is not done after so many seconds."""
        end = time.monotonic() + seconds
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._changed:
            left = (*self._busy.values(), *self._waiting)
            self._waiting.clear()
            return left

    def _work(self) -> None:
        while (delivery := self._next()) is not None:
            try:
                self._see_to(delivery)
            finally:
                with self._changed:
                    del self._busy[_issue(delivery)]
                    self._changed.notify_all()

    def _next(self) -> Delivery | None:
        """Wait for a delivery whose issue nobody is at; None when the end has come and nothing waits."""
        with self._changed:
            while True:
                free = next((one for one in self._waiting if _issue(one) not in self._busy), None)
                if free is not None:
                    self._waiting.remove(free)
                    self._busy[_issue(free)] = free
                    return free
                if self._ending and not self._waiting:
                    return None
                self._changed.wait()


def _issue(delivery: Delivery) -> tuple[str, int]:
    return delivery.repository.lower(), delivery.number
