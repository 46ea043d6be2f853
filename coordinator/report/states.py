"""How a gate's result stands, in the words and signs that people see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.judgement import UNFINISHED, State

if TYPE_CHECKING:
    from coordinator.gates.protocol import GateResult

WORDS = {State.PASSED: "passed", State.FAILED: "FAILED", State.ERROR: "ERROR", State.ATTENTION: "ATTENTION"}
MARKS = {State.PASSED: "✅", State.FAILED: "❌", State.ERROR: "⚠️", State.ATTENTION: "✋"}
UNFINISHED_WORD, UNFINISHED_MARK = "UNFINISHED", "⏹️"


def state_of(result: GateResult) -> State:
    """Return how a result stands. What did not pass and does not say why has failed."""
    if result.passed:
        return State.PASSED
    said = result.details.get("state")
    return State(said) if said in {State.ERROR.value, State.ATTENTION.value} else State.FAILED


def is_unfinished(result: GateResult) -> bool:
    """Say whether a gate was ended because another one had failed: nothing is known of what it looked at."""
    return not result.passed and result.details.get(UNFINISHED) is True


def state_word(result: GateResult) -> str:
    """Return how a result stands in a word.

    ``passed``, ``FAILED``, ``ERROR`` (the check could not be done), ``ATTENTION`` (a person decides), or ``UNFINISHED``
    (ended, as another gate had failed).
    """
    return UNFINISHED_WORD if is_unfinished(result) else WORDS[state_of(result)]


def gate_mark(result: GateResult) -> str:
    """Return the sign of a result; the hand is the one that a person can lift."""
    return UNFINISHED_MARK if is_unfinished(result) else MARKS[state_of(result)]
