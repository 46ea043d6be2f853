"""How far off estimates were, and what work is expected to cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.agent.protocol import Price
from coordinator.planning.accuracy import Accuracy, Comparison, accuracy_json, accuracy_text, compare
from coordinator.planning.estimate import predicted_cost
from coordinator.planning.profiles import AGENT_PROFILES

MANY = Comparison(runs=12, median=1.4, lowest=0.6, highest=2.94)
ONE = Comparison(runs=1, median=0.8, lowest=0.8, highest=0.8)


def test_what_was_needed_is_told_as_a_multiple_of_what_was_expected() -> None:
    assert compare([(10, 15), (10, 5), (20, 80)]) == Comparison(runs=3, median=1.5, lowest=0.5, highest=4.0)
    assert compare([(10, 15), (10, 5)]) == Comparison(runs=2, median=1.0, lowest=0.5, highest=1.5)


def test_what_was_expected_to_be_nothing_is_left_out() -> None:
    assert compare([(0, 15), (10, 5)]) == Comparison(runs=1, median=0.5, lowest=0.5, highest=0.5)
    assert compare([(0, 15)]) is None
    assert compare([]) is None


@given(st.lists(st.tuples(st.floats(0.01, 1e6), st.floats(0, 1e6)), min_size=1))
def test_the_median_lies_between_the_ends(pairs: list[tuple[float, float]]) -> None:
    found = compare(pairs)
    assert found is not None
    assert found.lowest <= found.median <= found.highest
    assert found.runs == len(pairs)


@pytest.mark.parametrize(
    ("accuracy", "text"),
    [
        (Accuracy(context=MANY), "12 runs, context 1.4 x the estimate in the median (0.6 to 2.9)"),
        (Accuracy(context=ONE, cost=ONE), "1 run, context 0.8 x the estimate, cost 0.8 x the estimate"),
        (Accuracy(cost=MANY), "12 runs, cost 1.4 x the estimate in the median (0.6 to 2.9)"),
        (
            Accuracy(context=MANY, cost=ONE),
            "12 runs, context 1.4 x the estimate in the median (0.6 to 2.9), cost 0.8 x the estimate",
        ),
        (Accuracy(), ""),
    ],
)
def test_it_is_one_line(accuracy: Accuracy, text: str) -> None:
    assert accuracy_text(accuracy) == text


def test_machines_get_the_numbers() -> None:
    assert accuracy_json(Accuracy(context=ONE)) == {
        "context": {"runs": 1, "median": 0.8, "lowest": 0.8, "highest": 0.8},
        "cost": None,
    }
    assert accuracy_json(Accuracy()) is None
    assert accuracy_json(None) is None


def test_what_was_sent_before_is_read_from_the_cache() -> None:
    sonnet = AGENT_PROFILES["sonnet"]
    new, reply = 1_500, 500  # of each of the twenty turns
    before = sum(turn * new for turn in range(20))
    price = Price(input=2.0, output=10.0, cache_read=0.10, cache_write=2.50)
    expected = (before * price.cache_read + 20 * new * price.cache_write + 20 * reply * price.output) / 1_000_000
    assert predicted_cost(30_000, sonnet) == pytest.approx(expected)
    assert 0.15 < expected < 0.25


def test_without_a_cache_every_turn_pays_for_all_of_it() -> None:
    plain = AGENT_PROFILES["sonnet"].model_copy(update={"vendor_features": False})
    expected = (sum(turn * 1_500 for turn in range(1, 21)) * 2.0 + 10_000 * 10.0) / 1_000_000
    assert predicted_cost(30_000, plain) == pytest.approx(expected)


def test_long_prompts_cost_what_they_cost_and_free_models_nothing() -> None:
    haiku = AGENT_PROFILES["haiku"]
    flat = haiku.model_copy(update={"price": haiku.price.model_copy(update={"long_prompt_over": None})})
    assert predicted_cost(90_000, haiku) == predicted_cost(90_000, flat)
    assert predicted_cost(190_000, haiku) > 2 * predicted_cost(190_000, flat)
    assert predicted_cost(190_000, AGENT_PROFILES["glm"]) == 0
