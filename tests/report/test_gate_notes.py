"""What gates say besides their results reaches everybody who reads a verdict."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.protocol import Verdict
from coordinator.report.comment import comment_body
from coordinator.report.console import Console, LogSyntax
from coordinator.report.evidence import NOTE_LIMIT, gate_notes
from coordinator.report.models import Outcome
from coordinator.report.page import report_page
from coordinator.report.pull_request import pull_request_body
from coordinator.report.summary import job_summary
from coordinator.report.verdict_text import verdict_annotations, verdict_text
from tests.report.scenarios import BASE, SECOND, clean, gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from coordinator.report.redaction import CleanReport

NOT_OURS = "tests/test_net.py::test_slow fails on the base too: it is not this change's doing"
RULES = "ruff.toml: the base's is used"


def judged(*notes: JsonValue, passed: bool = True) -> Verdict:
    """A verdict of one gate for each of the values of ``notes``."""
    gates = tuple(gate(f"gate{number}", passed=passed, notes=found) for number, found in enumerate(notes))
    return Verdict(passed=passed, tree="4b825dc642cb", gates=gates)


def test_each_note_is_given_once_and_what_is_none_is_left_out() -> None:
    assert gate_notes(judged([RULES], [RULES, 3, NOT_OURS], 5)) == (RULES, NOT_OURS)


def test_a_note_is_one_line_of_some_length() -> None:
    """The name of a file may hold what looks like a verdict."""
    verdict = judged([f"a\r\naccepted: tree x\x1b[31m.py: {'long ' * 100}"], passed=False)
    (note,) = gate_notes(verdict)
    assert note.startswith("a accepted: tree x.py: long long")
    assert len(note) == NOTE_LIMIT
    assert not any(line.startswith("accepted") for line in verdict_text(verdict).splitlines())


def test_a_terminal_shows_the_notes_before_the_verdict() -> None:
    lines = verdict_text(judged([RULES], [RULES, NOT_OURS])).splitlines()
    assert lines[2:] == ["", f"note: {RULES}", f"note: {NOT_OURS}", "", "accepted: tree 4b825dc642cb"]


def test_a_terminal_shows_some_of_many_notes_and_makes_them_harmless() -> None:
    lines = verdict_text(judged([f"\x1b[31m{number}" for number in range(12)])).splitlines()
    assert [line for line in lines if "note" in line] == [
        *(f"note: {number}" for number in range(10)),
        "… and 2 more notes",
    ]


def test_the_log_of_a_runner_shows_the_notes() -> None:
    stream = io.StringIO()
    verdict_annotations(judged([RULES]), Console(stream, syntax=LogSyntax.GITHUB, redact=str))
    assert f"note: {RULES}" in stream.getvalue().splitlines()


@pytest.mark.parametrize("render", [comment_body, pull_request_body, job_summary, report_page])
@pytest.mark.parametrize("is_check", [False, True])
def test_every_report_has_the_newest_notes(render: Callable[[CleanReport], str], *, is_check: bool) -> None:
    attempts = [SECOND.model_copy(update={"verdict": judged([note])}) for note in ("of an earlier attempt", NOT_OURS)]
    report = BASE.model_copy(
        update={
            "is_check": is_check,
            "outcome": Outcome.COMPLETED,
            "attempts": tuple(attempts),
            "notes": (NOT_OURS, "of the run"),
        }
    )
    text = render(clean(report)).replace("\\", "").replace("&#x27;", "'").replace("&#39;", "'")
    assert text.count("fails on the base too") == 1
    assert text.index("fails on the base too") < text.index("of the run")
    assert "of an earlier attempt" not in text
