"""Keeping a claim while the work goes on, whatever the work is doing at the time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Self

from coordinator.errors import CoordinatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.state.claims import Claims

SAFE_SHARE: Final = 0.9
"""Of the lease. After so much of it without a sign of life a run stops, so that it has stopped when another begins."""
_GOODBYE_SECONDS: Final = 5.0


class Heartbeat:
    """Renews one claim every so many seconds, in a thread of its own. A context manager.

    The store of the claims is used from two threads meanwhile.
    """

    def __init__(
        self,
        claims: Claims,
        number: int,
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        spent_usd: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`spent_usd` says what the run has spent by now; it is asked in the thread of the heartbeat."""
        self._claims = claims
        self._number = number
        self._seconds = seconds
        self._clock = clock
        self._spent_usd = spent_usd
        self._renewed = clock()
        self._stop = ""
        self._failure = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat of issue {number}", daemon=True)

    @property
    def lost(self) -> str:
        """Why the run has to stop, in one line; empty while the claim stands."""
        if self._stop:
            return self._stop
        silent = self._clock() - self._renewed
        if silent < SAFE_SHARE * self._claims.lease_seconds:
            return ""
        self._stop = f"The claim on issue #{self._number} could not be renewed for {silent:.0f} s{self._failure}"
        return self._stop

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End. What is under way is not waited for: a claim that was given back is not renewed."""
        self._ended.set()
        self._thread.join(_GOODBYE_SECONDS)

    def _beat(self) -> None:
        """Renew until the end, after the order to stop too: until the work is safe, the claim is needed."""
        while not self._ended.wait(self._seconds):
            self._renew()

    def _renew(self) -> None:
        began = self._clock()
        try:
            reason = self._claims.renew(self._number, spent_usd=self._spent_usd())
        except CoordinatorError as error:
            self._failure = f": {error.what}"
        except Exception as error:  # a thread that dies of a bug must not look like a forge that answers
            if self._ended.is_set():
                return
            self._failure = f": {type(error).__name__}"
            raise
        else:
            self._renewed = began
            self._stop = self._stop or reason
