"""Issues that wait for themselves through others. No recursion: a chain may be thousands of issues long."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    Graph = Mapping[int, Collection[int]]
    """For each issue those that it waits for. Numbers that are no keys are left out."""


def find_cycles(graph: Graph) -> dict[int, tuple[int, ...]]:
    """Return for each issue that waits for itself one cycle that it is on.

    A cycle starts with its lowest number, and each issue in it waits for the next, the last for the first. An issue
    that only waits for a cycle is on none.
    """
    backwards = _reversed(graph)
    found: dict[int, tuple[int, ...]] = {}
    for component in components(graph):
        if len(component) > 1:
            found |= _cycles_in(frozenset(component), graph, backwards)
    return found


def components(graph: Graph) -> list[list[int]]:
    """Return the sets of issues that wait for each other (Kosaraju's strongly connected components).

    An issue on no cycle is a set of its own. Issues come after what they wait for.
    """
    backwards = _reversed(graph)
    seen: set[int] = set()
    return [_reach(root, graph, seen) for root in reversed(_by_depth(backwards)) if root not in seen]


def rotated(cycle: Sequence[int]) -> tuple[int, ...]:
    """Return the cycle from its lowest number on."""
    start = cycle.index(min(cycle))
    return (*cycle[start:], *cycle[:start])


def _reversed(graph: Graph) -> dict[int, list[int]]:
    backwards: dict[int, list[int]] = {number: [] for number in sorted(graph)}
    for number in backwards:
        for other in graph[number]:
            if other in backwards:
                backwards[other].append(number)
    return backwards


def _by_depth(graph: Graph) -> list[int]:
    """Return all issues, each after those that can be reached from it and were not seen before."""
    seen: set[int] = set()
    order = []
    for root in graph:
        open_ends = [] if root in seen else [(root, iter(graph[root]))]
        seen.add(root)
        while open_ends:
            number, rest = open_ends[-1]
            following = next((other for other in rest if other not in seen), None)
            if following is None:
                order.append(number)
                open_ends.pop()
            else:
                seen.add(following)
                open_ends.append((following, iter(graph[following])))
    return order


def _reach(root: int, graph: Graph, seen: set[int]) -> list[int]:
    """Return everything new that can be reached from an issue, itself first, and add it to `seen`."""
    seen.add(root)
    found = [root]
    for number in found:
        for other in graph[number]:
            if other in graph and other not in seen:
                seen.add(other)
                found.append(other)
    return found


def _cycles_in(members: frozenset[int], graph: Graph, backwards: Graph) -> dict[int, tuple[int, ...]]:
    """Return a cycle for each of a set of issues that all wait for each other.

    Each one is joined from two paths, to the lowest number and back, so that a large set costs no search per issue.
    """
    root = min(members)
    before = _tree(root, graph, members)
    after = _tree(root, backwards, members)
    last = next(number for number in before if root in graph[number] and number != root)
    shortest = tuple(reversed(_path(last, before)))
    found = dict.fromkeys(shortest, shortest)
    for number in sorted(members):
        if number not in found:
            there, back = _path(number, after), _path(number, before)
            cycle = rotated(_without_detours([*there, *reversed(back[1:-1])]))
            found |= {member: cycle for member in cycle if member not in found}
    return found


def _tree(root: int, graph: Graph, members: frozenset[int]) -> dict[int, int]:
    """Return for each member the one before it on a shortest way from the root, nearest first."""
    before = {root: root}
    found = [root]
    for number in found:
        for other in sorted(members.intersection(graph[number])):
            if other not in before:
                before[other] = number
                found.append(other)
    return before


def _path(number: int, before: Mapping[int, int]) -> list[int]:
    """Return the way from an issue back to the root of a tree, both included."""
    path = [number]
    while before[path[-1]] != path[-1]:
        path.append(before[path[-1]])
    return path


def _without_detours(walk: Iterable[int]) -> list[int]:
    """Leave out of a closed walk what comes back to where it was already."""
    kept: dict[int, None] = {}
    for number in walk:
        while number in kept and next(reversed(kept)) != number:
            kept.popitem()
        kept[number] = None
    return list(kept)
