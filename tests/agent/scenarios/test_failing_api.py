"""What the model's API may do wrong: errors, waits, and streams that break. Nothing is done twice or by halves."""

from __future__ import annotations

import random
import socket
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.agent.model import Patience
from coordinator.agent.opening import Circumstances, make_opening
from coordinator.agent.protocol import Ending, WorkState
from coordinator.agent.replay import read_transcript
from coordinator.demo.model_script import Broken, Failure, call, say, text
from tests.agent.support import DONE, agent_step, endpoint, strict_server, total

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.agent.protocol import TurnReport
    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Step
    from tests.agent.support import Bench

TASK = "Solve it."
WORK = say("I begin.", call("bash", {"command": "echo one >> log"}))
OVERLOADED = Failure(529, "overloaded_error", "Overloaded")
SEED = 52
"""The first number that it gives is close to 1: nearly a quarter of a wait is left out."""


class Clock:
    """Takes the times at which something happens; as a predicate of a step, those of the requests that it answers."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, _seen: Json | TurnReport) -> bool:
        self.times.append(time.monotonic())
        return True

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False)]


def did(step: Bench) -> list[str]:
    """What was run, in order."""
    return (step.checkout / "log").read_text().split()


def test_a_wait_that_the_server_asks_for_is_kept_and_nothing_runs_twice(tmp_path: Path) -> None:
    asked = Clock()
    limited = Failure(429, "rate_limit_error", "slow down", {"retry-after": "1"}, when=asked)
    done = say(*DONE.blocks, when=asked)
    with strict_server([WORK, limited, done]) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run(TASK)
    assert (result.ending, result.turns) == (Ending.ACCEPTED, 2)
    assert result.usage == total(server)
    assert asked.gaps[0] >= 1
    assert server.requests[1].raw == server.requests[2].raw
    assert did(step) == ["one"]


def goes_on(step: Bench, folder: Path) -> None:
    """See that the same conversation can be gone on with, and that it ends well."""
    replay = read_transcript(step.transcript.read_bytes())
    assert replay is not None
    assert replay.ending is Ending.FAILED
    with strict_server([DONE]) as server:
        again = endpoint(server)
        opening = make_opening(
            replay, TASK, since=Circumstances(), state=lambda: WorkState(git="", verdict=""), endpoint=again
        )
        assert opening.messages == replay.messages
        assert len(opening.messages) == 3
        with agent_step(folder, again) as later:
            assert later.run(TASK, opening=opening.messages).ending is Ending.ACCEPTED


def test_a_wait_beyond_the_time_limit_is_not_begun_and_the_work_can_go_on(tmp_path: Path) -> None:
    """Six seconds are asked for where five are left: whoever waits is told that the time is up."""
    limited = Failure(429, "rate_limit_error", "slow down", {"retry-after": "6"})
    end = time.monotonic() + 5
    with (
        strict_server([WORK, limited]) as server,
        agent_step(tmp_path, endpoint(server), deadline=end) as step,
    ):
        result = step.run(TASK)
    assert result.ending is Ending.FAILED
    assert "wants a wait of 6 s, beyond the run's time limit (status 429: slow down)" in result.reason
    assert time.monotonic() < end
    assert did(step) == ["one"]
    (tmp_path / "later").mkdir()
    goes_on(step, tmp_path / "later")


STAYING: dict[str, Failure | Broken] = {
    "overloaded": OVERLOADED,
    "server error": Failure(500),
    "a proxy's page": Failure(502, page="<html>Bad gateway</html>"),
    "unavailable": Failure(503),
    "overloaded, said in the stream": Broken("error_event"),
    "reset in the stream": Broken("reset"),
    "no answer": Broken("mute"),
}


@pytest.mark.parametrize("how", STAYING)
def test_a_failure_that_stays_is_tried_with_longer_waits_and_then_ends_the_work_so_that_it_can_go_on(
    tmp_path: Path, how: str
) -> None:
    asked, failure = Clock(), STAYING[how]
    if isinstance(failure, Failure):
        step_: Failure | Broken = Failure(failure.status, failure.kind, failure.message, page=failure.page, when=asked)
    else:
        step_ = Broken(failure.how, when=asked)
    patience = Patience(tries=3, first_wait=0.2, longest_wait=2.0, stall=1.0)
    with (
        strict_server([WORK, *[step_] * 3]) as server,
        agent_step(tmp_path, endpoint(server), patience=patience) as step,
    ):
        result = step.run(TASK)
    assert result.ending is Ending.FAILED
    assert "failed 3 times" in result.reason
    assert len(server.requests) == 4
    first, second = asked.gaps
    assert first >= 0.15
    assert second >= 0.30
    assert did(step) == ["one"]
    (tmp_path / "later").mkdir()
    goes_on(step, tmp_path / "later")


def test_a_part_of_a_wait_is_left_out_at_random_so_that_runs_do_not_come_back_all_at_once(tmp_path: Path) -> None:
    asked = Clock()
    steps: list[Step] = [Failure(529, "overloaded_error", when=asked), say(*DONE.blocks, when=asked)]
    patience = Patience(tries=2, first_wait=2.0)
    before = random.getstate()
    try:
        random.seed(SEED)
        with strict_server(steps) as server, agent_step(tmp_path, endpoint(server), patience=patience) as step:
            assert step.run(TASK).ending is Ending.ACCEPTED
    finally:
        random.setstate(before)
    (gap,) = asked.gaps
    assert 1.5 <= gap < 2.0


BREAKS = [
    *("eof", "eof_before_stop", "cut", "reset", "empty", "bad_json", "nameless", "wrong_index"),
    *("no_usage", "no_stop_reason", "cut_call", "spoiled_call", "error_event"),
]
UNCOUNTED = {"empty", "nameless"}
"""Of these the client sees nothing, and so no bill."""


@pytest.mark.parametrize("how", BREAKS)
def test_of_a_reply_that_breaks_off_nothing_runs_and_nothing_is_kept(tmp_path: Path, how: str) -> None:
    torn = Broken(how, (text("I remove it."), call("bash", {"command": "touch torn"})))
    with strict_server([WORK, torn, DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run(TASK)
    assert (result.ending, result.turns) == (Ending.ACCEPTED, 2)
    assert not (step.checkout / "torn").exists()
    assert did(step) == ["one"]
    assert server.requests[1].raw == server.requests[2].raw
    assert "torn" not in step.transcript.read_text(encoding="utf-8")
    if how not in UNCOUNTED:
        assert result.usage.prompt_tokens == total(server).prompt_tokens, "what broke was billed all the same"


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with agent_step(tmp_path, endpoint(f"http://{address}")) as step:
        result = step.run(TASK)
    assert result.ending is Ending.FAILED
    assert address in result.reason
    assert "failed 3 times" in result.reason
    assert result.cost_usd == 0
    assert [event["ending"] for event in step.events("end")] == ["failed"]


@pytest.mark.parametrize(
    ("how", "ending"),
    [
        ("mute", Ending.FAILED),
        ("pings", Ending.FAILED),
        ("late_pings", Ending.BUDGET),
        ("silence", Ending.BUDGET),
    ],
)
def test_a_stream_that_brings_nothing_ends_with_the_time_of_the_run(tmp_path: Path, how: str, ending: Ending) -> None:
    end = time.monotonic() + 1.5
    with strict_server([Broken(how)]) as server, agent_step(tmp_path, endpoint(server), deadline=end) as step:
        result = step.run(TASK)
    assert time.monotonic() < end + 3
    assert result.ending is ending
    assert result.turns == 0
    assert [event["ending"] for event in step.events("end")] == [ending]


@pytest.mark.parametrize("how", ["pings", "late_pings", "silence", "mute"])
def test_a_stream_that_stalls_is_ended_long_before_that_and_asked_again(tmp_path: Path, how: str) -> None:
    patience = Patience(tries=2, first_wait=0.01, stall=0.5)
    with (
        strict_server([WORK, Broken(how), DONE]) as server,
        agent_step(tmp_path, endpoint(server), patience=patience) as step,
    ):
        assert step.run(TASK).ending is Ending.ACCEPTED
    assert did(step) == ["one"]


def test_a_page_in_place_of_a_reply_ends_the_work_with_its_words(tmp_path: Path) -> None:
    with strict_server([WORK, Broken("html")]) as server, agent_step(tmp_path, endpoint(server)) as step:
        with pytest.raises(Exception, match=r"not the Messages API: .*guest network") as caught:
            step.run(TASK)
        assert type(caught.value).__name__ == "Misconfigured"
    assert did(step) == ["one"]
