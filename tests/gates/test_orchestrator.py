from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from coordinator.errors import Unreachable
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.once import Once
from coordinator.gates.orchestrator import QualityOrchestrator
from coordinator.signals import Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

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


def functions_of(thread: threading.Thread) -> Iterator[str]:
    """The names of the functions that a thread is in."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back


def test_nothing_is_cleaned_up_before_all_gates_have_ended_whoever_interrupts() -> None:
    """As `coordinator.signals` does it: the handler lets the gates end and raises in the main thread."""
    stopped = threading.Event()
    seen: list[str] = []

    def last() -> Judgement:
        while not {"result", "shutdown"} & set(functions_of(threading.main_thread())):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)
        stopped.wait(30)
        time.sleep(0.3)
        seen.append("the gate has ended")
        return passed()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()
        raise Terminated

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Terminated):
            QualityOrchestrator((Gate("a", last),), "tree", lambda: seen.append("cleaned up")).judge()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == ["the gate has ended", "cleaned up"]


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
