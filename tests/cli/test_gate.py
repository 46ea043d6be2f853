"""`coordinator gate`: the suite on what is committed."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.workspace.objects import TrustedRepository
from coordinator.workspace.uncommitted import uncommitted
from tests.cli.support import Project, Shell, check_verdict, persons_own
from tests.small_project import FILES, LINT_ONLY
from tests.support import commit_files, git, make_repository, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.support import Ended

GREEN = {
    "pyproject.toml": '[project]\nname = "toy"\nversion = "1"\n',
    "toy/__init__.py": "ONE: int = 1\n",
    "tests/test_toy.py": "from toy import ONE\n\n\ndef test_one() -> None:\n    assert ONE == 1\n",
}


def verdict_of(ended: Ended) -> dict[str, Any]:
    """The verdict in a document, with its shape checked."""
    document = ended.document
    check_verdict(document)
    assert ended.code == (0 if document["passed"] else 1)
    return document


def timeless(verdict: dict[str, Any]) -> dict[str, Any]:
    """The verdict without what may differ from run to run."""
    return {**verdict, "gates": [{**gate, "seconds": 0.0} for gate in verdict["gates"]]}


def test_a_green_project_is_accepted_twice_in_the_same_words(shell: Shell, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "toy", GREEN)
    before = persons_own(Project(folder, folder))
    answers = [verdict_of(shell.run("gate", folder, "--no-cache", "--format", "json")) for _ in range(2)]
    assert [(gate["gate"], gate["passed"]) for gate in answers[0]["gates"]] == [
        (name, True) for name in ("build", "lint", "test", "coverage")
    ]
    assert answers[0]["passed"] is True
    assert answers[0]["tree"] == git(folder, "rev-parse", "HEAD^{tree}")
    assert timeless(answers[0]) == timeless(answers[1])
    assert persons_own(Project(folder, folder)) == before
    assert not (folder / ".git" / "coordinator").exists()


def test_no_tests_are_no_green_test_gate(shell: Shell, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "toy", {name: GREEN[name] for name in ("pyproject.toml", "toy/__init__.py")})
    verdict = verdict_of(shell.run("gate", folder, "--format", "json"))
    failed = {gate["gate"]: gate["message"] for gate in verdict["gates"] if not gate["passed"]}
    assert set(failed) == {"test", "coverage"}
    assert re.search(r"\bno tests?\b", failed["test"])


def test_the_text_shows_gates_evidence_and_verdict(shell: Shell, project: Project) -> None:
    green = shell.run("gate", project.folder, "--no-cache")
    assert green.code == 0
    assert "passed  lint" in green.out
    assert f"accepted: tree {git(project.folder, 'rev-parse', 'HEAD^{tree}')[:12]}" in green.out
    assert green.err == ""
    commit_files(project.folder, {"tool.py": "import os\n"})
    red = shell.run("gate", project.folder)
    assert red.code == 1
    for part in ("FAILED  lint", "F401", "tool.py:1:8", "to repeat it: ruff check", "rejected: tree"):
        assert part in red.out


def test_github_gets_annotations_at_the_lines(shell: Shell, project: Project) -> None:
    commit_files(project.folder, {"tool.py": "import os\n"})
    ended = shell.run("gate", project.folder, "--format", "github")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert lines[0].startswith("FAILED lint: 1 finding")
    assert lines[1].startswith("::error file=tool.py,line=1,title=coordinator/lint::F401 ")


def test_github_gets_one_line_for_a_gate_without_findings(shell: Shell, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "none", {".coordinator.yml": LINT_ONLY})
    ended = shell.run("gate", folder, "--format", "github")
    assert ended.code == 1
    assert "::error::lint: no Python file" in ended.out


def test_what_is_not_committed_is_not_judged_and_that_is_said(shell: Shell, project: Project) -> None:
    write_files(project.folder, {"tool.py": "import os\n", "new.py": "import sys\n", "many/a.py": "", "many/b.py": ""})
    before = persons_own(project)
    ended = shell.run("gate", project.folder, "--no-cache", "--format", "json")
    assert ended.code == 0
    assert verdict_of(ended)["passed"]
    assert ended.err == (
        "note: HEAD is judged, without 3 files or folders that are not committed (many/, new.py, tool.py)\n"
    )
    assert persons_own(project) == before


def test_uncommitted_files_are_found_without_running_anything_of_the_repository(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    files = {"a.py": "a\n", "gone.py": "b\n", "filtered.x": "c\n", ".gitattributes": "*.x filter=trap\n"}
    folder = make_repository(tmp_path / "toy", {**files, ".gitignore": "ignored.py\n"})
    (folder / "link").symlink_to("a.py")
    head = commit_files(folder, {"run.sh": "true\n"})
    repository = TrustedRepository.discover(folder)
    assert uncommitted(repository, head, folder) == ()
    git(folder, "config", "filter.trap.clean", f"touch {trap}; cat")
    (folder / "gone.py").unlink()
    (folder / "link").unlink()
    (folder / "link").symlink_to("run.sh")
    write_files(folder, {"filtered.x": "d\n", "ignored.py": "", "venv/pyvenv.cfg": "", "staged.py": "", "a.py": "A\n"})
    git(folder, "-c", "filter.trap.clean=cat", "add", "staged.py", "a.py")
    git(folder, "config", "core.fsmonitor", f"touch {trap}")
    trap.unlink(missing_ok=True)
    assert uncommitted(repository, head, folder) == ("a.py", "filtered.x", "gone.py", "link", "staged.py")
    assert not trap.exists()
    (folder / ".git" / "index").write_bytes(b"broken")
    assert uncommitted(repository, head, folder) == ("a.py", "filtered.x", "gone.py", "link")
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(folder), str(bare))
    assert uncommitted(TrustedRepository.discover(bare), head, bare) == ()


def test_the_base_gives_the_rules(shell: Shell, project: Project) -> None:
    """What a change does to the configuration does not count for that change."""
    lax = LINT_ONLY.replace("gates:\n", "gates:\n  lint: {args: ['--ignore=F401']}\n")
    git(project.folder, "switch", "--quiet", "--create", "change")
    commit_files(project.folder, {"tool.py": "import os\n", ".coordinator.yml": lax})
    assert shell.run("gate", project.folder).code == 0
    judged = shell.run("gate", project.folder, "--base", "main", "--format", "json")
    assert judged.code == 1
    assert not verdict_of(judged)["gates"][0]["passed"]


def test_a_base_without_common_history_is_said(shell: Shell, project: Project) -> None:
    git(project.folder, "switch", "--quiet", "--orphan", "other")
    commit_files(project.folder, FILES)
    ended = shell.run("gate", project.folder, "--base", "main")
    assert ended.code == 2
    assert "no common commit" in ended.complaint()


def test_that_there_was_no_base_to_compare_with_is_said(shell: Shell, project: Project) -> None:
    commit_files(project.folder, {".coordinator.yml": LINT_ONLY.replace("  integrity: {enabled: false}\n", "")})
    said = "\nnote: no base to compare with, so the integrity gate was left out\n"
    assert said in shell.run("gate", project.folder).out
    assert said not in shell.run("gate", project.folder, "--base", "HEAD").out


def test_an_unknown_base_is_said(shell: Shell, project: Project) -> None:
    ended = shell.run("gate", project.folder, "--base", "nowhere", "--format", "json")
    assert ended.code == 2
    assert "'nowhere'" in ended.complaint()
    assert ended.document == {"outcome": "failed", "reason": ended.document["reason"], "exit_code": 2}


def test_the_active_environment_runs_the_tests(shell: Shell, tmp_path: Path) -> None:
    only_test = "gates:\n  build: {enabled: false}\n  lint: {enabled: false}\n  coverage: {enabled: false}\n"
    test = "import os, sys\n\n\ndef test_where():\n    assert sys.prefix == os.environ['VIRTUAL_ENV'], sys.prefix\n"
    test += f"    assert sys.prefix == {sys.prefix!r}\n"
    folder = make_repository(tmp_path / "toy", {".coordinator.yml": only_test, "test_toy.py": test})
    shell.set(VIRTUAL_ENV=sys.prefix)
    ended = shell.run("gate", folder, "--format", "json")
    assert ended.code == 0, ended.out
    shell.set(VIRTUAL_ENV=str(tmp_path / "none"))
    ended = shell.run("gate", folder)
    assert ended.code == 2
    assert "VIRTUAL_ENV" in ended.complaint()


def test_a_folder_below_the_top_stands_for_the_whole_checkout(shell: Shell, project: Project) -> None:
    """Also its `.venv`: one that does not work proves that it is looked at."""
    only_test = "gates:\n  build: {enabled: false}\n  lint: {enabled: false}\n  coverage: {enabled: false}\n"
    commit_files(
        project.folder,
        {".coordinator.yml": only_test, "sub/test_it.py": "def test_it(): pass\n", ".gitignore": ".venv\n"},
    )
    (project.folder / ".venv" / "bin").mkdir(parents=True)
    (project.folder / ".venv" / "bin" / "python").symlink_to("/bin/false")
    ended = shell.run("gate", project.folder / "sub", "--format", "json")
    assert ended.code == 1
    assert "bin/python does not work here" in json.dumps(ended.document)


@pytest.mark.parametrize("name", ["gone", "file"])
def test_a_folder_that_is_none_is_said(shell: Shell, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ended = shell.run("gate", tmp_path / name)
    assert ended.code == 2
    assert "is no folder" in ended.complaint()


def test_all_gates_disabled_accepts_nothing(shell: Shell, tmp_path: Path) -> None:
    text = LINT_ONLY + "  lint: {enabled: false}\n"
    ended = shell.run("gate", make_repository(tmp_path / "toy", {".coordinator.yml": text}), "--format", "json")
    assert ended.code == 2
    assert "Enable at least one gate" in ended.complaint()
