from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.state.claims import Claims, RunIdentity
from coordinator.state.folder import FolderStateStore
from coordinator.state.heartbeat import Heartbeat
from tests.state.parts import FolderPlace, claims_of, run_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coordinator.state.protocol import StateStore
    from coordinator.state.records import State
    from tests.state.parts import Clock, GitPlace

BEAT = 0.02
PATIENCE = 10.0


class StumblingStore:
    """A store in front of which something goes wrong, while `failure` is set."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.failure: Exception | None = None
        self.calls = 0
        self.gate = threading.Event()
        self.gate.set()

    def read(self) -> State:
        return self._store.read()

    def change(self, why: str, edit: Callable[[State], State]) -> State:
        self.calls += 1
        self.gate.wait(PATIENCE)
        if self.failure:
            raise self.failure
        return self._store.change(why, edit)


class Seconds:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.value = 0.0

    def __call__(self) -> float:
        return self.value


@pytest.fixture
def place(tmp_path: Path, clock: Clock) -> FolderPlace:
    return FolderPlace(tmp_path / "state", clock)


@pytest.fixture
def store(place: FolderPlace) -> StumblingStore:
    return StumblingStore(place.open_store())


@pytest.fixture
def claims(store: StumblingStore, clock: Clock) -> Claims:
    claims = Claims(store, RunIdentity("1/work"), now=clock, lease_seconds=600)
    claims.take(7, request=None, most_runs=None)
    return claims


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_it_renews_again_and_again(claims: Claims, place: FolderPlace, clock: Clock) -> None:
    other = claims_of(place, "2/work", clock)

    def is_fresh() -> bool:
        claim = other.record(7).claim
        return claim is not None and claim.renewed_at == clock()

    with Heartbeat(claims, 7, seconds=BEAT) as heartbeat:
        for _ in range(3):
            clock.pass_seconds(500)
            wait_for(is_fresh)
        assert heartbeat.lost == ""


def test_it_says_what_the_run_has_spent(claims: Claims, place: FolderPlace, clock: Clock) -> None:
    other = claims_of(place, "2/work", clock)
    amounts = iter([0.5, 1.25])
    spent = [0.0]

    def spent_usd() -> float:
        spent[0] = next(amounts, spent[0])
        return spent[0]

    def is_known() -> bool:
        claim = other.record(7).claim
        return claim is not None and claim.spent_usd == 1.25

    with Heartbeat(claims, 7, seconds=BEAT, spent_usd=spent_usd):
        wait_for(is_known)


def test_it_tells_that_the_run_is_to_stop_and_goes_on_renewing(
    claims: Claims, place: FolderPlace, clock: Clock, store: StumblingStore
) -> None:
    other = claims_of(place, "2/work", clock)
    with Heartbeat(claims, 7, seconds=BEAT) as heartbeat:
        other.ask_to_stop(7, "unassigned")
        wait_for(lambda: heartbeat.lost == "unassigned")
        calls = store.calls
        wait_for(lambda: store.calls > calls + 1)
        assert heartbeat.lost == "unassigned"
        claims.finish(7, run_record())
        calls = store.calls
        wait_for(lambda: store.calls > calls + 1)
        assert heartbeat.lost == "unassigned"  # the first reason is the true one


def test_it_tells_that_another_run_has_taken_over(claims: Claims, place: FolderPlace, clock: Clock) -> None:
    clock.pass_seconds(600)
    claims_of(place, "2/work", clock).take(7, request=None, most_runs=None)
    with Heartbeat(claims, 7, seconds=BEAT) as heartbeat:
        wait_for(lambda: "taken over by run 2/work" in heartbeat.lost)


def test_a_forge_that_is_away_is_borne_until_the_lease_is_nearly_over(claims: Claims, store: StumblingStore) -> None:
    seconds = Seconds()
    with Heartbeat(claims, 7, seconds=BEAT, clock=seconds) as heartbeat:
        store.failure = Unreachable("the forge does not answer", mend="Wait")
        for now in (0.0, 539.0):
            seconds.value = now
            calls = store.calls
            wait_for(lambda before=calls: store.calls > before + 1)  # type: ignore[misc]  # bound now
            assert heartbeat.lost == ""
        store.failure = None
        calls = store.calls
        wait_for(lambda: store.calls > calls + 1)
        store.failure = Misconfigured("the token was taken away", mend="Give another")
        calls = store.calls
        wait_for(lambda: store.calls > calls + 1)
        seconds.value = 539 + 539
        assert heartbeat.lost == ""
        seconds.value = 539 + 540
        assert heartbeat.lost == "The claim on issue #7 could not be renewed for 540 s: the token was taken away"
        store.failure = None
        calls = store.calls
        wait_for(lambda: store.calls > calls + 1)
        assert heartbeat.lost  # the run was told


def test_a_renewal_that_hangs_is_no_sign_of_life(claims: Claims, store: StumblingStore) -> None:
    seconds = Seconds()
    with Heartbeat(claims, 7, seconds=BEAT, clock=seconds) as heartbeat:
        store.gate.clear()
        calls = store.calls
        wait_for(lambda: store.calls > calls)
        seconds.value = 545.0
        assert heartbeat.lost == "The claim on issue #7 could not be renewed for 545 s"
        store.gate.set()


def test_it_ends_at_once_and_leaves_no_thread(claims: Claims) -> None:
    started = time.monotonic()
    with Heartbeat(claims, 7, seconds=3600):
        pass
    assert time.monotonic() - started < 60
    assert not [thread for thread in threading.enumerate() if "heartbeat" in thread.name]


def test_after_the_end_nothing_is_renewed(claims: Claims, store: StumblingStore) -> None:
    with Heartbeat(claims, 7, seconds=BEAT):
        wait_for(lambda: store.calls > 2)
    calls = store.calls
    time.sleep(5 * BEAT)
    assert store.calls == calls


def test_a_fault_of_our_own_does_not_look_like_life(
    claims: Claims, store: StumblingStore, recwarn: pytest.WarningsRecorder
) -> None:
    seconds, seen = Seconds(), list[type[BaseException] | None]()
    before, threading.excepthook = threading.excepthook, lambda found: seen.append(found.exc_type)
    try:
        with Heartbeat(claims, 7, seconds=BEAT, clock=seconds) as heartbeat:
            store.failure = RuntimeError("a bug")
            wait_for(lambda: bool(seen))
            seconds.value = 540.0
            assert heartbeat.lost == "The claim on issue #7 could not be renewed for 540 s: RuntimeError"
    finally:
        threading.excepthook = before
    assert seen == [RuntimeError]
    assert not recwarn.list


def test_what_goes_wrong_because_the_run_is_over_is_nobodys_business(claims: Claims, store: StumblingStore) -> None:
    heartbeat = Heartbeat(claims, 7, seconds=BEAT)
    with heartbeat:
        store.gate.clear()
        calls = store.calls
        wait_for(lambda: store.calls > calls)
        store.failure = FileNotFoundError("the folder is gone")
        threading.Timer(0.2, store.gate.set).start()
    assert heartbeat.lost == ""


def test_it_works_with_the_state_in_git(git_place: GitPlace, clock: Clock) -> None:
    claims = claims_of(git_place, "1/work", clock)
    other = claims_of(git_place, "2/work", clock)
    claims.take(7, request=None, most_runs=None)
    clock.pass_seconds(500)

    def is_renewed() -> bool:
        claim = other.record(7).claim
        return claim is not None and claim.renewed_at == clock()

    with Heartbeat(claims, 7, seconds=BEAT) as heartbeat:
        wait_for(is_renewed)
        assert claims.holds(7)
        assert heartbeat.lost == ""


def test_it_does_not_keep_the_process(tmp_path: Path) -> None:
    script = f"""
from datetime import UTC, datetime
from pathlib import Path
from coordinator.state.claims import Claims, RunIdentity
from coordinator.state.folder import {FolderStateStore.__name__}
from coordinator.state.heartbeat import Heartbeat
claims = Claims(FolderStateStore(Path({str(tmp_path)!r})), RunIdentity("1"), now=lambda: datetime.now(UTC))
claims.take(7, request=None, most_runs=None)
Heartbeat(claims, 7, seconds=3600).__enter__()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
