"""The four limits of a run, and what it costs to the cent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.agent.protocol import Ending, Price
from coordinator.agent.replay import read_transcript
from coordinator.demo.model_script import call, say
from tests.agent.support import DONE, PRICE, agent_step, endpoint, strict_server, total

if TYPE_CHECKING:
    from pathlib import Path

TURNS = [say(call("bash", {"command": f"echo {number} >> log; echo {number}"})) for number in range(3)]


def spent(folder: Path) -> dict[str, Any]:
    """What the first two turns cost and use."""
    folder.mkdir()
    with strict_server([*TURNS, DONE]) as server, agent_step(folder, endpoint(server)) as step:
        step.run()
    second = step.reports[1]
    return {"dollars": second.cost_usd, "tokens": second.usage.total_tokens, "turns": 2}


@pytest.mark.parametrize("limit", ["dollars", "tokens", "turns"])
def test_the_call_that_would_exceed_a_limit_is_not_made(tmp_path: Path, limit: str) -> None:
    """The limit is what two turns take, and so much that a third one cannot be paid."""
    (tmp_path / "limited").mkdir()
    bound = {limit: spent(tmp_path / "free")[limit]}
    with (
        strict_server(TURNS[:2]) as server,
        agent_step(tmp_path / "limited", endpoint(server), **bound) as step,
    ):
        result = step.run()
    assert result.ending is Ending.BUDGET
    assert f"budget.run.{limit}" in result.reason
    assert len(server.requests) == 2
    assert result.usage == total(server)
    assert (step.checkout / "log").read_text().split() == ["0", "1"], "the work that was paid for is there"
    replay = read_transcript(step.transcript.read_bytes())
    assert replay is not None
    assert (replay.ending, replay.usage) == (Ending.BUDGET, result.usage)
    assert replay.cost_usd == pytest.approx(result.cost_usd, rel=1e-12)


def test_time_that_a_command_has_used_up_is_noticed_before_the_next_call(tmp_path: Path) -> None:
    long = say(call("bash", {"command": "echo begun; sleep 600", "timeout_seconds": 600}))
    end = time.monotonic() + 3
    with strict_server([long]) as server, agent_step(tmp_path, endpoint(server), deadline=end) as step:
        result = step.run()
    assert time.monotonic() < end + 4
    assert result.ending is Ending.BUDGET
    assert "budget.run.minutes" in result.reason
    assert len(server.requests) == 1
    (answer,) = step.events("message")[-1]["content"]
    assert answer["content"].startswith("begun\n[stopped at the time limit of ")


def counted(**usage: int) -> dict[str, int]:
    return {f"{name}_tokens": number for name, number in usage.items()}


def test_every_call_is_paid_at_its_own_price_to_the_cent(tmp_path: Path) -> None:
    """A cache is written and read, and the third prompt is the first one that is long."""
    haiku = Price(
        input=0.10, output=0.50, cache_read=0.01, cache_write=0.125, long_prompt_over=100_000, long_prompt_factor=5.0
    )
    replies = [
        say(*TURNS[0].blocks, usage=counted(input=9_000, cache_creation_input=80_000, output=500)),
        say(*TURNS[1].blocks, usage=counted(input=0, cache_read_input=80_000, cache_creation_input=20_000, output=40)),
        say(*DONE.blocks, usage=counted(input=1, cache_read_input=90_000, cache_creation_input=10_000, output=9)),
    ]
    with (
        strict_server(replies) as server,
        agent_step(tmp_path, endpoint(server, model="claude-haiku-5-5", price=haiku)) as step,
    ):
        result = step.run()
    calls = [
        9_000 * 0.10 + 80_000 * 0.125 + 500 * 0.50,
        80_000 * 0.01 + 20_000 * 0.125 + 40 * 0.50,
        (1 * 0.10 + 90_000 * 0.01 + 10_000 * 0.125 + 9 * 0.50) * 5,
    ]
    assert result.cost_usd == pytest.approx(sum(calls) / 1_000_000, rel=1e-12)
    assert [report.cost_usd for report in step.reports] == pytest.approx(
        [sum(calls[:number]) / 1_000_000 for number in (1, 2, 3)], rel=1e-12
    )
    assert result.usage == total(server)


def test_a_model_that_costs_nothing_is_limited_by_its_tokens_alone(tmp_path: Path) -> None:
    with strict_server([TURNS[0]], vendor=False) as server:
        free = endpoint(server, model="glm-5.2", vendor_features=False, price=Price(), context_limit=128_000)
        with agent_step(tmp_path, free, dollars=0.0, tokens=2_000) as step:
            result = step.run()
    assert (result.ending, result.cost_usd) == (Ending.BUDGET, 0)
    assert "budget.run.tokens" in result.reason
    assert PRICE.cost(result.usage) > 0
