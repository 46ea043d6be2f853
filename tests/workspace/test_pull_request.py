"""The clone of a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.models import GitRemote
from coordinator.forge.protocol import Missing
from coordinator.workspace.git import Git
from coordinator.workspace.pull_request import PullRequestClone, clone_pull_request
from tests.support import commit_files, git

if TYPE_CHECKING:
    from pathlib import Path


def clone(source: Path, folder: Path, *, number: int = 7, base: str = "main") -> PullRequestClone:
    """Clone the pull request of a repository on this machine."""
    return clone_pull_request(GitRemote(url=str(source)), Git(), folder / "clone.git", number=number, base_branch=base)


@pytest.fixture
def head(source: Path) -> str:
    """The head of pull request 7, two commits on `main`, which is one commit further by now."""
    git(source, "switch", "--quiet", "--create", "theirs")
    commit_files(source, {"src/app.py": "x = 2\n"})
    commit = commit_files(source, {"src/new.py": "z = 3\n"})
    git(source, "update-ref", "refs/pull/7/head", commit)
    git(source, "switch", "--quiet", "main")
    git(source, "branch", "--quiet", "-D", "theirs")
    commit_files(source, {"src/later.py": "l = 1\n"})
    return commit


def test_head_base_and_where_they_part(source: Path, tmp_path: Path, head: str) -> None:
    found = clone(source, tmp_path)
    assert (found.head, found.base) == (head, git(source, "rev-parse", "main"))
    assert found.merge_base == git(source, "rev-parse", "main~1")
    assert found.repository.changed_files(found.merge_base, found.head) == ("src/app.py", "src/new.py")


def test_nothing_is_checked_out_and_no_other_branch_comes_along(source: Path, tmp_path: Path, head: str) -> None:
    git(source, "branch", "secret-plans")
    clone(source, tmp_path)
    refs = git(tmp_path / "clone.git", "for-each-ref", "--format=%(refname)").split()
    assert refs == ["refs/coordinator/base", "refs/coordinator/head"]
    assert not list(tmp_path.rglob("new.py"))
    assert git(tmp_path / "clone.git", "rev-parse", refs[1]) == head


def test_a_head_that_is_merged_already_has_nothing_of_its_own(source: Path, tmp_path: Path, head: str) -> None:
    git(source, "merge", "--quiet", "--no-edit", head)
    found = clone(source, tmp_path)
    assert found.merge_base == found.head == head


@pytest.mark.usefixtures("head")
def test_another_base_branch(source: Path, tmp_path: Path) -> None:
    git(source, "branch", "release", "main~1")
    found = clone(source, tmp_path, base="release")
    assert found.base == found.merge_base == git(source, "rev-parse", "release")


@pytest.mark.usefixtures("head")
def test_a_pull_request_that_is_not_there(source: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no pull request #70"):
        clone(source, tmp_path, number=70)


@pytest.mark.usefixtures("head")
def test_a_base_branch_that_is_not_there(source: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no branch 'mane'.*main"):
        clone(source, tmp_path, base="mane")


@pytest.mark.parametrize("name", ["--upload-pack=touch x", "a..b", "", "x\0y", "refs/../x", "*"])
@pytest.mark.usefixtures("head")
def test_a_base_that_is_no_name(source: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be the name of a branch"):
        clone(source, tmp_path, base=name)
    assert not (tmp_path / "clone.git").exists(), "nothing was asked of the remote"


@pytest.mark.usefixtures("head")
def test_a_head_of_another_history(source: Path, tmp_path: Path) -> None:
    git(source, "switch", "--quiet", "--orphan", "alone")
    commit = commit_files(source, {"x": "1"})
    git(source, "update-ref", "refs/pull/7/head", commit)
    with pytest.raises(Misconfigured, match="no history in common") as caught:
        clone(source, tmp_path)
    assert "Rebase" in caught.value.mend
