"""The comment, the pull request and the summary, per outcome."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import ExitCode
from coordinator.forge.models import Account, Comment
from coordinator.gates.protocol import Verdict
from coordinator.report.comment import COMMENT_LIMIT, comment_body, find_own
from coordinator.report.models import Outcome, Step, StepState
from coordinator.report.pull_request import BODY_LIMIT, TITLE_LIMIT, pull_request_body, pull_request_title
from coordinator.report.summary import SUMMARY_BYTES, job_summary
from coordinator.report.words import dollars, duration
from tests.report.scenarios import ACCEPTING, BASE, FIRST, GOLDEN, REPORTS, SECOND, START, clean, gate, golden_texts

if TYPE_CHECKING:
    from coordinator.report.redaction import CleanReport

ME = Account(id=7, login="coordinator")


def comment(number: int, body: str, author: Account = ME) -> Comment:
    return Comment(id=number, author=author, body=body, created_at=START, updated_at=START)


@pytest.mark.parametrize("name", sorted(golden_texts()))
def test_golden(name: str) -> None:
    assert golden_texts()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(golden_texts())


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_every_comment_carries_its_marker_first(name: str) -> None:
    assert comment_body(clean(REPORTS[name])).startswith("<!-- coordinator:v1 issue=42 run=1187 -->\n### ")


def test_our_comment_is_found_by_marker_and_author() -> None:
    body = comment_body(clean(REPORTS["working"]))
    stranger = Account(id=9, login="coordinator")
    comments = [
        comment(1, "hello"),
        comment(2, body, stranger),
        comment(3, f"quoting:\n{body}"),
        comment(4, body.replace("issue=42", "issue=4")),
        comment(5, body.replace("run=1187", "run=3")),
        comment(6, f"\n{body}", ME.model_copy(update={"login": "renamed"})),
        comment(7, body, stranger),
    ]
    found = find_own(comments, ME, 42)
    assert found is not None
    assert found.id == 6
    assert find_own(comments[:4], ME, 42) is None


def test_a_marker_holds_nothing_that_could_end_it() -> None:
    report = BASE.model_copy(update={"run": "1 --> <b> #9"})
    assert comment_body(clean(report)).startswith("<!-- coordinator:v1 issue=42 run=1b9 -->\n")
    assert comment_body(clean(BASE.model_copy(update={"run": ""}))).startswith("<!-- coordinator:v1 issue=42 -->\n")


@cache
def huge() -> CleanReport:
    """A report in which everything is as long as it can be."""
    text = "<|*_`@dev #9 " * 400
    gates = tuple(gate(f"gate-{number}", text, passed=False, output=f"{text}\n" * 3) for number in range(45))
    verdict = Verdict(passed=False, tree="t", gates=gates)
    report = REPORTS["rejected"].model_copy(
        update={
            "attempts": tuple(
                FIRST.model_copy(update={"number": number, "agent": f"a{number}", "verdict": verdict})
                for number in range(1, 9)
            ),
            "summary": text,
            "notes": (text,) * 100,
            "refused_files": (text,) * 100,
            "reason": text,
            "issue_title": text,
            "agent_note": text,
            "steps": tuple(Step(name=text, detail=text) for _ in range(60)),
            "timeline": REPORTS["rejected"].timeline * 500,
            "settings": {f"{text}{number}": text for number in range(200)},
            "changes": REPORTS["rejected"].changes.model_copy(update={"files": (text,) * 100}),
        }
    )
    return clean(report)


def test_everything_stays_within_the_limits_of_the_forges() -> None:
    report = huge()
    assert len(comment_body(report)) <= COMMENT_LIMIT
    assert len(pull_request_body(report)) <= BODY_LIMIT
    assert len(pull_request_title(report)) <= TITLE_LIMIT + 10
    assert len(job_summary(report).encode()) <= SUMMARY_BYTES
    assert comment_body(report).startswith("<!-- coordinator:v1 issue=42 run=1187 -->")
    assert "Not done" in comment_body(report)


def test_what_is_dropped_first_leaves_folds_and_fences_whole() -> None:
    for body in (comment_body(huge()), pull_request_body(huge())):
        assert body.count("<details>") == body.count("</details>")
        assert body.count("\n```") % 2 == 0


def test_only_accepted_work_closes_the_issue() -> None:
    assert "Closes #42" in pull_request_body(clean(REPORTS["completed"]))
    for name in set(REPORTS) - {"completed"}:
        assert "Closes" not in pull_request_body(clean(REPORTS[name]))


@pytest.mark.parametrize(
    "verdict",
    [
        ACCEPTING.model_copy(update={"passed": False}),
        ACCEPTING.model_copy(update={"gates": ()}),
        ACCEPTING.model_copy(update={"gates": FIRST.verdict.gates}),
    ],
)
def test_a_run_that_says_completed_without_proof_is_not_done(verdict: Verdict) -> None:
    attempts = (SECOND.model_copy(update={"verdict": verdict}),)
    report = clean(REPORTS["completed"].model_copy(update={"attempts": attempts}))
    assert "Not done" in comment_body(report)
    assert "✅ Done" not in job_summary(report)
    assert "Closes #42" not in pull_request_body(report)


def test_a_run_that_says_completed_without_an_attempt_is_not_done() -> None:
    report = clean(REPORTS["completed"].model_copy(update={"attempts": ()}))
    assert "Not done" in comment_body(report)
    assert "No gate has judged this work." in pull_request_body(report)


def test_a_verdict_without_gates_says_that_nothing_was_checked() -> None:
    empty = FIRST.model_copy(update={"verdict": Verdict(passed=False, tree="t", gates=())})
    report = clean(REPORTS["rejected"].model_copy(update={"attempts": (empty,), "gates": ()}))
    assert "Nothing was checked." in pull_request_body(report)
    assert "| gate |" not in comment_body(report)
    assert "First failure" not in comment_body(report)


def test_the_title_names_nobody() -> None:
    report = clean(BASE.model_copy(update={"issue_title": "closes #9 @dev"}))
    assert pull_request_title(report) == "closes # 9 @ dev (#42)"
    assert pull_request_title(clean(BASE.model_copy(update={"issue_title": ""}))) == "Work on the issue (#42)"


def test_where_no_pull_request_could_be_opened_the_page_for_it_is_named() -> None:
    update = {"pull_request": None, "compare_url": "https://forge.example/acme/app/compare/main...x"}
    body = comment_body(clean(REPORTS["completed"].model_copy(update=update)))
    assert "([open the pull request](https://forge.example/acme/app/compare/main...x))" in body
    body = comment_body(clean(REPORTS["completed"].model_copy(update={"pull_request": None})))
    assert "branch [`coordinator/issue-42`](https://" in body


def test_when_nothing_was_pushed_it_says_so() -> None:
    update = {"pull_request": None, "commit": None}
    assert "nothing was pushed" in comment_body(clean(REPORTS["rejected"].model_copy(update=update)))
    assert "work saved" not in comment_body(clean(REPORTS["released"].model_copy(update=update)))
    assert "Gates on tree " in pull_request_body(clean(REPORTS["rejected"].model_copy(update=update)))


def test_agents_are_named_when_they_change() -> None:
    attempts = (FIRST, SECOND.model_copy(update={"agent": "sonnet"}))
    body = comment_body(clean(REPORTS["completed"].model_copy(update={"attempts": attempts})))
    assert "| gate | attempt 1 (haiku) | attempt 2 (sonnet) |" in body


def test_a_gate_that_did_not_run_and_one_that_could_not_be_done() -> None:
    broken = gate("test", "pytest did not start", passed=False).model_copy(update={"details": {"state": "error"}})
    verdict = Verdict(passed=False, tree="t", gates=(broken,))
    report = REPORTS["rejected"].model_copy(update={"attempts": (FIRST.model_copy(update={"verdict": verdict}),)})
    body = comment_body(clean(report))
    assert "| test | ⚠️ pytest did not start |" in body
    assert "| build | – |" in body  # noqa: RUF001  (the sign of an empty cell)


def test_the_name_of_a_gate_does_nothing_in_a_line_where_markdown_is_not_read() -> None:
    result = gate("`<img src=x>` @dev </summary>", passed=False)
    verdict = Verdict(passed=False, tree="t", gates=(result,))
    report = clean(
        REPORTS["rejected"].model_copy(update={"attempts": (FIRST.model_copy(update={"verdict": verdict}),)})
    )
    assert "<summary>First failure of attempt 1: img srcx dev summary</summary>" in comment_body(report)
    assert "<summary>img srcx dev summary: why it failed</summary>" in job_summary(report)
    for body in (comment_body(report), pull_request_body(report), job_summary(report)):
        assert "<img" not in re.sub(r"`[^`]*`", "", body)
        assert body.count("</summary>") == body.count("<summary>")


def test_only_the_last_attempts_are_columns() -> None:
    attempts = tuple(FIRST.model_copy(update={"number": number}) for number in range(1, 7))
    body = comment_body(clean(REPORTS["rejected"].model_copy(update={"attempts": attempts})))
    assert "| gate | attempt 3 | attempt 4 | attempt 5 | attempt 6 |" in body


def test_before_the_first_verdict_the_table_is_empty_or_pending() -> None:
    assert "| gate |" not in comment_body(clean(BASE))
    working = REPORTS["working"].model_copy(update={"attempts": ()})
    assert working.activity is not None
    first = working.activity.model_copy(update={"attempt": 1})
    assert "| build | … |" in comment_body(clean(working.model_copy(update={"activity": first})))


def test_a_working_headline_without_links() -> None:
    update: dict[str, object] = {"job_url": "", "branch_url": "", "agent": "", "how_to_stop": "", "sandbox": ""}
    body = comment_body(clean(BASE.model_copy(update=update)))
    assert "### 🟡 Working — attempt 1 · `coordinator/issue-42`\n" in body
    assert "<sub>Updated 12:04:31 UTC</sub>" in body
    without_branch = BASE.model_copy(update={**update, "branch": None})
    assert "### 🟡 Working — attempt 1\n" in comment_body(clean(without_branch))


def test_a_failed_step_is_marked() -> None:
    update = {"steps": (Step(name="Claim", state=StepState.FAILED, detail="taken by #9"),)}
    assert "- [ ] ❌ Claim — taken by `#9`" in comment_body(clean(BASE.model_copy(update=update)))


def test_a_wait_without_a_plan_says_the_reason() -> None:
    update = {"plan": None, "reason": "waits for something"}
    assert "⏸ Waiting for waits for something" in comment_body(clean(REPORTS["waiting"].model_copy(update=update)))


def test_a_run_without_a_reason_says_that() -> None:
    report = BASE.model_copy(update={"outcome": Outcome.SKIPPED})
    assert "⏭ Skipped — no reason was given" in comment_body(clean(report))


def test_times_are_in_utc_and_never_negative() -> None:
    report = BASE.model_copy(update={"updated_at": START - timedelta(seconds=5)})
    assert report.seconds == 0.0


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.COMPLETED, ExitCode.DONE),
        (Outcome.REJECTED, ExitCode.NOT_ACCEPTED),
        (Outcome.BLOCKED, ExitCode.NOT_ACCEPTED),
        (Outcome.WAITING, ExitCode.DONE),
        (Outcome.RELEASED, ExitCode.DONE),
        (Outcome.SKIPPED, ExitCode.DONE),
        (Outcome.REFUSED, ExitCode.REFUSED),
        (Outcome.FAILED, ExitCode.RETRYABLE),
    ],
)
def test_exit_codes(outcome: Outcome, code: ExitCode) -> None:
    assert outcome.exit_code is code
    assert BASE.model_copy(update={"outcome": outcome}).code == code


def test_the_cause_decides_the_exit_code_and_a_run_without_end_is_not_green() -> None:
    assert REPORTS["failed"].code == ExitCode.NOT_ACCEPTED
    assert BASE.code == ExitCode.RETRYABLE


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.44, "0.4s"), (9.96, "10.0s"), (12, "12s"), (700, "11m 40s"), (7_500, "2h 5m")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("amount", "words"), [(0, "$0.00"), (0.0042, "$0.0042"), (0.91, "$0.91"), (12, "$12.00")])
def test_money(amount: float, words: str) -> None:
    assert dollars(amount) == words
