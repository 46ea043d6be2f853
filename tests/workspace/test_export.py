from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from coordinator.workspace.export import export
from coordinator.workspace.objects import TrustedRepository
from tests.support import commit_files, git
from tests.workspace.parts import write_blob, write_tree_of
from tests.workspace.test_objects import MISSING

if TYPE_CHECKING:
    from pathlib import Path


def test_the_bytes_are_those_of_the_commit_whatever_attributes_say(source: Path, tmp_path: Path) -> None:
    attributes = (
        "* text eol=crlf\nsrc/** export-ignore\nREADME.md export-subst ident\nutf.txt working-tree-encoding=UTF-16\n"
    )
    commit_files(source, {"README.md": "$Id$ $Format:%H$\n", "utf.txt": "a\n"})
    rules = write_blob(source, attributes.encode())
    git(source, "update-index", "--add", "--cacheinfo", f"100644,{rules},.gitattributes")
    git(source, "commit", "--quiet", "--message", "Rules")
    commit = git(source, "rev-parse", "HEAD")
    assert export(TrustedRepository.discover(source), commit, tmp_path / "out") == frozenset()
    for name in git(source, "ls-tree", "-r", "--name-only", commit).splitlines():
        assert (tmp_path / "out" / name).read_bytes().decode().rstrip("\n") == git(source, "show", f"{commit}:{name}")


def test_modes_are_kept_and_nothing_else_is_there(source: Path, tmp_path: Path) -> None:
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o755)
    commit = commit_files(source, {})
    (source / "untracked").touch()
    export(TrustedRepository.discover(source), commit, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out" / "README.md").stat().st_mode) == 0o644
    assert not (tmp_path / "out" / "untracked").exists()
    assert not (tmp_path / "out" / ".git").exists()


def test_what_leads_out_of_the_tree_is_left_out_and_named(source: Path, tmp_path: Path) -> None:
    (source / "good").symlink_to("src/app.py")
    (source / "src" / "up").symlink_to("../README.md")
    (source / "absolute").symlink_to("/etc/passwd")
    (source / "src" / "out").symlink_to("../../x")
    commit = commit_files(source, {})
    skipped = export(TrustedRepository.discover(source), commit, tmp_path / "out")
    assert skipped == {"absolute", "src/out"}
    assert (tmp_path / "out" / "good").read_text() == "x = 1\n"
    assert (tmp_path / "out" / "src" / "up").is_symlink()
    assert not (tmp_path / "out" / "absolute").is_symlink()


@pytest.mark.parametrize("name", [".GIT", ".git", "..", ".g\u200cit"])
def test_hostile_names_are_not_written(source: Path, tmp_path: Path, name: str) -> None:
    file = write_blob(source, b"evil\n")
    inner = write_tree_of(source, f"100644 blob {file}\tconfig".encode())
    lines = (f"040000 tree {inner}\t{name}", f"100644 blob {file}\tfine")
    tree = write_tree_of(source, *(line.encode() for line in lines))
    assert export(TrustedRepository.discover(source), tree, tmp_path / "out") == {f"{name}/config"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fine"]
    assert not (tmp_path / "config").exists()


def test_submodules_and_endless_links_are_left_out(source: Path, tmp_path: Path) -> None:
    endless = write_blob(source, b"x" * 5000)
    lines = (f"160000 commit {MISSING}\tsub", f"120000 blob {endless}\tlink")
    tree = write_tree_of(source, *(line.encode() for line in lines))
    assert export(TrustedRepository.discover(source), tree, tmp_path / "out") == {"sub", "link"}


def test_names_that_are_not_utf8_come_out_as_they_are(source: Path, tmp_path: Path) -> None:
    file = write_blob(source, b"x\n")
    tree = write_tree_of(source, f"100644 blob {file}\tb".encode() + b"\xff")
    export(TrustedRepository.discover(source), tree, tmp_path / "out")
    assert (tmp_path / "out" / "b\udcff").read_text() == "x\n"


def test_an_existing_file_is_not_overwritten_and_a_link_not_followed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "src").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="src"):
        export(TrustedRepository.discover(source), "HEAD", tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_large_files_are_copied_whole(source: Path, tmp_path: Path) -> None:
    (source / "large").write_bytes(bytes(range(256)) * 12_000)
    commit = commit_files(source, {})
    export(TrustedRepository.discover(source), commit, tmp_path / "out")
    assert (tmp_path / "out" / "large").read_bytes() == (source / "large").read_bytes()
