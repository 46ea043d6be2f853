"""Amounts, difficulties and references."""

from __future__ import annotations

import pytest

from coordinator.planning.models import Difficulty
from coordinator.planning.values import parse_difficulty, parse_references, parse_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("35000", 35_000),
        ("~ 35k tokens", 35_000),
        ("35,000", 35_000),
        ("35 000 tokens.", 35_000),
        ("35\u202f000", 35_000),
        ("35_000", 35_000),
        ("35.000", 35_000),
        ("0.2M", 200_000),
        (".5m", 500_000),
        ("1.5 k", 1_500),
        ("30-40k", 40_000),
        ("30k – 40k tokens", 40_000),  # noqa: RUF001  (people write the long dash)
        ("about 35K (a guess)", 35_000),
        ("<= 50k of context", 50_000),
        ("≤ 50k of context", 50_000),
        ("1,200,000", 1_200_000),
        ("", None),
        ("0", None),
        ("-3", None),
        ("100000001", None),
        ("35k lines", None),
        ("two", None),
        ("9" * 400, None),
    ],
)
def test_amounts(text: str, tokens: int | None) -> None:
    assert parse_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "difficulty"),
    [
        ("easy", Difficulty.EASY),
        (" Medium (two files)", Difficulty.MEDIUM),
        ("HARD!", Difficulty.HARD),
        ("hardly", None),
        ("", None),
        ("7", None),
    ],
)
def test_difficulties(text: str, difficulty: Difficulty | None) -> None:
    assert parse_difficulty(text) is difficulty


@pytest.mark.parametrize(
    ("text", "own", "foreign"),
    [
        ("#9", [9], []),
        ("#9, #10 and #11", [9, 10, 11], []),
        ("9 10", [9, 10], []),
        ("issue #9 & issue 10", [9, 10], []),
        ("!4, GH-5", [4, 5], []),
        ("#9 because #8 was odd", [9], []),
        ("org/repo#5, #6", [6], ["org/repo#5"]),
        ("the #9", [], []),
        ("v1.2", [], []),
        ("#9x", [], []),
        ("", [], []),
    ],
)
def test_references(text: str, own: list[int], foreign: list[str]) -> None:
    assert parse_references(text) == (own, foreign)


def test_a_list_of_references_is_bounded() -> None:
    own, foreign = parse_references(", ".join(f"#{number}" for number in range(1, 500)))
    assert (len(own), foreign) == (100, [])
