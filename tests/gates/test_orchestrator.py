from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from coordinator.errors import Unreachable
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.once import Once
from coordinator.gates.orchestrator import QualityOrchestrator

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.gates.protocol import GateResult


@dataclass
class Gate:
    name: str
    judge: Callable[[], Judgement]

    def check(self) -> GateResult:
        return timed(self.name, self.judge)


@dataclass
class Broken:
    name: ClassVar[str] = "broken"

    def check(self) -> GateResult:
        raise RuntimeError("bug\nhere")


def passed() -> Judgement:
    return Judgement(State.PASSED, "fine")


def test_gates_run_at_once_and_answer_in_their_order() -> None:
    """Each of three gates waits for the two others; one after another they would never meet."""
    barrier = threading.Barrier(3, timeout=30)

    def meet() -> Judgement:
        if barrier.wait() == 0:
            time.sleep(0.2)
        return passed()

    gates = tuple(Gate(name, meet) for name in ("a", "b", "c"))
    verdict = QualityOrchestrator(gates, "tree").judge()
    assert verdict.passed
    assert verdict.tree == "tree"
    assert [result.gate for result in verdict.gates] == ["a", "b", "c"]
    assert max(result.seconds for result in verdict.gates) >= 0.2


def test_a_gate_that_breaks_is_an_error_and_the_others_go_on() -> None:
    cleaned: list[bool] = []
    verdict = QualityOrchestrator((Broken(), Gate("a", passed)), "tree", lambda: cleaned.append(True)).judge()
    assert not verdict.passed
    assert verdict.failed_gates()[0].message == "the gate itself failed: RuntimeError: bug here"
    assert verdict.failed_gates()[0].details == {"state": "error"}
    assert verdict.gates[1].passed
    assert cleaned == [True]


def test_an_expected_failure_is_told_with_its_mend() -> None:
    def fail() -> Judgement:
        raise Unreachable("No room", mend="Make some")

    result = QualityOrchestrator((Gate("a", fail),), "tree").judge().gates[0]
    assert (result.passed, result.message, result.details["state"]) == (False, "No room. Make some.", "error")


def test_no_gates_accept_nothing() -> None:
    assert not QualityOrchestrator((), "tree").judge().passed


def test_once_is_made_once_for_all_threads() -> None:
    made: list[int] = []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return len(made)

    once = Once(make)
    threads = [threading.Thread(target=once.get) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert once.get() == 1
    assert made == [1]


def test_once_fails_once_for_all() -> None:
    tried: list[int] = []

    def fail() -> int:
        tried.append(1)
        raise ValueError("no")

    once = Once(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            once.get()
    assert tried == [1]
