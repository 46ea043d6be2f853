"""The way of a run from clone to push, over several attempts and several runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.models import GitRemote
from coordinator.sandbox.protocol import Command, Limits
from coordinator.workspace.commit import Identity
from coordinator.workspace.export import export
from coordinator.workspace.failures import BranchMoved
from coordinator.workspace.workspace import Workspace
from tests.support import FORGE_CANARY, commit_files, git, write_files
from tests.workspace.parts import OPTIONS, PlainSandbox, open_workspace, snapshot

if TYPE_CHECKING:
    from coordinator.workspace.protocol import Candidate

BRANCH = "coordinator/issue-7"


def attempt(workspace: Workspace, text: str) -> Candidate:
    write_files(workspace.checkout, {"src/app.py": text})
    return workspace.candidate(f"Write {text.strip()}")


def test_a_first_run_starts_from_the_default_branch(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    tip = git(source, "rev-parse", "main")
    assert workspace.branch == BRANCH
    assert workspace.base_branch == "main"
    assert workspace.base_commit == workspace.start_commit == workspace.merge_base == tip
    assert not workspace.resumed


def test_the_agent_gets_the_files_and_a_repository_that_leads_nowhere(source: Path, tmp_path: Path) -> None:
    git(source, "remote", "add", "origin", f"https://x:{FORGE_CANARY}@forge.example/r.git")
    sandbox = PlainSandbox(tmp_path)
    remote = GitRemote(url=str(source))
    workspace = Workspace.open(remote, issue=7, folder=tmp_path / "private", sandbox=sandbox, options=OPTIONS)
    assert sandbox.given == [workspace.checkout]

    def said(*argv: str) -> str:
        result = sandbox.run(Command(argv=("git", *argv), cwd=workspace.checkout, limits=Limits(seconds=20)))
        assert result.ok, result.stderr
        return result.stdout.decode()

    assert said("status", "--short") == ""
    assert said("remote", "-v") == ""
    assert len(said("log", "--oneline").splitlines()) == 1
    assert said("rev-list", "--all", "--count").strip() == "1"
    write_files(workspace.checkout, {"src/app.py": "x = 2\n"})
    assert "+x = 2" in said("diff")
    said("commit", "--all", "--message", "Mine")
    assert not (workspace.checkout / ".git" / "hooks").exists()
    assert str(source) not in said("config", "--list")
    for path in workspace.checkout.rglob("*"):
        assert not path.is_file() or FORGE_CANARY.encode() not in path.read_bytes()
    assert (tmp_path / "private").stat().st_mode & 0o077 == 0


def test_the_agents_status_is_clean_whatever_attributes_say(source: Path, tmp_path: Path) -> None:
    write_files(source, {"a.txt": "a\n", "debug.log": "l\n"})
    git(source, "add", "--force", "--all")
    commit_files(source, {})
    rules = "* text eol=crlf filter=lfs ident\na.txt working-tree-encoding=UTF-16\n"
    (source / ".git" / "info").mkdir(exist_ok=True)
    write_files(source, {".gitattributes": rules})
    git(source, "-c", "core.attributesFile=/dev/null", "add", ".gitattributes")
    git(source, "commit", "--quiet", "--message", "Rules")
    workspace = open_workspace(str(source), tmp_path)
    assert git(workspace.checkout, "status", "--short") == ""
    assert git(workspace.checkout, "ls-files", "debug.log") == "debug.log"


def test_attempts_of_one_run_stand_on_the_same_parent_until_one_is_pushed(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    first, second = attempt(workspace, "x = 2\n"), attempt(workspace, "x = 3\n")

    def parents(candidate: Candidate) -> str:
        return git(workspace.repository.git_dir, "show", "-s", "--format=%P", candidate.commit)

    assert parents(first) == parents(second) == workspace.start_commit
    workspace.push(second)
    third = attempt(workspace, "x = 4\n")
    assert parents(third) == second.commit
    assert third.base == second.base == workspace.merge_base
    workspace.push(third)
    assert git(source, "log", "--format=%s", f"main..{BRANCH}") == "Write x = 4\nWrite x = 3"
    (workspace.checkout / "src" / "app.py").write_text("x = 1\n")
    back = workspace.candidate("Back to the start")
    assert back.empty
    assert back.commit != third.commit


def test_the_judged_tree_is_the_pushed_tree(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    candidate = attempt(workspace, "x = 2\n")
    export(workspace.repository, candidate.tree, tmp_path / "judged")
    write_files(workspace.checkout, {"src/app.py": "x = 'after the check'\n"})
    workspace.push(candidate)
    assert git(source, "rev-parse", f"{BRANCH}^{{tree}}") == candidate.tree
    git(source, "worktree", "add", "--quiet", str(tmp_path / "pushed"), BRANCH)
    (tmp_path / "pushed" / ".git").unlink()
    assert snapshot(tmp_path / "pushed") == snapshot(tmp_path / "judged")


def test_a_second_run_goes_on_where_the_first_stopped(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    pushed = attempt(first, "x = 2\n")
    first.push(pushed)
    moved = commit_files(source, {"other.py": "o\n"})
    second = open_workspace(str(source), tmp_path)
    assert second.resumed
    assert second.start_commit == pushed.commit
    assert second.base_commit == moved
    assert second.merge_base == first.base_commit
    assert (second.checkout / "src" / "app.py").read_text() == "x = 2\n"
    unchanged = second.candidate("Nothing new")
    assert unchanged.commit == pushed.commit
    assert unchanged.changed_files == ("src/app.py",)
    both = attempt(second, "x = 3\n")
    assert both.base == first.base_commit
    assert "other.py" not in both.changed_files
    second.push(both)
    assert git(source, "rev-parse", f"{BRANCH}~1") == pushed.commit


def test_commits_of_people_on_our_branch_are_kept(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    first.push(attempt(first, "x = 2\n"))
    git(source, "checkout", "--quiet", BRANCH)
    person = commit_files(source, {"fix.py": "f\n"}, "A fix by hand")
    git(source, "checkout", "--quiet", "main")
    second = open_workspace(str(source), tmp_path)
    assert second.start_commit == person
    second.push(attempt(second, "x = 3\n"))
    assert git(source, "rev-parse", f"{BRANCH}~1") == person


def test_a_branch_of_somebody_else_is_not_touched(source: Path, tmp_path: Path) -> None:
    git(source, "checkout", "--quiet", "-b", BRANCH)
    for message in ("By hand", "Issue: #7 in the subject", "Other\n\nIssue: #77"):
        foreign = commit_files(source, {"mine.py": message}, message)
    git(source, "checkout", "--quiet", "main")
    with pytest.raises(Misconfigured, match=r"was not made by a run on issue 7.*Rename or delete"):
        open_workspace(str(source), tmp_path)
    assert git(source, "rev-parse", BRANCH) == foreign


def test_a_branch_without_common_history_is_not_continued(source: Path, tmp_path: Path) -> None:
    git(source, "checkout", "--quiet", "--orphan", BRANCH)
    commit_files(source, {"a": "1"}, "Orphan\n\nIssue: #7")
    git(source, "checkout", "--quiet", "main")
    with pytest.raises(Misconfigured, match="was not made by a run"):
        open_workspace(str(source), tmp_path)


def test_a_merged_branch_starts_again_from_the_base(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    first.push(attempt(first, "x = 2\n"))
    git(source, "merge", "--quiet", "--no-ff", "-m", "Merge", BRANCH)
    second = open_workspace(str(source), tmp_path)
    assert not second.resumed
    assert second.start_commit == second.merge_base == git(source, "rev-parse", "main")
    again = attempt(second, "x = 3\n")
    second.push(again)
    assert git(source, "rev-parse", BRANCH) == again.commit


def test_a_base_that_only_grew_does_not_stop_a_push(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path)
    candidate = attempt(workspace, "x = 2\n")
    moved = commit_files(source, {"other.py": "o\n"})
    assert workspace.base_now() == moved != workspace.base_commit
    workspace.push(candidate)
    assert git(source, "rev-parse", BRANCH) == candidate.commit


def test_a_rewritten_base_stops_the_push(source: Path, tmp_path: Path) -> None:
    commit_files(source, {"leak.txt": "a secret that is taken out later\n"})
    workspace = open_workspace(str(source), tmp_path)
    candidate = attempt(workspace, "x = 2\n")
    git(source, "reset", "--quiet", "--hard", "HEAD~1")
    commit_files(source, {"clean.txt": "c\n"})
    with pytest.raises(BranchMoved, match=r"branch main of .* was rewritten.*Run again"):
        workspace.push(candidate)
    assert git(source, "branch", "--list", BRANCH) == ""


def test_ignore_rules_are_those_of_the_base_not_of_earlier_runs(source: Path, tmp_path: Path) -> None:
    first = open_workspace(str(source), tmp_path)
    write_files(first.checkout, {".gitignore": "*\n"})
    first.push(first.candidate("Hide everything"))
    second = open_workspace(str(source), tmp_path)
    write_files(second.checkout, {"visible.py": "v\n"})
    assert "visible.py" in second.candidate("Show").changed_files


def test_the_identity_can_be_chosen(source: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, identity=Identity("bot", "bot@example.invalid"))
    workspace = open_workspace(str(source), tmp_path, options=options)
    candidate = attempt(workspace, "x = 2\n")
    shown = git(workspace.repository.git_dir, "show", "-s", "--format=%an %ae %cn %ce", candidate.commit)
    assert shown == "bot bot@example.invalid bot bot@example.invalid"


def test_another_issue_has_another_branch(source: Path, tmp_path: Path) -> None:
    workspace = open_workspace(str(source), tmp_path, issue=8)
    candidate = attempt(workspace, "x = 2\n")
    workspace.push(candidate)
    assert git(source, "log", "-1", "--format=%(trailers)", "coordinator/issue-8").strip() == "Issue: #8"
    assert not open_workspace(str(source), tmp_path).resumed


def test_the_real_environment_and_configuration_of_the_user_play_no_part(source: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    home = tmp_path / "home"
    write_files(home, {".gitconfig": f"[core]\n\thooksPath = {tmp_path}/hooks\n\tfsmonitor = touch {marker}\n"})
    write_files(tmp_path / "hooks", {"reference-transaction": f"#!/bin/sh\ntouch {marker}\n"})
    (tmp_path / "hooks" / "reference-transaction").chmod(0o755)
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.workspace.parts import open_workspace\n"
        "workspace = open_workspace(sys.argv[1], Path(sys.argv[2]))\n"
        "(workspace.checkout / 'new').write_text('n')\n"
        "workspace.push(workspace.candidate('New'))\n"
    )
    hostile = {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_DIR": "/nowhere",
        "GIT_WORK_TREE": "/nowhere",
        "GIT_INDEX_FILE": "/nowhere",
        "GIT_EXTERNAL_DIFF": f"touch {marker}",
        "GIT_SSH_COMMAND": f"touch {marker}",
        "GIT_TRACE": str(tmp_path / "trace"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(tmp_path / "hooks"),
    }
    command = [sys.executable, "-c", script, str(source), str(tmp_path)]
    subprocess.run(command, env=hostile, cwd=Path(__file__).parents[2], check=True)
    assert git(source, "rev-parse", BRANCH)
    assert not marker.exists()
    assert not (tmp_path / "trace").exists()
