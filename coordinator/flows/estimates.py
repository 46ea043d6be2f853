"""How far off the estimates of a repository were so far, from the runs that it remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coordinator.errors import CoordinatorError
from coordinator.planning.accuracy import Accuracy, compare
from coordinator.report.models import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coordinator.state.claims import Claims
    from coordinator.state.records import IssueRecord

_DONE: Final = frozenset({Outcome.COMPLETED, Outcome.REJECTED})
"""Runs that did all of their work. What one needed that was broken off says nothing about the estimate; neither does
one without a turn: it took over what an earlier one had done."""


def estimates_so_far(issues: Mapping[int, IssueRecord]) -> Accuracy:
    """Compare the predictions for all runs that are remembered one by one with what they needed."""
    runs = [run for issue in issues.values() for run in issue.runs if run.outcome in _DONE and run.turns]
    context = ((run.predicted_tokens, run.peak_tokens) for run in runs)
    cost = ((run.predicted_cost_usd, run.cost_usd) for run in runs)
    return Accuracy(
        context=compare((expected, actual) for expected, actual in context if expected and actual),
        cost=compare((expected, actual) for expected, actual in cost if expected),
    )


def ask_estimates(claims: Claims, warn: Callable[[str], None]) -> Accuracy | None:
    """Return the same from a store. One that cannot be read is a warning: no work depends on it."""
    try:
        return estimates_so_far(claims.records())
    except CoordinatorError as error:
        warn(f"how far off earlier estimates were is not known: {error}")
        return None
