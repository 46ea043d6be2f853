"""What people read about a pull request that was judged."""

from __future__ import annotations

import re

import pytest

from coordinator.gates.protocol import Verdict
from coordinator.report.comment import COMMENT_LIMIT, comment_body
from coordinator.report.document import json_report
from coordinator.report.models import Outcome, PullRequestReport
from coordinator.report.outputs import action_outputs
from coordinator.report.page import report_page
from coordinator.report.summary import SUMMARY_BYTES, job_summary
from coordinator.report.words import headline
from tests.report.scenarios import CHECKS, clean, gate


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_nothing_reads_like_work_of_an_agent(name: str) -> None:
    report = clean(CHECKS[name])
    for text in (comment_body(report), job_summary(report), re.sub(r"(?s)<style>.*</style>", "", report_page(report))):
        assert not re.search(r"(?i)\bagent|attempt|\bturns?\b|\$\d|to stop", text), text


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_the_comment_is_found_by_the_number_of_the_pull_request(name: str) -> None:
    assert comment_body(clean(CHECKS[name])).startswith("<!-- coordinator:v1 issue=58 run=1190 -->\n### ")


def test_a_check_that_says_accepted_without_proof_is_not_green() -> None:
    wrong = CHECKS["check-rejected"].model_copy(update={"outcome": Outcome.COMPLETED})
    assert headline(clean(wrong)) == "⚠️ Not judged — the run says accepted, but its verdict does not · `c0ffee2`"


def test_a_refused_check_says_so() -> None:
    refused = CHECKS["check-failed"].model_copy(update={"outcome": Outcome.REFUSED, "reason": "It leaks. Mend it."})
    assert headline(clean(refused)) == "⚠️ Not judged — It leaks. Mend it · `c0ffee2`"


def test_without_a_commit_the_heading_ends_in_words() -> None:
    unknown = CHECKS["check-running"].model_copy(update={"commit": None})
    assert headline(clean(unknown)) == "🟡 The gates are running"


def test_a_skipped_check_reads_like_any_other_skipped_run() -> None:
    skipped = CHECKS["check-running"].model_copy(update={"outcome": Outcome.SKIPPED, "reason": "It is closed."})
    assert headline(clean(skipped)) == "⏭ Skipped — It is closed"


def test_machines_are_told_of_a_pull_request_and_of_no_issue() -> None:
    report = clean(CHECKS["check-rejected"])
    assert action_outputs(report)["issue"] == ""
    assert action_outputs(report)["pull-request"] == "58"
    document = json_report(report)
    assert document["issue"] is None
    assert document["pull_request"] == {
        "number": 58,
        "url": "https://forge.example/acme/app/pulls/58",
        "draft": False,
    }


def test_every_gate_that_failed_shows_why_and_the_page_opens_it() -> None:
    report = clean(CHECKS["check-rejected"])
    assert re.findall(r"<summary>(\w+): why it failed", comment_body(report)) == ["lint", "test"]
    assert report_page(report).count("<details open><summary>why") == 2


def test_it_stays_within_the_limits_of_the_forges() -> None:
    text = "<|*_`@dev #9 " * 400
    gates = tuple(gate(f"gate-{number}", text, passed=False, output=f"{text}\n" * 30) for number in range(60))
    attempt = CHECKS["check-rejected"].attempts[0]
    verdict = Verdict(passed=False, tree="t", gates=gates)
    report = clean(
        CHECKS["check-rejected"].model_copy(
            update={
                "attempts": (attempt.model_copy(update={"verdict": verdict}),),
                "verified": text,
                "reason": text,
                "issue_title": text,
                "notes": (text,) * 100,
            }
        )
    )
    body = comment_body(report)
    assert len(body) <= COMMENT_LIMIT
    assert "Rejected" not in body, "the reason is the text itself"
    assert "### ❌ " in body
    assert body.count("<details>") == body.count("</details>")
    assert len(job_summary(report).encode()) <= SUMMARY_BYTES


def test_hostile_names_do_nothing() -> None:
    hostile = "` @dev <b>#9</b> | ![x](https://sink.example/x)"
    report = CHECKS["check-rejected"].model_copy(
        update={
            "base": f"{hostile}@1a2b3c4",
            "verified": hostile,
            "issue_title": hostile,
            "pull_request": PullRequestReport(number=58, url="javascript:alert(1)", draft=False),
        }
    )
    for whole in (comment_body(clean(report)), job_summary(clean(report))):
        text = re.sub(r"`[^`\n]+`", "", whole)  # in code marks it can be read and does nothing
        assert "<b>" not in text
        assert "sink.example" not in text
        assert "@dev" not in text
        assert "javascript:" not in text


def test_a_title_in_the_summary_stays_in_its_cell() -> None:
    (row,) = [line for line in job_summary(clean(CHECKS["check-rejected"])).splitlines() if "pull request |" in line]
    assert (
        row
        == "| pull request | [#58](https://forge.example/acme/app/pulls/58) Return None for empty input &#124; `@dev` |"
    )


def test_one_file_is_one_file() -> None:
    report = CHECKS["check-rejected"]
    one = report.model_copy(update={"changes": report.changes.model_copy(update={"files": ("a.py",)})})
    assert "1 file, +24" in job_summary(clean(one))
    assert "1 file, +24" in report_page(clean(one))
