from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from coordinator.gates.files import files_below, place_below, read_below, take_back, text_below, write_below
from coordinator.gates.tree import remove_folder
from tests.support import write_files

if TYPE_CHECKING:
    from pathlib import Path


def test_only_regular_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/b.txt": "text", "big": "x" * 11})
    (tmp_path / "link").symlink_to("a/b.txt")
    (tmp_path / "folder").symlink_to("a")
    (tmp_path / "bytes").write_bytes(b"\xff")
    os.mkfifo(tmp_path / "pipe")
    assert read_below(tmp_path, "a/b.txt") == b"text"
    assert [read_below(tmp_path, name, 10) for name in ("link", "folder/b.txt", "pipe", "big", "gone", "a")] == [
        None
    ] * 6
    assert text_below(tmp_path, "bytes") is None


def test_paths_never_leave_the_folder(tmp_path: Path) -> None:
    for name in ("../a", "/etc/passwd", "", "a/../../b"):
        assert place_below(tmp_path, name) is None
        assert read_below(tmp_path, name) is None
        assert not write_below(tmp_path, name, b"")


def test_writing_replaces_what_is_there_and_follows_no_link(tmp_path: Path) -> None:
    write_files(tmp_path / "outside", {"file": "keep"})
    root = tmp_path / "root"
    (root / "folder" / "inside").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "outside" / "file")
    (root / "way").symlink_to(tmp_path / "outside")
    (root / "file").write_text("")
    assert write_below(root, "link", b"new", 0o755)
    assert write_below(root, "folder", b"new")
    assert write_below(root, "new/deep", b"new")
    assert not write_below(root, "way/file", b"new")
    assert not write_below(root, "file/below", b"new")
    assert (tmp_path / "outside" / "file").read_text() == "keep"
    assert (root / "link").read_bytes() == b"new"
    assert stat.S_IMODE((root / "link").stat().st_mode) == 0o755


def test_files_are_listed_without_links_and_git(tmp_path: Path) -> None:
    write_files(tmp_path, {"b/c": "", "a": "", ".git/config": ""})
    (tmp_path / "link").symlink_to("a")
    assert list(files_below(tmp_path)) == ["a", "b/c"]


def test_a_folder_taken_back_is_readable_and_closed_for_writing(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_files(folder, {"sub/file": "", "tool": ""})
    (folder / "sub" / "link").symlink_to("/etc/passwd")
    (folder / "sub" / "file").chmod(0o626)
    (folder / "tool").chmod(0o4711)
    take_back(folder)
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("sub/file", "tool", "sub")}
    assert modes == {"sub/file": 0o644, "tool": 0o755, "sub": 0o755}


def test_a_folder_with_closed_folders_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_files(folder, {"closed/deep/file": ""})
    (folder / "closed" / "deep").chmod(0)
    (folder / "closed").chmod(0o500)
    remove_folder(folder)
    remove_folder(folder)
    assert not folder.exists()
