"""Seeing that an agent goes round in circles: the same call with the same result, again and again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.agent.reply import ToolCall
    from coordinator.agent.tools import ToolResult

REPEATS_BEFORE_WARNING = 4
"""As the stuck detector of OpenHands (``stuck_detector.py``) counts: four equal pairs of action and result."""
WARNING = (
    "\n[This call has given the same result {count} times in a row. Do something else: read the code, change your "
    "plan, or submit and say what is not done. One more time ends the work.]"
)


class RepetitionGuard:
    """Counts equal pairs of call and result that follow each other directly."""

    def __init__(self) -> None:
        self._last = ""
        self._count = 0

    def note(self, call: ToolCall, result: ToolResult) -> str:
        """Take note of one call and return the warning to add to its result, if any."""
        pair = json.dumps([call.name, call.arguments, result.text], sort_keys=True)
        self._count = self._count + 1 if pair == self._last else 1
        self._last = pair
        return WARNING.format(count=self._count) if self._count == REPEATS_BEFORE_WARNING else ""

    @property
    def stuck(self) -> bool:
        """Whether the warning was not heeded."""
        return self._count > REPEATS_BEFORE_WARNING
