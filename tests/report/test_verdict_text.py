"""A verdict on the terminal and in GitHub's log."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.protocol import Verdict
from coordinator.report.console import Console, LogSyntax
from coordinator.report.evidence import waiver_lines
from coordinator.report.line_notes import paths_with_findings
from coordinator.report.sections import join_within
from coordinator.report.verdict_junit import verdict_junit
from coordinator.report.verdict_text import verdict_annotations, verdict_text
from tests.report.scenarios import ACCEPTING, FINDING, REJECTING, WEAKENED, gate

if TYPE_CHECKING:
    from pydantic import JsonValue


def written(verdict: Verdict, syntax: LogSyntax) -> list[str]:
    stream = io.StringIO()
    verdict_annotations(verdict, Console(stream, syntax=syntax, redact=str))
    return stream.getvalue().splitlines()


def test_an_accepting_verdict() -> None:
    lines = verdict_text(ACCEPTING).splitlines()
    assert lines[0] == "passed  build        6.1s  mypy --strict finds nothing in 12 files"
    assert lines[-1] == "accepted: tree 4b825dc642cb"
    assert len(lines) == 6


def test_a_rejecting_verdict_shows_evidence_and_how_to_repeat_it() -> None:
    failed = gate("test", "1 failed\x1b[31m", passed=False, findings=[FINDING], command="pytest -q")
    bare = gate("lint", "ruff did not start", passed=False)
    text = verdict_text(Verdict(passed=False, tree="9daeafb9864c", gates=(failed, bare)))
    assert text.splitlines() == [
        "FAILED  test     6.1s  1 failed",
        "FAILED  lint     6.1s  ruff did not start",
        "",
        "test:",
        "  tests/test_parser.py:31: test_empty assert parse('') is None",
        "      AssertionError: assert '' is None",
        "  to repeat it: pytest -q",
        "",
        "rejected: tree 9daeafb9864c",
    ]


def test_lines_that_no_test_ran_are_shown_where_coverage_is_too_low() -> None:
    missing: list[JsonValue] = [
        {"path": "toy/a.py", "percent": 40.0, "lines": "3-5, 9"},
        {"path": "src/b.js", "lines": "1"},
    ]
    failed = gate("coverage", "60.00 % of toy is covered", passed=False, missing=missing)
    text = verdict_text(Verdict(passed=False, tree="9daeafb9864c", gates=(failed,)))
    assert text.splitlines()[2:5] == [
        "coverage:",
        "  toy/a.py: never executed: 3-5, 9",
        "  src/b.js: never executed: 1",
    ]


def test_the_four_states_are_told_apart_in_words_and_colours() -> None:
    failed = gate("test", "1 failed", passed=False)
    broken = gate("lint", "ruff did not start", passed=False)
    broken = broken.model_copy(update={"details": {"state": "error"}})
    verdict = Verdict(passed=False, tree="9d", gates=(ACCEPTING.gates[0], failed, broken, WEAKENED))
    plain = verdict_text(verdict).splitlines()
    assert [line.split()[0] for line in plain[:4]] == ["passed", "FAILED", "ERROR", "ATTENTION"]
    assert [line.index(result.gate) for line, result in zip(plain, verdict.gates, strict=False)] == [11] * 4
    coloured = verdict_text(verdict, colour=True).splitlines()
    starts = ["\x1b[32mpassed   ", "\x1b[31mFAILED   ", "\x1b[33mERROR    ", "\x1b[35mATTENTION"]
    assert [line.partition("\x1b[0m")[0] for line in coloured[:4]] == starts
    assert coloured[4:] == plain[4:]


def test_a_policy_finding_comes_with_the_line_that_waives_it() -> None:
    lines = verdict_text(Verdict(passed=False, tree="9d", gates=(WEAKENED,))).splitlines()
    assert lines[3:8] == [
        "  tests/test_a.py:3: skip a new skip: let it run",
        "  tests/test_b.py:9: skip another",
        "  to allow it, somebody who may write comments on the issue or the pull request:",
        "    Gate-Allow: skip tests/test_a.py",
        "    Gate-Allow: skip tests/test_b.py",
    ]


def test_what_a_person_let_pass_is_no_evidence() -> None:
    verdict = Verdict(passed=False, tree="9d", gates=(WEAKENED,))
    assert "test_c" not in verdict_text(verdict)
    assert "test_c" not in verdict_junit(verdict)
    assert paths_with_findings(verdict) == ("tests/test_a.py", "tests/test_b.py")


def test_each_finding_says_how_it_is_waived_where_findings_stand_alone() -> None:
    verdict = Verdict(passed=False, tree="9d", gates=(WEAKENED,))
    how = "A person can waive it in a comment: Gate-Allow: skip tests/test_a.py"
    said = io.StringIO()
    verdict_annotations(verdict, Console(said, syntax=LogSyntax.GITHUB, redact=str))
    assert f"skip a new skip: let it run {how}\n" in said.getvalue()
    assert f"tests/test_a.py:3: skip a new skip: let it run\n{how}</failure>" in verdict_junit(verdict)


def test_many_waivers_are_counted() -> None:
    findings: list[JsonValue] = [
        {"path": "a", "message": "m", "waiver": f"Gate-Allow: noqa {number}.py"} for number in range(10)
    ]
    many = gate("integrity", passed=False, findings=findings)
    text = verdict_text(Verdict(passed=False, tree="9d", gates=(many,)))
    assert "Gate-Allow: noqa 7.py\n    … and 2 more" in text


@pytest.mark.parametrize(
    "findings",
    [
        "no list",
        [{"message": "a proven fault", "waiver": ""}],
        [{"message": "of another gate"}],
        [{"message": "no text", "waiver": 7}],
        ["text"],
    ],
)
def test_only_what_can_be_waived_has_such_a_line(findings: JsonValue) -> None:
    assert waiver_lines(gate("integrity", passed=False, findings=findings)) == ()


def test_what_to_do_next_names_the_command_for_the_failed_gates() -> None:
    failed = gate("test", "1 failed", passed=False)
    verdict = Verdict(passed=False, tree="9d", gates=(ACCEPTING.gates[0], failed, WEAKENED))
    lines = verdict_text(verdict, again=" ".join).splitlines()
    assert lines[-1] == "next: mend it, commit, and look again with: test integrity"
    assert "next" not in verdict_text(ACCEPTING, again=" ".join)


def test_annotations_for_github() -> None:
    hostile = {**FINDING, "path": "a,b:c.py", "line": 0, "message": "::error::x 50 %\nnext"}
    failed = gate("test", "2 failed", passed=False, findings=[FINDING, hostile])
    bare = gate("lint", "ruff did not start", passed=False)
    assert written(Verdict(passed=False, tree="t", gates=(failed, bare)), LogSyntax.GITHUB) == [
        "FAILED test: 2 failed",
        "FAILED lint: ruff did not start",
        (
            "::error file=tests/test_parser.py,line=31,title=coordinator/test"
            "::test_empty assert parse('') is None AssertionError: assert '' is None"
        ),
        "::error file=a%2Cb%3Ac.py,title=coordinator/test::test_empty : :error: :x 50 %25 next",
        "::error::lint: ruff did not start",
    ]


def test_annotations_elsewhere_are_lines() -> None:
    lines = written(REJECTING, LogSyntax.GITEA)
    assert lines[-1].startswith("error: tests/test_parser.py:31: test_empty assert parse('')")
    whole = {**FINDING, "line": 0}
    failed = gate("build", "bad", passed=False, findings=[whole])
    lines = written(Verdict(passed=False, tree="t", gates=(failed,)), LogSyntax.PLAIN)
    assert lines[-1].startswith("error: tests/test_parser.py: test_empty")
    assert written(ACCEPTING, LogSyntax.GITHUB)[0] == "passed build: mypy --strict finds nothing in 12 files"


def test_sections_are_dropped_in_order_until_they_fit() -> None:
    assert join_within(100, ["a", "", "b"], optional=()) == "a\n\nb\n"
    assert join_within(10, ["a", "b" * 9, "c"], optional=(1, 2)) == "a\n\nc\n"
    assert join_within(3, ["a" * 9, "b"], optional=(1,)) == "aaa"
