"""How far off the estimates were so far: what runs have needed, by what was expected of them."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue


class Comparison(Frozen):
    """What runs have needed, as multiples of what was expected: 1.4 is 40 per cent more."""

    runs: int
    median: float
    lowest: float
    highest: float


class Accuracy(Frozen):
    """How far off the estimates were. None where nothing could be compared yet."""

    context: Comparison | None = None
    """The most tokens in context at once, by the estimate."""
    cost: Comparison | None = None
    """The dollars of the whole run, by the prediction."""


def compare(pairs: Iterable[tuple[float, float]]) -> Comparison | None:
    """Compare what was expected (first) with what was needed. What was expected to be nothing cannot be compared."""
    ratios = [actual / expected for expected, actual in pairs if expected > 0]
    if not ratios:
        return None
    return Comparison(
        runs=len(ratios),
        median=round(statistics.median(ratios), 3),
        lowest=round(min(ratios), 3),
        highest=round(max(ratios), 3),
    )


def accuracy_text(accuracy: Accuracy) -> str:
    """Return one line, ``12 runs, context 1.4 x the estimate in the median (0.6 to 2.9), cost …``, or nothing."""
    parts = [("context", accuracy.context), ("cost", accuracy.cost)]
    known = [(name, comparison) for name, comparison in parts if comparison is not None]
    if not known:
        return ""
    runs = max(comparison.runs for _, comparison in known)
    words = (f"{name} {_words(comparison)}" for name, comparison in known)
    return f"{runs} run{'' if runs == 1 else 's'}, {', '.join(words)}"


def accuracy_json(accuracy: Accuracy | None) -> JsonValue:
    """Return the same for machines; None where nothing could be compared."""
    if accuracy is None or not accuracy_text(accuracy):
        return None
    return accuracy.model_dump(mode="json")


def _words(comparison: Comparison) -> str:
    if comparison.runs == 1:
        return f"{comparison.median:.1f} x the estimate"
    spread = f"{comparison.lowest:.1f} to {comparison.highest:.1f}"
    return f"{comparison.median:.1f} x the estimate in the median ({spread})"
