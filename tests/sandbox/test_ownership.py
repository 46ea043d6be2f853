"""Handing folders over and taking them back."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.ownership import change_owner
from coordinator.sandbox.protocol import Command, Limits
from tests.sandbox.support import IS_ROOT, coordinator, sh

if TYPE_CHECKING:
    from coordinator.sandbox.confined import ConfinedSandbox

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root can change the owner of a file")

UID = 60599


def test_a_tree_changes_its_owner_and_nothing_that_it_points_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").touch()
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").touch()
    (tree / "to-file").symlink_to(outside / "file")
    (tree / "to-folder").symlink_to(outside / "folder")
    os.mkfifo(tree / "pipe")
    change_owner(tree, UID)
    for path in (tree, *tree.rglob("*")):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (UID, UID), path
    for path in (outside, *outside.rglob("*")):
        assert path.stat().st_uid == 0


def test_a_link_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        change_owner(tmp_path / "link", UID)
    assert (tmp_path / "target").stat().st_uid == 0


def test_a_hard_link_to_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "innocent").hardlink_to(tmp_path / "precious")
    for was in (None, UID):
        with pytest.raises(Misconfigured, match="innocent has a second hard link"):
            change_owner(tree, UID + 1, was=was)
    assert (tmp_path / "precious").stat().st_uid == 0


def test_hard_links_among_the_confined_sides_own_files_come_back(sandbox: ConfinedSandbox) -> None:
    folder = sandbox.make_folder("links")
    assert sh(sandbox, "echo 1 > a; ln a b; chmod 4755 a", cwd=folder).ok
    sandbox.take(folder)
    for path in (folder, folder / "a", folder / "b"):
        assert path.stat().st_uid == 0
    assert (folder / "a").stat().st_mode & 0o7777 == 0o755
    assert not sh(sandbox, "touch x || echo 2 > a", cwd=Path("/"), env={"PWD": str(folder)}).ok
    folder.chmod(0o755)
    assert not sh(sandbox, "touch x || echo 2 > a", cwd=folder).ok
    sandbox.give(sandbox.make_folder("again"))


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        change_owner(tmp_path / "none", UID)


def test_a_folder_in_the_tree_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "closed").mkdir(mode=0)
    os.chown(tmp_path / "closed", UID, UID)
    script = f"""
from coordinator.sandbox.ownership import change_owner
try:
    change_owner(Path({str(tmp_path)!r}), {UID})
except PermissionError as error:
    print(error.filename)
"""
    assert coordinator(script, "setpriv", "--bounding-set", "-dac_override,-dac_read_search") == "closed\n"


def test_a_tree_nested_deeper_than_python_can_walk_is_removed_with_the_sandbox() -> None:
    script = "import os\nfor _ in range(2500):\n    os.mkdir('d')\n    os.chdir('d')\nos.chmod('.', 0)"
    with open_sandbox(visible=interpreter_paths()) as sandbox:
        folder = sandbox.make_folder("deep")
        assert sandbox.run(Command((sys.executable, "-I", "-c", script), cwd=folder, limits=Limits(60))).ok
        root = sandbox.root
    assert not root.exists()
