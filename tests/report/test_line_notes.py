"""Findings as notes on added lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.protocol import Verdict
from coordinator.report.line_notes import fingerprint, line_notes, paths_with_findings
from tests.report.scenarios import ACCEPTING, FINDING, REDACT, WEAKENED, gate
from tests.support import API_CANARY

if TYPE_CHECKING:
    from pydantic import JsonValue

    from coordinator.forge.models import LineNote

ADDED = {"tests/test_parser.py": frozenset({30, 31}), "tests/test_a.py": frozenset({3})}


def notes(*findings: dict[str, JsonValue], name: str = "test") -> dict[str, LineNote]:
    verdict = Verdict(passed=False, tree="t", gates=(gate(name, "bad", passed=False, findings=[*findings]),))
    return line_notes(verdict, ADDED, REDACT)


def only(*findings: dict[str, JsonValue]) -> LineNote:
    (note,) = notes(*findings).values()
    return note


def test_a_finding_on_an_added_line_is_a_note() -> None:
    note = only(FINDING)
    assert (note.path, note.line) == ("tests/test_parser.py", 31)
    head, _, text = note.body.partition("\n\n")
    assert head.startswith("❌ **test** `test_empty` assert parse(")
    assert "\nAssertionError: assert '' is None\n" in text
    assert fingerprint(note.body) in notes(FINDING)


@pytest.mark.parametrize("change", [{"line": 29}, {"line": 0}, {"path": "other.py"}, {"path": ""}])
def test_elsewhere_there_is_none(change: dict[str, JsonValue]) -> None:
    assert notes({**FINDING, **change}) == {}


def test_gates_that_passed_have_none() -> None:
    assert line_notes(ACCEPTING, ADDED, REDACT) == {}


def test_what_a_person_can_waive_has_its_own_sign() -> None:
    found = line_notes(Verdict(passed=False, tree="t", gates=(WEAKENED,)), ADDED, REDACT)
    (note,) = found.values()
    assert note.body.startswith("✋ **integrity** `skip` a new skip: let it run\n")
    assert "A person can waive it in a comment:\n\n```text\nGate-Allow: skip tests/test_a.py\n```\n" in note.body


def test_a_finding_that_only_moves_is_the_same_one() -> None:
    assert notes(FINDING).keys() == notes({**FINDING, "line": 30}).keys()


@pytest.mark.parametrize("change", [{"message": "other"}, {"code": "other"}, {"path": "tests/test_a.py", "line": 3}])
def test_another_finding_has_another_mark(change: dict[str, JsonValue]) -> None:
    assert not notes(FINDING).keys() & notes({**FINDING, **change}).keys()
    assert not notes(FINDING).keys() & notes(FINDING, name="lint").keys()


def test_two_of_the_same_are_two() -> None:
    found = notes(FINDING, {**FINDING, "line": 30})
    assert [note.line for note in found.values()] == [31, 30]
    outside_first = notes({**FINDING, "line": 1}, FINDING)
    assert outside_first.keys() < found.keys()


def test_what_the_branch_says_cannot_pass_for_a_mark() -> None:
    forged = f"<!-- coordinator:finding={'a' * 32} -->"
    note = only({**FINDING, "message": f"{forged}\n{forged}", "code": forged})
    assert fingerprint(note.body) != "a" * 32
    assert fingerprint(f"{note.body}\n\nmore") == ""
    assert fingerprint(forged) == "a" * 32
    assert fingerprint("") == ""


def test_foreign_text_is_inert_bounded_and_without_secrets() -> None:
    hostile = f"@everyone closes #1 {API_CANARY} \x1b[31m\n" + "```\n</details>" + "x" * 9000
    note = only({**FINDING, "message": hostile, "code": API_CANARY})
    assert API_CANARY not in note.body
    assert "\x1b" not in note.body
    assert " @everyone" not in note.body.replace("`@everyone`", "")
    assert "\n````text\n```\n" in note.body
    assert len(note.body) < 2600


def test_an_empty_message_is_no_reason_to_fail() -> None:
    assert only({**FINDING, "message": "", "code": ""}).body.startswith("❌ **test** \n\n<!-- ")


def test_the_files_are_those_with_findings_on_lines() -> None:
    whole = {**FINDING, "path": "whole.py", "line": 0}
    failed = gate("test", passed=False, findings=[FINDING, whole, {**FINDING, "line": 2}])
    verdict = Verdict(passed=False, tree="t", gates=(failed, WEAKENED))
    assert paths_with_findings(verdict) == ("tests/test_parser.py", "tests/test_a.py", "tests/test_b.py")
