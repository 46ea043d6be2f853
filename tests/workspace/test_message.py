from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from coordinator.workspace.message import commit_message, inert
from tests.workspace.parts import git_bytes


def test_a_plain_summary_becomes_subject_body_and_trailer() -> None:
    assert (
        commit_message("Add a cache\n\nIt is bounded.\n", issue=12) == "Add a cache\n\nIt is bounded.\n\nIssue: #12\n"
    )


def test_a_summary_of_one_line_has_no_body() -> None:
    assert commit_message("Add a cache", issue=12) == "Add a cache\n\nIssue: #12\n"


@pytest.mark.parametrize("summary", ["", " \n\t\n", "\x00\x01", "Co-authored-by: A <a@b.c>"])
def test_an_empty_summary_gets_words_of_ours(summary: str) -> None:
    assert commit_message(summary, issue=3) == "Work on issue 3\n\nIssue: #3\n"


def test_a_long_first_line_is_cut_at_a_word_and_kept_whole_in_the_body() -> None:
    words = "word " * 30
    subject, _, rest = commit_message(words, issue=1).partition("\n")
    assert len(subject) <= 72
    assert subject.endswith("word…")
    assert words.strip() in rest


@pytest.mark.parametrize("piece", ["b", "a.", "a-", "[", "@", "#1", " ", "[no ", "x:/"])
def test_a_huge_body_is_cut_before_it_can_take_long(piece: str) -> None:
    started = time.monotonic()
    message = commit_message("a\n\n" + piece * 1_000_000, issue=1)
    assert len(message) < 5000
    assert message.endswith("\n\nIssue: #1\n")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "line",
    [
        "Co-authored-by: Maintainer <m@example.org>",
        "co-authored-by : Maintainer <m@example.org>",
        "* Signed-off-by: Maintainer <m@example.org>",
        "Reviewed-by: Maintainer <m@example.org>",
        "On-behalf-of: @org <o@example.org>",
        "skip-checks: true",
        "Issue: #99",
        "Change-Id: I123",
    ],
)
def test_trailers_of_the_agent_do_not_survive(line: str) -> None:
    message = commit_message(f"Subject\n\nBody.\n\n{line}", issue=5)
    parsed = git_bytes(Path("/"), "interpret-trailers", "--parse", stdin=message.encode())
    assert parsed == b"Issue: #5\n"
    assert "Maintainer" not in message
    assert "99" not in message


@pytest.mark.parametrize(
    "switch",
    ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[Actions Skip]", "[[skip ci]]", "[skip-ci]", "[x CI]"],
)
def test_switches_for_the_runner_are_off(switch: str) -> None:
    text = inert(f"Done {switch} now").lower()
    assert not re.search(r"\[[a-z -]+\]", text)
    assert switch.lower().strip("[]") in text


def test_the_starred_switch_is_off() -> None:
    assert inert("a ***NO_CI*** b") == "a NO_CI b"


@pytest.mark.parametrize(
    "reference",
    ["#9", "owner/repo#9", "GH-9", "gh-9", "!9", "(#9)", "https://forge.example/o/r/issues/9", "C#9"],
)
def test_references_to_other_issues_are_inert(reference: str) -> None:
    text = inert(f"This closes {reference} at last")
    assert not re.search(r"[#!]\d|GH-\d|://", text, re.IGNORECASE)
    assert "9" in text


def test_mentions_are_inert_and_addresses_of_mail_stay() -> None:
    assert inert("Thanks @alice (@org/team), a@b.c") == "Thanks @ alice (@ org/team), a@b.c"


def test_what_does_not_print_is_gone() -> None:
    assert inert("a\x00b\x1b[31mc\u202ed\u200be\ud800f\rg\th") == "ab[31mcdef\ng   h"


def test_ordinary_words_stay_as_they_are() -> None:
    text = "Use a[i] and f(x): note that C# and #hash stay\n\n- Self-test passes\n- no change to ci"
    assert inert(text) == text
