"""Money for one run out of the budgets of its issue and of the day, granted by atomic changes of the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coordinator.errors import Unreachable
from coordinator.state.money import DaySpent, next_grant
from coordinator.state.transitions import issue_of, with_issue

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from coordinator.state.money import SpendLimits
    from coordinator.state.protocol import StateStore
    from coordinator.state.records import State
    from coordinator.state.transitions import RunIdentity

SLICES: Final = 5
"""In so many slices a run gets what it may spend: with few writes, and without holding much that it never spends."""


class Purse:
    """A `coordinator.agent.budget.Allowance` for a run as long as it has its issue; made by `Claims.purse`."""

    def __init__(
        self,
        store: StateStore,
        identity: RunIdentity,
        number: int,
        *,
        limits: SpendLimits,
        slice_usd: float,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._identity = identity
        self._number = number
        self._limits = limits
        self._slice_usd = slice_usd
        self._now = now
        self.until: datetime | None = None
        """When the next day begins, once the money of this one was not enough."""

    def grant(self, total_usd: float, spent_usd: float) -> float:
        """Grant the run money as `Allowance.grant` says. Raises what the store raises, too."""
        why = f"Issue #{self._number}: money granted (run {self._identity.run}, attempt {self._identity.attempt})"

        def edit(state: State) -> State:
            return self._granted(state, total_usd, spent_usd)

        try:
            state = self._store.change(why, edit)
        except DaySpent as error:
            self.until = error.until
            raise
        claim = issue_of(state, self._number).claim
        return claim.granted_usd if claim else 0.0

    def _granted(self, state: State, total_usd: float, spent_usd: float) -> State:
        issue, now = issue_of(state, self._number), self._now()
        claim = issue.claim
        if claim is None or not self._identity.has(claim):
            raise Unreachable(
                f"This run has no claim on issue #{self._number} any more, so it gets no more money for it",
                mend="Look at the comment of the run that has it; nothing needs to be done here",
            )
        if total_usd <= claim.granted_usd:
            return state  # the answer to an earlier change was lost
        amount = next_grant(state, self._number, self._limits, now, total_usd=total_usd, slice_usd=self._slice_usd)
        update = {"granted_usd": amount, "spent_usd": max(spent_usd, claim.spent_usd)}
        return with_issue(state, issue.model_copy(update={"claim": claim.model_copy(update=update)}), now)
