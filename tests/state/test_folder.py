from __future__ import annotations

import fcntl
import os
import signal
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.state.claims import Claims, RunIdentity
from coordinator.state.folder import FolderStateStore
from coordinator.state.records import State
from tests.state.parts import NOON, run_record, with_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNTED = {"open", "os.rename", "os.remove", "os.mkdir"}


def claims_in(folder: Path) -> Claims:
    store = FolderStateStore(folder, now=lambda: NOON)
    return Claims(store, RunIdentity("1/work"), now=lambda: NOON)


def test_reading_what_is_not_there_writes_nothing(tmp_path: Path) -> None:
    assert FolderStateStore(tmp_path / "state").read() == State()
    assert not (tmp_path / "state").exists()


def test_its_clock_is_the_real_one_unless_another_is_given(tmp_path: Path) -> None:
    def edit(state: State) -> State:
        changed = with_text(1, "a")(state)
        old = changed.issues[1].model_copy(update={"touched_at": NOON - timedelta(days=36500)})
        return changed.model_copy(update={"issues": {1: old}})

    assert FolderStateStore(tmp_path).change("one", edit).issues == {}


def test_the_files_are_for_people_to_read(tmp_path: Path) -> None:
    FolderStateStore(tmp_path / "state", now=lambda: NOON).change("one", with_text(12, "a"))
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"state/lock", "state/issues/12.json", "state/totals.json"}
    assert (tmp_path / "state/issues/12.json").read_text().startswith('{\n "number": 12,\n "text": "a"')


def killed_at(step: int, act: Callable[[], object], folder: Path) -> bool:
    """Do something in a process of its own that is killed at its n-th step in the folder; return whether it was."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event in COUNTED and str(arguments[0]).startswith(str(folder)):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_kill_at_any_moment_leaves_the_state_before_or_after(tmp_path: Path) -> None:
    seen = set()
    for step in range(1, 200):
        folder = tmp_path / str(step)
        claims_in(folder).take(7, request=NOON, most_runs=None)
        was_killed = killed_at(step, lambda where=folder: claims_in(where).finish(7, run_record(cost=1.5)), folder)  # type: ignore[misc]  # bound now
        reader = claims_in(folder)
        record, spent = reader.record(7), reader.spent(NOON.date())
        assert (record.claim is None, len(record.runs), spent) in {(False, 0, 0.0), (True, 1, 1.5)}, step
        seen.add(record.claim is None)
        reader.finish(7, run_record(cost=1.5))
        assert (len(reader.record(7).runs), reader.spent(NOON.date())) == (1, 1.5)
        if not was_killed:
            break
    assert seen == {False, True}
    assert step > 10


def test_a_kill_while_a_broken_off_change_is_carried_out_changes_nothing(tmp_path: Path) -> None:
    """The first process dies with the change decided on, the second one while it carries it out."""
    for step in range(1, 200):
        folder = tmp_path / str(step)
        claims_in(folder).take(7, request=NOON, most_runs=None)
        first = 1
        while not (folder / "pending.json").exists():
            killed_at(first, lambda where=folder: claims_in(where).finish(7, run_record(cost=1.5)), folder)  # type: ignore[misc]  # bound now
            first += 1
        was_killed = killed_at(step, lambda where=folder: claims_in(where).record(7), folder)  # type: ignore[misc]  # bound now
        reader = claims_in(folder)
        assert (len(reader.record(7).runs), reader.spent(NOON.date())) == (1, 1.5)
        assert not (folder / "pending.json").exists()
        if not was_killed:
            break
    assert step > 5


@pytest.mark.parametrize("text", ["{", '{"files": {"issues/1.json": 3}}'])
def test_a_broken_pending_change_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "pending.json").write_text(text)
    with pytest.raises(Misconfigured, match=r"pending\.json is broken.*one change of the state is lost"):
        FolderStateStore(tmp_path).read()


def test_a_pending_change_writes_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "pending.json").write_text('{"files": {"../evil.json": "x", "lock": null, "issues/../../evil": "x"}}')
    assert FolderStateStore(folder).read() == State()
    assert [path.name for path in tmp_path.rglob("*")] == ["state", "lock"]


def test_a_broken_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    store = FolderStateStore(tmp_path)
    store.change("one", with_text(12, "a"))
    (tmp_path / "issues/12.json").write_text("{")
    with pytest.raises(Misconfigured, match=r"issues/12\.json of .*is broken.*delete the folder"):
        store.read()


def test_nobody_reads_while_somebody_writes(tmp_path: Path) -> None:
    store = FolderStateStore(tmp_path)
    store.change("one", with_text(1, "a"))
    held: list[bool] = []

    def edit(state: State) -> State:
        with (tmp_path / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)
        return with_text(1, "b")(state)

    store.change("two", edit)
    assert held == [True]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    store = FolderStateStore(folder)
    store.change("one", with_text(1, "a"))
    folder.chmod(0o500)
    try:
        with pytest.raises(Misconfigured, match=r"state in .*Permission denied"):
            store.change("two", with_text(1, "b"))
    finally:
        folder.chmod(0o700)


def test_a_place_that_cannot_be_read_and_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "issues").write_text("in the way")
    with pytest.raises(Misconfigured, match=r"The state in .* cannot be read and written \(.*\)\. Make room"):
        FolderStateStore(tmp_path).change("one", with_text(1, "a"))
    with pytest.raises(Misconfigured, match="cannot be written to"):
        FolderStateStore(tmp_path / "issues" / "below").change("one", with_text(1, "a"))
