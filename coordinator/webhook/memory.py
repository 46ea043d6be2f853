"""Which bodies were taken lately, so that each is passed on once."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

CAPACITY = 4096
"""Bodies to remember, at about 150 bytes each. What is forgotten does no harm: a run works on one request once."""


class Memory:
    """Remembers the latest bodies by their SHA-256. May be used from several threads.

    The body has repository, kind, number, action and time of the event in it, and nothing of the delivery: a replay by
    hand has a new delivery id, and two hooks of one repository send the same body.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, body: bytes) -> bool:
        """Remember a body; return whether it is new."""
        digest = hashlib.sha256(body).digest()
        with self._lock:
            if digest in self._digests:
                return False
            self._digests[digest] = None
            if len(self._digests) > self._capacity:
                self._digests.popitem(last=False)
            return True

    def forget(self, body: bytes) -> None:
        """Let a body count as new again."""
        with self._lock:
            self._digests.pop(hashlib.sha256(body).digest(), None)
