"""The queue: which issues are ready, which are not and why, and in which order."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.forge.models import Dependencies
from coordinator.planning.metadata import read_metadata
from coordinator.planning.queue import (
    Candidate,
    Priority,
    Queue,
    QueueEntry,
    QueueState,
    plan_queue,
    unknown_blockers,
)
from tests.planning.support import make_issue

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTSIDE: dict[int, Literal["open", "closed"] | None] = {90: "open", 91: "closed", 92: None}


def candidate(
    number: int,
    body: str = "",
    *,
    labels: tuple[str, ...] = (),
    native: Dependencies | None = None,
    state: Literal["open", "closed"] = "open",
) -> Candidate:
    issue = make_issue(body, number=number, title=f"Issue {number}", labels=labels)
    issue = issue.model_copy(update={"state": state, "html_url": f"https://forge.example/{number}"})
    return Candidate(issue, native or Dependencies(), read_metadata(body, labels))


def plan(*candidates: Candidate, working: dict[int, str] | None = None) -> Queue:
    return plan_queue(candidates, outside=OUTSIDE, working=working or {})


def numbers(queue: Queue) -> list[int]:
    return [entry.number for entry in queue.entries]


def states(queue: Queue) -> dict[int, str]:
    return {entry.number: entry.state.value for entry in queue.entries}


def entry_of(queue: Queue, number: int) -> QueueEntry:
    return next(entry for entry in queue.entries if entry.number == number)


def test_an_empty_queue() -> None:
    assert plan().entries == ()
    states = ("ready", "waiting", "blocked", "working", "answered")
    assert plan().document() == {"entries": [], "counts": dict.fromkeys(states, 0)}


def test_dependency_then_priority_then_number() -> None:
    queue = plan(
        candidate(5),
        candidate(1, "Blocked by: #5", labels=("priority/critical",)),
        candidate(4, labels=("priority: low",)),
        candidate(3, labels=("Priority/High",)),
        candidate(2, "---\npriority: urgent\n---\n"),
        candidate(6),
    )
    assert numbers(queue) == [2, 3, 5, 1, 6, 4]
    assert states(queue) == {1: "waiting", **dict.fromkeys((2, 3, 4, 5, 6), "ready")}


@pytest.mark.parametrize(
    ("label", "priority"),
    [
        ("priority/critical", Priority.CRITICAL),
        ("priority: urgent", Priority.CRITICAL),
        ("Priority/High", Priority.HIGH),
        ("priority/medium", Priority.MEDIUM),
        ("priority/none", Priority.MEDIUM),
        ("priority/whenever", Priority.MEDIUM),
        ("bug", Priority.MEDIUM),
        ("priority = low", Priority.LOW),
    ],
)
def test_priorities_as_people_write_them(label: str, priority: Priority) -> None:
    assert plan(candidate(1, labels=(label,))).entries[0].priority is priority


def test_what_is_native_what_is_written_and_what_others_write_hold_up_alike() -> None:
    queue = plan(
        candidate(1, native=Dependencies(blocked_by=(4,))),
        candidate(2, "Blocked by: #4"),
        candidate(3),
        candidate(4, "Blocks: #3"),
        candidate(5),
        candidate(6, native=Dependencies(blocks=(5,))),
    )
    assert numbers(queue) == [4, 1, 2, 3, 6, 5]
    for number, blocker in {1: 4, 2: 4, 3: 4, 5: 6}.items():
        entry = entry_of(queue, number)
        assert (entry.state, entry.blocked_by) == (QueueState.WAITING, (blocker,))
        assert entry.reason == f"waits for #{blocker}"


def test_closed_issues_block_nothing_and_are_not_in_the_queue() -> None:
    queue = plan(candidate(1, "Blocked by: #2, #91"), candidate(2, "Blocks: #3", state="closed"), candidate(3))
    assert states(queue) == {1: "ready", 3: "ready"}
    assert entry_of(queue, 1).reason == "nothing is in its way"


def test_what_waits_for_an_open_issue_of_others_waits() -> None:
    entry = plan(candidate(1, "Blocked by: #90, #91")).entries[0]
    assert (entry.state, entry.blocked_by, entry.missing) == (QueueState.WAITING, (90,), ())


def test_a_missing_and_a_foreign_blocker_block_with_their_mend() -> None:
    queue = plan(
        candidate(1, "Blocked by: #92"),
        candidate(2, native=Dependencies(foreign=("org/lib#5",))),
        candidate(3, "Blocked by: org/lib#6"),
        candidate(4, "Blocked by: #1"),
    )
    assert states(queue) == {1: "blocked", 2: "blocked", 3: "blocked", 4: "waiting"}
    assert entry_of(queue, 1).missing == (92,)
    assert "#92 does not exist: correct" in entry_of(queue, 1).reason
    assert entry_of(queue, 2).foreign == ("org/lib#5",)
    assert "org/lib#6 is in another repository" in entry_of(queue, 3).reason


def test_a_cycle_is_reported_on_each_of_its_issues_and_holds_up_only_what_waits_for_it() -> None:
    queue = plan(
        candidate(1, "Blocked by: #2", labels=("priority/low",)),
        candidate(2, "Blocked by: #3"),
        candidate(3, native=Dependencies(blocked_by=(1,))),
        candidate(4, "Blocked by: #3", labels=("priority/critical",)),
        candidate(5),
    )
    assert states(queue) == {1: "blocked", 2: "blocked", 3: "blocked", 4: "waiting", 5: "ready"}
    for number in (1, 2, 3):
        entry = entry_of(queue, number)
        assert entry.cycle == (1, 2, 3)
        assert entry.reason == "cycle #1 → #2 → #3 → #1: remove one of these dependencies"
    assert (entry_of(queue, 4).cycle, entry_of(queue, 4).reason) == ((), "waits for #3")
    assert numbers(queue) == [2, 3, 4, 5, 1]


def test_a_closed_issue_breaks_a_cycle() -> None:
    queue = plan(candidate(1, "Blocked by: #2"), candidate(2, "Blocked by: #1", state="closed"))
    assert states(queue) == {1: "ready"}


def test_an_issue_that_names_itself_is_ready() -> None:
    assert states(plan(candidate(1, "Blocked by: #1\n\nBlocks: #1"))) == {1: "ready"}


def test_what_a_run_has_is_worked_on_whatever_is_in_its_way() -> None:
    queue = plan(candidate(1, "Blocked by: #92"), candidate(2, "Blocked by: #1"), working={1: "run 7 works on it"})
    assert (entry_of(queue, 1).state, entry_of(queue, 1).reason) == (QueueState.WORKING, "run 7 works on it")
    assert entry_of(queue, 2).state is QueueState.WAITING


def test_the_document() -> None:
    queue = plan(candidate(1, "Blocked by: #2, #92, org/lib#5", labels=("agent", "priority/high")), candidate(2))
    document = json.loads(json.dumps(queue.document()))
    assert list(document) == ["entries", "counts"]
    assert document["counts"] == {"ready": 1, "waiting": 0, "blocked": 1, "working": 0, "answered": 0}
    assert document["entries"][1] == {
        "number": 1,
        "title": "Issue 1",
        "state": "blocked",
        "reason": entry_of(queue, 1).reason,
        "blocked_by": [2, 92],
        "missing": [92],
        "foreign": ["org/lib#5"],
        "cycle": [],
        "priority": "high",
        "labels": ["agent", "priority/high"],
        "url": "https://forge.example/1",
    }


def test_which_blockers_have_to_be_looked_up() -> None:
    candidates = [
        candidate(1, "Blocked by: #90, #2"),
        candidate(2, "Blocks: #91", native=Dependencies(blocked_by=(3,))),
    ]
    assert unknown_blockers(candidates) == (3, 90)


@given(st.data())
def test_the_order_is_one_in_which_all_can_be_worked_on(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 9))
    words = st.sampled_from(["", "priority/high", "priority/low", "priority/critical"])
    blockers = st.lists(st.integers(1, size), max_size=3, unique=True)
    labels = [data.draw(words) for _ in range(size)]
    waits = [data.draw(blockers) for _ in range(size)]
    candidates = [
        candidate(number, labels=(label,), native=Dependencies(blocked_by=tuple(others)))
        for number, label, others in zip(range(1, size + 1), labels, waits, strict=True)
    ]
    queue = plan(*candidates)
    assert sorted(numbers(queue)) == list(range(1, size + 1))
    assert plan(*data.draw(st.permutations(candidates))) == queue
    place = {number: index for index, number in enumerate(numbers(queue))}
    for entry in queue.entries:
        for other in entry.blocked_by:
            assert place[other] < place[entry.number] or entry_of(queue, other).cycle


def test_five_thousand_issues_take_less_than_two_seconds() -> None:
    candidates: Sequence[Candidate] = [
        candidate(
            number,
            f"Text.\n\nBlocked by: #{number * 37 % 5_000 + 1}, #{max(1, number - 1)}\n",
            native=Dependencies(blocked_by=(number * 61 % 5_000 + 1,)),
        )
        for number in range(1, 5_001)
    ]
    started = time.thread_time()
    queue = plan(*candidates)
    assert time.thread_time() - started < 2.0
    assert len(queue.entries) == 5_000


def test_what_a_run_has_worked_on_waits_for_a_person() -> None:
    candidates = [candidate(1), candidate(2)]
    queue = plan_queue(candidates, outside={}, working={}, answered={1: "run 7 has worked on it: completed"})
    assert states(queue) == {1: "answered", 2: "ready"}
    assert entry_of(queue, 1).reason == "run 7 has worked on it: completed"
