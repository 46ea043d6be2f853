"""The second uid of a sandbox."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from coordinator.sandbox.confined import ConfinedSandbox
from coordinator.sandbox.deadline import DeadlineSandbox
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.means import Means
from coordinator.sandbox.opening import open_sandbox
from tests.sandbox.support import IS_ROOT, sh
from tests.sandbox.test_uid import held_locks

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.sandbox.protocol import Sandbox
    from coordinator.sandbox.running import Launcher

as_root = pytest.mark.skipif(not IS_ROOT, reason="only root has uids to give")


def number(sandbox: Sandbox, script: str) -> int:
    return int(sh(sandbox, script).stdout)


@as_root
def test_commands_aside_have_a_uid_and_folders_of_their_own(sandbox: ConfinedSandbox) -> None:
    aside = sandbox.aside()
    assert number(sandbox, "id -u") == sandbox.means.uid
    assert number(aside, "id -u") == number(sandbox.aside(), "id -g") not in {0, sandbox.means.uid}
    folder = aside.make_folder("mine")
    below = folder / "below"
    below.mkdir(mode=0o700)
    aside.give(below)
    assert sh(aside, f"touch {below}/file").ok
    assert not sh(sandbox, f"ls {folder}").ok
    assert not sh(aside, f"ls {sandbox.make_folder('theirs')}").ok
    assert aside.description == sandbox.description
    assert aside.aside() is aside


@as_root
def test_neither_can_see_or_signal_what_the_other_runs(sandbox: ConfinedSandbox) -> None:
    place = sandbox.make_folder("signal")
    place.chmod(0o755)
    runs = threading.Thread(target=sh, args=(sandbox, f"echo $$ > {place}/pid; while [ ! -e {place}/end ]; do :; done"))
    runs.start()
    try:
        look = f"until [ -s {place}/pid ]; do :; done; read pid < {place}/pid; "
        assert sh(sandbox, f"{look} kill -0 $pid && ls /proc/$pid/fd").ok
        seen = sh(sandbox.aside(), f"{look} kill -0 $pid || ls /proc/$pid/fd || cat /proc/$pid/environ")
        assert not seen.ok
        assert b"not permitted" in seen.stderr or b"No such process" in seen.stderr
    finally:
        (place / "end").touch()
        runs.join()


@as_root
def test_both_uids_are_given_back(launcher: Launcher) -> None:
    before = held_locks()
    with open_sandbox(visible=interpreter_paths(), launcher=launcher) as sandbox:
        sandbox.aside()
        assert len(held_locks() - before) == 2
    assert held_locks() == before


def test_where_all_share_one_uid_it_is_the_same_sandbox(launcher: Launcher, tmp_path: Path) -> None:
    means = Means(None, holds_network=False, hides_processes=False, processes=9)
    sandbox = ConfinedSandbox(tmp_path, means, launcher)
    assert sandbox.aside() is sandbox


def test_its_commands_end_with_the_run_too(sandbox: ConfinedSandbox) -> None:
    assert sh(DeadlineSandbox(sandbox, lambda: 0.0).aside(), "sleep 60").timed_out
