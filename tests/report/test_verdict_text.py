"""A verdict on the terminal and in GitHub's log."""

from __future__ import annotations

import io

from coordinator.gates.protocol import Verdict
from coordinator.report.console import Console, LogSyntax
from coordinator.report.sections import join_within
from coordinator.report.verdict_text import verdict_annotations, verdict_text
from tests.report.scenarios import ACCEPTING, FINDING, REJECTING, gate


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
