"""From what a gate found to its `GateResult`: three states, the time taken, and failures that are not the tree's."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.gates.protocol import GateResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue


class State(StrEnum):
    """What a gate can say; `details.state` of its result."""

    PASSED = "passed"
    FAILED = "failed"
    """The tree is at fault."""
    ERROR = "error"
    """The check itself could not be done or not be believed. Never counts as passed."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a gate found, before it is timed."""

    state: State
    message: str
    details: dict[str, JsonValue] = field(default_factory=dict)


def timed(gate: str, judge: Callable[[], Judgement]) -> GateResult:
    """Run a gate's judgement and return its result. An expected failure of ours becomes an `error` of this gate."""
    started = time.monotonic()
    try:
        judgement = judge()
    except CoordinatorError as error:
        judgement = Judgement(State.ERROR, str(error))
    state: dict[str, JsonValue] = {"state": judgement.state.value}
    return GateResult(
        gate=gate,
        passed=judgement.state is State.PASSED,
        message=judgement.message,
        details=state | judgement.details,
        seconds=round(time.monotonic() - started, 3),
    )
