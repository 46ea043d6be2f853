"""How full the context is, and what to do about it before the next request."""

from __future__ import annotations

import math
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.configuration import ContextSection

OVERFLOW_SHARE = Fraction(9, 10)
"""When a server refuses a prompt as too long for the second time, prompts are kept below this share of it from then on:
its window is smaller than the profile says. Should the guess be too high, the next refusal corrects it."""


class ContextAction(StrEnum):
    """What has to happen before the next request."""

    CONTINUE = "continue"
    COMPACT = "compact"
    """Ask the model for a note and begin a new conversation with it."""
    ROTATE = "rotate"
    """Begin a new conversation without asking the model: there may be no room for its answer any more."""


class ContextMonitor:
    """Decides before every request. All sizes in tokens.

    `limit_tokens` is what a prompt may hold: the context limit of the profile less the limit on one reply.
    """

    def __init__(self, limit_tokens: int, settings: ContextSection) -> None:
        self.limit_tokens = limit_tokens
        self._compact_at = _exact(settings.compact_at)
        self._rotate_at = _exact(settings.rotate_at)
        self._asked_for = False
        self._must_rotate = False
        self._overflows = 0

    @classmethod
    def of(cls, endpoint: ModelEndpoint, settings: ContextSection) -> ContextMonitor:
        """Return the monitor for one model."""
        return cls(endpoint.context_limit - endpoint.max_output_tokens, settings)

    def decide(self, tokens: int) -> ContextAction:
        """Return what has to happen before a request with a prompt of so many tokens."""
        if self._must_rotate or tokens >= math.ceil(self._rotate_at * self.limit_tokens):
            return ContextAction.ROTATE
        return ContextAction.COMPACT if self._asked_for or self.is_full(tokens) else ContextAction.CONTINUE

    @property
    def must_rotate(self) -> bool:
        """Whether the server would not take the conversation as it is, however small it seems here."""
        return self._must_rotate

    def is_full(self, tokens: int) -> bool:
        """Whether a prompt of so many tokens is one to compact. Otherwise `decide` says so because it was asked to."""
        return tokens >= math.ceil(self._compact_at * self.limit_tokens)

    def share(self, tokens: int) -> float:
        """Return how full the context is with so many tokens: 0 to 1 and above."""
        return tokens / self.limit_tokens

    def trigger_compaction(self) -> None:
        """Have the history compacted before the next request, however small it is. May be called from any thread."""
        self._asked_for = True

    def trigger_rotation(self) -> None:
        """Have a new conversation begun before the next request, without another call in this one."""
        self._must_rotate = True

    def overflowed(self, tokens: int) -> None:
        """Take note that the server refused a prompt of so many tokens as too long."""
        self.trigger_rotation()
        self._overflows += 1
        if self._overflows > 1:
            self.limit_tokens = max(1, min(self.limit_tokens, int(OVERFLOW_SHARE * tokens)))

    def settled(self) -> None:
        """Take note that what was to be done is done."""
        self._asked_for = self._must_rotate = False


def _exact(share: float) -> Fraction:
    """Return the share as it was written: 0.07 of 100 is 7, not a little more."""
    return Fraction(str(share))
