"""What was expected of a run and what it needed: one phrase each, in comment, summary, text and JSON."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

from coordinator.planning.accuracy import Accuracy, Comparison
from coordinator.report.comment import comment_body
from coordinator.report.document import json_report
from coordinator.report.forecast import estimate_and_result, forecast_parts
from coordinator.report.summary import job_summary
from tests.report.scenarios import REPORTS, clean

if TYPE_CHECKING:
    from coordinator.report.models import RunReport

SO_FAR = Accuracy(context=Comparison(runs=3, median=1.25, lowest=0.5, highest=2.0))


def report(**fields: object) -> RunReport:
    """A run that was planned and done, and measured."""
    base = REPORTS["completed"]
    assert base.plan is not None
    plan = base.plan.model_copy(update={"predicted_cost_usd": 0.25})
    return base.model_copy(update={"plan": plan, "peak_context_tokens": 41_234, "cost_usd": 0.5, **fields})


def test_estimate_and_result_stand_side_by_side() -> None:
    done = report()
    assert done.plan is not None
    tokens = f"{done.plan.estimate.tokens:,}"
    assert estimate_and_result(clean(done)) == (
        f"estimated {tokens} tokens of context and $0.25, needed 41,234 and $0.50"
    )
    unpriced = done.plan.model_copy(update={"predicted_cost_usd": None})
    assert estimate_and_result(clean(report(plan=unpriced))) == f"estimated {tokens} tokens of context, needed 41,234"


def test_before_the_end_and_without_a_measure_there_is_nothing_to_compare() -> None:
    for fields in ({"outcome": None}, {"plan": None}, {"peak_context_tokens": None}):
        assert estimate_and_result(clean(report(**fields))) == ""


def test_all_of_it_is_told_everywhere() -> None:
    told = clean(report(accuracy=SO_FAR, agent="sonnet", escalated_from="haiku"))
    first, second, third = forecast_parts(told)
    assert first == "sonnet took over, as haiku was rejected"
    assert second.startswith("estimated ")
    assert third == "estimates so far: 3 runs, context 1.2 x the estimate in the median (0.5 to 2.0)"
    for part in (first, second, third):
        assert part in html.unescape(comment_body(told))
    summary = html.unescape(job_summary(told))
    for name, part in (("escalation", first), ("estimate", second), ("estimates so far", third.partition(": ")[2])):
        assert f"| {name} | {part} |" in summary
    plan = json.loads(json.dumps(json_report(told)))["plan"]
    assert plan["needed"] == {"context_tokens": 41_234, "cost_usd": 0.5}
    assert plan["estimate"]["so_far"]["context"]["runs"] == 3
    assert plan["estimate"]["cost_usd"] == 0.25


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert forecast_parts(clean(report(peak_context_tokens=None))) == []
    assert forecast_parts(clean(report(peak_context_tokens=None, accuracy=Accuracy()))) == []
