"""Limits of one run: money, tokens, turns and time. Checked before the call that would exceed one."""

from __future__ import annotations

import time

from coordinator.agent.protocol import Price, Usage
from coordinator.errors import BudgetExceeded


class Budget:
    """What may be spent, and what was. One price table: a budget belongs to one agent profile.

    `deadline` is a reading of `time.monotonic()`.
    """

    def __init__(self, *, dollars: float, tokens: int, turns: int, deadline: float, price: Price) -> None:
        self.deadline = deadline
        self.usage = Usage()
        self.cost_usd = 0.0
        self.turns = 0
        self._dollars = dollars
        self._tokens = tokens
        self._turns = turns
        self._price = price
        self._last = Usage()
        self._longest_reply = 0

    @property
    def remaining_seconds(self) -> float:
        """Wall time that is left; 0 when there is none."""
        return max(0.0, self.deadline - time.monotonic())

    def charge(self, usage: Usage) -> None:
        """Add one model call, also one that failed after it was billed. Each call is priced by itself (tiers)."""
        self.usage += usage
        self.cost_usd += self._price.cost(usage)
        self._last = usage
        self._longest_reply = max(self._longest_reply, usage.output_tokens)

    def check(self, prompt_tokens: int) -> None:
        """Raise `BudgetExceeded` when a call with a prompt of that size would exceed a limit."""
        expected = self._expected(prompt_tokens)
        if self.turns >= self._turns:
            raise _exceeded(f"{self._turns} turns", "turns")
        if self.remaining_seconds <= 0:
            raise _exceeded("the wall time of this run", "minutes")
        if self.usage.total_tokens + expected.total_tokens > self._tokens:
            used = f"{self._tokens} tokens: {self.usage.total_tokens} are used and the next call needs about"
            raise _exceeded(f"{used} {expected.total_tokens}", "tokens")
        cost = self._price.cost(expected)
        if self.cost_usd + cost > self._dollars:
            spent = f"{self._dollars:.2f} dollars: {self.cost_usd:.2f} are spent and the next call costs about"
            raise _exceeded(f"{spent} {cost:.2f}", "dollars")

    def _expected(self, prompt_tokens: int) -> Usage:
        """Return what the next call is likely to use: prompt, cached as far as the last one was, and a long reply."""
        cached = self._last.cache_read_tokens + self._last.cache_write_tokens
        read = min(cached, prompt_tokens)
        new = prompt_tokens - read
        if cached:
            return Usage(cache_read_tokens=read, cache_write_tokens=new, output_tokens=self._longest_reply)
        return Usage(input_tokens=prompt_tokens, output_tokens=self._longest_reply)


def _exceeded(limit: str, key: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"The run's budget ended at {limit}", mend=f"Raise budget.run.{key} in .coordinator.yml, or split the issue"
    )
