"""What one run on an issue may spend: its own budget, and what issue and day grant it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from coordinator.agent.budget import Budget
from coordinator.agent.protocol import Price
from coordinator.state.money import SpendLimits
from coordinator.state.purse import SLICES

if TYPE_CHECKING:
    from datetime import datetime

    from coordinator.agent.budget import Allowance
    from coordinator.configuration import BudgetSection, RunBudget
    from coordinator.planning.models import AgentProfile
    from coordinator.settings import Settings
    from coordinator.state.claims import Claims

FIRST_PROMPT_TOKENS: Final = 5_000
"""System prompt, tools and a task of middling length: what the first call of an agent asks with, at least."""


def spend_limits(budget: BudgetSection) -> SpendLimits:
    """Return what all runs on an issue, and all runs of a day, may spend together."""
    return SpendLimits(issue_usd=budget.issue.dollars, day_usd=budget.day.dollars)


def run_budget(limits: RunBudget, allowance: Allowance | None = None) -> Budget:
    """Return the budget of a run whose time begins now."""
    return Budget(
        dollars=limits.dollars,
        tokens=limits.tokens,
        turns=limits.turns,
        deadline=time.monotonic() + limits.minutes * 60,
        price=Price(),
        allowance=allowance,
    )


class RunMoney:
    """The budget of one run, whose time begins now."""

    def __init__(self, settings: Settings, claims: Claims, number: int) -> None:
        section, is_shared = settings.configuration.budget, not settings.dry_run
        self.limits = spend_limits(section)
        self._purse = claims.purse(number, limits=self.limits, slice_usd=section.run.dollars / SLICES)
        # A dry run has no claim that a grant could stand in.
        self.budget = run_budget(section.run, self._purse if is_shared else None)

    @property
    def until(self) -> datetime | None:
        """When the next day begins, once the money of this one was not enough for the next call."""
        return self._purse.until

    def check(self, profile: AgentProfile, *, prompt_tokens: int = FIRST_PROMPT_TOKENS) -> None:
        """Raise `BudgetExceeded` where not even one call of that profile can be paid."""
        self.budget.for_model(profile.price).check(prompt_tokens)
