from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Unreachable
from coordinator.gates.scheduling import SharedSandbox, Turns
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.interrupt import Interrupt
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Command, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.sandbox.confined import ConfinedSandbox


@pytest.fixture
def sandbox() -> Iterator[ConfinedSandbox]:
    with open_sandbox(visible=interpreter_paths()) as opened:
        yield opened


def command(script: str) -> Command:
    return Command(("/bin/sh", "-c", script), Path("/"), Limits(60))


def waiting(turns: Turns, count: int) -> None:
    """Wait until so many wait for their turn."""
    deadline = time.monotonic() + 30
    while len(turns._waiting) != count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("places", [1, 2])
def test_not_more_go_on_at_once_than_there_are_places(places: int) -> None:
    turns, interrupt, lock = Turns(places), Interrupt(), threading.Lock()
    now: list[int] = []
    most: list[int] = []

    def work() -> None:
        with turns.taken(interrupt):
            with lock:
                now.append(1)
                most.append(len(now))
            time.sleep(0.02)
            with lock:
                now.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == places
    assert len(most) == 8


def test_the_lower_rank_goes_first_and_equals_in_their_order() -> None:
    turns, interrupt = Turns(1), Interrupt()
    went: list[str] = []

    def work(name: str, rank: int) -> None:
        with turns.taken(interrupt, rank):
            went.append(name)

    threads = []
    with turns.taken(interrupt):
        for number, (name, rank) in enumerate([("c", 2), ("b", 1), ("d", 2), ("a", 0)]):
            threads.append(threading.Thread(target=work, args=(name, rank)))
            threads[-1].start()
            waiting(turns, number + 1)
    for thread in threads:
        thread.join()
    assert went == ["a", "b", "c", "d"]


def test_an_interrupt_ends_the_waiting_and_frees_nothing_that_was_not_taken() -> None:
    turns, interrupt = Turns(1), Interrupt()
    said: list[str] = []

    def work() -> None:
        try:
            with turns.taken(interrupt):
                said.append("went")
        except Unreachable as error:
            said.append(error.what)

    with turns.taken(Interrupt()):
        thread = threading.Thread(target=work)
        thread.start()
        waiting(turns, 1)
        interrupt.set()
        thread.join()
    assert said == ["A command was not started, as the gates were ended"]
    with turns.taken(Interrupt()):
        assert turns._places == 0
    assert turns._places == 1


def test_a_place_is_free_again_after_a_failure() -> None:
    turns = Turns(1)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"), turns.taken(Interrupt()):
            raise ValueError("x")


def test_an_interrupt_ends_what_runs_and_lets_nothing_start(sandbox: ConfinedSandbox) -> None:
    shared = SharedSandbox(sandbox, Turns(2), Interrupt())
    started = time.monotonic()
    timer = threading.Timer(0.3, shared.interrupt.set)
    timer.start()
    result = shared.run(command("trap '' TERM; sleep 55"))
    timer.join()
    assert (result.exit_code, result.timed_out) == (None, False)
    assert result.signal is not None
    assert time.monotonic() - started < 30
    with pytest.raises(Unreachable, match="not started"):
        shared.run(command("exit 0"))
    assert sandbox.run(command("exit 3")).exit_code == 3, "the sandbox itself goes on"


def test_a_shared_sandbox_is_the_sandbox(sandbox: ConfinedSandbox) -> None:
    shared = SharedSandbox(sandbox, Turns(1), Interrupt())
    assert shared.description == sandbox.description
    folder = shared.make_folder("x")
    (folder / "inside").mkdir()
    shared.give(folder)
    assert shared.run(command(f"touch {folder}/inside/a")).ok
    assert (folder / "inside" / "a").exists()


def test_a_stop_is_called_once_it_is_set_or_was_before_and_not_when_all_is_over() -> None:
    interrupt, called = Interrupt(), []
    with interrupt.stopping(lambda: called.append("over")):
        assert not interrupt.is_set
    with interrupt.stopping(lambda: called.append("runs")):
        interrupt.set()
    with interrupt.stopping(lambda: called.append("later")), nullcontext():
        assert called == ["runs", "later"]
    assert interrupt.is_set
