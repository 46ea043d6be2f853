"""What an issue waits for."""

from __future__ import annotations

from typing import Literal

import pytest

from coordinator.forge.models import Dependencies
from coordinator.planning.dependencies import Blockers, find_blockers, waits_for
from coordinator.planning.metadata import PartialMetadata
from coordinator.planning.show import cycle_text, hashes

STATES: dict[int, Literal["open", "closed"]] = {3: "open", 4: "closed", 5: "open", 6: "open"}


def find(
    *,
    native: Dependencies | None = None,
    named_by: tuple[int, ...] = (),
    cycle: tuple[int, ...] = (),
    blocked_by: tuple[int, ...] = (),
    blocks: tuple[int, ...] = (),
    foreign: tuple[str, ...] = (),
) -> Blockers:
    return find_blockers(
        7,
        native=native or Dependencies(),
        said=PartialMetadata(blocked_by=blocked_by, blocks=blocks, foreign=foreign),
        named_by=named_by,
        issue_state=STATES.get,
        cycle=cycle,
    )


def test_native_edges_come_first_then_text_then_what_others_say() -> None:
    native = Dependencies(blocked_by=(5, 3))
    said = PartialMetadata(blocked_by=(9, 5, 7))
    assert waits_for(7, native=native, said=said, named_by=[8, 9]) == (5, 3, 9, 8)


def test_all_are_merged_and_only_open_ones_block() -> None:
    found = find(native=Dependencies(blocked_by=(3, 4), blocks=(8,)), blocked_by=(5, 3), blocks=(9, 8), named_by=(6, 4))
    assert (found.open, found.blocked_by, found.blocks) == ((3, 5, 6), (3, 5, 6), (8, 9))
    assert found.reason == "waits for #3, #5, #6"
    assert (found.any, found.for_good) == (True, False)


def test_what_says_that_it_waits_for_an_issue_is_blocked_by_it() -> None:
    found = find_blockers(
        7,
        native=Dependencies(blocks=(8,)),
        said=PartialMetadata(blocks=(9,)),
        named_by=(),
        issue_state=STATES.get,
        waited_for_by=(10, 8, 7),
    )
    assert (found.blocks, found.any) == ((8, 9, 10), False)


def test_nothing_in_the_way() -> None:
    for found in (find(), find(blocked_by=(4,))):
        assert (found.blocked_by, found.reason, found.any, found.for_good) == ((), "", False, False)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((99,), "#99 does not exist: correct the dependencies of the issue"),
        ((98, 99, 3), "#98, #99 do not exist: correct the dependencies of the issue; waits for #3"),
    ],
)
def test_a_blocker_that_does_not_exist_blocks_with_its_mend(numbers: tuple[int, ...], reason: str) -> None:
    found = find(blocked_by=numbers)
    assert found.reason == reason
    assert set(found.blocked_by) == set(numbers)
    assert (found.any, found.for_good) == (True, True)


def test_an_issue_does_not_wait_for_itself() -> None:
    found = find(blocked_by=(7,), blocks=(7,))
    assert (found.blocked_by, found.blocks, found.any) == ((), (), False)
    assert found.notes == ("waits for itself (#7), which is ignored",)
    assert find(native=Dependencies(blocked_by=(7,))).notes == found.notes


def test_a_blocker_elsewhere_blocks_for_good_with_its_mend() -> None:
    mend = "is in another repository, where nobody watches it: remove the dependency once it is done"
    for found in (find(native=Dependencies(foreign=("org/lib#5",))), find(foreign=("org/lib#5",))):
        assert (found.foreign, found.blocked_by) == (("org/lib#5",), ())
        assert (found.any, found.for_good, found.reason) == (True, True, f"org/lib#5 {mend}")
    both = find(native=Dependencies(foreign=("org/lib#5",)), foreign=("org/lib#5", "a/b#1"), blocked_by=(3,))
    assert both.foreign == ("org/lib#5", "a/b#1")
    assert both.reason == f"org/lib#5 {mend}; a/b#1 {mend}; waits for #3"


def test_a_blocker_that_the_token_may_not_see_blocks_too() -> None:
    reason = find(native=Dependencies(foreign=("?#0",))).reason
    assert reason.startswith("an issue is in a repository that the token may not read, where nobody watches it: remove")


def test_a_cycle_blocks_for_good_and_is_shown_instead_of_waiting() -> None:
    found = find(blocked_by=(3, 5), cycle=(3, 7))
    assert (found.any, found.for_good, found.blocked_by) == (True, True, (3, 5))
    assert found.reason == "cycle #3 → #7 → #3: remove one of these dependencies; waits for #5"


def test_very_many_are_not_all_named() -> None:
    assert hashes(range(1, 21)).endswith(", #20")
    assert hashes(range(1, 24)).endswith(", #20 and 3 more")
    assert cycle_text([1, 2, 3]) == "#1 → #2 → #3 → #1"
    assert cycle_text(range(1, 21)).count("→") == 20
    long = cycle_text(range(1, 5_001))
    assert long.startswith("#1 → #2 → ")
    assert " → #10 → (4980 more) → #4991 → " in long
    assert long.endswith(" → #5000 → #1")
