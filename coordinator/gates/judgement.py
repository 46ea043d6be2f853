"""From what a gate found to its `GateResult`: four states, the time taken, and failures that are not the tree's."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError, Unreachable
from coordinator.gates.protocol import GateResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from coordinator.gates.protocol import Verdict


class State(StrEnum):
    """What a gate can say; `details.state` of its result."""

    PASSED = "passed"
    FAILED = "failed"
    """The tree is at fault."""
    ATTENTION = "attention"
    """A policy finding that a person can waive; not accepted until then."""
    ERROR = "error"
    """The check itself could not be done or not be believed. Never counts as passed."""


UNFINISHED = "unfinished"
"""Key in the details of an ``error`` that is no fault at all: another gate had failed before, which ended this one."""


OTHER_TOOLS = "other_tools"
"""Key in the details of what a command said, under whatever name: it depends on programs that nobody has named, so it
is not kept. What ``go``, ``npm`` or ``cargo`` start (compilers, linkers, scripts) has no version that is had fast."""


SURROGATES = re.compile("[\ud800-\udfff]")


class NotFinished(Unreachable):
    """What a check waits for was ended before its time, because something else had failed: no fault of its own."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a gate found, before it is timed."""

    state: State
    message: str
    details: dict[str, JsonValue] = field(default_factory=dict)


def needs_person(verdict: Verdict) -> bool:
    """Say whether nothing but policy findings stands between the tree and its acceptance: a person may waive those."""
    failed = verdict.failed_gates()
    return bool(failed) and all(result.details.get("state") == State.ATTENTION.value for result in failed)


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
        message=_sayable(judgement.message),
        details=state | {key: _sayable_all(value) for key, value in judgement.details.items()},
        seconds=round(time.monotonic() - started, 3),
    )


def _sayable(text: str) -> str:
    """Replace what no encoding has: the bytes of a file's name that are no UTF-8 stand in it as lone surrogates."""
    return SURROGATES.sub("\ufffd", text)


def _sayable_all(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _sayable(value)
    if isinstance(value, list):
        return [_sayable_all(each) for each in value]
    return {key: _sayable_all(each) for key, each in value.items()} if isinstance(value, dict) else value
