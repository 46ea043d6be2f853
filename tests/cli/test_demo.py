"""`coordinator demo`: what a stranger sees first."""

from __future__ import annotations

from pathlib import Path

from tests.cli.support import PROJECT, Shell, check_report
from tests.support import git


def test_the_demo_is_rejected_once_then_accepted(shell: Shell, tmp_path: Path) -> None:
    """As a process, as a stranger starts it. Whatever a job, a server or a shell have set does not matter to it."""
    before = git(PROJECT, "status", "--porcelain", "coordinator/demo")
    shell.unset("ANTHROPIC_API_KEY")
    hostile = dict.fromkeys(("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "RUNNER_TEMP", "VIRTUAL_ENV"), "/nonexistent/x")
    shell.set(**hostile, GITHUB_ACTIONS="true", INPUT_AGENT="opus", INPUT_DRY_RUN="true", GITHUB_RUN_ID="x")
    shell.set(GLM_BASE_URL="http://127.0.0.1:9", MINIMAX_BASE_URL="http://127.0.0.1:9")
    ended = shell.finish(shell.start("demo", "--dir", tmp_path / "demo", "--format", "json"))
    assert ended.code == 0, ended.err
    assert git(PROJECT, "status", "--porcelain", "coordinator/demo") == before, "the sample itself is not touched"
    check_report(ended)
    document, repository = ended.document, tmp_path / "demo" / "slugs"
    assert document["outcome"] == "completed"
    first, second = (attempt["verdict"] for attempt in document["attempts"])
    rejected = [gate for gate in first["gates"] if not gate["passed"]]
    proven = [gate["gate"] for gate in rejected if not gate["details"].get("unfinished")]
    assert proven == ["build", "lint", "test"]
    assert [gate["passed"] for gate in second["gates"]] == [True] * 5
    assert (document["branch"], document["issue"]["number"]) == ("coordinator/issue-7", 7)
    assert git(repository, "rev-parse", "coordinator/issue-7") == document["commit"]
    assert git(repository, "rev-parse", "coordinator/issue-7^{tree}") == second["tree"]
    assert git(repository, "log", "-1", "--format=%an|%(trailers:key=Issue)", document["commit"]) == (
        "coordinator|Issue: #7\n"
    )
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "branch", "--show-current") == "main"
    forge = repository / ".git" / "coordinator" / "forge"
    (pull,) = forge.glob("pulls/*.md")
    assert document["pull_request"] == {"number": 10001, "url": pull.as_uri(), "draft": False}
    (comment,) = forge.glob("comments/7/*.md")
    assert "### ✅ Done" in comment.read_text(encoding="utf-8")
    assert "<html" in Path(document["report"]).read_text(encoding="utf-8")
    assert "scripted model" in ended.err
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["7-max-length.md", "slugs"]


def test_the_text_says_what_is_scripted_and_where_to_look(shell: Shell, tmp_path: Path) -> None:
    ended = shell.run("demo", "--dir", tmp_path / "demo")
    assert ended.code == 0, ended.err
    assert "scripted model, served over HTTP on loopback; everything else is real" in ended.err
    repository = tmp_path / "demo" / "slugs"
    for part in (
        f"git -C {repository} show coordinator/issue-7",
        (repository / ".git/coordinator/forge/pulls/10001.md").as_uri(),
        (repository / ".git/coordinator/forge/comments/7/1.md").as_uri(),
        "attempts:     1 rejected; 2 accepted",
        f"coordinator work 7 --repo {repository}",
    ):
        assert part in ended.out
    assert "FAILED test" in ended.err


def test_a_folder_that_is_not_empty_is_left_alone(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    for taken in (tmp_path / "full", tmp_path / "full" / "mine.txt"):
        ended = shell.run("demo", "--dir", taken)
        assert ended.code == 2
        assert "new or empty folder" in ended.complaint()
    ended = shell.run("demo", "--dir", tmp_path / "full" / "mine.txt" / "below")
    assert (ended.code, "cannot be made" in ended.complaint()) == (2, True)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_the_real_model_needs_a_key(shell: Shell, tmp_path: Path) -> None:
    shell.unset("ANTHROPIC_API_KEY")
    ended = shell.run("demo", "--live", "--dir", tmp_path / "demo", "--format", "json")
    assert ended.code == 2
    assert "ANTHROPIC_API_KEY" in ended.complaint()
    assert "a real model" in ended.err


def test_without_a_folder_it_makes_one_and_names_it(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    shell.set(TMPDIR=str(tmp_path / "temporary"))
    shell.unset("ANTHROPIC_API_KEY")
    ended = shell.finish(shell.start("demo", "--live"))
    (folder,) = (tmp_path / "temporary").iterdir()
    assert folder.name.startswith("coordinator-demo-")
    assert str(folder / "slugs") in ended.err
