"""What a run leaves for the next one: saved by one workspace, found by another that has nothing else of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Unreachable
from coordinator.forge.models import GitRemote
from coordinator.workspace.checkpoint import TRANSCRIPT_BYTES, About, drop_checkpoint
from coordinator.workspace.failures import BranchMoved
from coordinator.workspace.git import Git
from coordinator.workspace.workspace import Origin, Workspace
from tests.support import commit_files, git, make_repository, write_files
from tests.workspace.parts import AUTHORIZATION, git_bytes, git_server, open_workspace, write_blob, write_tree_of

if TYPE_CHECKING:
    from coordinator.workspace.protocol import Candidate

REF = "refs/coordinator/runs/issue-7"
BRANCH = "coordinator/issue-7"
DIGEST = "0" * 64
ORIGIN = Origin(
    run="41/work", saved_at=datetime(2026, 11, 20, tzinfo=UTC), profile="sonnet", binding=DIGEST, text=DIGEST
)
TRANSCRIPT = b'{"event": "start"}\n'


def save(workspace: Workspace, transcript: bytes = TRANSCRIPT, *, with_files: bool = True) -> Candidate:
    candidate = workspace.candidate("Work in progress")
    workspace.save(ORIGIN, transcript, candidate, with_files=with_files)
    return candidate


def work_in(workspace: Workspace) -> None:
    """Change, add, delete, link, and leave what does not count."""
    write_files(workspace.checkout, {"src/app.py": "x = 2\n", "new/file.py": "n = 1\n", "a.log": "ignored\n"})
    write_files(workspace.checkout, {".gitea/workflows/ci.yml": "on: never\n", "run.sh": "#!/bin/sh\n"})
    (workspace.checkout / "run.sh").chmod(0o755)
    (workspace.checkout / "src" / "util.py").unlink()
    (workspace.checkout / "link").symlink_to("new/file.py")


def push_work(workspace: Workspace, text: str = "x = 2\n") -> Candidate:
    write_files(workspace.checkout, {"src/app.py": text})
    candidate = workspace.candidate("First part")
    workspace.push(candidate)
    return candidate


def write_checkpoint(source: Path, *lines: bytes, parent: str = "main") -> None:
    """Set the ref to a commit of these lines of a tree, as somebody with other intentions might."""
    tree = write_tree_of(source, *lines)
    commit = git(source, "commit-tree", "-p", parent, "-m", "x", tree)
    git(source, "update-ref", REF, commit)


# From one run to the next.


def test_another_machine_finds_conversation_and_files(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    assert first.restored.checkpoint is None
    work_in(first)
    candidate = save(first)
    second = open_workspace(str(source), tmp_path)
    found = second.restored.checkpoint
    assert found is not None
    assert found.transcript == TRANSCRIPT
    assert (found.work, found.tip) == (candidate.tree, first.start_commit)
    assert found.about == About(
        issue=7,
        run="41/work",
        saved_at=ORIGIN.saved_at,
        profile="sonnet",
        binding=DIGEST,
        text=DIGEST,
        base=first.merge_base,
        branch=None,
    )
    assert second.resumed
    assert second.restored.moved == ""
    assert second.candidate("Again").tree == candidate.tree
    checkout = second.checkout
    assert (checkout / "new" / "file.py").read_text() == "n = 1\n"
    assert not (checkout / "src" / "util.py").exists()
    assert os.access(checkout / "run.sh", os.X_OK)
    assert (checkout / "link").readlink() == Path("new/file.py")


def test_what_does_not_count_as_work_is_not_saved(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    work_in(first)
    save(first)
    names = git(source, "ls-tree", "-r", "--name-only", f"{REF}:work").split()
    assert "a.log" not in names
    assert git(source, "show", f"{REF}:work/.gitea/workflows/ci.yml") == "on: push"
    assert git(source, "ls-tree", "--name-only", REF).split() == ["about.json", "transcript.jsonl", "work"]


def test_the_agent_sees_the_work_as_changes_of_its_own(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    work_in(first)
    save(first)
    second = open_workspace(str(source), tmp_path)
    status = git(second.checkout, "status", "--short", "--untracked-files=all").split("\n")
    assert sorted(status) == [" D src/util.py", " M src/app.py", "?? link", "?? new/file.py", "?? run.sh"]


def test_the_way_through_a_server_is_the_same(source: Path, tmp_path: Path) -> None:
    bare = tmp_path / "served" / "r.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(source), str(bare))
    git(bare, "config", "http.receivepack", "true")
    with git_server(bare.parent) as server:
        remote = GitRemote(url=f"{server.url}/r.git", authorization=AUTHORIZATION)
        first = open_workspace(remote, tmp_path)
        work_in(first)
        candidate = save(first)
        second = open_workspace(remote, tmp_path)
        assert second.candidate("Again").tree == candidate.tree
        second.checkpoints.drop()
        assert not open_workspace(remote, tmp_path).resumed
    assert git(bare, "for-each-ref", REF) == ""


def test_nothing_of_a_persons_checkout_changes(source: Path, tmp_path: Path) -> None:
    before = git(source, "status", "--porcelain=v2", "--branch")
    workspace = open_workspace(str(source), tmp_path)
    work_in(workspace)
    save(workspace)
    assert git(source, "status", "--porcelain=v2", "--branch") == before
    assert git(source, "branch", "--list", "--all").split() == ["*", "main"]


def test_the_newest_takes_the_place_of_the_one_before(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    for number in range(3):
        save(workspace, b"%d\n" % number)
    assert git(source, "show", f"{REF}:transcript.jsonl") == "2"
    assert git(source, "rev-parse", f"{REF}^") == workspace.start_commit, "no history grows"


def test_work_without_its_files_is_said_to_be_that(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    work_in(first)
    save(first, with_files=False)
    second = open_workspace(str(source), tmp_path)
    assert "work" not in git(source, "ls-tree", "--name-only", REF).split()
    assert second.restored.moved == "its files were not kept, because a secret was among them"
    assert second.restored.checkpoint
    assert not second.resumed
    assert second.candidate("x").empty


# Only what is new is sent.


def many_files(folder: Path) -> Path:
    return make_repository(folder, {f"some/part/file{n}.txt": f"{n} {os.urandom(200).hex()}\n" for n in range(200)})


def packs(repository: Path) -> set[Path]:
    """The packs that a push has left: git keeps one for a hundred objects and more (``receive.unpackLimit``)."""
    return set((repository / ".git" / "objects" / "pack").glob("*.pack"))


@pytest.mark.parametrize("moved", [False, True])
def test_files_that_the_forge_has_are_not_sent(tmp_path: Path, moved: bool) -> None:
    source = many_files(tmp_path / "source")
    workspace = open_workspace(str(source), tmp_path)
    before = packs(source)
    if moved:
        commit_files(source, {"other.txt": "x\n"})
    write_files(workspace.checkout, {"some/part/file1.txt": "changed\n"})
    for _ in range(2):
        save(workspace)
    assert packs(source) == before


# Who was faster.


def test_another_run_is_not_overwritten_unseen(source: Path, tmp_path: Path) -> None:
    first, second = (open_workspace(str(source), tmp_path) for _ in range(2))
    save(first, b"first\n")
    with pytest.raises(BranchMoved):
        save(second, b"second\n")
    assert git(source, "show", f"{REF}:transcript.jsonl") == "first"
    save(second, b"second\n")
    assert git(source, "show", f"{REF}:transcript.jsonl") == "second"
    with pytest.raises(BranchMoved):
        first.checkpoints.drop()
    assert git(source, "for-each-ref", REF)


def test_what_is_gone_already_is_dropped(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    workspace.checkpoints.drop()
    save(workspace)
    git(source, "update-ref", "-d", REF)
    workspace.checkpoints.drop()
    assert not workspace.checkpoints.is_there


# What has become of the files since.


def test_a_branch_that_was_pushed_to_wins(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    push_work(first)
    write_files(first.checkout, {"src/app.py": "x = 3\n"})
    save(first)
    git(source, "switch", "--quiet", BRANCH)
    theirs = commit_files(source, {"src/app.py": "x = 4\n"})
    git(source, "switch", "--quiet", "main")
    second = open_workspace(str(source), tmp_path)
    assert second.start_commit == theirs
    assert (second.checkout / "src" / "app.py").read_text() == "x = 4\n"
    assert second.restored.moved.startswith(f"the branch {BRANCH} was changed by somebody else")
    assert second.restored.work is None


def test_a_branch_that_is_gone_is_gone(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    push_work(first)
    save(first)
    git(source, "branch", "--quiet", "-D", BRANCH)
    second = open_workspace(str(source), tmp_path)
    assert not second.resumed
    assert "was changed by somebody else" in second.restored.moved


def test_work_on_a_branch_that_nobody_touched_goes_on(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    pushed = push_work(first)
    write_files(first.checkout, {"src/app.py": "x = 3\n"})
    save(first)
    commit_files(source, {"README.md": "# New\n"})
    second = open_workspace(str(source), tmp_path)
    assert second.start_commit == pushed.commit
    assert (second.checkout / "src" / "app.py").read_text() == "x = 3\n"
    assert second.restored.moved == ""
    second.push(second.candidate("Second part"))
    assert git(source, "show", f"{BRANCH}:src/app.py") == "x = 3"


def test_the_same_files_on_a_branch_that_moved_are_where_they_were_left(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    write_files(first.checkout, {"src/app.py": "x = 2\n"})
    save(first)
    push_work(first)  # what a run does that is told to end, after it has saved
    second = open_workspace(str(source), tmp_path)
    assert second.restored.moved == ""
    assert second.start_commit == git(source, "rev-parse", BRANCH)


def test_what_the_base_got_meanwhile_is_not_taken_back(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    work_in(first)
    save(first)
    commit_files(source, {"README.md": "# New\n"})
    second = open_workspace(str(source), tmp_path)
    assert second.start_commit == second.merge_base == first.start_commit
    candidate = second.candidate("All")
    assert "README.md" not in candidate.changed_files
    second.push(candidate)
    assert "README.md" not in git(source, "diff", "--name-only", f"main...{BRANCH}").split()


def test_a_base_that_was_rewritten_does_not_get_its_old_commits_back(source: Path, tmp_path: Path) -> None:
    commit_files(source, {"secret.txt": "oops\n"})
    first = open_workspace(str(source), tmp_path)
    work_in(first)
    save(first)
    git(source, "reset", "--quiet", "--hard", "HEAD^")
    second = open_workspace(str(source), tmp_path)
    assert second.start_commit == git(source, "rev-parse", "main")
    assert "took the work in or was rewritten" in second.restored.moved
    assert not (second.checkout / "secret.txt").exists()


def test_a_parent_that_has_nothing_to_do_with_the_base_is_not_built_on(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    work_in(first)
    save(first)
    stranger = git(source, "commit-tree", "-m", "x", "main^{tree}")
    commit = git(source, "commit-tree", "-p", stranger, "-m", "x", f"{REF}^{{tree}}")
    git(source, "update-ref", REF, commit)
    second = open_workspace(str(source), tmp_path)
    assert second.start_commit == git(source, "rev-parse", "main")
    assert second.restored.work is None
    assert second.restored.moved


def test_work_that_the_base_took_in_is_not_put_on_top_again(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    push_work(first)
    write_files(first.checkout, {"src/app.py": "x = 3\n"})
    save(first)
    git(source, "merge", "--quiet", "--ff-only", BRANCH)
    commit_files(source, {"README.md": "# New\n"})
    second = open_workspace(str(source), tmp_path)
    assert second.start_commit == git(source, "rev-parse", "main")
    assert "took the work in" in second.restored.moved


def test_a_hostile_tree_changes_no_protected_file(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    save(first)
    evil = write_blob(source, b"on: [push, everything]\n")
    link = write_blob(source, b"/etc/passwd")
    flows = write_tree_of(source, b"100644 blob %b\tci.yml" % evil.encode())
    gitea = write_tree_of(source, b"040000 tree %b\tworkflows" % flows.encode())
    work = write_tree_of(
        source, b"040000 tree %b\t.gitea" % gitea.encode(), b"120000 blob %b\tREADME.md" % link.encode()
    )
    about = git(source, "rev-parse", f"{REF}:about.json")
    transcript = git(source, "rev-parse", f"{REF}:transcript.jsonl")
    lines = [f"100644 blob {about}\tabout.json", f"100644 blob {transcript}\ttranscript.jsonl"]
    write_checkpoint(source, *(each.encode() for each in (*lines, f"040000 tree {work}\twork")))
    second = open_workspace(str(source), tmp_path)
    assert second.restored.work == work
    assert not (second.checkout / "README.md").is_symlink()
    candidate = second.candidate("x")
    assert git_bytes(source, "show", "main:.gitea/workflows/ci.yml") == second.repository.read_file(
        candidate.commit, ".gitea/workflows/ci.yml"
    )
    assert any(".gitea/workflows/ci.yml: protected" in each for each in candidate.refused_files)
    assert "README.md" not in candidate.changed_files


# What cannot be used.


@pytest.mark.parametrize(
    ("about", "why"),
    [
        (b"{}", "ValidationError"),
        (b"\xff", "ValidationError"),
        (b"x" * 70_000, "about.json has 70000 bytes"),
    ],
)
def test_what_is_no_checkpoint_is_said_and_left_alone(source: Path, tmp_path: Path, about: bytes, why: str) -> None:
    blobs = [write_blob(source, content) for content in (about, TRANSCRIPT)]
    names = ("about.json", "transcript.jsonl")
    write_checkpoint(source, *(f"100644 blob {each}\t{name}".encode() for each, name in zip(blobs, names, strict=True)))
    workspace = open_workspace(str(source), tmp_path)
    assert f"What an earlier run has left in {REF}" in workspace.restored.warning
    assert why in workspace.restored.warning
    assert workspace.restored.checkpoint is None
    assert not workspace.resumed
    save(workspace)
    assert open_workspace(str(source), tmp_path).restored.checkpoint


def test_one_of_another_issue_is_not_used(source: Path, tmp_path: Path) -> None:
    save(open_workspace(str(source), tmp_path, issue=8))
    git(source, "update-ref", REF, "refs/coordinator/runs/issue-8")
    warning = open_workspace(str(source), tmp_path).restored.warning
    assert "it is about issue #8" in warning


@pytest.mark.parametrize("missing", ["about.json", "transcript.jsonl"])
def test_one_that_lacks_a_file_is_not_used(source: Path, tmp_path: Path, missing: str) -> None:
    save(open_workspace(str(source), tmp_path))
    lines = [line for line in git(source, "ls-tree", REF).splitlines() if not line.endswith(missing)]
    write_checkpoint(source, *(line.encode() for line in lines))
    assert "KeyError" in open_workspace(str(source), tmp_path).restored.warning


def test_a_transcript_beyond_all_bounds_is_not_read(source: Path, tmp_path: Path) -> None:
    save(open_workspace(str(source), tmp_path), b"x" * (2 * TRANSCRIPT_BYTES + 1))
    assert "transcript.jsonl has" in open_workspace(str(source), tmp_path).restored.warning


def test_one_without_a_parent_is_not_used(source: Path, tmp_path: Path) -> None:
    save(open_workspace(str(source), tmp_path))
    git(source, "update-ref", REF, git(source, "commit-tree", "-m", "x", f"{REF}^{{tree}}"))
    assert open_workspace(str(source), tmp_path).restored.warning


def test_a_ref_that_is_no_commit_is_not_used(source: Path, tmp_path: Path) -> None:
    git(source, "update-ref", REF, write_blob(source, b"x"))
    assert open_workspace(str(source), tmp_path).restored.warning


def test_a_run_does_not_start_without_a_checkpoint_that_it_cannot_get(source: Path, tmp_path: Path) -> None:
    bare = tmp_path / "served" / "r.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(source), str(bare))
    git(bare, "config", "http.receivepack", "true")
    with git_server(bare.parent) as server:
        remote = GitRemote(url=f"{server.url}/r.git", authorization=AUTHORIZATION)
        workspace = open_workspace(remote, tmp_path)
        save(workspace)
        server.requests.clear()
        server.status = 503
        with pytest.raises(Unreachable):
            workspace.checkpoints.load()


# Without a clone.


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_it_can_be_taken_away_without_a_clone(tmp_path: Path, object_format: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "--quiet", f"--object-format={object_format}")
    commit_files(source, {"a.txt": "a\n"})
    where = GitRemote(url=str(source))
    drop_checkpoint(where, Git(), issue=7)
    for issue in (7, 8):
        save(open_workspace(str(source), tmp_path, issue=issue))
    drop_checkpoint(where, Git(), issue=7)
    assert git(source, "for-each-ref", "--format=%(refname)", "refs/coordinator") == "refs/coordinator/runs/issue-8"


def test_only_our_own_refs_are_taken_away(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    for ref in ("refs/heads/main", "refs/coordinator/other", "refs/tags/runs/issue-7"):
        with pytest.raises(ValueError, match="is not below"):
            workspace._remote.delete(workspace.repository.git_dir, ref=ref, expected=workspace.start_commit)


def test_the_difference_is_told_within_bounds(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    work_in(workspace)
    candidate = workspace.candidate("x")
    told = workspace.repository.stat(candidate.base, candidate.tree)
    assert "src/app.py" in told
    assert "delete mode 100644 src/util.py" in told
    assert "create mode 100755 run.sh" in told
    assert "5 files changed" in told
    assert len(workspace.repository.stat(candidate.base, candidate.tree, limit=50)) <= 50
    assert workspace.repository.stat(candidate.base, candidate.base) == ""
