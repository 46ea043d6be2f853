"""The queue: which of our issues can be worked on, which cannot and why, and in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from coordinator.models import Frozen
from coordinator.planning.cycles import components, find_cycles
from coordinator.planning.dependencies import find_blockers, waits_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import JsonValue

    from coordinator.forge.models import Dependencies, Issue
    from coordinator.planning.dependencies import Blockers
    from coordinator.planning.metadata import PartialMetadata


class QueueState(StrEnum):
    """Where an issue of the queue stands."""

    READY = "ready"
    WAITING = "waiting"
    """For open issues; it becomes ready by itself when these are closed."""
    BLOCKED = "blocked"
    """Waiting would never end: a person has to change something."""
    WORKING = "working"
    """A run has it."""
    ANSWERED = "answered"
    """A run has worked on it, and the next word is a person's."""


class Priority(StrEnum):
    """How urgent an issue is, the most urgent first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_PRIORITIES = {**{each.value: each for each in Priority}, "urgent": Priority.CRITICAL}
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


class QueueEntry(Frozen):
    """One issue of the queue."""

    number: int
    title: str
    state: QueueState
    reason: str
    """One line: why it is in this state, and for a blocked one what to do."""
    blocked_by: tuple[int, ...] = ()
    """Open issues that this one waits for, and those that are named but do not exist."""
    missing: tuple[int, ...] = ()
    """Those of `blocked_by` that do not exist."""
    foreign: tuple[str, ...] = ()
    """Blockers in other repositories, as ``owner/name#number``."""
    cycle: tuple[int, ...] = ()
    """A cycle that the issue is on: each waits for the next, the last for the first."""
    priority: Priority = Priority.MEDIUM
    labels: tuple[str, ...] = ()
    url: str = ""
    """Where a person looks at it."""


class Queue(Frozen):
    """All open issues that are ours, in the order in which they would be worked on."""

    entries: tuple[QueueEntry, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many issues are in each state."""
        found = Counter(entry.state for entry in self.entries)
        return {state.value: found[state] for state in QueueState}

    def document(self) -> dict[str, JsonValue]:
        """Return the document of ``coordinator queue --format json``: ``{"entries": [...], "counts": {...}}``."""
        return {"entries": [entry.model_dump(mode="json") for entry in self.entries], "counts": {**self.counts}}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An issue that is ours, with the forge's dependencies and with what its text and labels say."""

    issue: Issue
    dependencies: Dependencies
    said: PartialMetadata

    @property
    def priority(self) -> Priority:
        """Its priority; medium where nothing is said, or nothing that is known."""
        return _PRIORITIES.get(self.said.priority or "", Priority.MEDIUM)


def plan_queue(
    candidates: Sequence[Candidate],
    *,
    outside: Mapping[int, Literal["open", "closed"] | None],
    working: Mapping[int, str],
    answered: Mapping[int, str] = MappingProxyType({}),
) -> Queue:
    """Order the open ones among the candidates, and say of each where it stands.

    `outside` gives the state of each blocker that is no candidate, None for one that does not exist (`unknown_blockers`
    names them); `working` says of the issues that a run has, which run, and `answered` of those that one has worked on
    as they were asked for, how that ended.
    """
    known = {candidate.issue.number: candidate for candidate in sorted(candidates, key=lambda one: one.issue.number)}
    named = named_blockers(known.values())
    graph = {
        number: [other for other in _edges(candidate, named) if other in known and known[other].issue.state == "open"]
        for number, candidate in known.items()
        if candidate.issue.state == "open"
    }
    cycles = find_cycles(graph)

    def state(number: int) -> Literal["open", "closed"] | None:
        return known[number].issue.state if number in known else outside.get(number)

    def blockers(number: int) -> Blockers:
        return find_blockers(
            number,
            native=known[number].dependencies,
            said=known[number].said,
            named_by=named.get(number, ()),
            issue_state=state,
            cycle=cycles.get(number, ()),
        )

    ranks = {number: (_RANKS[known[number].priority], number) for number in graph}
    order = _working_order(graph, ranks)
    found = [(number, blockers(number)) for number in order]
    return Queue(
        entries=tuple(
            _entry(known[number], held, *_standing(held, working.get(number), answered.get(number)))
            for number, held in found
        )
    )


def named_blockers(candidates: Iterable[Candidate]) -> dict[int, list[int]]:
    """Return for each issue those of ours that say that they block it, by their text or on the forge."""
    named: dict[int, list[int]] = {}
    for candidate in candidates:
        for number in {*candidate.said.blocks, *candidate.dependencies.blocks}:
            named.setdefault(number, []).append(candidate.issue.number)
    return named


def unknown_blockers(candidates: Sequence[Candidate]) -> tuple[int, ...]:
    """Return what the candidates wait for that is none of them: the numbers whose states `plan_queue` needs."""
    known = {candidate.issue.number for candidate in candidates}
    return tuple(sorted({number for candidate in candidates for number in _edges(candidate, {})} - known))


def _edges(candidate: Candidate, named: Mapping[int, Sequence[int]]) -> tuple[int, ...]:
    number = candidate.issue.number
    return waits_for(number, native=candidate.dependencies, said=candidate.said, named_by=named.get(number, ()))


def _entry(candidate: Candidate, blockers: Blockers, state: QueueState, reason: str) -> QueueEntry:
    issue = candidate.issue
    return QueueEntry(
        number=issue.number,
        title=issue.title,
        state=state,
        reason=reason,
        blocked_by=blockers.blocked_by,
        missing=blockers.missing,
        foreign=blockers.foreign,
        cycle=blockers.cycle,
        priority=candidate.priority,
        labels=issue.labels,
        url=issue.html_url,
    )


def _standing(blockers: Blockers, run: str | None, answer: str | None) -> tuple[QueueState, str]:
    if run is not None:
        return QueueState.WORKING, run
    if blockers.for_good:
        return QueueState.BLOCKED, blockers.reason
    if blockers.any:
        return QueueState.WAITING, blockers.reason
    if answer is not None:
        return QueueState.ANSWERED, answer
    return QueueState.READY, "nothing is in its way"


def _working_order(graph: Mapping[int, Sequence[int]], ranks: Mapping[int, tuple[int, int]]) -> list[int]:
    """Return the issues so that each comes after what it waits for, and by rank where that leaves a choice.

    Issues that wait for each other come in the order of their ranks alone.
    """
    place = {number: index for index, members in enumerate(components(graph)) for number in members}
    dependents: dict[int, list[int]] = {number: [] for number in graph}
    open_ends = dict.fromkeys(graph, 0)
    for number, blockers in graph.items():
        for other in blockers:
            if place[other] != place[number]:
                dependents[other].append(number)
                open_ends[number] += 1
    free = [ranks[number] for number, count in open_ends.items() if not count]
    heapify(free)
    order = []
    while free:
        number = heappop(free)[1]
        order.append(number)
        for dependent in dependents[number]:
            open_ends[dependent] -= 1
            if not open_ends[dependent]:
                heappush(free, ranks[dependent])
    return order
