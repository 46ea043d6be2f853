"""`coordinator queue`: what waits for an agent, in which order, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coordinator.forge.local import LocalForge
from coordinator.state.claims import Claims, RunIdentity, this_process
from coordinator.state.folder import FolderStateStore
from tests.cli.support import Project, Shell, snapshot
from tests.standins.forge_server import ForgeServer
from tests.standins.github_server import GithubServer
from tests.support import FORGE_CANARY, commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNTS = {"ready": 0, "waiting": 0, "blocked": 0, "working": 0, "answered": 0}


def write(folder: Path, **texts: str) -> list[Path]:
    """Write issue files: ``_3_view="Blocked by: #1"`` becomes ``3-view.md``."""
    files = []
    for name, text in texts.items():
        file = folder / f"{name.strip('_').replace('_', '-')}.md"
        file.write_text(f"# {name.strip('_')}\n\n{text}\n", encoding="utf-8")
        files.append(file)
    return files


def find_claims(project: Project) -> Claims:
    """The claims that local runs on a repository make."""
    store = FolderStateStore(project.folder / ".git" / "coordinator" / "state")
    return Claims(store, RunIdentity("local/1", process=this_process()), now=lambda: datetime.now(UTC))


# Files and the local forge.


def test_files_are_ordered_and_nothing_is_written(shell: Shell, project: Project, tmp_path: Path) -> None:
    files = write(tmp_path, _1_model="Blocked by: #2", _2_base="", _3_view="Blocked by: #99")
    before = snapshot(tmp_path)
    ended = shell.run("queue", *files, "--repo", project.folder, "--format", "json")
    assert snapshot(tmp_path) == before
    assert (ended.code, ended.err) == (0, "")
    assert [(one["number"], one["state"]) for one in ended.document["entries"]] == [
        (2, "ready"),
        (1, "waiting"),
        (3, "blocked"),
    ]
    assert ended.document["counts"] == {"ready": 1, "waiting": 1, "blocked": 1, "working": 0, "answered": 0}
    assert "#99 does not exist" in ended.document["entries"][2]["reason"]


def test_files_join_what_the_local_forge_has(shell: Shell, project: Project, tmp_path: Path) -> None:
    LocalForge.of(project.folder).import_issue(project.issue)
    [changed] = write(tmp_path, _8_view="Blocked by: #7")
    words = ("queue", "--repo", project.folder, "--format", "json")
    assert [one["number"] for one in shell.run(*words).document["entries"]] == [7]
    ended = shell.run(*words, changed)
    assert [(one["number"], one["state"]) for one in ended.document["entries"]] == [(7, "ready"), (8, "waiting")]


def test_a_file_stands_for_the_issue_of_its_number(shell: Shell, project: Project) -> None:
    LocalForge.of(project.folder).import_issue(project.issue)
    project.issue.write_text("---\nnumber: 7\n---\n# Something else\n", encoding="utf-8")
    words = ("queue", project.issue, project.issue, "--repo", project.folder, "--format", "json")
    [entry] = shell.run(*words).document["entries"]
    assert entry["title"] == "Something else"


def test_files_without_numbers_get_one_each(shell: Shell, project: Project, tmp_path: Path) -> None:
    files = write(tmp_path, model="", view="", _4_last="")
    ended = shell.run("queue", *files, "--repo", project.folder, "--format", "json")
    assert sorted(one["number"] for one in ended.document["entries"]) == [1, 2, 4]


def test_two_files_of_one_number_are_refused(shell: Shell, project: Project, tmp_path: Path) -> None:
    files = write(tmp_path, _3_model="", _3_view="")
    ended = shell.run("queue", *files, "--repo", project.folder)
    assert ended.code == 2
    assert "have the same number 3" in ended.complaint()


def test_the_table(shell: Shell, project: Project, tmp_path: Path) -> None:
    files = write(tmp_path, _1_model="Blocked by: #2", _2_base="Priority: high")
    ended = shell.run("queue", *files, "--repo", project.folder)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "ISSUE  STATE    PRIORITY  TITLE",
        "   #2  ready    high      2_base",
        "   #1  waiting  medium    1_model",
        "                          waits for #2",
        "2 issues: 1 ready, 1 waiting, 0 blocked, 0 working, 0 answered",
    ]


def test_the_graph(shell: Shell, project: Project, tmp_path: Path) -> None:
    files = write(tmp_path, _1_model="Blocked by: #2", _2_base="")
    ended = shell.run("queue", *files, "--repo", project.folder, "--format", "mermaid")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("flowchart TD\n")
    assert ended.out.endswith("    i2 --> i1\n")


@pytest.mark.parametrize("wanted", ["text", "mermaid"])
def test_an_empty_queue_says_how_to_fill_it(shell: Shell, project: Project, wanted: str) -> None:
    ended = shell.run("queue", "--repo", project.folder, "--format", wanted)
    assert (ended.code, ended.err) == (0, "")
    assert "name files with issues" in ended.out
    assert shell.run("queue", "--repo", project.folder, "--format", "json").document == {
        "entries": [],
        "counts": COUNTS,
    }


def test_what_a_run_has_is_said(shell: Shell, project: Project) -> None:
    LocalForge.of(project.folder).import_issue(project.issue)
    claims = find_claims(project)
    assert claims.reserve(7, seconds=60)
    words = ("queue", "--repo", project.folder, "--format", "json")
    [entry] = shell.run(*words).document["entries"]
    assert (entry["state"], entry["reason"]) == ("working", "a run was started for it")
    claims.take(7, request=None, most_runs=None)
    [entry] = shell.run(*words).document["entries"]
    assert (entry["state"], entry["reason"]) == ("working", "run local/1 works on it")
    claims.finish(7, None)
    [entry] = shell.run(*words).document["entries"]
    assert entry["state"] == "ready"


def test_a_secret_in_a_title_is_not_shown(shell: Shell, project: Project, tmp_path: Path) -> None:
    shell.set(GITEA_TOKEN=FORGE_CANARY)
    file = tmp_path / "1.md"
    file.write_text(f"# Use {FORGE_CANARY}\n", encoding="utf-8")
    for wanted in ("text", "json", "mermaid"):
        ended = shell.run("queue", file, "--repo", project.folder, "--format", wanted)
        assert ended.code == 0
        assert FORGE_CANARY not in ended.out + ended.err


def test_inside_a_job_a_title_is_no_command(shell: Shell, project: Project, tmp_path: Path) -> None:
    [file] = write(tmp_path, _1_model="")
    file.write_text("# Say ##[error]no ::error::no\n", encoding="utf-8")
    shell.set(GITHUB_ACTIONS="true")
    assert "##[" not in shell.run("queue", file, "--repo", project.folder).out
    shell.set(GITEA_ACTIONS="true")
    assert "##[error]" in shell.run("queue", file, "--repo", project.folder).out


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_that_is_no_repository_is_refused(shell: Shell, tmp_path: Path, folder: str) -> None:
    ended = shell.run("queue", "--repo", tmp_path / folder)
    assert ended.code == 2
    assert ended.complaint()


# Servers.


class Hub:
    """A stand-in with issues, and a shell that knows its address."""

    def __init__(self, shell: Shell, server: ForgeServer | GithubServer, folder: Path, configuration: str) -> None:
        self.shell = shell
        self.server = server
        start = make_repository(folder / "start", {".coordinator.yml": configuration})
        git(start, "push", "--quiet", str(server.state.repository.path), "HEAD:refs/heads/main")
        shell.set(GITHUB_REPOSITORY=server.repository)

    def add(self, body: str, *labels: str) -> int:
        """Add an issue with labels."""
        if isinstance(self.server, ForgeServer):
            return self.server.add_issue("Do it", body, labels=labels)
        issue = self.server.add_issue("Do it")
        issue.body, issue.labels = body, list(labels)
        return issue.number


@pytest.fixture
def gitea(shell: Shell, tmp_path: Path) -> Iterator[Hub]:
    with ForgeServer(tmp_path / "server") as server:
        shell.set(GITEA_URL=server.url, GITEA_TOKEN=server.token)
        yield Hub(shell, server, tmp_path, "trigger: {label: agent}\n")


@pytest.fixture
def github(shell: Shell, tmp_path: Path) -> Iterator[Hub]:
    with GithubServer(tmp_path / "server") as server:
        shell.set(GITHUB_SERVER_URL=server.url, GITHUB_API_URL=server.api_url, GITHUB_TOKEN=server.token)
        yield Hub(shell, server, tmp_path, "trigger: {assignee: somebody, label: agent}\n")


@pytest.mark.parametrize("kind", ["gitea", "github"])
def test_the_queue_of_a_server(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    hub = request.getfixturevalue(kind)
    assert isinstance(hub, Hub)
    hub.add("Blocked by: #2", "agent")
    hub.add("", "agent")
    hub.add("Not ours")
    asked = len(hub.server.requests)
    ended = hub.shell.run("queue", "--forge", kind, "--repo", tmp_path, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    assert [(one["number"], one["state"]) for one in ended.document["entries"]] == [(2, "ready"), (1, "waiting")]
    assert all(one["url"].startswith("http") for one in ended.document["entries"])
    posts = [one.path for one in hub.server.requests[asked:] if one.method != "GET"]
    assert all(path.endswith("/git-upload-pack") for path in posts)


def test_an_empty_queue_of_a_server_names_its_account_and_label(github: Hub, tmp_path: Path) -> None:
    ended = github.shell.run("queue", "--forge", "github", "--repo", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "assign an open issue to somebody, or give it the label agent" in ended.out


def test_files_are_for_the_local_forge(gitea: Hub, tmp_path: Path) -> None:
    [file] = write(tmp_path, _1_model="")
    ended = gitea.shell.run("queue", file, "--forge", "gitea")
    assert ended.code == 2
    assert "Files are for --forge local" in ended.complaint()


def test_a_server_that_does_not_answer_is_said(gitea: Hub, tmp_path: Path) -> None:
    gitea.server.fail(r"GET .*/issues\?", times=99, status=500)
    ended = gitea.shell.run("queue", "--forge", "gitea", "--repo", tmp_path)
    assert (ended.code, ended.out) == (4, "")
    assert ended.complaint()


def test_the_forge_that_is_named_wins_over_what_the_variables_look_like(github: Hub, tmp_path: Path) -> None:
    commit_files(tmp_path / "start", {"a": "b"})
    github.shell.set(GITEA_URL="http://127.0.0.1:9", GITEA_TOKEN="gitea-canary-token")
    ended = github.shell.run("queue", "--forge", "gitea", "--repo", tmp_path)
    assert ended.code == 4
    assert "127.0.0.1:9" in ended.complaint()
    assert not github.server.requests
