"""How it is shown that a context was full and a new conversation went on."""

from __future__ import annotations

import pytest

from coordinator.report.comment import comment_body
from coordinator.report.document import json_report
from coordinator.report.models import Activity, CompactionReport
from coordinator.report.page import report_page
from coordinator.report.progress import activity_line
from coordinator.report.summary import job_summary
from coordinator.report.words import reset_line, resets_in_words
from tests.report.scenarios import BASE, REPORTS, clean


def reset(kind: str, before: int, after: int) -> CompactionReport:
    reduction = 1 - after / before
    return CompactionReport(
        kind=kind, tokens_before=before, tokens_after=after, reduction=reduction, seconds=12.0, cost_usd=0.03
    )


RESETS = (reset("compacted", 134_400, 20_000), reset("compacted", 135_600, 21_000), reset("rotated", 160_000, 45_000))


def test_one_reset_is_one_line() -> None:
    assert reset_line(RESETS[0]) == "context compacted: 134,400 → 20,000 tokens (85 % less), $0.03"


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, ""), (1, "1 compacted, 85 % less"), (2, "2 compacted, 85 % less"), (3, "2 compacted, 1 rotated, 80 % less")],
)
def test_all_resets_are_told_in_a_few_words(number: int, words: str) -> None:
    report = clean(REPORTS["completed"].model_copy(update={"compactions": RESETS[:number]}))
    assert resets_in_words(report) == words
    for page in (comment_body(report), job_summary(report), report_page(report)):
        assert ("context resets" in page) is bool(number)
        assert words in page


def test_the_current_turn_says_how_often_the_context_was_full() -> None:
    working = REPORTS["working"]
    assert isinstance(working.activity, Activity)
    for resets, words in ((0, "context 61 %, "), (1, "context 61 % after 1 reset, "), (2, "after 2 resets, ")):
        activity = working.activity.model_copy(update={"resets": resets})
        assert words in comment_body(clean(working.model_copy(update={"activity": activity})))
    assert "context 61 %" in activity_line(clean(working))


def test_the_document_has_every_reset_and_no_key_for_none() -> None:
    document = json_report(clean(REPORTS["completed"].model_copy(update={"compactions": RESETS[2:]})))
    assert document["compactions"] == [
        {
            "kind": "rotated",
            "tokens_before": 160_000,
            "tokens_after": 45_000,
            "reduction": 0.71875,
            "seconds": 12.0,
            "cost_usd": 0.03,
        }
    ]
    assert "compactions" not in json_report(clean(BASE))
