"""`coordinator gate`: one gate alone, explanations, and the formats for other programs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.gates.reports.junit import read_report
from tests.cli.support import Project, Shell, persons_own
from tests.support import API_CANARY, commit_files, git, make_repository

ROOT = Path(__file__).parents[2]
COMMANDS = """\
gates:
  integrity: {enabled: false}
  commands:
  - {name: words, run: grep -q word notes.txt, minutes: 1}
  - {name: sorted, run: sort -c notes.txt}
"""
NOTES = {".coordinator.yml": COMMANDS, "notes.txt": "a word\nbut not sorted\nas it should be\n"}
GREEN = {**NOTES, "notes.txt": "a word\nb\n"}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "notes", NOTES)


def test_a_project_without_python_is_judged_by_its_own_commands(shell: Shell, notes: Path) -> None:
    ended = shell.run("gate", notes)
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0].startswith("passed  words ")
    assert lines[1].startswith("FAILED  sorted")
    assert "  to repeat it: sort -c notes.txt" in lines
    assert lines[-1] == f"next: mend it, commit, and look again with: coordinator gate {notes} --only sorted"
    assert "\x1b" not in ended.out
    commit_files(notes, GREEN)
    assert shell.run("gate", notes).code == 0


def test_the_next_command_is_the_one_that_was_given(shell: Shell, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(notes, "branch", "some-base")
    monkeypatch.chdir(notes)
    ended = shell.run("gate", "--base", "some-base")
    assert ended.out.rstrip().endswith("with: coordinator gate --base some-base --only sorted")


def test_one_gate_alone(shell: Shell, notes: Path) -> None:
    ended = shell.run("gate", notes, "--only", "words", "--format", "json")
    assert ended.code == 0
    assert [gate["gate"] for gate in ended.document["gates"]] == ["words"]
    both = shell.run("gate", notes, "--only", "sorted", "--only", "words", "--format", "json")
    assert both.code == 1
    assert [gate["gate"] for gate in both.document["gates"]] == ["words", "sorted"]


def test_a_gate_that_there_is_not_is_said(shell: Shell, notes: Path) -> None:
    ended = shell.run("gate", notes, "--only", "words", "--only", "lint")
    assert ended.code == 2
    assert ended.complaint().endswith(
        "There is no gate `lint` for this tree. Name one of words, sorted, or see --explain."
    )


def test_an_explanation_runs_nothing(shell: Shell, project: Project, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    text = f"gates:\n  commands:\n  - {{name: trap, run: touch {trap}}}\nsetup: [touch {trap}]\n"
    commit_files(project.folder, {".coordinator.yml": text, "conftest.py": f"open({str(trap)!r}, 'w')\n"})
    before = persons_own(project)
    ended = shell.run("gate", project.folder, "--explain")
    assert ended.code == 0
    for part in ("mypy --strict", "ruff check --no-fix .", f"touch {trap}", "gates.commands of .coordinator.yml"):
        assert part in ended.out
    assert "nothing was run: tree" in ended.out
    assert not trap.exists()
    assert persons_own(project) == before


def test_an_explanation_names_the_base_whose_rules_count(shell: Shell, notes: Path) -> None:
    base = git(notes, "rev-parse", "HEAD")
    commit_files(notes, {".coordinator.yml": "", "pyproject.toml": "", "mypy.ini": "[mypy]\n"})
    ended = shell.run("gate", notes, "--explain", "--base", base, "--format", "json")
    assert ended.code == 0
    document = ended.document
    assert document["base"] == base
    assert document["tree"] == git(notes, "rev-parse", "HEAD^{tree}")
    assert [(gate["gate"], gate["command"]) for gate in document["gates"]] == [
        ("words", "grep -q word notes.txt"),
        ("sorted", "sort -c notes.txt"),
    ]
    assert document["notes"] == ["mypy.ini: not in the base, so its rules for the gates do not count"]


def test_an_explanation_of_nothing_is_refused(shell: Shell, tmp_path: Path) -> None:
    text = "gates:\n" + "".join(f"  {name}: {{enabled: false}}\n" for name in ("build", "lint", "test", "coverage"))
    ended = shell.run("gate", make_repository(tmp_path / "toy", {".coordinator.yml": text}), "--explain")
    assert ended.code == 2
    assert "All quality gates are disabled" in ended.complaint()


def test_junit_for_any_ci_server(shell: Shell, notes: Path, tmp_path: Path) -> None:
    ended = shell.run("gate", notes, "--format", "junit")
    assert ended.code == 1
    (tmp_path / "report.xml").write_text(ended.out, encoding="utf-8")
    cases = read_report(tmp_path / "report.xml").cases
    assert [(case.classname, case.outcome) for case in cases] == [
        ("coordinator.words", "passed"),
        ("coordinator.sorted", "failure"),
    ]


@pytest.mark.parametrize("style", ["text", "json", "github", "junit"])
def test_no_format_shows_a_secret(shell: Shell, tmp_path: Path, style: str) -> None:
    text = "gates:\n  commands:\n  - {name: leak, run: 'cat leak.txt; exit 1'}\n"
    folder = make_repository(tmp_path / "toy", {".coordinator.yml": text, "leak.txt": f"key {API_CANARY}\n"})
    shell.set(ANTHROPIC_API_KEY=API_CANARY)
    ended = shell.run("gate", folder, "--format", style)
    assert ended.code == 1
    assert API_CANARY not in ended.out + ended.err
    assert "***" in ended.out


def test_fail_fast_ends_what_still_runs(shell: Shell, tmp_path: Path) -> None:
    text = "gates:\n  commands:\n  - {name: slow, run: sleep 120}\n  - {name: bad, run: exit 1}\n"
    folder = make_repository(tmp_path / "toy", {".coordinator.yml": text})
    ended = shell.run("gate", folder, "--fail-fast", "--format", "json")
    assert ended.code == 1
    slow = ended.document["gates"][0]
    assert "not finished" in slow["message"]
    assert slow["seconds"] < 60


def test_a_project_whose_tools_are_not_ours_is_judged_every_time(shell: Shell, notes: Path) -> None:
    """What `grep` and `sort` are on this machine stands in no key of a kept verdict."""
    commit_files(notes, GREEN)
    for options in ((), (), ("--no-cache",)):
        ended = shell.run("gate", notes, *options)
        assert (ended.code, ended.err) == (0, "")


def test_the_help_teaches(shell: Shell) -> None:
    ended = shell.run("gate", "--help")
    assert ended.code == 0
    for part in (
        "--only",
        "--base",
        "--fail-fast",
        "--no-cache",
        "--explain",
        "junit",
        "pre-push",
        "coordinator gate --",
    ):
        assert part in ended.out


def push(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["/usr/bin/env", "git", "push", "origin", "HEAD:refs/heads/work"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_as_a_pre_push_hook_it_stops_what_is_rejected(shell: Shell, notes: Path, tmp_path: Path) -> None:
    """With the variables that git gives its hooks."""
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(notes, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(notes, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    git(notes, "fetch", "--quiet", "origin")
    hook = notes / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    command = f"{sys.executable} -m coordinator gate --base origin/main --no-cache"
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in shell.variables.items())
    hook.write_text(f"#!/bin/sh\nexport PYTHONPATH={ROOT}\n{exports}\nexec {command}\n", encoding="utf-8")
    hook.chmod(0o755)
    commit_files(notes, {"other.txt": "x\n"})
    refused = push(notes)
    assert refused.returncode != 0
    assert "FAILED  sorted" in refused.stdout + refused.stderr
    commit_files(notes, GREEN)
    passed = push(notes)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert git(tmp_path / "origin.git", "rev-parse", "work") == git(notes, "rev-parse", "HEAD")
