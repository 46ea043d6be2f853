"""One run's budget over several models, and money that is granted by others."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.agent.budget import Budget, out_of_time
from coordinator.agent.protocol import Price, Usage
from coordinator.errors import BudgetExceeded

DEAR, CHEAP, FREE = Price(input=10.0), Price(input=1.0), Price()
MILLION = Usage(input_tokens=1_000_000)


@dataclass
class Till:
    """An allowance that grants what is asked for and a bit more, up to a limit."""

    limit: float = math.inf
    extra: float = 0.0
    asked: list[tuple[float, float]] = field(default_factory=list)

    def grant(self, total_usd: float, spent_usd: float) -> float:
        self.asked.append((total_usd, spent_usd))
        if total_usd > self.limit:
            raise BudgetExceeded("The till is empty", mend="Fill it")
        return min(total_usd + self.extra, self.limit)


def make(till: Till | None = None, *, dollars: float = 100.0, turns: int = 10, seconds: float = 60.0) -> Budget:
    deadline = time.monotonic() + seconds
    return Budget(dollars=dollars, tokens=10_000_000, turns=turns, deadline=deadline, price=FREE, allowance=till)


def test_what_one_model_costs_counts_for_the_next_one() -> None:
    run = make(dollars=12.0)
    first = run.for_model(DEAR)
    first.charge(MILLION)
    second = run.for_model(CHEAP)
    assert (first.cost_usd, second.cost_usd, run.spent_usd, second.spent_usd) == (10.0, 0.0, 10.0, 10.0)
    second.check(2_000_000)
    with pytest.raises(BudgetExceeded, match=r"12\.00 dollars: 10\.00 are spent and the next call costs about 2\.10"):
        second.check(2_100_000)
    assert second.usage == Usage()


def test_turns_and_tokens_of_all_models_count() -> None:
    run = make(turns=3)
    first, second = run.for_model(FREE), run.for_model(FREE)
    first.turns = 2
    assert second.remaining_turns == 1
    second.turns = 1
    for part in (first, second):
        with pytest.raises(BudgetExceeded, match="3 turns"):
            part.check(1)
    run = make()
    run.for_model(FREE).charge(Usage(input_tokens=9_000_000))
    with pytest.raises(BudgetExceeded, match="9000000 are used and the next call needs about 1000001"):
        run.for_model(FREE).check(1_000_001)


def test_a_part_ends_with_the_run_or_before_it() -> None:
    run = make(seconds=60)
    assert run.for_model(FREE).deadline == run.deadline
    assert run.for_model(FREE, seconds=3_600).deadline == run.deadline
    part = run.for_model(FREE, seconds=0)
    assert (part.remaining_seconds, run.remaining_seconds > 50) == (0.0, True)
    with pytest.raises(BudgetExceeded) as caught:
        part.check(1)
    assert str(caught.value) == str(out_of_time())
    assert "budget.run.minutes" in caught.value.mend
    run.for_model(FREE).check(1)


def test_money_is_asked_for_when_a_call_would_cost_more_than_was_granted() -> None:
    till = Till(extra=3.0)
    run = make(till)
    part = run.for_model(CHEAP)
    part.check(1_000_000)
    assert till.asked == [(1.0, 0.0)]
    part.charge(MILLION)
    part.check(3_000_000)
    assert len(till.asked) == 1, "four were granted"
    part.charge(Usage(input_tokens=3_000_000))
    run.for_model(DEAR).check(100_000)
    assert till.asked[1:] == [(5.0, 4.0)], "the grant is the run's, whatever model it calls"


def test_what_is_not_granted_is_not_called() -> None:
    till = Till(limit=1.5)
    part = make(till).for_model(CHEAP)
    part.check(1_500_000)
    part.charge(MILLION)
    with pytest.raises(BudgetExceeded, match="till is empty"):
        part.check(600_000)
    part.check(400_000)
    assert till.asked == [(1.5, 0.0), (1.6, 1.0)]


def test_the_runs_own_limit_comes_first_and_what_is_free_is_never_asked_for() -> None:
    till = Till(limit=0.0)
    run = make(till, dollars=1.0)
    with pytest.raises(BudgetExceeded, match=r"budget ended at 1\.00 dollars"):
        run.for_model(CHEAP).check(1_100_000)
    run.for_model(FREE).check(5_000_000)
    assert till.asked == []


@given(st.lists(st.tuples(st.integers(1, 400_000), st.sampled_from([DEAR, CHEAP, FREE])), max_size=30))
def test_no_call_that_was_checked_takes_a_run_beyond_a_limit(calls: list[tuple[int, Price]]) -> None:
    till = Till(limit=4.0, extra=0.5)
    run = make(till, dollars=6.0, turns=40)
    for tokens, price in calls:
        part = run.for_model(price)
        try:
            part.check(tokens)
        except BudgetExceeded:
            continue
        part.charge(Usage(input_tokens=tokens))
    assert run.spent_usd <= 4.0 + 1e-9
