"""The local forge: where its files lie, how issues get their numbers, and two processes at once."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coordinator.errors import Misconfigured, Unreachable
from coordinator.forge.local import LOCAL_USER, LocalForge
from coordinator.forge.local_files import locked, write_whole
from coordinator.forge.local_git import LocalGit
from coordinator.forge.models import Account, CommitStatus, Permission, StatusState
from coordinator.forge.protocol import Missing
from tests.support import commit_files, git, make_repository

FILES = {"README.md": "# App\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "app", FILES)


@pytest.fixture
def forge(repository: Path) -> LocalForge:
    return LocalForge.of(repository)


def _issue(folder: Path, name: str, text: str = "# Do it\n\nPlease.\n") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_everything_lies_in_the_git_directory_and_nothing_in_the_checkout(
    repository: Path, forge: LocalForge, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*") if ".git" not in path.parts}
    number = forge.import_issue(_issue(tmp_path, "12-switch.md")).number
    comment = forge.create_comment(number, "Working on it.")
    git(repository, "branch", "coordinator/issue-12")
    pull = forge.create_pull_request(head="coordinator/issue-12", base="main", title="Do: it", body="B", draft=True)
    commit = git(repository, "rev-parse", "HEAD")
    forge.set_statuses(commit, [CommitStatus(context="c", state=StatusState.SUCCESS, description="d")])
    folder = repository / ".git" / "coordinator" / "forge"
    assert (folder / "issues/12.md").read_text() == "# Do it\n\nPlease.\n"
    assert (folder / f"comments/12/{comment.id}.md").read_text().endswith("---\n\nWorking on it.")
    assert "title: 'Do: it'" in (folder / f"pulls/{pull.number}.md").read_text()
    assert json.loads((folder / f"statuses/{commit}.json").read_text())["statuses"][0]["state"] == "success"
    assert pull.url == (folder / f"pulls/{pull.number}.md").as_uri()
    assert git(repository, "status", "--porcelain", "--ignored") == ""
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*") if ".git" not in path.parts} == before
    assert [path.name for path in folder.rglob(".*")] == []


def test_a_status_replaces_the_one_of_its_context(repository: Path, forge: LocalForge) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    for state in (StatusState.PENDING, StatusState.FAILURE):
        forge.set_statuses("main", [CommitStatus(context="a", state=state, description="")])
    forge.set_statuses(commit, [CommitStatus(context="b", state=StatusState.SUCCESS, description="")])
    found = json.loads((repository / f".git/coordinator/forge/statuses/{commit}.json").read_text())["statuses"]
    assert [(status["context"], status["state"]) for status in found] == [("a", "failure"), ("b", "success")]


def test_a_worktree_and_a_subfolder_share_the_forge(repository: Path, forge: LocalForge, tmp_path: Path) -> None:
    forge.import_issue(_issue(tmp_path, "3.md"))
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "other")
    (repository / "src").mkdir()
    for place in (tmp_path / "tree", repository / "src"):
        assert LocalForge.of(place).issue(3).title == "Do it"
    assert LocalForge.of(repository / "src").git_remote().url == str(repository)
    assert LocalForge.of(tmp_path / "tree").git_remote().url == str(tmp_path / "tree")


def test_a_bare_repository_and_a_submodule_have_a_forge(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), str(tmp_path / "bare.git"))
    bare = LocalForge.of(tmp_path / "bare.git")
    assert bare.git_remote().url == str(tmp_path / "bare.git")
    assert bare.repository().full_name == "local/bare.git"
    outer = make_repository(tmp_path / "outer", FILES)
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repository), "inner")
    LocalForge.of(outer / "inner").import_issue(_issue(tmp_path, "4.md"))
    assert (outer / ".git/modules/inner/coordinator/forge/issues/4.md").exists()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("12-add-a-switch.md", 12),
        ("12.md", 12),
        ("issue-12.md", 12),
        ("Issue_12.md", 12),
        ("issue12-x.md", 12),
        ("#12 switch.md", 12),
        ("0012-x.md", 12),
        ("12.draft.md", 12),
        ("12", 12),
        ("switch.md", 1),
        ("2026-01-05-switch.md", 1),
        ("v2-switch.md", 1),
        ("12th-try.md", 1),
        ("0.md", 1),
        ("1234567890.md", 1),
    ],
)
def test_the_number_comes_from_the_name(forge: LocalForge, tmp_path: Path, name: str, number: int) -> None:
    assert forge.import_issue(_issue(tmp_path / "issues", name)).number == number


def test_the_front_matter_wins_over_the_name(forge: LocalForge, tmp_path: Path) -> None:
    text = "---\nnumber: 7\ntitle: From the front\ndifficulty: easy\nblocked_by: [3]\n---\n# Heading\n"
    issue = forge.import_issue(_issue(tmp_path, "12-x.md", text))
    assert (issue.number, issue.title, issue.body) == (7, "From the front", text)
    assert (issue.author, issue.assignees, issue.state) == (LOCAL_USER, (LOCAL_USER,), "open")


def test_the_same_file_keeps_its_number_and_brings_its_changes(forge: LocalForge, tmp_path: Path) -> None:
    file = _issue(tmp_path, "switch.md")
    first = forge.import_issue(file)
    forge.create_comment(first.number, "kept")
    assert forge.import_issue(file) == first
    other = forge.import_issue(_issue(tmp_path, "other.md"))
    file.write_text("# Do more\n", encoding="utf-8")
    again = forge.import_issue(tmp_path / "." / "switch.md")
    assert (again.number, again.title, again.body) == (first.number, "Do more", "# Do more\n")
    assert again.updated_at is not None
    assert first.updated_at is not None
    assert again.updated_at > first.updated_at
    assert other.number == first.number + 1
    assert [comment.body for comment in forge.comments(first.number)] == ["kept"]
    assert forge.history(first.number)[0].at <= first.updated_at


def test_a_preview_is_what_the_import_would_make_and_writes_nothing(
    repository: Path, forge: LocalForge, tmp_path: Path
) -> None:
    file = _issue(tmp_path, "switch.md")
    preview = forge.preview_issue(file)
    assert not (repository / ".git/coordinator").exists()
    made = forge.import_issue(file)
    assert (preview.number, preview.title, preview.body) == (made.number, made.title, made.body)
    assert forge.preview_issue(file).number == made.number
    assert forge.preview_issue(_issue(tmp_path, "next.md")).number == made.number + 1
    with pytest.raises(Misconfigured, match="belongs to"):
        forge.preview_issue(_issue(tmp_path, f"{made.number}-other.md", "# Other\n"))


def test_a_closed_issue_stays_closed_when_it_is_imported_again(
    repository: Path, forge: LocalForge, tmp_path: Path
) -> None:
    file = _issue(tmp_path, "5.md")
    forge.import_issue(file)
    record = repository / ".git/coordinator/forge/issues/5.json"
    record.write_text(record.read_text().replace('"open"', '"closed"'))
    assert forge.import_issue(file).state == "closed"


def test_a_number_that_belongs_to_another_file_is_refused(forge: LocalForge, tmp_path: Path) -> None:
    first = _issue(tmp_path / "a", "12-x.md")
    forge.import_issue(first)
    assert forge.import_issue(_issue(tmp_path / "b", "12-copy.md")).number == 12
    other = _issue(tmp_path / "c", "12-y.md", "# Something else\n")
    with pytest.raises(Misconfigured, match=r"number 12 of .*12-y\.md belongs to .*12-copy\.md") as caught:
        forge.import_issue(other)
    assert "number:" in caught.value.mend
    (tmp_path / "b/12-copy.md").unlink()
    assert forge.import_issue(other).title == "Something else"


def test_a_file_that_changes_its_number_leaves_the_old_one_free(forge: LocalForge, tmp_path: Path) -> None:
    file = _issue(tmp_path, "x.md", "---\nnumber: 4\n---\n# One\n")
    forge.import_issue(file)
    file.write_text("---\nnumber: 5\n---\n# One\n", encoding="utf-8")
    assert forge.import_issue(file).number == 5
    assert forge.import_issue(_issue(tmp_path, "4-new.md", "# New\n")).title == "New"
    file.write_text("# One\n", encoding="utf-8")
    assert forge.import_issue(file).number == 5


def test_pull_requests_never_take_the_number_of_an_issue(repository: Path, forge: LocalForge, tmp_path: Path) -> None:
    git(repository, "branch", "work")
    forge.import_issue(_issue(tmp_path, "10001-odd.md"))
    pull = forge.create_pull_request(head="work", base="main", title="T", body="B", draft=False)
    assert pull.number == 10002
    assert forge.import_issue(_issue(tmp_path, "next.md")).number == 1
    with pytest.raises(Misconfigured, match="belongs to a pull request"):
        forge.import_issue(_issue(tmp_path, "10002-clash.md"))
    git(repository, "branch", "work2")
    assert forge.create_pull_request(head="work2", base="main", title="T", body="B", draft=False).number == 10003
    assert forge.issue(10002).is_pull_request


def test_times_are_those_of_the_clock(repository: Path, tmp_path: Path) -> None:
    times = iter(datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 30))
    forge = LocalForge(tmp_path / "forge", repository=repository, now=lambda: next(times))
    issue = forge.import_issue(_issue(tmp_path, "1.md"))
    comment = forge.create_comment(1, "a")
    changed = forge.update_comment(comment.id, "b")
    assert issue.updated_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (changed.created_at, changed.updated_at - comment.updated_at) == (comment.created_at, timedelta(days=1))
    assert (tmp_path / "forge/issues/1.md").exists()


def test_nobody_else_has_rights_here(forge: LocalForge) -> None:
    assert forge.access(LOCAL_USER).permission is Permission.ADMIN
    assert forge.access(Account(id=2, login=LOCAL_USER.login)).permission is Permission.NONE


@pytest.mark.parametrize(
    "damage", ["", "{}", "{", "---\n---\n\nx", "---\nid: [\n---\n\nx", "--- x", b"\xff\xfe", "---\n- 1\n---\n\n"]
)
def test_a_damaged_file_is_named(repository: Path, forge: LocalForge, tmp_path: Path, damage: str | bytes) -> None:
    forge.import_issue(_issue(tmp_path, "1.md"))
    forge.create_comment(1, "x")
    data = damage if isinstance(damage, bytes) else damage.encode()
    folder = repository / ".git/coordinator/forge"
    (folder / "comments/1/1.md").write_bytes(data)
    with pytest.raises(Misconfigured, match=r"comments/1/1\.md is not as the local forge writes it"):
        forge.comments(1)
    (folder / "issues/1.json").write_bytes(data)
    with pytest.raises(Misconfigured, match=r"issues/1\.json is not as"):
        forge.issue(1)


def test_the_text_of_a_comment_cannot_pass_for_its_front_matter(forge: LocalForge, tmp_path: Path) -> None:
    forge.import_issue(_issue(tmp_path, "1.md"))
    for body in ("---\nid: 7\n---\n", "", "\n\n---\n", "a ---\n", "\r\n\ttab \u2028 \U0001f642"):
        comment = forge.create_comment(1, body)
        assert forge.comments(1)[-1] == comment
        assert comment.body == body


def test_files_are_read_from_commits_and_not_from_the_checkout(repository: Path, forge: LocalForge) -> None:
    (repository / "README.md").write_text("changed\n")
    (repository / "new.md").write_text("new\n")
    assert forge.read_file("README.md", ref="main") == b"# App\n"
    assert forge.read_file("new.md", ref="main") is None
    assert forge.read_file("a\nb", ref="main") is None
    assert forge.read_file("x blob 5", ref="main") is None


def test_a_branch_wins_over_a_tag_of_its_name(repository: Path, forge: LocalForge) -> None:
    git(repository, "tag", "main")
    commit_files(repository, {"README.md": "newer\n"})
    assert forge.read_file("README.md", ref="main") == b"newer\n"


def test_the_default_branch_is_origins_where_there_is_one(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    clone = tmp_path / "clone"
    git(clone, "checkout", "--quiet", "-b", "feature")
    assert LocalForge.of(clone).repository().default_branch == "main"
    git(clone, "branch", "--quiet", "-D", "main")
    assert LocalForge.of(clone).repository().default_branch == "feature"
    git(clone, "checkout", "--quiet", "--detach")
    with pytest.raises(Misconfigured, match="no branch is checked out") as caught:
        LocalForge.of(clone).repository()
    assert "base_branch" in caught.value.mend


def test_an_empty_repository_has_a_forge_but_no_commit(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    forge = LocalForge.of(tmp_path / "empty")
    assert forge.repository().default_branch == "main"
    with pytest.raises(Missing, match="no branch or commit 'main'") as caught:
        forge.read_file("README.md", ref="main")
    assert "first commit" in caught.value.mend


@pytest.mark.parametrize("name", ["plain", "absent", "file.txt"])
def test_a_folder_that_is_no_repository_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "file.txt").touch()
    with pytest.raises(Misconfigured, match=name) as caught:
        LocalForge.of(tmp_path / name)
    assert "--repo" in caught.value.mend


def test_without_git_it_says_so(repository: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from coordinator.forge.local_git import LocalGit\n"
        "try: LocalGit(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(repository)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == "Misconfigured there is no git on the PATH. Install git.\n"


def test_a_repository_cannot_make_git_run_anything(repository: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    commit = git(repository, "rev-parse", "HEAD")
    blob = git(repository, "rev-parse", "HEAD:README.md")
    (repository / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    for key, value in {
        "core.fsmonitor": str(hook),
        "core.sshCommand": str(hook),
        "core.pager": str(hook),
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": "ssh://host/x",
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(hook),
        "protocol.allow": "always",
        "protocol.ssh.allow": "always",
    }.items():
        git(repository, "config", key, value)
    forge = LocalForge.of(repository)
    forge.repository()
    with pytest.raises(Misconfigured, match=r"lacks the content of 'README\.md'"):
        forge.read_file("README.md", ref=commit)
    assert not marker.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_read(repository: Path) -> None:
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345)
    assert LocalForge.of(repository).read_file("README.md", ref="main") == b"# App\n"


def test_two_processes_never_take_the_same_number(repository: Path, tmp_path: Path) -> None:
    forge = LocalForge.of(repository)
    forge.import_issue(_issue(tmp_path, "1.md"))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(repository, tmp_path / f"w{index}")) for index in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    comments = forge.comments(1)
    assert sorted(comment.id for comment in comments) == list(range(1, 31))
    assert len({comment.body for comment in comments}) == 30
    assert len({forge.issue(number).title for number in range(2, 32)}) == 30


def _work(repository: Path, folder: Path) -> None:
    forge = LocalForge.of(repository)
    for index in range(10):
        title = f"{folder.name} {index}"
        forge.create_comment(1, title)
        forge.import_issue(_issue(folder, f"x{index}.md", f"# {title}\n"))


def test_a_lock_that_is_never_let_go_is_unreachable(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    with locked(path), pytest.raises(Unreachable, match="lock"), locked(path, seconds=0.05):
        pytest.fail("two hold the lock")  # pragma: no cover  (runs only where the lock is broken)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "folder", b"new")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]
    assert path.read_bytes() == b"old"


def test_git_that_hangs_is_given_up(repository: Path) -> None:
    with pytest.raises(Unreachable, match=r"git rev-parse in .*app took longer"):
        LocalGit(repository, seconds=0.0)
