"""`coordinator plan`: what would be done with an issue, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import say
from coordinator.forge.local import LocalForge
from tests.cli.support import ISSUE, PLAN_KEYS, Project, Shell, make_project, snapshot, the_model
from tests.small_project import FILES, GOOD, LINT_ONLY, submit
from tests.standins.forge_server import ForgeServer
from tests.support import FORGE_CANARY, commit_files, git

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.demo.model_script import Reply


def test_a_plan_is_one_document_and_writes_nothing(shell: Shell, project: Project, tmp_path: Path) -> None:
    with the_model(shell) as model:
        before = snapshot(tmp_path)
        ended = shell.run("plan", project.issue, "--repo", project.folder, "--format", "json")
        assert snapshot(tmp_path) == before
    assert ended.code == 0, ended.err
    plan = ended.document
    assert set(plan) == PLAN_KEYS
    assert plan["issue"] == {"number": 7, "title": "Add a second number"}
    assert plan["metadata"]["difficulty"] == "easy"
    assert plan["metadata"]["source"]["difficulty"] == "front matter"
    assert isinstance(plan["estimate"]["tokens"], int)
    assert (plan["blocked_by"], plan["blocks"], plan["ready"]) == ([], [], True)
    assert plan["agent"] == "haiku"
    assert plan["reason"].startswith("haiku: cheapest")
    assert model.requests == []


def test_the_text_says_the_same_in_lines(shell: Shell, project: Project) -> None:
    ended = shell.run("plan", project.issue, "--repo", project.folder, "--agent", "opus")
    assert ended.code == 0
    rows = dict(line.split(":", 1) for line in ended.out.splitlines())
    assert rows["agent"].strip() == "opus"
    assert rows["why"].strip() == "opus: requested for this run"
    assert rows["ready"].strip() == "yes"
    assert ended.err == ""


def test_what_an_issue_does_not_say_the_model_is_asked(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, issue="# Add a second number\n")
    answer = '{"difficulty": "hard", "estimated_context": 5000, "reason": "Because."}'
    with the_model(shell, say(answer)) as model:
        ended = shell.run("plan", project.issue, "--repo", project.folder, "--format", "json")
    assert ended.code == 0, ended.err
    assert model.requests[0].body["model"] == "claude-sonnet-5-5"
    assert ended.document["metadata"]["source"]["difficulty"] == "model"
    assert ended.document["agent"] == "opus"


def run_once(shell: Shell, project: Project, *script: Reply) -> float:
    """Work on the issue; return the cost."""
    with the_model(shell, *script):
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
    cost = ended.document["cost_usd"]
    assert isinstance(cost, float)
    return cost


def test_a_plan_says_what_the_work_will_cost(shell: Shell, project: Project) -> None:
    words = ("plan", project.issue, "--repo", project.folder)
    estimate = shell.run(*words, "--format", "json").document["estimate"]
    assert 0.001 < estimate["cost_usd"] < 0.1
    assert estimate["so_far"] is None
    assert f"cost:       about ${estimate['cost_usd']:.2f}\n" in shell.run(*words).out
    assert "so far:" not in shell.run(*words).out


def test_a_plan_says_how_far_off_estimates_were_so_far(shell: Shell, project: Project, tmp_path: Path) -> None:
    words = ("plan", project.issue, "--repo", project.folder)
    planned = shell.run(*words, "--format", "json").document["estimate"]
    cost = run_once(shell, project, GOOD, submit())
    before = snapshot(tmp_path)
    ended = shell.run(*words, "--format", "json")
    assert snapshot(tmp_path) == before
    so_far = ended.document["estimate"]["so_far"]
    assert so_far["cost"]["median"] == pytest.approx(cost / planned["cost_usd"], abs=0.001)
    assert 0 < so_far["context"]["median"] < 1
    assert so_far["context"]["runs"] == so_far["cost"]["runs"] == 1
    text = shell.run(*words).out
    assert f"so far:     1 run, context {so_far['context']['median']:.1f} x the estimate, cost " in text


def test_a_run_that_was_broken_off_says_nothing_about_estimates(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": f"budget: {{run: {{turns: 1}}}}\n{LINT_ONLY}"})
    run_once(shell, project, GOOD)
    ended = shell.run("plan", project.issue, "--repo", project.folder, "--format", "json")
    assert ended.document["estimate"]["so_far"] is None


def test_a_plan_is_made_without_what_is_remembered_too(shell: Shell, project: Project) -> None:
    run_once(shell, project, GOOD, submit())
    state = project.folder / ".git" / "coordinator" / "state"
    (state / "issues" / "7.json").write_text("{", encoding="utf-8")
    ended = shell.run("plan", project.issue, "--repo", project.folder, "--format", "json")
    assert (ended.code, ended.document["estimate"]["so_far"]) == (0, None)
    assert ended.err.startswith("coordinator: warning: how far off earlier estimates were is not known: issues/7.json")


def test_no_key_names_the_variables(shell: Shell, project: Project) -> None:
    shell.unset("ANTHROPIC_API_KEY")
    ended = shell.run("plan", project.issue, "--repo", project.folder)
    assert ended.code == 2
    for name in ("ANTHROPIC_API_KEY", "GLM_BASE_URL", "MINIMAX_BASE_URL"):
        assert name in ended.complaint()


def test_what_cannot_start_is_planned_all_the_same(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, issue=ISSUE.replace("difficulty", "blocked_by: [9]\ndifficulty"))
    other = tmp_path / "9-first.md"
    other.write_text("# Do this first\n", encoding="utf-8")
    LocalForge.of(project.folder).import_issue(other)
    ended = shell.run("plan", project.issue, "--repo", project.folder, "--format", "json")
    assert ended.code == 0
    assert (ended.document["blocked_by"], ended.document["ready"]) == ([9], False)


def test_what_other_issues_say_that_they_block_waits(shell: Shell, project: Project, tmp_path: Path) -> None:
    other = tmp_path / "9-first.md"
    other.write_text("# Do this first\n\nBlocks: #7\n", encoding="utf-8")
    LocalForge.of(project.folder).import_issue(other)
    words = ("plan", project.issue, "--repo", project.folder)
    ended = shell.run(*words, "--format", "json")
    assert (ended.document["blocked_by"], ended.document["ready"]) == ([9], False)
    project.issue.write_text(f"{ISSUE}\nBlocks: #9\n", encoding="utf-8")
    assert "cycle #7 → #9 → #7: remove one of these dependencies" in shell.run(*words).out


def test_without_a_model_for_planning_the_repository_is_asked(shell: Shell, tmp_path: Path) -> None:
    files = {".coordinator.yml": "agents: {sonnet: {api_key_env: ABSENT_KEY}}\n", "tool.py": "ONE = 1\n"}
    project = make_project(tmp_path, files, issue="# Mend `tool.py`\n")
    with the_model(shell) as model:
        ended = shell.run("plan", project.issue, "--repo", project.folder, "--format", "json")
    assert (ended.code, model.requests) == (0, [])
    assert ended.document["metadata"]["source"]["difficulty"] == "repository"


def test_an_issue_of_a_server_is_planned_from_there(shell: Shell, project: Project, tmp_path: Path) -> None:
    with ForgeServer(tmp_path / "server") as server:
        commit_files(project.folder, {".coordinator.yml": "agents: {haiku: {enabled: false}}\n"})
        git(project.folder, "push", "--quiet", str(server.bare_repository), "main")
        number = server.add_issue("Add a second number", ISSUE)
        words = ("plan", str(number), "--repo", project.folder, "--forge", "gitea", "--format", "json")
        for missing in ("GITEA_URL", "GITHUB_REPOSITORY", "GITEA_TOKEN"):
            known = {"GITEA_URL": server.url, "GITHUB_REPOSITORY": server.repository, "GITEA_TOKEN": FORGE_CANARY}
            shell.set(**known)
            shell.unset(missing)
            ended = shell.run(*words)
            assert ended.code == 2
            assert missing in ended.complaint()
        shell.set(**known)
        ended = shell.run(*words)
        assert ended.code == 0, ended.err
        assert ended.document["agent"] == "sonnet"
        assert FORGE_CANARY not in ended.out + ended.err
        ended = shell.run("plan", project.issue, "--repo", project.folder, "--forge", "gitea")
        assert ended.code == 2
        assert "files are for --forge local" in ended.complaint()
