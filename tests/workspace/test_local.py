"""A person's own repository as the remote: it gets one branch, and nothing else of it changes."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.workspace.failures import BranchMoved
from tests.support import commit_files, git, make_repository, write_files
from tests.workspace.parts import git_bytes, open_workspace, snapshot, write_blob, write_tree_of
from tests.workspace.test_objects import poison

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.workspace.workspace import Workspace

BRANCH = "coordinator/issue-7"
OWN_PLACES = ("objects", "refs/heads/coordinator", "logs/refs/heads/coordinator")


def work(workspace: Workspace, text: str = "x = 2\n") -> str:
    """Change a file, push, and return the pushed commit."""
    (workspace.checkout / "src" / "app.py").write_text(text)
    candidate = workspace.candidate("Change x")
    workspace.push(candidate)
    return candidate.commit


def unchanged_part(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What a push may not touch: everything but objects and the one branch with its log."""
    ours = tuple(f".git/{place}" for place in OWN_PLACES)
    return {path: what for path, what in snapshot(folder).items() if not path.startswith(ours)}


def test_checkout_index_head_and_stash_stay_as_they_were(source: Path, tmp_path: Path) -> None:
    (source / "README.md").write_text("stashed\n")
    git(source, "stash")
    git(source, "checkout", "--quiet", "-b", "feature")
    (source / "README.md").write_text("staged\n")
    git(source, "add", "README.md")
    (source / "README.md").write_text("staged and edited\n")
    (source / "untracked").write_text("u\n")
    before = unchanged_part(source)
    commit = work(open_workspace(str(source), tmp_path, base_branch="main"))
    assert unchanged_part(source) == before
    assert git(source, "rev-parse", BRANCH) == commit
    assert git(source, "stash", "list")
    assert git(source, "diff", "--cached", "--name-only") == "README.md"


def test_nothing_of_a_poisoned_repository_runs(source: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    alternate = make_repository(tmp_path / "alternate", {"a": "b"})
    (source / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (source / ".git" / "objects" / "info" / "alternates").write_text(f"{alternate}/.git/objects\n")
    poison(source, marker)
    commit = work(open_workspace(str(source), tmp_path))
    assert git(source, "-c", "core.fsmonitor=false", "rev-parse", BRANCH) == commit
    assert not marker.exists()


def test_a_partial_clone_fetches_nothing_for_us(source: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    git(source, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", source.as_uri(), "partial.git")
    git(tmp_path / "partial.git", "config", "remote.origin.uploadpack", f"touch {marker}; git-upload-pack")
    with pytest.raises(Misconfigured, match=r"is a partial clone.*git fetch --refetch"):
        open_workspace(str(tmp_path / "partial.git"), tmp_path)
    assert not marker.exists()


def test_a_push_tidies_nothing_up(source: Path, tmp_path: Path) -> None:
    loose = [write_blob(source, b"")]
    names = [f"n{number}" for number in range(1500)]
    write_files(tmp_path / "many", {name: f"{name}\n" for name in names})
    paths = "".join(f"{tmp_path}/many/{name}\n" for name in names).encode()
    loose += git_bytes(source, "hash-object", "-w", "--stdin-paths", stdin=paths).decode().split()
    git(source, "config", "gc.auto", "1")
    git(source, "config", "gc.autoDetach", "false")
    work(open_workspace(str(source), tmp_path))
    objects = source / ".git" / "objects"
    assert all((objects / name[:2] / name[2:]).is_file() for name in loose)
    assert not list(objects.glob("pack/*.pack"))


def test_objects_are_copied_not_linked(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    shutil.rmtree(source / ".git" / "objects")
    assert workspace.repository.read_file(workspace.base_commit, "src/app.py") == b"x = 1\n"
    for path in workspace.repository.git_dir.rglob("*"):
        assert not path.is_file() or path.stat().st_nlink == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("bare", [False, True])
def test_the_repository_of_another_user_works_when_it_is_named(source: Path, tmp_path: Path, bare: bool) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "bare.git")
    place = tmp_path / "bare.git" if bare else source
    for path in (place, *place.rglob("*")):
        os.lchown(path, 12345, 12345)
    commit = work(open_workspace(str(place), tmp_path))
    assert git(place, "rev-parse", BRANCH) == commit


def test_only_the_needed_branches_are_copied(source: Path, tmp_path: Path) -> None:
    git(source, "checkout", "--quiet", "-b", "secret")
    secret = commit_files(source, {"secret": "s\n"})
    git(source, "tag", "v1")
    git(source, "checkout", "--quiet", "main")
    workspace = open_workspace(str(source), tmp_path)
    refs = git(workspace.repository.git_dir, "for-each-ref", "--format=%(refname)")
    assert refs == "refs/coordinator/base"
    assert secret not in git(workspace.repository.git_dir, "rev-list", "--all")


@pytest.mark.parametrize("name", ["a b", "p%41th", "quote'd", "dollar$(touch x)", "ümlaut", "semi;colon"])
def test_odd_folder_names_work(source: Path, tmp_path: Path, name: str) -> None:
    place = source.rename(tmp_path / name)
    commit = work(open_workspace(str(place), tmp_path))
    assert git(place, "rev-parse", BRANCH) == commit
    assert not (tmp_path / "x").exists()


def test_a_bare_repository_and_a_linked_work_tree_work_too(source: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "bare.git")
    commit = work(open_workspace(str(tmp_path / "bare.git"), tmp_path))
    assert git(tmp_path / "bare.git", "rev-parse", BRANCH) == commit
    git(source, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    tip = commit_files(tmp_path / "linked", {"side": "1\n"})
    workspace = open_workspace(str(tmp_path / "linked"), tmp_path)
    assert (workspace.base_branch, workspace.base_commit) == ("side", tip)
    commit = work(workspace)
    assert git(source, "rev-parse", BRANCH) == commit


def test_a_shallow_clone_works(source: Path, tmp_path: Path) -> None:
    commit_files(source, {"second": "2\n"})
    git(tmp_path, "clone", "--quiet", "--depth=1", source.as_uri(), "shallow")
    shallow = tmp_path / "shallow"
    first = work(open_workspace(str(shallow), tmp_path))
    resumed = open_workspace(str(shallow), tmp_path)
    assert resumed.start_commit == first
    second = work(resumed, "x = 3\n")
    assert git(shallow, "rev-parse", f"{BRANCH}~1") == first
    assert git(shallow, "rev-parse", BRANCH) == second


def test_a_repository_in_sha256_works(tmp_path: Path) -> None:
    folder = tmp_path / "modern"
    folder.mkdir()
    git(folder, "init", "--quiet", "--object-format=sha256")
    commit_files(folder, {"src/app.py": "x = 1\n"})
    commit = work(open_workspace(str(folder), tmp_path))
    assert len(commit) == 64
    assert git(folder, "rev-parse", BRANCH) == commit


@pytest.mark.parametrize("deny", ["refuse", "ignore", "updateInstead"])
def test_a_checked_out_work_branch_is_told_before_any_work(source: Path, tmp_path: Path, deny: str) -> None:
    git(source, "config", "receive.denyCurrentBranch", deny)
    commit = work(open_workspace(str(source), tmp_path))
    git(source, "checkout", "--quiet", BRANCH)
    for base in (None, "main"):
        with pytest.raises(Misconfigured, match=r"coordinator/issue-7 is checked out in .*git switch"):
            open_workspace(str(source), tmp_path, base_branch=base)
    git(source, "checkout", "--quiet", "main")
    git(source, "worktree", "add", "--quiet", str(tmp_path / "linked"), BRANCH)
    with pytest.raises(Misconfigured, match="is checked out"):
        open_workspace(str(source), tmp_path)
    assert git(source, "rev-parse", BRANCH) == commit


@pytest.mark.parametrize("deny", ["refuse", "ignore", "updateInstead"])
def test_a_work_branch_that_gets_checked_out_during_the_run_is_left_alone(
    source: Path, tmp_path: Path, deny: str
) -> None:
    git(source, "config", "receive.denyCurrentBranch", deny)
    workspace = open_workspace(str(source), tmp_path)
    commit = work(workspace)
    git(source, "checkout", "--quiet", BRANCH)
    with pytest.raises(Misconfigured, match=r"checked out.*git switch"):
        work(workspace, "x = 3\n")
    assert git(source, "rev-parse", BRANCH) == commit
    assert (source / "src" / "app.py").read_text() == "x = 2\n"
    assert git(source, "status", "--short") == ""


def test_a_lost_race_in_a_folder(source: Path, tmp_path: Path) -> None:
    first, second = open_workspace(str(source), tmp_path), open_workspace(str(source), tmp_path)
    commit = work(first)
    with pytest.raises(BranchMoved):
        work(second, "x = 9\n")
    assert git(source, "rev-parse", BRANCH) == commit


def test_an_empty_repository_is_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    for base in (None, "main"):
        with pytest.raises(Misconfigured, match=r"empty has no commits\. Commit"):
            open_workspace(str(tmp_path / "empty"), tmp_path, base_branch=base)


def test_a_folder_without_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(Misconfigured, match="plain is not a git repository"):
        open_workspace(str(tmp_path / "plain"), tmp_path)


def test_a_detached_head_needs_a_named_base(source: Path, tmp_path: Path) -> None:
    git(source, "checkout", "--quiet", "--detach")
    with pytest.raises(Misconfigured, match=r"HEAD of .* is not on a branch.*base_branch"):
        open_workspace(str(source), tmp_path)
    assert open_workspace(str(source), tmp_path, base_branch="main").base_branch == "main"


def test_an_unborn_head_beside_other_branches_needs_a_named_base(source: Path, tmp_path: Path) -> None:
    git(source, "symbolic-ref", "HEAD", "refs/heads/unborn")
    with pytest.raises(Misconfigured, match="is not on a branch with commits"):
        open_workspace(str(source), tmp_path)


def test_an_unknown_base_branch_is_told_with_the_nearest_one(source: Path, tmp_path: Path) -> None:
    git(source, "branch", "develop")
    with pytest.raises(Misconfigured, match=r"has no branch 'devel'\. .*e\.g\. develop"):
        open_workspace(str(source), tmp_path, base_branch="devel")
    with pytest.raises(Misconfigured, match=r"has no branch 'zzz'"):
        open_workspace(str(source), tmp_path, base_branch="zzz")


@pytest.mark.parametrize("name", ["a b", "-x..y", "x:y", "*", "a\0b", "x\n"])
def test_what_cannot_be_a_branch_is_told(source: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="cannot be the name of a branch"):
        open_workspace(str(source), tmp_path, base_branch=name)


@pytest.mark.parametrize("name", [b".GIT", b".git ", b"..", b".g\xe2\x80\x8cit"])
def test_hostile_names_in_the_history_end_the_fetch(source: Path, tmp_path: Path, name: bytes) -> None:
    blob = write_blob(source, b"evil\n")
    inner = write_tree_of(source, f"100644 blob {blob}\tconfig".encode())
    tree = write_tree_of(source, f"040000 tree {inner}\t".encode() + name)
    commit = git(source, "commit-tree", tree, "-m", "evil")
    git(source, "update-ref", "refs/heads/main", commit)
    with pytest.raises(Misconfigured, match="broken or hostile"):
        open_workspace(str(source), tmp_path)


def test_the_flaws_of_old_histories_do_not(source: Path, tmp_path: Path) -> None:
    tree = git(source, "rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nauthor A <a@b.c> 1 +051800\ncommitter A <a@b.c> 1 +0000\n\nx\n"
    (tmp_path / "commit").write_text(text)
    commit = git(source, "hash-object", "-w", "-t", "commit", "--literally", str(tmp_path / "commit"))
    git(source, "update-ref", "refs/heads/main", commit)
    assert open_workspace(str(source), tmp_path).base_commit == commit
