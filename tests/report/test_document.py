"""The JSON document, the page, the evidence and the progress."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coordinator.report.console import LogSyntax
from coordinator.report.document import json_report
from coordinator.report.evidence import LINE_LIMIT, evidence_lines
from coordinator.report.models import Outcome, Step, StepState
from coordinator.report.page import report_page
from coordinator.report.progress import PlainProgress, TerminalProgress, activity_line, open_progress
from coordinator.report.summary import job_summary
from tests.report.scenarios import BASE, FINDING, FIRST, REDACT, REPORTS, clean, gate, steps
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

KEYS = [
    "outcome",
    "reason",
    "exit_code",
    "issue",
    "agent",
    "plan",
    "branch",
    "commit",
    "pull_request",
    "attempts",
    "usage",
    "cost_usd",
    "report",
]


def test_the_document_has_the_promised_shape() -> None:
    document = json.loads(json.dumps(json_report(clean(REPORTS["completed"]))))
    assert list(document) == KEYS
    assert (document["outcome"], document["exit_code"]) == ("completed", 0)
    assert document["issue"] == {"number": 42, "title": "Parser fails on empty input"}
    assert document["pull_request"] == {"number": 57, "url": "https://forge.example/acme/app/pulls/57", "draft": False}
    assert document["plan"]["agent"] == "haiku"
    assert document["usage"] == {
        "input_tokens": 12_345,
        "output_tokens": 6_789,
        "cache_read_tokens": 400_000,
        "cache_write_tokens": 30_000,
    }
    first = document["attempts"][0]
    assert list(first) == ["number", "agent", "turns", "seconds", "verdict"]
    assert list(first["verdict"]) == ["passed", "tree", "gates"]
    assert list(first["verdict"]["gates"][0]) == ["gate", "passed", "message", "details", "seconds"]


def test_a_refused_event_has_the_same_keys() -> None:
    document = json_report(clean(REPORTS["refused"].model_copy(update={"issue_number": None})))
    assert list(document) == KEYS
    assert (document["outcome"], document["exit_code"], document["issue"], document["plan"]) == (
        "refused",
        3,
        None,
        None,
    )
    assert json_report(clean(BASE))["outcome"] is None


def test_evidence_lines() -> None:
    result = gate(
        "test", "1 failed", passed=False, findings=[FINDING, {"message": ""}, {"no": 1}, 3], files=2, output="a\nb"
    )
    assert evidence_lines(result, 20) == [
        "1 failed",
        "tests/test_parser.py:31: test_empty assert parse('') is None",
        "    AssertionError: assert '' is None",
        "",
        "a",
        "b",
    ]


def test_evidence_is_bounded() -> None:
    lines = evidence_lines(gate("test", "x" * 900, passed=False, output="y\n" * 50), 20)
    assert len(lines) == 20
    assert len(lines[0]) == LINE_LIMIT + 1
    assert lines[-1] == "… and 32 more lines"


def test_the_page_is_one_file_without_script_or_outside_resource() -> None:
    for report in REPORTS.values():
        page = report_page(clean(report))
        assert page.startswith("<!doctype html>")
        assert "<script" not in page
        assert not re.search(r"<(?:link|img|iframe|object|embed)\b", page)
        assert set(re.findall(r"\b(?:src|href)=\"([^\"]*)\"", page)) <= {
            "https://forge.example/acme/app/pulls/57",
            "https://forge.example/acme/app/actions/runs/1187",
        }
        assert "default-src 'none'" in page


def test_the_page_escapes_everything() -> None:
    attack = "<script>alert(1)</script>\"'&"
    report = REPORTS["rejected"].model_copy(
        update={
            "issue_title": attack,
            "reason": attack,
            "summary": attack,
            "notes": (attack,),
            "settings": {attack: attack},
            "pull_request": None,
            "attempts": (
                FIRST.model_copy(
                    update={
                        "agent": attack,
                        "verdict": FIRST.verdict.model_copy(update={"gates": (gate(attack, attack, passed=False),)}),
                    }
                ),
            ),
        }
    )
    page = report_page(clean(report))
    assert "<script>" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 8


def test_the_page_links_only_to_web_addresses() -> None:
    pull_request = REPORTS["completed"].pull_request
    assert pull_request is not None
    bad = pull_request.model_copy(update={"url": "javascript:alert(1)"})
    page = report_page(clean(REPORTS["completed"].model_copy(update={"pull_request": bad, "job_url": "x"})))
    assert "javascript:" not in page
    assert "href" not in page


def test_the_page_says_what_matters_per_outcome() -> None:
    assert "<span>completed</span>" in report_page(clean(REPORTS["completed"]))
    assert "<span>working</span>" in report_page(clean(REPORTS["working"]))
    lying = REPORTS["completed"].model_copy(update={"attempts": (FIRST,)})
    assert "<span>not done</span>" in report_page(clean(lying))
    empty = FIRST.model_copy(update={"verdict": FIRST.verdict.model_copy(update={"gates": ()})})
    assert "Nothing was checked." in report_page(clean(lying.model_copy(update={"attempts": (empty,)})))


def test_the_summary_shows_both_attempts_side_by_side() -> None:
    assert "| gate | attempt 1 | attempt 2 |" in job_summary(clean(REPORTS["completed"]))
    assert "1 of 3" in job_summary(clean(REPORTS["rejected"]))
    unlimited = REPORTS["rejected"].model_copy(update={"attempt_limit": None})
    assert "| attempts | 1 |" in job_summary(clean(unlimited))


def show(syntax: LogSyntax) -> str:
    stream = io.StringIO()
    with open_progress(stream, syntax=syntax, redact=REDACT) as progress:
        assert isinstance(progress, PlainProgress)
        progress.update(clean(BASE))
        progress.update(clean(REPORTS["working"]))
        progress.update(clean(REPORTS["working"]))
        progress.update(clean(BASE.model_copy(update={"steps": (Step(name="Claim", state=StepState.FAILED),)})))
        progress.say(f"a very long message {'x' * 300} {FORGE_CANARY}")
    return stream.getvalue()


def test_plain_progress_is_one_line_per_change() -> None:
    assert show(LogSyntax.PLAIN).splitlines() == [
        "Event verified: label agent by @dev, write access",
        "Planned: difficulty easy, about 38k tokens, blocked by none",
        "Branch ready: base main@1a2b3c4",
        "attempt 2 · turn 14/60 · context 61 % · $0.42 · bash: pytest -q",
        "failed: Claim",
        f"a very long message {'x' * 300} ***",
    ]


def test_progress_in_a_runner_is_harmless() -> None:
    activity = REPORTS["working"].activity
    assert activity is not None
    hostile = REPORTS["working"].model_copy(
        update={"activity": activity.model_copy(update={"text": "x ##[add-mask]y\n::error::z"})}
    )
    stream = io.StringIO()
    with open_progress(stream, syntax=LogSyntax.GITHUB, redact=REDACT) as progress:
        progress.update(clean(hostile))
    assert "##[" not in stream.getvalue()
    assert "::" not in stream.getvalue()


def test_there_is_no_activity_line_when_nothing_goes_on() -> None:
    assert activity_line(clean(BASE)) == ""


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A real terminal: what is written to the stream can be read from the other end."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        yield stream, ours
    os.close(ours)


def test_a_terminal_that_cannot_be_drawn_on_gets_plain_lines(
    terminal: tuple[TextIO, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream, reading = terminal
    with open_progress(stream, syntax=LogSyntax.PLAIN, redact=REDACT) as progress:
        assert isinstance(progress, PlainProgress)
        progress.update(clean(REPORTS["completed"]))
    stream.flush()
    assert "Event verified" in os.read(reading, 100_000).decode()


def test_a_terminal_gets_a_live_display(terminal: tuple[TextIO, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, reading = terminal
    attack = REPORTS["working"].model_copy(
        update={"steps": (*steps(3, "Implement"), Step(name="x", detail="\x1b]0;t\x07y"))}
    )
    with open_progress(stream, syntax=LogSyntax.PLAIN, redact=REDACT) as progress:
        assert isinstance(progress, TerminalProgress)
        progress.update(clean(attack))
        progress.say(f"message [bold] :tada: {FORGE_CANARY}")
        progress.update(clean(REPORTS["completed"]))
    stream.flush()
    shown = os.read(reading, 100_000).decode()
    assert "✓ Event verified" in re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "message [bold] :tada: ***" in shown
    assert "test" in shown
    assert "\x1b]0" not in shown
    assert FORGE_CANARY not in shown


def test_a_terminal_in_a_runner_gets_plain_lines(terminal: tuple[TextIO, int]) -> None:
    stream, _ = terminal
    assert isinstance(open_progress(stream, syntax=LogSyntax.GITEA, redact=REDACT), PlainProgress)


def test_heavy_imports_are_left_to_those_who_need_them() -> None:
    code = (
        "import sys, coordinator.report.comment, coordinator.report.summary, coordinator.report.progress,"
        " coordinator.report.page, coordinator.report.document, coordinator.report.outputs;"
        "print([name for name in ('rich', 'jinja2', 'httpx', 'anthropic', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_outcome_but_skipped_has_a_scenario() -> None:
    assert {report.outcome for report in REPORTS.values()} == {*Outcome, None} - {Outcome.SKIPPED}


def test_a_summary_without_settings_has_no_table_of_them() -> None:
    bare = REPORTS["completed"].model_copy(update={"settings": {}, "timeline": ()})
    assert "Configuration" not in job_summary(clean(bare))


def test_the_page_of_work_that_needs_a_person_has_the_lines_to_write() -> None:
    page = report_page(clean(REPORTS["needs-person"]))
    assert "<h1><span>needs a person</span>" in page
    assert '<header class="busy">' in page
    assert "<pre>Gate-Allow: skip tests/test_a.py\nGate-Allow: skip tests/test_b.py</pre>" in page
    assert "comment <code>/coordinator retry</code>" in page
    assert '<td class="sign attention">✋</td>' in page
    assert '<td class="sign failed">✗</td>' in page
    assert "A person decides" not in report_page(clean(REPORTS["rejected"]))
