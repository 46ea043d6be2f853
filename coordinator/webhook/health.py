"""Whether the forge answers, found out no more often than is good for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from coordinator.errors import CoordinatorError
from coordinator.forge.http import Call, RestClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

FRESH_SECONDS: Final = 15.0
"""How long an answer holds."""
PATIENCE_SECONDS: Final = 3.0
"""For the forge; less than what checks of containers wait."""


def forge_answers(api_url: str, token: SecretStr) -> bool:
    """Ask the forge for its version, once."""
    with RestClient(api_url, token, deadline_seconds=PATIENCE_SECONDS, tries=1) as client:
        try:
            client.send(Call("GET", "/version", "see its version"))
        except CoordinatorError:
            return False
        return True


class ForgeHealth:
    """The last answer to `ask`, renewed when it is old; one question at a time, in a thread."""

    def __init__(
        self, ask: Callable[[], bool], *, clock: Callable[[], float], fresh_seconds: float = FRESH_SECONDS
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._lock = asyncio.Lock()
        self._known: tuple[bool, float] | None = None

    async def reachable(self) -> bool:
        """Return whether the forge answers, or answered a moment ago."""
        async with self._lock:
            if self._known is None or self._clock() - self._known[1] >= self._fresh_seconds:
                self._known = (await asyncio.to_thread(self._ask), self._clock())
            return self._known[0]
