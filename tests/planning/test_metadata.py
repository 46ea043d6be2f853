"""What an issue says, in all the ways in which people write it."""

from __future__ import annotations

import time

import pytest

from coordinator.planning.metadata import read_metadata
from coordinator.planning.models import Difficulty

FRONT = """---
title: "Fix #3: it"
number: 12
difficulty: Hard
estimated_context: 35k
agent: opus
blocks: [#12, 13]
blocked_by: "#9, #10"
priority: high
---

Text.
"""

SECTIONS = """\
Something is wrong.

## Context Estimate

~ 35k tokens

## Details
**Difficulty:** `medium` (I think)
- Agent: Haiku
* __Priority__: high

## Dependencies

- **Blocks:** #12, #13
- [ ] Blocked by #9 and #10, because #8 was odd
- Depends on: #4
- #5
"""

FORM = """\
### Difficulty

medium

### Estimated context

_No response_

### Agent

sonnet

### Blocked by

#3
#4
"""


def test_front_matter() -> None:
    found = read_metadata(FRONT)
    assert (found.difficulty, found.estimated_context, found.assigned_agent) == (Difficulty.HARD, 35_000, "opus")
    assert (found.blocks, found.blocked_by, found.priority) == ((12, 13), (9, 10), "high")
    assert set(found.source.values()) == {"front matter"}
    assert found.notes == ()


def test_front_matter_with_windows_line_ends_and_a_byte_order_mark() -> None:
    assert read_metadata("\ufeff" + FRONT.replace("\n", "\r\n")).blocks == (12, 13)


def test_front_matter_with_a_list_below_the_key_and_a_comment() -> None:
    found = read_metadata("---\nblocked_by:\n  - #9\n  - 10 # the other one\nblocks: #4\n---\n")
    assert (found.blocked_by, found.blocks) == ((9, 10), (4,))


def test_headings_and_lines() -> None:
    found = read_metadata(SECTIONS)
    assert (found.difficulty, found.estimated_context, found.assigned_agent) == (Difficulty.MEDIUM, 35_000, "haiku")
    assert (found.blocks, found.blocked_by, found.priority) == ((12, 13), (9, 10, 4, 5), "high")
    assert set(found.source.values()) == {"section"}


def test_an_issue_form() -> None:
    found = read_metadata(FORM)
    assert (found.difficulty, found.assigned_agent, found.blocked_by) == (Difficulty.MEDIUM, "sonnet", (3, 4))
    assert found.estimated_context is None
    assert found.notes == ()


def test_front_matter_comes_before_text_and_text_before_labels() -> None:
    body = "---\ndifficulty: hard\nblocked_by: 1\n---\nDifficulty: easy\nPriority: low\nBlocked by: #2"
    found = read_metadata(body, ["difficulty/medium", "priority/high", "agent: opus", "bug"])
    assert (found.difficulty, found.priority, found.assigned_agent) == (Difficulty.HARD, "low", "opus")
    assert found.blocked_by == (1, 2)
    assert found.source == {
        "difficulty": "front matter",
        "blocked_by": "front matter",
        "priority": "section",
        "assigned_agent": "label",
    }


@pytest.mark.parametrize("value", ["none", "_No response_", "n/a", "-", "None.", "TBD"])
def test_what_stands_for_nothing_is_absent_and_no_note(value: str) -> None:
    found = read_metadata(f"Difficulty: {value}\nBlocked by: {value}\nContext estimate: {value}\nAgent: {value}")
    assert found == read_metadata("")


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("Difficulty: impossible", "difficulty 'impossible' is not understood and is ignored"),
        ("Difficulty: 3", "difficulty '3' is not understood and is ignored"),
        ("Context estimate: a lot", "estimated_context 'a lot' is not understood and is ignored"),
        ("Context estimate: 0", "estimated_context '0' is not understood and is ignored"),
        ("Context estimate: -5", "estimated_context '-5' is not understood and is ignored"),
        ("Agent: the one that can do it", "assigned_agent 'the one that can do it' is not understood and is ignored"),
        ("Blocked by: the release", "blocked_by 'the release' names no issue and is ignored"),
        ("Blocks: org/repo#5", "blocks org/repo#5 is in another repository and is not watched"),
    ],
)
def test_a_value_that_is_not_understood_is_a_note(line: str, note: str) -> None:
    found = read_metadata(line)
    assert found.notes == (note,)
    assert found.blocked_by == ()


def test_a_blocker_in_another_repository_is_kept_apart() -> None:
    found = read_metadata("Blocked by: org/repo#5, #6, org/repo#5\nDepends on: acme/app#7", repository="Acme/App")
    assert (found.blocked_by, found.foreign, found.notes) == ((6, 7), ("org/repo#5",), ())
    assert read_metadata("Blocked by: acme/app#7").foreign == ("acme/app#7",)


def test_a_bad_value_leaves_room_for_a_good_one() -> None:
    found = read_metadata("---\ndifficulty: impossible\n---\nDifficulty: easy")
    assert (found.difficulty, found.source["difficulty"]) == (Difficulty.EASY, "section")


@pytest.mark.parametrize(
    "body",
    [
        "```\nDifficulty: hard\n```",
        "~~~~ yaml\nDifficulty: hard\n```\n~~~\n~~~~",
        "- ```\n  Difficulty: hard\n  ```",
        "```\nDifficulty: hard",
        "> Difficulty: hard",
        "<!-- Difficulty: hard -->",
        "<!--\nDifficulty: hard\n-->",
        "<!-- never closed\nDifficulty: hard",
        "a <!-- b --> c <!--\nDifficulty: hard",
    ],
)
def test_examples_quotes_and_hidden_text_do_not_count(body: str) -> None:
    assert read_metadata(body).difficulty is None


def test_text_behind_a_fence_a_comment_or_a_quote_counts() -> None:
    body = "```\nx\n```\n<!-- x --> <!-- y -->\n> x\nDifficulty: <!-- or hard --> easy"
    assert read_metadata(body).difficulty is Difficulty.EASY


@pytest.mark.parametrize(
    ("front", "note"),
    [
        ("difficulty: [", "the front matter is no valid YAML (line 2) and is ignored"),
        ("a: b: c", "the front matter is no valid YAML (line 2) and is ignored"),
        ("x: " + "[" * 9_000, "the front matter is no valid YAML and is ignored"),
        ("x: " + "9" * 9_000, "the front matter is no valid YAML and is ignored"),
        ("? [a]\n: 1", "the front matter is no valid YAML (line 2) and is ignored"),
    ],
    ids=["open", "colon", "deep", "digits", "unhashable"],
)
def test_bad_front_matter_is_a_note(front: str, note: str) -> None:
    found = read_metadata(f"---\n{front}\n---\nDifficulty: easy")
    assert found.notes == (note,)
    assert found.difficulty is Difficulty.EASY


def test_a_number_too_large_to_print_is_a_note() -> None:
    found = read_metadata(f"---\nestimated_context: 0x{'f' * 9_000}\nblocks: true\n---\n")
    assert found.notes == (
        "estimated_context 'a number that is too large' is not understood and is ignored",
        "blocks 'True' names no issue and is ignored",
    )


@pytest.mark.parametrize("body", ["---\nJust a rule\n---\nDifficulty: easy", "---\nno end\nDifficulty: easy"])
def test_a_rule_is_no_front_matter(body: str) -> None:
    found = read_metadata(body)
    assert found.difficulty is Difficulty.EASY
    assert found.notes == ()


def test_front_matter_that_is_too_long_is_text() -> None:
    assert read_metadata("---\ndifficulty: easy\n" + "# x\n" * 9_000 + "---\n").source == {"difficulty": "section"}


def test_keys_that_are_not_ours_are_let_be() -> None:
    assert read_metadata("---\nassignee: dev\n1: 2\nblocks: ~\n---\nStatus: done") == read_metadata("")


def test_notes_are_bounded() -> None:
    assert len(read_metadata("Difficulty: impossible\n" * 500).notes) == 20


def test_prose_below_a_dependencies_heading_is_not_a_complaint() -> None:
    found = read_metadata("## Dependencies\nWe need the parser first.\n- #9\n## Other\n- #10")
    assert (found.blocked_by, found.notes) == ((9,), ())


@pytest.mark.parametrize(
    "body",
    [
        "-" * 200_000,
        "~" * 200_000,
        "# " * 100_000,
        "Context estimate: " + "~ " * 100_000,
        "Blocked by: " + "#1, " * 60_000,
        " " * 200_000 + "x",
        "<!--" * 60_000,
        "*_" * 100_000,
        "---\n" + "[#1, " * 3_000 + "\n---\n",
    ],
    ids=["rule", "fence", "heading", "amount", "list", "blank", "comment", "marks", "yaml"],
)
def test_hostile_text_takes_no_time(body: str) -> None:
    start = time.process_time()
    read_metadata(body)
    assert time.process_time() - start < 2.0
