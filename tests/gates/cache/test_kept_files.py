from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.cache.kept_files import MOST_BYTES, KeptFiles

if TYPE_CHECKING:
    from pathlib import Path


def kept(tmp_path: Path, **changes: float) -> KeptFiles:
    later = changes.get("later", 0.0)
    return KeptFiles(
        tmp_path / "kept", most=int(changes.get("most", 10)), days=1.0, now=lambda: time.time() + later * 86400
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    files = kept(tmp_path)
    assert files.read("a") is None
    assert files.write("a", b"one")
    assert files.write("a", b"two")
    assert files.read("a") == b"two"
    assert [path.name for path in files.folder.iterdir()] == ["a"]
    assert (files.folder / "a").stat().st_mode & 0o777 == 0o600
    assert files.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o705])
def test_a_folder_that_others_can_enter_does_not_count(tmp_path: Path, mode: int) -> None:
    files = kept(tmp_path)
    files.write("a", b"one")
    files.folder.chmod(mode)
    assert files.read("a") is None
    assert not files.write("b", b"two")
    assert not (files.folder / "b").exists()


@pytest.mark.parametrize("mode", [0o660, 0o602])
def test_a_file_that_others_can_write_does_not_count(tmp_path: Path, mode: int) -> None:
    files = kept(tmp_path)
    files.write("a", b"one")
    (files.folder / "a").chmod(mode)
    assert files.read("a") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given", ["kept", "kept/a"])
def test_what_somebody_else_owns_does_not_count(tmp_path: Path, given: str) -> None:
    files = kept(tmp_path)
    files.write("a", b"one")
    os.chown(tmp_path / given, 60999, 60999)
    assert files.read("a") is None


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    files = kept(tmp_path)
    files.write("a", b"one")
    (files.folder / "link").symlink_to("a")
    os.mkfifo(files.folder / "pipe", 0o600)
    (files.folder / "folder").mkdir(mode=0o700)
    assert [files.read(name) for name in ("link", "pipe", "folder")] == [None, None, None]


def test_a_folder_that_is_a_link_does_not_count(tmp_path: Path) -> None:
    real = kept(tmp_path / "real")
    real.write("a", b"one")
    (tmp_path / "kept").symlink_to(real.folder)
    assert kept(tmp_path).read("a") is None
    assert not kept(tmp_path).write("b", b"two")


def test_sizes_are_bounded(tmp_path: Path) -> None:
    files = kept(tmp_path)
    assert not files.write("a", bytes(MOST_BYTES + 1))
    assert files.write("a", b"")
    with (files.folder / "a").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert files.read("a") is None


def test_old_files_and_files_of_the_future_do_not_count(tmp_path: Path) -> None:
    kept(tmp_path).write("a", b"one")
    assert kept(tmp_path, later=0.9).read("a") == b"one"
    assert kept(tmp_path, later=1.1).read("a") is None
    assert kept(tmp_path, later=-0.1).read("a") is None


def test_old_files_and_the_oldest_of_many_are_deleted(tmp_path: Path) -> None:
    files = kept(tmp_path, most=3)
    for number in range(5):
        files.write(str(number), b"x")
        os.utime(files.folder / str(number), (time.time() - 50 + number,) * 2)
    (files.folder / ".new-left").write_bytes(b"")
    os.utime(files.folder / ".new-left", (time.time() - 2 * 86400,) * 2)
    files.write("last", b"x")
    assert sorted(path.name for path in files.folder.iterdir()) == ["3", "4", "last"]


def test_a_place_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    assert not kept(tmp_path).write("a", b"one")
    assert kept(tmp_path).read("a") is None


def test_a_name_that_is_taken_by_a_folder_leaves_no_half_file(tmp_path: Path) -> None:
    files = kept(tmp_path)
    files.write("a", b"one")
    (files.folder / "b").mkdir()
    assert not files.write("b", b"two")
    assert sorted(path.name for path in files.folder.iterdir()) == ["a", "b"]
