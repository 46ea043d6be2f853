"""Wrong input: one clear line on standard error with the mend, the right exit code, and nothing lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import ISSUE, Project, Shell, make_project, snapshot, the_model
from tests.small_project import FILES, LINT_ONLY
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Wrong:
    """A mistake in the issue file, and what is said about it."""

    content: bytes
    said: str


ISSUES = {
    "empty": Wrong(b"", "is empty"),
    "blank": Wrong(b" \n\n", "is empty"),
    "binary": Wrong(b"\x89PNG\r\n\x1a\n\0\0", "is not UTF-8 text"),
    "null bytes": Wrong(b"# Title\n\0\n", "is binary"),
    "huge": Wrong(b"# Title\n" + b"x" * (1 << 20), "is larger than 1 MiB"),
    "front matter": Wrong(b"---\nnumber: seven\n---\n# Title\n", "in line 2: `number`"),
}


@pytest.mark.parametrize("command", ["work", "plan"])
@pytest.mark.parametrize("name", ISSUES)
def test_an_issue_file_that_cannot_be_one(shell: Shell, project: Project, name: str, command: str) -> None:
    project.issue.write_bytes(ISSUES[name].content)
    before = snapshot(project.folder)
    ended = shell.run(command, project.issue, "--repo", project.folder)
    assert ended.code == 2
    assert ISSUES[name].said in ended.complaint()
    assert str(project.issue) in ended.complaint()
    assert ended.out == ""
    assert {name for name in snapshot(project.folder) if not name.startswith(".git/coordinator")} == set(before)


CONFIGURATIONS = {
    "unknown key": ("atempts: 2\n", ".coordinator.yml:1", "attempts"),
    "bad value": ("gates:\n  coverage:\n    threshold: many\n", ".coordinator.yml:3", "threshold"),
    "no YAML": ("gates: [\n", ".coordinator.yml:", "YAML"),
    "unknown agent": ("agents:\n  haikku: {enabled: true}\n", "agents.haikku", "haiku"),
}


@pytest.mark.parametrize("command", ["work", "plan"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_wrong_configuration_names_place_and_mend(shell: Shell, tmp_path: Path, name: str, command: str) -> None:
    text, *said = CONFIGURATIONS[name]
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": text})
    ended = shell.run(command, project.issue, "--repo", project.folder)
    assert ended.code == 2
    for part in said:
        assert part in ended.complaint()


def test_a_wrong_configuration_ends_the_gates(shell: Shell, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "toy", {"a.py": "", ".coordinator.yml": "gates:\n  lnt: {enabled: false}\n"})
    ended = shell.run("gate", folder)
    assert ended.code == 2
    assert ".coordinator.yml:2" in ended.complaint()
    assert "lint" in ended.complaint()


def test_the_configuration_is_the_one_of_the_base_branch(shell: Shell, project: Project) -> None:
    """What lies in the checkout does not count: neither its mistakes nor its permissions."""
    (project.folder / ".coordinator.yml").write_text("nonsense: true\n", encoding="utf-8")
    assert shell.run("plan", project.issue, "--repo", project.folder).code == 0


@pytest.mark.parametrize("command", [("work", "7", "--repo"), ("plan", "7", "--repo"), ("gate",)])
def test_what_is_no_repository_is_said(shell: Shell, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "plain").mkdir()
    missing = shell.run(*command, tmp_path / "missing")
    assert (missing.code, "is no folder" in missing.complaint()) == (2, True)
    plain = shell.run(*command, tmp_path / "plain")
    assert (plain.code, "is not a git repository" in plain.complaint()) == (2, True)
    assert "git init" in plain.complaint()
    assert list((tmp_path / "plain").iterdir()) == []


@pytest.mark.parametrize("command", [("work", "ISSUE", "--repo"), ("plan", "ISSUE", "--repo"), ("gate",)])
def test_an_empty_repository_needs_a_commit(shell: Shell, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    issue = tmp_path / "7-issue.md"
    issue.write_text(ISSUE, encoding="utf-8")
    words = [str(issue) if word == "ISSUE" else word for word in command]
    ended = shell.run(*words, tmp_path / "empty")
    assert ended.code == 2
    assert "commit" in ended.complaint()
    assert git(tmp_path / "empty", "for-each-ref") == ""


@pytest.mark.parametrize("word", ["404", "0", "9999999999", "nowhere.md", "."])
def test_an_issue_that_does_not_exist(shell: Shell, project: Project, word: str) -> None:
    for command in ("work", "plan"):
        ended = shell.run(command, word, "--repo", project.folder, "--format", "json")
        assert ended.code == 2
        assert word in ended.complaint()
        assert (ended.document["outcome"], ended.document["exit_code"]) == ("failed", 2)
    assert project.branch() == ""


def test_all_gates_disabled_ends_before_anything_is_spent(shell: Shell, tmp_path: Path) -> None:
    text = LINT_ONLY + "  lint: {enabled: false}\n"
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": text})
    with the_model(shell) as model:
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
    assert ended.code == 2
    assert "Enable at least one gate" in ended.complaint()
    assert model.requests == []


def test_a_detached_head_needs_the_name_of_a_branch(shell: Shell, project: Project) -> None:
    git(project.folder, "switch", "--quiet", "--detach")
    ended = shell.run("work", project.issue, "--repo", project.folder)
    assert ended.code == 2
    assert "base_branch" in ended.complaint()
    assert shell.run("gate", project.folder).code == 0


def test_a_base_branch_that_is_not_there(shell: Shell, project: Project) -> None:
    commit_files(project.folder, {".coordinator.yml": f"base_branch: develop\n{LINT_ONLY}"})
    for command in ("work", "plan"):
        ended = shell.run(command, project.issue, "--repo", project.folder)
        assert ended.code == 2
        assert "'develop'" in ended.complaint()


@pytest.mark.parametrize(
    ("variable", "value"), [("ANTHROPIC_API_KEY", "two words"), ("ANTHROPIC_BASE_URL", "no-address")]
)
def test_a_variable_that_cannot_be_right_is_named_and_not_shown(
    shell: Shell, project: Project, variable: str, value: str
) -> None:
    shell.set(**{variable: value})
    ended = shell.run("work", project.issue, "--repo", project.folder)
    assert ended.code == 2
    assert variable in ended.complaint()
    assert value not in ended.out + ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_git_directory_that_cannot_be_written_to(shell: Shell, project: Project) -> None:
    git_dir = project.folder / ".git"
    git_dir.chmod(0o555)
    try:
        ended = shell.run("work", project.issue, "--repo", project.folder)
    finally:
        git_dir.chmod(0o755)
    assert ended.code == 2
    assert str(git_dir) in ended.complaint()
