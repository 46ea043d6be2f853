"""The explanation of the gates for a terminal."""

from __future__ import annotations

from coordinator.gates.explain import ExplainedGate, Explanation, OmittedGate
from coordinator.report.explanation_text import explanation_text

LINT = ExplainedGate(gate="lint", command="ruff check .", configuration="ruff.toml of this commit", why="it is Python")
INTEGRITY = ExplainedGate(gate="integrity", command="", configuration="gates.integrity", why="compares")


def test_everything_that_is_known_is_said() -> None:
    told = Explanation(
        tree="0123456789abcdef",
        base="fedcba9876543210",
        gates=(LINT, INTEGRITY),
        left_out=(OmittedGate(gate="test", why="off"), OmittedGate(gate="coverage", why="off too")),
        setup=("npm ci", "make \x1b[31mall"),
        notes=("a note",),
    )
    assert explanation_text(told).splitlines() == [
        "lint",
        "  runs   ruff check .",
        "  rules  ruff.toml of this commit",
        "  why    it is Python",
        "",
        "integrity",
        "  rules  gates.integrity",
        "  why    compares",
        "",
        "before the commands run:",
        "  npm ci",
        "  make all",
        "",
        "left out:",
        "  test      off",
        "  coverage  off too",
        "",
        "notes:",
        "  a note",
        "",
        "nothing was run: tree 0123456789ab, by the rules of fedcba987654",
    ]


def test_what_there_is_not_is_not_said() -> None:
    told = Explanation(tree="0123456789abcdef", base=None, gates=(LINT,), left_out=(), setup=(), notes=())
    assert explanation_text(told).splitlines()[4:] == ["", "nothing was run: tree 0123456789ab"]
