from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from coordinator.workspace.beneath import Beneath, Unreadable


def test_files_are_read_and_neighbours_share_their_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/b/x", "a/b/y", "a/z", "top"):
        (tmp_path / name).write_text(name)
    with Beneath(tmp_path) as inside:
        for name in ("a/b/x", "a/b/y", "a/z", "top", "a/b/x"):
            with inside.open_file(name) as file:
                assert file.read() == name.encode()


def test_all_descriptors_are_closed_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").touch()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Beneath(tmp_path) as inside:
        assert inside.look("a/b/x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_link_in_the_middle_of_a_path_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "door").symlink_to(outside)
    with Beneath(root) as inside:
        assert inside.look("door/secret") is None
        with pytest.raises(Unreadable):
            inside.open_file("door/secret")
        with pytest.raises(OSError, match="door"):
            inside.create_file("door/new", executable=False)
        with pytest.raises(Unreadable):
            list(inside.entries("door"))
    assert not (outside / "new").exists()


def test_a_link_at_the_end_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/environ")
    with Beneath(tmp_path) as inside:
        with pytest.raises(Unreadable, match="not a regular file"):
            inside.open_file("link")
        assert inside.read_link("link") == b"/proc/self/environ"


def test_pipes_sockets_and_folders_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener, Beneath(tmp_path) as inside:
        listener.bind(str(tmp_path / "socket"))
        for name in ("pipe", "folder", "socket", "missing"):
            with pytest.raises(Unreadable, match="not a regular file"):
                inside.open_file(name)
            with pytest.raises(Unreadable):
                inside.read_link(name)


def test_a_file_with_a_second_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    os.link(tmp_path / "secret", root / "name")
    with Beneath(root) as inside, pytest.raises(Unreadable, match="hard link"):
        inside.open_file("name")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "x").touch()
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0)
    closed.chmod(0)
    try:
        with Beneath(tmp_path) as inside:
            for call in (inside.look, inside.open_file):
                with pytest.raises(Unreadable, match="permission denied"):
                    call("closed/x")
            with pytest.raises(Unreadable, match="permission denied"):
                inside.open_file("file")
    finally:
        closed.chmod(0o700)


def test_a_name_that_is_too_long_cannot_be_told(tmp_path: Path) -> None:
    with Beneath(tmp_path) as inside, pytest.raises(Unreadable, match="too long"):
        inside.look("x" * 300)


def test_created_files_have_their_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with Beneath(tmp_path) as inside:
            for name, executable in (("d/e/plain", False), ("d/e/script", True)):
                with inside.create_file(name, executable=executable) as file:
                    file.write(b"x")
            inside.create_link("d/link", b"e/plain")
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("d", "d/e", "d/e/plain", "d/e/script")}
    assert modes == {"d": 0o755, "d/e": 0o755, "d/e/plain": 0o644, "d/e/script": 0o755}
    assert (tmp_path / "d" / "link").read_bytes() == b"x"


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with Beneath(tmp_path) as inside, pytest.raises(FileExistsError):
        inside.create_file("x", executable=False)
    assert (tmp_path / "x").read_text() == "mine"
