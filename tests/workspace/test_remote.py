"""A remote over HTTP, served by git's own http-backend, and the words for everything that can go wrong with one."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import CoordinatorError, Misconfigured, Unreachable
from coordinator.forge.models import GitRemote
from coordinator.workspace.failures import BranchMoved, explained
from coordinator.workspace.git import Git, GitFailed
from coordinator.workspace.remote import STATE_REF, Remote, RemoteLimits
from tests.support import FORGE_CANARY, commit_files, git
from tests.workspace.parts import AUTHORIZATION, IMPATIENT, GitServer, git_server, open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BRANCH = "refs/heads/coordinator/issue-7"


@pytest.fixture
def served(source: Path, tmp_path: Path) -> Iterator[GitServer]:
    """A server that has the sample repository as /served/r.git."""
    (tmp_path / "served").mkdir()
    git(tmp_path, "clone", "--quiet", "--bare", str(source), "served/r.git")
    git(tmp_path / "served" / "r.git", "config", "http.receivepack", "true")
    with git_server(tmp_path / "served") as server:
        yield server


def remote(server: GitServer, *, authorization: str = AUTHORIZATION) -> GitRemote:
    return GitRemote(url=f"{server.url}/r.git", authorization=authorization)


def test_clone_work_and_push_over_http(served: GitServer, tmp_path: Path) -> None:
    workspace = open_workspace(remote(served), tmp_path)
    (workspace.checkout / "src" / "app.py").write_text("x = 2\n")
    candidate = workspace.candidate("Change x")
    workspace.push(candidate)
    assert git(tmp_path / "served" / "r.git", "rev-parse", BRANCH) == candidate.commit
    assert {sent for _, _, sent in served.requests} == {AUTHORIZATION}
    resumed = open_workspace(remote(served), tmp_path)
    assert resumed.start_commit == candidate.commit
    assert resumed.resumed


def test_the_token_stands_in_no_command_line_no_file_and_no_environment_of_the_agent(
    served: GitServer, tmp_path: Path
) -> None:
    workspace = open_workspace(remote(served), tmp_path)
    (workspace.checkout / "new.txt").write_text("x\n")
    workspace.push(workspace.candidate("Add a file"))
    git_lines = [lines for lines in served.command_lines if "git" in lines]
    assert git_lines
    assert not any(FORGE_CANARY in lines for lines in served.command_lines)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert FORGE_CANARY.encode() not in path.read_bytes(), path


def test_a_redirect_is_not_followed(served: GitServer, tmp_path: Path) -> None:
    with git_server(tmp_path) as other:
        served.status, served.location = 302, f"{other.url}/r.git/info/refs?service=git-upload-pack"
        with pytest.raises(Misconfigured, match="redirect"):
            open_workspace(remote(served), tmp_path)
        assert other.requests == []


def test_a_redirect_of_the_push_is_not_followed(served: GitServer, tmp_path: Path) -> None:
    workspace = open_workspace(remote(served), tmp_path)
    (workspace.checkout / "new.txt").write_text("x\n")
    candidate = workspace.candidate("Add a file")
    with git_server(tmp_path / "served") as other:
        served.status, served.location = 307, f"{other.url}/r.git/info/refs?service=git-receive-pack"
        where = Remote(remote(served), Git(), IMPATIENT)
        with pytest.raises(Misconfigured, match="redirect"):
            where.push(workspace.repository.git_dir, commit=candidate.commit, ref=BRANCH, expected=None)
        assert other.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Misconfigured, "refused the token"),
        (403, Misconfigured, "refused the token"),
        (404, Misconfigured, "There is no repository"),
        (429, Unreachable, "429"),
        (500, Unreachable, "500"),
        (503, Unreachable, "503"),
    ],
)
def test_each_answer_of_a_server_has_its_kind_and_mend(
    served: GitServer, tmp_path: Path, status: int, kind: type[CoordinatorError], words: str
) -> None:
    served.status = status
    with pytest.raises(kind, match=words) as caught:
        open_workspace(remote(served), tmp_path)
    assert FORGE_CANARY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_token_is_refused(served: GitServer, tmp_path: Path) -> None:
    for authorization in ("token wrong-token", ""):
        with pytest.raises(Misconfigured, match="refused the token"):
            open_workspace(remote(served, authorization=authorization), tmp_path)


def test_a_server_that_is_down_is_tried_again_and_then_unreachable() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    where = Remote(
        GitRemote(url=f"http://127.0.0.1:{port}/r.git", authorization=AUTHORIZATION),
        Git(),
        RemoteLimits(seconds=20, pauses=(0.1, 0.2)),
    )
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"did not get through to http://127.*Run again"):
        where.refs()
    assert time.monotonic() - started > 0.3


def test_a_server_that_recovers_is_enough(served: GitServer) -> None:
    served.status, served.failures = 503, 2
    where = Remote(remote(served), Git(), RemoteLimits(seconds=20, pauses=(0.0, 0.0)))
    assert where.refs().head_branch == "main"
    assert len(served.requests) > 2


def test_a_server_that_says_nothing_is_left_after_the_time_limit() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/r.git"
        where = Remote(GitRemote(url=url), Git(), RemoteLimits(seconds=0.5, pauses=()))
        with pytest.raises(Unreachable, match="took too long"):
            where.refs()


def test_a_repository_that_is_larger_than_the_bound_is_not_fetched(
    served: GitServer, source: Path, tmp_path: Path
) -> None:
    (source / "large").write_bytes(bytes(range(256)) + b"".join(n.to_bytes(3, "big") * 7 for n in range(30_000)))
    commit_files(source, {})
    git(source, "push", "--quiet", str(tmp_path / "served" / "r.git"), "main")
    where = Remote(remote(served), Git(), RemoteLimits(seconds=20, bytes=10_000, pauses=()))
    git(tmp_path, "init", "--quiet", "--bare", "own.git")
    with pytest.raises(Misconfigured, match="larger than a run may fetch"):
        where.fetch(tmp_path / "own.git", {"refs/heads/main": "refs/x"})


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/tags/coordinator/x",
        "coordinator/issue-7",
        "refs/heads/coordinators/x",
        "refs/coordinator/other",
        "refs/coordinator/state/x",
        "refs/coordinator/states",
    ],
)
def test_only_work_branches_and_the_state_are_ever_pushed(served: GitServer, tmp_path: Path, ref: str) -> None:
    workspace = open_workspace(remote(served), tmp_path)
    where = Remote(remote(served), Git(), IMPATIENT)
    git_dir, commit = workspace.repository.git_dir, workspace.base_commit
    with pytest.raises(ValueError, match="is not below"):
        where.push(git_dir, commit=commit, ref=ref, expected=None)
    where.push(git_dir, commit=commit, ref=STATE_REF, expected=None)
    assert git(tmp_path / "served" / "r.git", "for-each-ref", "--format=%(refname)", "refs/coordinator") == STATE_REF


def test_only_as_much_history_is_fetched_as_is_asked_for(served: GitServer, source: Path, tmp_path: Path) -> None:
    commit_files(source, {"more.txt": "1\n"})
    commit_files(source, {"more.txt": "2\n"})
    git(source, "push", "--quiet", str(tmp_path / "served" / "r.git"), "main")
    where = Remote(remote(served), Git(), IMPATIENT)
    for depth, count in ((1, "1"), (2, "2"), (None, "3")):
        own = f"own-{count}.git"
        git(tmp_path, "init", "--quiet", "--bare", own)
        where.fetch(tmp_path / own, {"refs/heads/main": "refs/x"}, depth=depth)
        assert git(tmp_path / own, "rev-list", "--count", "refs/x") == count


def test_a_lost_race_overwrites_nothing(served: GitServer, tmp_path: Path) -> None:
    first, second = (open_workspace(remote(served), tmp_path) for _ in range(2))
    for workspace, text in ((first, "1"), (second, "2")):
        (workspace.checkout / "new.txt").write_text(text)
    winner = first.candidate("First")
    first.push(winner)
    with pytest.raises(BranchMoved, match=r"not overwritten.*Run again"):
        second.push(second.candidate("Second"))
    assert git(tmp_path / "served" / "r.git", "rev-parse", BRANCH) == winner.commit


def test_a_lease_on_an_older_commit_is_refused_by_the_exact_value(served: GitServer, tmp_path: Path) -> None:
    workspace = open_workspace(remote(served), tmp_path)
    (workspace.checkout / "new.txt").write_text("1")
    candidate = workspace.candidate("First")
    workspace.push(candidate)
    where = Remote(remote(served), Git(), RemoteLimits(seconds=30, pauses=(60.0,)))
    git_dir = workspace.repository.git_dir
    started = time.monotonic()
    with pytest.raises(BranchMoved):
        where.push(git_dir, commit=workspace.base_commit, ref=BRANCH, expected=workspace.base_commit)
    assert time.monotonic() - started < 50  # a lost race is not tried again
    where.push(git_dir, commit=workspace.base_commit, ref=BRANCH, expected=candidate.commit)
    assert git(tmp_path / "served" / "r.git", "rev-parse", BRANCH) == workspace.base_commit


def test_pushing_the_same_again_is_fine(served: GitServer, tmp_path: Path) -> None:
    workspace = open_workspace(remote(served), tmp_path)
    (workspace.checkout / "new.txt").write_text("1")
    candidate = workspace.candidate("First")
    workspace.push(candidate)
    workspace.push(candidate)
    workspace.push(workspace.candidate("Nothing more"))
    assert git(tmp_path / "served" / "r.git", "rev-parse", BRANCH) == candidate.commit


def test_a_hook_of_the_server_that_refuses_is_told(served: GitServer, tmp_path: Path) -> None:
    hook = tmp_path / "served" / "r.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'branch is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    workspace = open_workspace(remote(served), tmp_path)
    (workspace.checkout / "new.txt").write_text("1")
    with pytest.raises(Misconfigured, match=r"refused the push: remote: branch is protected.*branch protection"):
        workspace.push(workspace.candidate("First"))


def test_a_branch_named_coordinator_leaves_no_room(served: GitServer, tmp_path: Path) -> None:
    git(tmp_path / "served" / "r.git", "branch", "coordinator", "main")
    workspace = open_workspace(remote(served), tmp_path)
    (workspace.checkout / "new.txt").write_text("1")
    with pytest.raises(Misconfigured, match="Rename the branch `coordinator`"):
        workspace.push(workspace.candidate("First"))


@pytest.mark.parametrize("url", ["relative/path", "ssh://host/r.git", "git@host:r.git", "ext::sh -c true", ""])
def test_other_transports_are_wrong_use(url: str) -> None:
    with pytest.raises(Misconfigured, match="neither an http"):
        Remote(GitRemote(url=url), Git(), IMPATIENT)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            "fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate",
            Misconfigured,
            "SSL_CERT",
        ),
        ("fatal: unable to access 'https://h/': Could not resolve host: h", Unreachable, "Could not resolve"),
        (
            "error: object 12ab: hasDotgit: contains '.git'\nfatal: fsck error in packed object",
            Misconfigured,
            "hasDotgit",
        ),
        (" ! [remote rejected] a -> b (cannot lock ref 'b': is at 12 but expected 34)", BranchMoved, "not overwritten"),
        (" ! [remote rejected] a -> b (reference already exists)", BranchMoved, "not overwritten"),
        (" ! [remote rejected] a -> b (failed to update ref)", BranchMoved, "at the same time"),
        (" ! [remote rejected] a -> b (incorrect old value provided)", BranchMoved, "at the same time"),
        ("remote: error: cannot lock ref 'b': Unable to create '/r/b.lock': File exists.", BranchMoved, "same time"),
        (
            "remote: error: cannot lock ref 'b': 'a' exists; cannot create 'a/b'\n ! [rejected] (failed to update ref)",
            Misconfigured,
            "leaves no room",
        ),
        (" ! [remote rejected] a -> b (deny updating a hidden ref)", Misconfigured, "refused the push"),
        (
            "remote: \nremote: Gitea: User permission denied for writing.\n ! [rejected] (pre-receive hook declined)",
            Misconfigured,
            "refused the push: remote: Gitea: User permission denied",
        ),
        ("something new", Unreachable, "something new"),
    ],
)
def test_what_cannot_be_provoked_here_has_its_words_too(said: str, kind: type[CoordinatorError], words: str) -> None:
    error = explained(GitFailed(("fetch",), 128, "", said), url="https://h/r.git")
    assert type(error) is kind
    assert words in str(error)


def test_a_time_limit_is_never_taken_for_anything_else() -> None:
    error = explained(GitFailed(("fetch",), None, "", "fatal: repository 'x' not found"), url="https://h/r.git")
    assert type(error) is Unreachable
    assert "took too long" in str(error)
