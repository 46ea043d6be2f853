"""Limits of one run: money, tokens, turns and time. Checked before the call that would exceed one.

A run makes one budget and one part of it for each model that it calls, as each has prices of its own::

    run = Budget(dollars=5, tokens=5_000_000, turns=200, deadline=end, price=Price(), allowance=allowance)
    part = run.for_model(profile.price)              # limits, deadline and allowance are those of the run
    part.check(prompt_tokens)                        # before each call
    part.charge(usage)                               # after each call
    part.cost_usd, part.usage, part.turns            # of this part alone
    run.spent_usd                                    # of the whole run

An issue and a day have limits too, which other runs spend from at the same time. A run asks its `Allowance` for dollars
when the next call would cost more than it was granted so far.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from coordinator.agent.protocol import Price, Usage
from coordinator.errors import BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Callable


class Allowance(Protocol):
    """Grants a run dollars out of what issue and day have left."""

    def grant(self, total_usd: float, spent_usd: float) -> float:
        """Return how many dollars the run may have spent in all, at least `total_usd`.

        `spent_usd` is what it has spent by now. Raises `BudgetExceeded` naming the limit that is in the way, and what
        the place raises where the grants are kept.
        """
        ...


class Unlimited:
    """The `Allowance` of a run that shares no limit with others."""

    def grant(self, total_usd: float, spent_usd: float) -> float:  # noqa: ARG002  (whatever is asked for is granted)
        """Grant everything."""
        return math.inf


@dataclass(slots=True)
class Account:
    """What the parts of one run's budget share."""

    allowance: Allowance
    parts: list[Budget] = field(default_factory=list)
    granted: float = 0.0
    """Dollars that the run may have spent in all, as far as it has asked."""


class Budget:
    """What a run may spend, and what it has spent on one model, which `price` belongs to.

    `deadline` is a reading of `time.monotonic()`. Limits hold for all parts of a run together.
    """

    def __init__(
        self,
        *,
        dollars: float,
        tokens: int,
        turns: int,
        deadline: float,
        price: Price,
        allowance: Allowance | None = None,
        account: Account | None = None,
    ) -> None:
        """Begin a run that has spent nothing; `for_model` joins one instead, by its `account`.

        Without an `allowance` the run shares no limit with others.
        """
        self.deadline = deadline
        self.usage = Usage()
        self.cost_usd = 0.0
        self.turns = 0
        self._dollars = dollars
        self._tokens = tokens
        self._turns = turns
        self._price = price
        self._account = account or Account(allowance or Unlimited())
        self._account.parts.append(self)
        self._last = Usage()
        self._longest_reply = 0

    def for_model(self, price: Price, *, seconds: float = math.inf) -> Budget:
        """Return the part of this run's budget for one model. What any part uses counts for all.

        The part ends after so many seconds, with the run at the latest.
        """
        return Budget(
            dollars=self._dollars,
            tokens=self._tokens,
            turns=self._turns,
            deadline=min(self.deadline, time.monotonic() + seconds),
            price=price,
            account=self._account,
        )

    @property
    def remaining_seconds(self) -> float:
        """Wall time that is left; 0 when there is none."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def remaining_turns(self) -> int:
        """Turns that are left to the run; 0 when there are none."""
        return max(0, self._turns - self._all(lambda part: part.turns))

    @property
    def spent_usd(self) -> float:
        """Dollars that the whole run has spent so far. May be read from any thread."""
        return math.fsum(part.cost_usd for part in self._account.parts)

    def charge(self, usage: Usage) -> None:
        """Add one model call, also one that failed after it was billed. Each call is priced by itself (tiers)."""
        self.usage += usage
        self.cost_usd += self._price.cost(usage)
        self._last = usage
        self._longest_reply = max(self._longest_reply, usage.output_tokens)

    def check(self, prompt_tokens: int) -> None:
        """Raise `BudgetExceeded` when a call with a prompt of that size would exceed a limit.

        Raises what the `Allowance` raises, too, where the run needs more than it was granted.
        """
        expected = self._expected(prompt_tokens)
        if not self.remaining_turns:
            raise _exceeded(f"{self._turns} turns", "turns")
        if self.remaining_seconds <= 0:
            raise out_of_time()
        self._check_tokens(expected.total_tokens)
        self._check_dollars(self._price.cost(expected))

    def _check_tokens(self, tokens: int) -> None:
        used = self._all(lambda part: part.usage.total_tokens)
        if used + tokens > self._tokens:
            raise _exceeded(f"{self._tokens} tokens: {used} are used and the next call needs about {tokens}", "tokens")

    def _check_dollars(self, cost: float) -> None:
        spent, limit = self.spent_usd, self._dollars
        if spent + cost > limit:
            raise _exceeded(
                f"{limit:.2f} dollars: {spent:.2f} are spent and the next call costs about {cost:.2f}", "dollars"
            )
        if spent + cost > self._account.granted:
            self._account.granted = self._account.allowance.grant(spent + cost, spent)

    def _all(self, count: Callable[[Budget], int]) -> int:
        return sum(map(count, self._account.parts))

    def _expected(self, prompt_tokens: int) -> Usage:
        """Return what the next call is likely to use: prompt, cached as far as the last one was, and a long reply."""
        cached = self._last.cache_read_tokens + self._last.cache_write_tokens
        read = min(cached, prompt_tokens)
        new = prompt_tokens - read
        if cached:
            return Usage(cache_read_tokens=read, cache_write_tokens=new, output_tokens=self._longest_reply)
        return Usage(input_tokens=prompt_tokens, output_tokens=self._longest_reply)


def out_of_time() -> BudgetExceeded:
    """Return the error of a run whose time is up."""
    return _exceeded("the wall time of this run", "minutes")


def _exceeded(limit: str, key: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"The run's budget ended at {limit}", mend=f"Raise budget.run.{key} in .coordinator.yml, or split the issue"
    )
