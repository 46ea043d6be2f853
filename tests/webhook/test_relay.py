"""The relay without HTTP: memory, backlog, tries and the end."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.webhook.backlog import Backlog
from coordinator.webhook.memory import Memory
from coordinator.webhook.relay import Relay
from tests.webhook.support import SECRET, Recorder, delivery, issue_body, make_relay, signed, wait_until

if TYPE_CHECKING:
    from coordinator.webhook.delivery import Delivery


def take(relay: Relay, body: bytes) -> str:
    return relay.take("1", list(signed(body).items()), body).status


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = Memory(capacity=2)
    assert [memory.add(body) for body in (b"a", b"b", b"a", b"c", b"b", b"a")] == [True, True, False, True, False, True]
    memory.forget(b"c")
    memory.forget(b"never seen")
    assert memory.add(b"c")


def test_an_unreachable_forge_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(answers=[Unreachable("away", mend="wait"), Unreachable("away", mend="wait")])
    relay = make_relay(recorder)
    relay.start()
    take(relay, issue_body())
    wait_until(lambda: recorder.seen)
    relay.stop()
    assert len(recorder.begun) == 3
    assert caplog.text.count("to be tried again") == 2


def test_after_the_last_try_the_event_may_be_delivered_again(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(answers=[Unreachable("away", mend="wait")] * 3)
    relay = make_relay(recorder)
    relay.start()
    body = issue_body()
    assert take(relay, body) == "queued"
    wait_until(lambda: "failed" in caplog.text)
    assert len(recorder.begun) == 3
    assert "away. wait. After that, deliver it again" in caplog.text
    assert take(relay, body) == "queued"
    wait_until(lambda: recorder.seen)
    assert take(relay, body) == "duplicate"
    relay.stop()


def test_what_no_further_try_mends_is_tried_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(answers=[Misconfigured("no workflow", mend="add it")])
    relay = make_relay(recorder)
    relay.start()
    take(relay, issue_body())
    wait_until(lambda: "failed: no workflow. add it." in caplog.text)
    relay.stop()
    assert len(recorder.begun) == 1


def test_a_bug_in_one_delivery_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(answers=[KeyError("mark-1")])
    relay = make_relay(recorder, workers=1)
    relay.start()
    take(relay, issue_body(1))
    take(relay, issue_body(2))
    wait_until(lambda: recorder.seen)
    relay.stop()
    assert "#1: failed: internal error: KeyError" in caplog.text
    assert "mark-1" not in caplog.text


def test_what_is_queued_is_finished_at_the_end() -> None:
    recorder = Recorder(gate=threading.Event())
    relay = make_relay(recorder, workers=1)
    relay.start()
    for number in (1, 2, 3):
        take(relay, issue_body(number))
    assert recorder.gate is not None
    threading.Timer(0.1, recorder.gate.set).start()
    relay.stop()
    assert [one.number for one in recorder.seen] == [1, 2, 3]
    assert recorder.ended
    assert recorder.abandoned
    with pytest.raises(Unreachable):
        take(relay, issue_body(4))


def test_what_is_not_finished_in_time_is_named(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(gate=threading.Event())
    relay = make_relay(recorder, workers=1, stop_seconds=0.2)
    relay.start()
    for number in (1, 2):
        take(relay, issue_body(number))
    wait_until(lambda: recorder.begun)
    started = time.monotonic()
    relay.stop()
    assert time.monotonic() - started < 2
    assert "#1: not finished when the relay ended" in caplog.text
    assert "#2: not finished when the relay ended" in caplog.text
    assert recorder.gate is not None
    recorder.gate.set()


def test_the_end_does_not_wait_between_two_tries(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(answers=[Unreachable("away", mend="wait")])
    relay = Relay(recorder, secret=SECRET, workers=1, waits=(60.0,), stop_seconds=5)
    relay.start()
    take(relay, issue_body())
    wait_until(lambda: "to be tried again" in caplog.text)
    started = time.monotonic()
    relay.stop()
    assert time.monotonic() - started < 2
    assert "failed: away" in caplog.text


def test_one_issue_is_seen_to_in_order_and_others_beside_it() -> None:
    order: list[str] = []
    gates = {1: threading.Event(), 2: threading.Event()}
    lock = threading.Lock()

    def see_to(given: Delivery) -> None:
        with lock:
            order.append(f"{given.number} {given.event.action}")
        if given.event.action == "assigned":
            gates[given.number].wait(10)

    backlog = Backlog(see_to, workers=4)
    backlog.start()
    backlog.offer(delivery(1))
    wait_until(lambda: order)
    backlog.offer(delivery(1, "gitea/issues.unassigned"))
    backlog.offer(delivery(2))
    wait_until(lambda: len(order) == 2)
    time.sleep(0.1)
    assert order == ["1 assigned", "2 assigned"]
    gates[1].set()
    wait_until(lambda: len(order) == 3)
    gates[2].set()
    assert backlog.stop(5) == ()
    assert order[2] == "1 unassigned"


def test_a_repository_is_the_same_in_capitals() -> None:
    begun: list[str] = []
    gate = threading.Event()

    def see_to(given: Delivery) -> None:
        begun.append(given.repository)
        gate.wait(10)

    backlog = Backlog(see_to, workers=2)
    backlog.start()
    backlog.offer(delivery(1))
    backlog.offer(delivery(1, repository={"id": 1, "full_name": "ACME/App"}))
    time.sleep(0.1)
    assert len(begun) == 1
    gate.set()
    assert backlog.stop(5) == ()
