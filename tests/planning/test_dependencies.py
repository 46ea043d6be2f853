"""What an issue waits for."""

from __future__ import annotations

from typing import Literal

import pytest

from coordinator.forge.models import Dependencies
from coordinator.planning.dependencies import Blockers, find_blockers

STATES: dict[int, Literal["open", "closed"]] = {3: "open", 4: "closed", 5: "open"}


def find(*, native: Dependencies | None = None, text: tuple[int, ...] = (), blocks: tuple[int, ...] = ()) -> Blockers:
    return find_blockers(
        7,
        native=native or Dependencies(),
        blocked_by=text,
        blocks=blocks,
        issue_state=STATES.get,
    )


def test_native_and_text_are_merged_and_only_open_ones_block() -> None:
    found = find(native=Dependencies(blocked_by=(3, 4), blocks=(8,)), text=(5, 3), blocks=(9, 8))
    assert (found.open, found.blocked_by, found.blocks) == ((3, 5), (3, 5), (8, 9))
    assert found.reason == "waits for #3, #5"


def test_nothing_in_the_way() -> None:
    assert (find(text=(4,)).blocked_by, find().reason) == ((), "")


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((99,), "#99 does not exist: correct the dependencies of the issue"),
        ((98, 99, 3), "#98, #99 do not exist: correct the dependencies of the issue; waits for #3"),
    ],
)
def test_a_blocker_that_does_not_exist_blocks_with_its_mend(numbers: tuple[int, ...], reason: str) -> None:
    found = find(text=numbers)
    assert found.reason == reason
    assert set(found.blocked_by) == set(numbers)


def test_an_issue_does_not_wait_for_itself() -> None:
    found = find(text=(7,), blocks=(7,))
    assert (found.blocked_by, found.blocks) == ((), ())
    assert found.notes == ("waits for itself (#7), which is ignored",)


def test_a_blocker_elsewhere_is_a_note() -> None:
    found = find(native=Dependencies(foreign=("org/lib#5",)))
    assert found.notes == ("org/lib#5 blocks it in another repository and is not watched",)
