"""A gate that was ended because another one had failed is told from one that failed, wherever a verdict is shown."""

from __future__ import annotations

import io
import re
import xml.parsers.expat

from coordinator.gates.protocol import GateResult, Verdict
from coordinator.report.comment import comment_body
from coordinator.report.console import Console, LogSyntax
from coordinator.report.states import gate_mark, state_word
from coordinator.report.verdict_junit import verdict_junit
from coordinator.report.verdict_text import verdict_annotations, verdict_text
from tests.report.scenarios import CHECKS, FINDING, REPORTS, clean, gate

WHY = "not finished: stopped after lint failed"
CUT = GateResult(gate="test", passed=False, message=WHY, details={"state": "error", "unfinished": True}, seconds=6.1)
VERDICT = Verdict(
    passed=False, tree="9daeafb9864c", gates=(gate("lint", "1 finding", passed=False, findings=[FINDING]), CUT)
)


def test_the_text_has_a_word_of_its_own_for_it_and_asks_for_it_again() -> None:
    lines = verdict_text(VERDICT, again=" ".join).splitlines()
    assert lines[1] == f"UNFINISHED  test     6.1s  {WHY}"
    assert lines[-1].endswith("lint test")
    assert verdict_text(VERDICT, colour=True).splitlines()[1].startswith("\x1b[33mUNFINISHED\x1b[0m  test")


def test_json_says_so_in_its_details() -> None:
    document = VERDICT.model_dump(mode="json")
    assert document["gates"][1]["details"] == {"state": "error", "unfinished": True}
    assert document["gates"][1]["message"] == WHY


def test_github_gets_a_warning_and_an_error_for_what_failed() -> None:
    stream = io.StringIO()
    verdict_annotations(VERDICT, Console(stream, syntax=LogSyntax.GITHUB, redact=str))
    lines = stream.getvalue().splitlines()
    assert lines[1] == f"UNFINISHED test: {WHY}"
    assert [line.partition(" ")[0].partition("::test")[0] for line in lines[2:]] == ["::error", "::warning"]
    assert lines[-1] == f"::warning::test: {WHY}"


def test_junit_counts_it_as_skipped() -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = lambda tag, attributes: seen.append((tag, attributes))
    parser.Parse(verdict_junit(VERDICT), True)
    numbers = [
        {name: one[name] for name in ("tests", "failures", "errors", "skipped")} for tag, one in seen if "suite" in tag
    ]
    assert [list(each.values()) for each in numbers] == [
        ["2", "1", "0", "1"],
        ["1", "1", "0", "0"],
        ["1", "0", "0", "1"],
    ]
    assert seen[-1] == ("skipped", {"message": WHY})


def test_the_comment_marks_it_apart() -> None:
    rejected = REPORTS["rejected"]
    attempt = rejected.attempts[0].model_copy(update={"verdict": VERDICT})
    body = comment_body(clean(rejected.model_copy(update={"attempts": (attempt,)})))
    row = next(line for line in body.splitlines() if line.startswith("| test"))
    assert f"{gate_mark(CUT)} {WHY}" in row
    assert "❌" not in row
    assert "⚠️" not in row


def test_the_first_failure_is_the_one_that_ended_it() -> None:
    rejected = REPORTS["rejected"]
    turned = Verdict(passed=False, tree="t", gates=(CUT, VERDICT.gates[0]))
    report = clean(
        rejected.model_copy(update={"attempts": (rejected.attempts[0].model_copy(update={"verdict": turned}),)})
    )
    assert "<summary>First failure of attempt 1: lint</summary>" in comment_body(report)
    check = clean(CHECKS["check-rejected"].model_copy(update={"attempts": report.attempts}))
    assert re.findall(r"<summary>(\w+): why it failed", comment_body(check)) == ["lint"]


def test_a_gate_that_passed_or_broke_is_never_called_unfinished() -> None:
    broken = CUT.model_copy(update={"details": {"state": "error"}})
    passed = CUT.model_copy(update={"passed": True})
    assert [state_word(each) for each in (broken, passed)] == ["ERROR", "passed"]
    assert gate_mark(CUT) not in {gate_mark(broken), gate_mark(passed)}
