"""The uid of the confined side."""

from __future__ import annotations

import pwd
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from coordinator.errors import Misconfigured
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.uid import UIDS, lease_uid, lock_folders
from tests.sandbox.support import IS_ROOT, REPOSITORY, sh


def held_locks() -> set[str]:
    """Give the uids whose locks this process holds; other coordinators may hold others meanwhile."""
    folders = {str(folder) for folder in lock_folders()}
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = entry.readlink()
            if str(target.parent) in folders:
                found.add(target.name)
    return found


def test_two_leases_are_two_uids_and_a_released_one_is_free_again(tmp_path: Path) -> None:
    folders = [tmp_path / "locks"]
    first, second = lease_uid(folders), lease_uid(folders)
    assert first.uid != second.uid
    assert {first.uid, second.uid} <= set(UIDS)
    first.release()
    third = lease_uid(folders)
    assert third.uid == first.uid
    third.release()
    second.release()


def test_a_lease_ends_with_its_process(tmp_path: Path) -> None:
    script = (
        f"import sys, os; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pathlib import Path; from coordinator.sandbox.uid import lease_uid\n"
        f"print(lease_uid([Path({str(tmp_path / 'locks')!r})]).uid, flush=True); os.kill(os.getpid(), 9)"
    )
    uid = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).stdout)
    lease = lease_uid([tmp_path / "locks"])
    assert lease.uid == uid
    lease.release()


def test_a_uid_with_an_account_or_a_group_is_not_taken(tmp_path: Path) -> None:
    account = pwd.getpwuid(0).pw_uid
    with pytest.raises(Misconfigured, match="every uid"):
        lease_uid([tmp_path / "locks"], uids=[account])


def test_a_folder_that_others_can_write_or_make_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    bad = [tmp_path / "open", tmp_path / "file", tmp_path / "link", tmp_path / "no/parent"]
    with pytest.raises(Misconfigured, match="no private folder for locks"):
        lease_uid(bad)
    lease = lease_uid([*bad, tmp_path / "good"])
    assert (tmp_path / "good" / str(lease.uid)).exists()
    lease.release()
    assert all(folder.is_absolute() for folder in lock_folders())


@pytest.mark.skipif(not IS_ROOT, reason="only root has uids to give")
def test_two_sandboxes_cannot_touch_each_other() -> None:
    with open_sandbox() as agent, open_sandbox() as gates:
        assert agent.means.uid != gates.means.uid
        mine, other = agent.make_folder("a"), gates.make_folder("b")
        assert sh(agent, f"touch {mine}/x").ok
        assert not sh(agent, f"ls {other} || touch {other}/x").ok
        assert not sh(agent, f"ls {gates.root}").ok


@pytest.mark.skipif(not IS_ROOT, reason="only root has uids to give")
def test_closing_removes_the_folder_and_gives_the_uid_back() -> None:
    before = held_locks()
    with open_sandbox() as sandbox:
        root = sandbox.root
        assert held_locks() == {*before, str(sandbox.means.uid)}
        assert sh(sandbox, "mkdir -p $HOME/a/b && chmod 0 $HOME/a").ok
        assert root.stat().st_mode & 0o777 == 0o711
    assert not root.exists()
    assert held_locks() == before


@pytest.mark.skipif(not IS_ROOT, reason="only root has uids to give")
def test_a_place_that_cannot_hold_the_sandbox_loses_no_uid(tmp_path: Path) -> None:
    before = held_locks()
    with pytest.raises(FileNotFoundError):
        open_sandbox(folder=tmp_path / "none")
    with pytest.raises(Misconfigured):
        open_sandbox(visible=[tmp_path / "none"])
    assert held_locks() == before
