"""What differs between two exports, and which lines are new."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.change import MOST_PAIRS, NO_CHANGE, FileChange, change_between
from coordinator.gates.files import TEXT_LIMIT
from coordinator.gates.tree import export_tree
from tests.gates.integrity.support import a_change, write
from tests.gates.support import PlainSandbox, exporter
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path


def test_each_changed_path_has_what_it_was_and_is(tmp_path: Path) -> None:
    change = a_change(tmp_path, {"same": "1", "gone": "2", "in/other": "3"}, {"same": "1", "new": "4", "in/other": "5"})
    assert change.files == {
        "gone": FileChange("gone", b"2", None),
        "in/other": FileChange("in/other", b"3", b"5"),
        "new": FileChange("new", None, b"4"),
    }


def test_a_link_is_its_target_and_never_followed(tmp_path: Path) -> None:
    before, after = write(tmp_path / "a", {"one.py": "x", "two.py": "y"}), write(tmp_path / "b", {"one.py": "x"})
    (after / "two.py").symlink_to("y")
    (after / "folder").symlink_to("/etc")
    (before / "old").symlink_to("here")
    (after / "old").symlink_to("there")
    assert change_between(before, after).files == {
        "two.py": FileChange("two.py", b"y", b"y", is_link=True),
        "folder": FileChange("folder", None, b"/etc", is_link=True),
        "old": FileChange("old", b"here", b"there", is_link=True),
    }


def test_a_large_file_that_has_grown_has_changed(tmp_path: Path) -> None:
    large = b"a" * (TEXT_LIMIT + 1)
    assert list(a_change(tmp_path, {"x": large + b"a"}, {"x": large + b"aa"}).files) == ["x"]


@pytest.mark.parametrize("end", [b"!", b"ab"])
def test_a_large_file_is_compared_to_its_end_and_kept_cut(tmp_path: Path, end: bytes) -> None:
    large = b"a" * TEXT_LIMIT
    change = a_change(tmp_path, {"x": large + b"a?", "y": large + b"??"}, {"x": large + b"a" + end, "y": large + b"??"})
    assert list(change.files) == ["x"]
    assert change.files["x"] == FileChange("x", large, large, is_complete=False)


@pytest.mark.parametrize(
    ("before", "after", "added"),
    [
        (None, b"a\nb\n", {1, 2}),
        (b"a\n", None, set()),
        (b"a\nb\n", b"a\nx\nb\n", {2}),
        (b"a\nb\nc\n", b"a\nc\n", set()),
        (b"a\nb\nc\n", b"a\nB\nc\nd\n", {2, 4}),
        (b"a\nb\n", b"b\na\n", {1}),
        (b"a\na\n", b"a\na\na\n", {3}),
        (b"a\r\nb\r\n", b"a\nb\nc\r\n", {3}),
        (b"a\nb", b"a\nb\n", set()),
        (b"\xff\n", b"\xff\n\xfe\n", {2}),
        (b"a\n\x0cb\x0bc\n", b"a\n\x0cb\x0bc\nd\n", {3}),
    ],
)
def test_added_lines(before: bytes | None, after: bytes | None, added: set[int]) -> None:
    assert FileChange("a", before, after).added_lines == added


MODULE = "a = 1\nb = 2\nc = 3\nd = 4\n"


@pytest.mark.parametrize(
    ("old", "new", "content", "added"),
    [
        ("toy/a.py", "toy/b.py", MODULE, set()),
        ("toy/a.py", "lib/a.py", MODULE + "e = 5\n", {5}),
        ("toy/a.py", "toy/b.py", "a = 1\nb = 2\ny = 1\nz = 1\n", {3, 4}),
        ("toy/a.py", "toy/b.py", "a = 1\nx = 1\ny = 1\nz = 1\n", {1, 2, 3, 4}),
        ("toy/a.py", "lib/b.py", MODULE, {1, 2, 3, 4}),
    ],
)
def test_a_moved_file_has_only_what_is_new_in_it(
    tmp_path: Path, old: str, new: str, content: str, added: set[int]
) -> None:
    base = {old: MODULE, "toy/other.py": "x = 1\n", "toy/stays.py": MODULE}
    change = a_change(tmp_path, base, {new: content, "toy/stays.py": MODULE})
    assert change.added_lines(new) == added
    assert change.added_lines(old) == set()


def test_a_file_that_stays_is_no_origin(tmp_path: Path) -> None:
    change = a_change(tmp_path, {"a.py": MODULE, "c.py": MODULE}, {"a.py": MODULE, "b.py": MODULE, "c.py": ""})
    assert change.added_lines("b.py") == {1, 2, 3, 4}
    assert change.added_lines("c.py") == set()


def test_a_hostile_file_is_aligned_in_bounded_time() -> None:
    lines = MOST_PAIRS // 300
    before = b"start\n" + b"a\nb\n" * lines + b"end\n"
    after = b"start\n" + b"b\nb\na\n" * lines + b"end\n"
    started = time.monotonic()
    added = FileChange("a", before, after).added_lines
    assert time.monotonic() - started < 10
    assert len(added) >= 3 * lines - 2


def test_a_judged_tree_knows_its_base_and_its_change_as_committed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", {"a.py": "x = 1\n", "mypy.ini": "[mypy]\n"})
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, {"a.py": "x = 2\n", "mypy.ini": "[mypy]\nstrict = true\n"})
    (tmp_path / "home").mkdir()
    tree = export_tree(exporter(repository), "HEAD", base, PlainSandbox(tmp_path / "home"))
    assert tree.base is not None
    assert (tree.base / "a.py").read_text(encoding="utf-8") == "x = 1\n"
    assert tree.change.files["mypy.ini"].after == b"[mypy]\nstrict = true\n"
    assert (tree.reading / "mypy.ini").read_text(encoding="utf-8") == "[mypy]\n"
    assert set(tree.change.files) == {"a.py", "mypy.ini"}
    tree.remove()
    assert list((tmp_path / "home").iterdir()) == []


def test_without_a_base_there_is_no_change(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", {"a.py": "x = 1\n"})
    (tmp_path / "home").mkdir()
    tree = export_tree(exporter(repository), "HEAD", None, PlainSandbox(tmp_path / "home"))
    assert (tree.base, tree.change) == (None, NO_CHANGE)
    assert not NO_CHANGE.files
