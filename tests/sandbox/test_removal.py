"""Deleting what confined commands left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coordinator.sandbox.removal import remove_tree


@pytest.fixture(name="place")
def make_place(tmp_path: Path) -> Path:
    """Make a folder with something in it that is not to be touched."""
    kept = tmp_path / "kept"
    (kept / "closed").mkdir(parents=True)
    (kept / "file").write_text("mine", encoding="utf-8")
    (kept / "file").chmod(0o400)
    (kept / "closed").chmod(0o500)
    return tmp_path


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("inside", [False, True], ids=["the folder itself", "in the folder"])
def test_a_link_is_removed_and_what_it_leads_to_is_not_touched(place: Path, *, inside: bool) -> None:
    before = modes(place / "kept")
    folder = place / "folder"
    (folder.mkdir() if inside else None)
    (folder / "link" if inside else folder).symlink_to(place / "kept")
    remove_tree(folder)
    assert not os.path.lexists(folder)
    assert modes(place / "kept") == before
    assert (place / "kept/file").read_text(encoding="utf-8") == "mine"


def test_a_link_that_cannot_be_removed_stays_and_what_it_leads_to_is_not_touched(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that tests closed, as their user's own coordinator finds it; root would get in."""

    def refuse(self: Path) -> None:
        raise PermissionError(str(self))

    before = modes(place / "kept")
    (place / "link").symlink_to(place / "kept")
    monkeypatch.setattr(Path, "unlink", refuse)
    remove_tree(place / "link")
    assert (place / "link").is_symlink()
    assert modes(place / "kept") == before


def test_a_folder_nested_without_end_and_closed_ones_are_removed(place: Path) -> None:
    here = Path.cwd()
    folder = place / "folder"
    folder.mkdir()
    os.chdir(folder)
    try:
        for _ in range(1500):
            os.mkdir("deep")  # noqa: PTH102  (relative to where this process is)
            os.chdir("deep")
        Path("closed/in").mkdir(parents=True)
        Path("closed").chmod(0)
    finally:
        os.chdir(here)
    remove_tree(folder)
    assert not folder.exists()


def test_a_file_and_what_is_not_there_are_no_matter(place: Path) -> None:
    (place / "file").write_text("", encoding="utf-8")
    remove_tree(place / "file")
    remove_tree(place / "none")
    assert sorted(path.name for path in place.iterdir()) == ["kept"]
