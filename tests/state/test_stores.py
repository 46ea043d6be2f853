"""What both places of the state promise, and a real server where one is given."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Refused
from coordinator.state.records import DayRecord, State
from tests.state.parts import NOON, with_text

if TYPE_CHECKING:
    from tests.forge.labs import RealGitea
    from tests.state.parts import Place


def test_a_new_place_is_empty(place: Place) -> None:
    assert place.open_store().read() == State()


def test_what_one_store_writes_another_one_reads(place: Place) -> None:
    first, second = place.open_store(), place.open_store()
    assert second.read() == State()
    written = first.change("one", with_text(1, "a"))
    assert written.issues[1].text == "a"
    assert second.read() == written
    assert place.open_store().read() == written
    written = second.change("two", with_text(2, "b"))
    assert first.read() == written
    assert set(first.read().issues) == {1, 2}


def test_files_are_changed_and_deleted_one_by_one(place: Place) -> None:
    store = place.open_store()
    day = DayRecord(day=NOON.date(), runs=1, cost_usd=0.25)
    for number in (1, 2, 3):
        store.change("add", with_text(number, "a"))
    store.change("day", lambda state: state.model_copy(update={"days": {day.day: day}}))
    store.change("change", with_text(2, "b"))
    left = store.change("remove", lambda state: State(days=state.days))
    assert left == State(days={day.day: day})
    assert place.open_store().read() == left


def test_an_edit_that_changes_nothing_and_one_that_raises_write_nothing(place: Place) -> None:
    def refuse(_: State) -> State:
        raise Refused("not now", mend="Wait")

    store = place.open_store()
    before = store.change("one", with_text(1, "a"))
    assert store.change("nothing", lambda state: state.model_copy()) == before
    with pytest.raises(Refused, match="not now"):
        store.change("never", refuse)
    assert place.open_store().read() == before


def test_stores_that_change_at_once_lose_no_change(place: Place) -> None:
    def count(state: State) -> State:
        before = state.issues[1].text if 1 in state.issues else ""
        return with_text(1, before + "x")(state)

    def work() -> None:
        store = place.open_store()
        for _ in range(3):
            store.change("count", count)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.open_store().read().issues[1].text == "x" * 12


def test_one_store_serves_several_threads(place: Place) -> None:
    store = place.open_store()
    threads = [
        threading.Thread(target=store.change, args=(f"n {number}", with_text(number, "a"))) for number in range(1, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(store.read().issues) == {1, 2, 3, 4}


def test_old_entries_are_folded_with_the_next_change(place: Place) -> None:
    store = place.open_store()
    old = DayRecord(day=NOON.date().replace(year=2025), runs=3)
    store.change("old", lambda state: state.model_copy(update={"days": {old.day: old}}))
    after = store.change("new", with_text(1, "a"))
    assert after.days == {}
    assert place.open_store().read() == after


def test_a_real_server_keeps_state_too(real_gitea: RealGitea) -> None:
    """Shows up as skipped where none is given; where one is, every test of this module runs against it."""
    assert real_gitea.api_url
