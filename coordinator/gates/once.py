"""A value that several gates share: made by whoever asks first, once, while the others wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Once(Generic[Value]):
    """Calls `make` at the first `get()`; every later one gets the same value, or the same exception."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[Value] = []
        self._failed: list[Exception] = []

    def get(self) -> Value:
        """Return the value; raises what `make` raised."""
        with self._lock:
            if not self._made and not self._failed:
                self._fill()
        if self._failed:
            raise self._failed[0]
        return self._made[0]

    def _fill(self) -> None:
        try:
            self._made.append(self._make())
        except Exception as error:  # noqa: BLE001  (kept and raised again for everybody who asks)
            self._failed.append(error)
