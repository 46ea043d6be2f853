"""Issues that wait for themselves through others."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.planning.cycles import components, find_cycles, rotated

GRAPHS = st.dictionaries(st.integers(1, 12), st.lists(st.integers(1, 12), max_size=4, unique=True), max_size=12)


def reachable(graph: dict[int, list[int]], start: int) -> set[int]:
    """Return what an issue waits for in the end, the slow and plain way."""
    found: set[int] = set()
    ahead = [start]
    while ahead:
        for other in graph.get(ahead.pop(), []):
            if other in graph and other not in found:
                found.add(other)
                ahead.append(other)
    return found


@pytest.mark.parametrize(
    ("graph", "cycles"),
    [
        ({}, {}),
        ({1: [2], 2: [3], 3: []}, {}),
        ({1: [1]}, {}),
        ({1: [2], 2: [99]}, {}),
        ({2: [1], 1: [2]}, {1: (1, 2), 2: (1, 2)}),
        ({1: [2], 2: [3], 3: [1], 4: [1], 5: []}, dict.fromkeys((1, 2, 3), (1, 2, 3))),
        ({3: [1], 1: [2], 2: [3, 4], 4: [5], 5: [4]}, {**dict.fromkeys((1, 2, 3), (1, 2, 3)), 4: (4, 5), 5: (4, 5)}),
        ({1: [2], 2: [1, 3], 3: [2]}, {1: (1, 2), 2: (1, 2), 3: (2, 3)}),
        (
            {1: [5, 2], 2: [3], 3: [1], 5: [6], 6: [7], 7: [1]},
            {**dict.fromkeys((1, 2, 3), (1, 2, 3)), **dict.fromkeys((5, 6, 7), (1, 5, 6, 7))},
        ),
    ],
)
def test_each_issue_that_waits_for_itself_has_a_cycle_and_no_other(
    graph: dict[int, list[int]], cycles: dict[int, tuple[int, ...]]
) -> None:
    assert find_cycles(graph) == cycles


@given(GRAPHS)
def test_a_cycle_is_one_that_the_issue_is_on(graph: dict[int, list[int]]) -> None:
    found = find_cycles(graph)
    for number in graph:
        others = reachable(graph, number) - {number}
        assert (number in found) == any(number in reachable(graph, other) for other in others)
    for number, cycle in found.items():
        assert number in cycle
        assert len(set(cycle)) == len(cycle) > 1
        assert cycle[0] == min(cycle)
        assert all(after in graph[before] for before, after in zip(cycle, (*cycle[1:], cycle[0]), strict=True))


@given(GRAPHS)
def test_issues_come_after_what_they_wait_for(graph: dict[int, list[int]]) -> None:
    found = components(graph)
    assert sorted(number for members in found for number in members) == sorted(graph)
    place = {number: index for index, members in enumerate(found) for number in members}
    for number, others in graph.items():
        for other in set(others) & graph.keys():
            together = number in reachable(graph, other) or number == other
            assert place[other] == place[number] if together else place[other] < place[number]


@given(GRAPHS)
def test_the_order_in_which_issues_are_given_does_not_matter(graph: dict[int, list[int]]) -> None:
    turned = {number: graph[number][::-1] for number in reversed(graph)}
    assert find_cycles(turned) == find_cycles(graph)


def test_a_chain_of_five_thousand_needs_no_deeper_stack() -> None:
    assert sys.getrecursionlimit() < 5_000
    chain = {number: [number + 1] for number in range(1, 5_001)}
    assert find_cycles(chain) == {}
    ring = {**chain, 5_000: [1]}
    found = find_cycles(ring)
    assert len(found) == 5_000
    assert set(map(id, found.values())) == {id(found[1])}
    assert found[4_711] == tuple(range(1, 5_001))


def test_many_entangled_issues_are_done_at_once() -> None:
    size = 5_000
    graph = {number: [number * 7 % size, number * 13 % size, (number + 1) % size] for number in range(size)}
    started = time.thread_time()
    found = find_cycles(graph)
    assert time.thread_time() - started < 1.5
    assert len(found) == size


def test_a_cycle_starts_with_its_lowest_number() -> None:
    assert rotated([5, 3, 9]) == (3, 9, 5)
