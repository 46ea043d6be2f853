"""`coordinator work`: from an issue to a branch and a pull request, whichever way it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.agent.model import Patience
from coordinator.arguments import build_parser
from coordinator.commands.building import load_settings
from coordinator.commands.results import show_result
from coordinator.commands.targets import find_target
from coordinator.commands.work import work_on
from coordinator.demo.model_rules import ModelLimits
from coordinator.demo.model_script import Reply, say
from coordinator.demo.model_server import ModelServer
from coordinator.forge.local import LocalForge
from coordinator.settings import read_environment
from tests.cli.support import (
    BRANCH,
    ISSUE,
    Project,
    Shell,
    check_report,
    make_project,
    persons_own,
    snapshot,
    the_model,
)
from tests.small_project import BAD, FILES, GOOD, LINT_ONLY, MEND, bash, submit
from tests.support import commit_files, git, write_files

if TYPE_CHECKING:
    from pathlib import Path


def work(shell: Shell, project: Project, *more: str, issue: str | None = None) -> tuple[int, dict[str, Any], str]:
    """Run `work` for its document; whatever the ending, that is all there is on standard output."""
    ended = shell.run("work", issue or project.issue, "--repo", project.folder, "--format", "json", *more)
    check_report(ended)
    return ended.code, ended.document, ended.err


def test_an_issue_file_becomes_a_checked_pull_request(shell: Shell, project: Project) -> None:
    with the_model(shell, BAD, submit("First try"), MEND, submit("Add TWO\n\nIt was missing.")) as model:
        code, document, err = work(shell, project)
    assert code == 0, err
    assert model.steps_left == 0
    assert document["outcome"] == "completed"
    assert document["issue"] == {"number": 7, "title": "Add a second number"}
    assert document["agent"] == "haiku"
    assert [attempt["verdict"]["passed"] for attempt in document["attempts"]] == [False, True]
    assert document["branch"] == BRANCH
    assert document["commit"] == project.branch()
    assert document["attempts"][1]["verdict"]["tree"] == git(project.folder, "rev-parse", f"{BRANCH}^{{tree}}")
    assert document["pull_request"]["draft"] is False
    assert document["cost_usd"] > 0
    assert document["usage"]["output_tokens"] == model.bill.output_tokens
    assert project.show("tool.py") == "ONE = 1\nTWO = 2"
    message = git(project.folder, "log", "-1", "--format=%an <%ae>%n%B", BRANCH)
    assert message.startswith("coordinator <coordinator@noreply.invalid>\nAdd TWO\n\nIt was missing.")
    assert message.rstrip().endswith("\nIssue: #7")
    (pull,) = project.pulls()
    assert "draft: false" in pull
    assert "Closes #7" in pull
    assert "✅ Done" in project.headline()
    assert "F401" in json.dumps(model.requests[2].body["messages"][-1]), "the agent is told what the gates rejected"
    assert "Add a second number" in (project.kept / "report.html").read_text(encoding="utf-8")
    assert document["report"] == str(project.kept / "report.html")


def test_the_text_says_how_it_ended_and_where_to_look(shell: Shell, tmp_path: Path) -> None:
    """And what the project says to people who work on it, the agent is told too."""
    project = make_project(tmp_path, {**FILES, "AGENTS.md": "Count upwards.\n"}, ISSUE.replace("1000", "much"))
    with the_model(shell, GOOD, submit()) as model:
        ended = shell.run("work", project.issue, "--repo", project.folder, "--agent", "sonnet")
    assert ended.code == 0
    assert model.requests[0].body["model"] == "claude-sonnet-5-5", "the agent that was asked for"
    assert "Count upwards." in json.dumps(model.requests[0].body["messages"])
    assert "warning: " in ended.err, "an estimate that is no number is said"
    assert "much" in ended.err
    for part in ("completed", "#7 Add a second number", "sonnet", BRANCH, "/pulls/10001.md", "report.html"):
        assert part in ended.out
    assert "turn 1/200" in ended.err
    assert "passed lint" in ended.err


def test_rejected_as_often_as_allowed_is_a_draft_that_says_not_done(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": f"attempts: 2\n{LINT_ONLY}"})
    with the_model(shell, BAD, submit("Add an import"), submit("I insist")) as model:
        code, document, err = work(shell, project)
    assert code == 1
    assert model.steps_left == 0
    assert document["outcome"] == "rejected"
    assert len(document["attempts"]) == 2
    assert document["pull_request"]["draft"] is True
    assert document["commit"] == project.branch()
    assert "import os" in project.show("tool.py")
    (pull,) = project.pulls()
    assert "draft: true" in pull
    assert "**Not done:**" in pull
    assert "F401" in pull
    assert "Closes" not in pull
    assert project.headline().startswith("⚠️ Not done")
    assert "coordinator: rejected: " in err


@pytest.mark.parametrize(
    ("limit", "key"), [("{turns: 1}", "budget.run.turns"), ("{dollars: 0.005}", "budget.run.dollars")]
)
def test_a_spent_budget_keeps_the_work(shell: Shell, tmp_path: Path, limit: str, key: str) -> None:
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": f"budget: {{run: {limit}}}\n{LINT_ONLY}"})
    dear = Reply(GOOD.blocks, usage={"input_tokens": 100_000, "cache_creation_input_tokens": 0})
    with the_model(shell, dear, submit()) as model:
        code, document, _ = work(shell, project)
    assert code == 1
    assert model.steps_left == 1
    assert (document["outcome"], document["attempts"]) == ("failed", [])
    assert key in document["reason"]
    assert project.show("tool.py") == "ONE = 1\nTWO = 2"
    (pull,) = project.pulls()
    assert "draft: true" in pull
    assert "No gate has judged this work" in pull


def test_a_budget_too_small_for_one_call_spends_nothing(shell: Shell, tmp_path: Path) -> None:
    project = make_project(
        tmp_path, {**FILES, ".coordinator.yml": f"budget: {{run: {{dollars: 0.0001}}}}\n{LINT_ONLY}"}
    )
    with the_model(shell, GOOD) as model:
        code, document, _ = work(shell, project)
    assert (code, document["outcome"], document["cost_usd"]) == (1, "failed", 0.0)
    assert model.requests == []
    assert project.pulls() == []


def test_a_model_that_cannot_be_reached_is_worth_another_run(
    shell: Shell, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.set(ANTHROPIC_BASE_URL="http://127.0.0.1:9")
    words = ["work", str(project.issue), "--repo", str(project.folder)]
    environment = read_environment(shell.variables)
    patience = Patience(tries=2, first_wait=0.01)
    with find_target(build_parser().parse_args(words), environment, keep=True) as target:
        report = work_on(target, load_settings(environment, target.forge), patience=patience)
    assert show_result(report, as_json=True) == 4
    assert "127.0.0.1:9" in report.reason
    assert "profile haiku" in report.reason
    assert "run again" in report.reason
    printed = capsys.readouterr()
    assert json.loads(printed.out)["exit_code"] == 4
    assert "\nwarning: model claude-haiku-5-5 at 127.0.0.1:9: " in printed.err, "each try is a line of the log"
    assert project.pulls() == []
    assert "⛔ Not done" in project.headline()


def test_a_refused_key_names_profile_and_variable(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD, key="another-key", clean=False) as model:
        code, document, _ = work(shell, project)
    assert (code, document["outcome"]) == (2, "failed")
    assert "haiku" in document["reason"]
    assert "ANTHROPIC_API_KEY" in document["reason"]
    assert len(model.refused) == 1, "a refused key is not tried again"


def test_an_unknown_model_names_the_setting(shell: Shell, tmp_path: Path) -> None:
    agents = "agents: {haiku: {model: claude-none-1}}\n"
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": agents + LINT_ONLY})
    with the_model(shell, GOOD, clean=False):
        code, document, _ = work(shell, project)
    assert code == 2
    assert "agents.haiku.model" in document["reason"]


def test_a_model_that_refuses_the_task_ends_the_work(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD, say("No.", stop_reason="refusal", stop_details={"type": "refusal", "category": "x"})):
        code, document, _ = work(shell, project)
    assert (code, document["outcome"]) == (1, "failed")
    assert "refused the task" in document["reason"]
    assert project.show("tool.py") == "ONE = 1\nTWO = 2"


def test_an_agent_that_changes_nothing_makes_no_pull_request(shell: Shell, project: Project) -> None:
    with the_model(shell, Reply(submit("It is done").blocks, repeat=True)):
        code, document, _ = work(shell, project)
    assert code == 1
    assert document["pull_request"] is None
    assert (document["branch"], document["attempts"]) == (None, [])
    assert project.branch() == ""
    assert project.pulls() == []


def test_an_issue_that_is_closed_meanwhile_is_released(shell: Shell, project: Project) -> None:
    record = project.folder / ".git" / "coordinator" / "forge" / "issues" / "7.json"

    def close(_body: object) -> Reply:
        record.write_text(json.dumps({**json.loads(record.read_text()), "state": "closed"}), encoding="utf-8")
        return submit()

    with the_model(shell, GOOD, close):
        code, document, _ = work(shell, project)
    assert (code, document["outcome"], document["attempts"]) == (0, "released", [])
    assert "#7 was closed" in document["reason"]
    assert project.show("tool.py") == "ONE = 1\nTWO = 2"
    assert "draft: true" in project.pulls()[0]
    with the_model(shell) as model:
        code, document, _ = work(shell, project, issue="7")
    assert (code, document["outcome"]) == (1, "blocked")
    assert "closed" in document["reason"]
    assert model.requests == []


def test_a_second_run_goes_on_with_branch_pull_request_and_comment(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": f"attempts: 1\n{LINT_ONLY}"})
    with the_model(shell, BAD, submit("Add an import")):
        assert work(shell, project)[0] == 1
    first, (comment,) = project.branch(), project.comments()
    assert "Not done" in comment
    with the_model(shell, MEND, submit("Mend it")) as model:
        code, document, _ = work(shell, project, issue="7")
    assert code == 0
    assert "go on from there" in json.dumps(model.requests[0].body["messages"])
    assert git(project.folder, "rev-parse", f"{BRANCH}^") == first
    assert document["pull_request"] == {
        "number": 10001,
        "url": (project.folder / ".git/coordinator/forge/pulls/10001.md").as_uri(),
        "draft": False,
    }
    assert len(project.pulls()) == 1
    assert "Done in" in project.headline()


def test_the_checkout_of_the_person_stays_exactly_as_it_is(shell: Shell, project: Project) -> None:
    folder = project.folder
    write_files(folder, {"stashed.py": "print(1)\n", "tool.py": "ONE = 'stashed'\n"})
    git(folder, "stash", "push", "--include-untracked", "--quiet")
    write_files(folder, {"tool.py": "ONE = 'staged'\n", "staged.py": "x = 1\n"})
    git(folder, "add", "--all")
    write_files(folder, {"tool.py": "ONE = 'dirty'\n", "untracked.py": "y = 1\n", ".git/hooks/pre-push": "exit 1\n"})
    (folder / ".git" / "hooks" / "pre-push").chmod(0o755)
    before = persons_own(project)
    with the_model(shell, GOOD, submit()):
        code, document, _ = work(shell, project)
    assert code == 0
    assert persons_own(project) == before
    assert project.show("tool.py") == "ONE = 1\nTWO = 2", "what is not committed is no part of the work"
    assert git(folder, "diff", "--name-only", "main", BRANCH) == "tool.py"
    assert document["branch"] == BRANCH


@pytest.mark.parametrize("base", ["", "base_branch: main\n"])
def test_a_work_branch_that_the_person_has_checked_out_is_left_alone(shell: Shell, tmp_path: Path, base: str) -> None:
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": base + LINT_ONLY})
    git(project.folder, "switch", "--quiet", "--create", BRANCH)
    mine = commit_files(project.folder, {"mine.py": "z = 1\n"})
    with the_model(shell, GOOD, submit()) as model:
        before = persons_own(project), project.branch()
        code, document, _ = work(shell, project)
    assert (code, document["outcome"]) == (2, "failed")
    assert BRANCH in document["reason"]
    assert "git switch" in document["reason"]
    assert model.requests == []
    assert (persons_own(project), project.branch()) == before
    assert project.branch() == mine


def test_an_issue_too_big_for_every_agent_is_blocked(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, issue=ISSUE.replace("1000", "150000"))
    with the_model(shell, GOOD) as model:
        code, document, _ = work(shell, project)
    assert (code, document["outcome"], document["agent"]) == (1, "blocked", None)
    assert "split the issue" in document["reason"]
    assert model.requests == []
    assert project.branch() == ""
    assert "Blocked" in project.headline()


def test_an_issue_that_waits_for_an_open_one_is_left_for_later(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, issue=ISSUE.replace("difficulty", "blocked_by: [9]\ndifficulty"))
    other = tmp_path / "9-first.md"
    other.write_text("# Do this first\n", encoding="utf-8")
    LocalForge.of(project.folder).import_issue(other)
    with the_model(shell, GOOD) as model:
        code, document, _ = work(shell, project)
    assert (code, document["outcome"]) == (0, "waiting")
    assert document["plan"]["blocked_by"] == [9]
    assert document["plan"]["ready"] is False
    assert model.requests == []
    assert project.headline() == "⏸ Waiting for #9"


def test_a_dry_run_writes_nothing_anywhere(shell: Shell, project: Project, tmp_path: Path) -> None:
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()
    shell.set(RUNNER_TOOL_CACHE=str(cache), RUNNER_TEMP=str(temporary))
    with the_model(shell, GOOD) as model:
        before = snapshot(tmp_path)
        code, document, err = work(shell, project, "--dry-run")
        assert snapshot(tmp_path) == before
    assert (code, document["outcome"]) == (0, "skipped"), err
    assert "haiku would work on this" in document["reason"]
    assert document["plan"]["ready"] is True
    assert document["report"] is None
    assert model.requests == []


def test_an_unknown_agent_is_answered_with_the_nearest_name(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD) as model:
        code, document, err = work(shell, project, "--agent", "haikku")
    assert (code, document["outcome"]) == (2, "failed")
    assert "'haikku'" in document["reason"]
    assert "Use one of: haiku" in document["reason"]
    assert document["reason"] in err
    assert model.requests == []


def test_what_does_not_get_into_the_commit_the_agent_is_told(shell: Shell, project: Project) -> None:
    write = bash("mkdir -p .gitea/workflows; touch .gitea/workflows/x.yml; echo 'import os' >> tool.py")
    with the_model(shell, write, submit(), MEND, submit()) as model:
        code, _, _ = work(shell, project)
    assert code == 0
    told = json.dumps(model.requests[2].body["messages"][-1])
    assert "Not taken into the commit" in told
    assert ".gitea/workflows/x.yml" in told
    assert git(project.folder, "diff", "--name-only", "main", BRANCH) == "tool.py"
    assert ".gitea/workflows/x.yml" in project.pulls()[0]


def test_a_model_of_ones_own_works_without_a_key(shell: Shell, tmp_path: Path) -> None:
    """An issue that it waits for and nobody knows is said."""
    project = make_project(tmp_path)
    shell.unset("ANTHROPIC_API_KEY")
    models = {"zai-org/GLM-5.2": ModelLimits(128_000, 32_000)}
    with ModelServer([GOOD, submit()], models=models, vendor=False) as model:
        shell.set(GLM_BASE_URL=model.url)
        code, document, err = work(shell, project)
    assert code == 0, err
    assert model.refused == []
    assert (document["agent"], document["cost_usd"]) == ("glm", 0.0)
    assert "authorization" not in model.requests[0].headers


def test_an_issue_that_waits_for_one_that_is_not_there_is_blocked(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, issue=ISSUE.replace("difficulty", "blocked_by: [9]\ndifficulty"))
    with the_model(shell) as model:
        code, document, _ = work(shell, project)
    assert (code, document["outcome"]) == (1, "blocked")
    assert "#9" in document["reason"]
    assert model.requests == []


def test_no_key_names_the_variables(shell: Shell, project: Project) -> None:
    shell.unset("ANTHROPIC_API_KEY")
    code, document, err = work(shell, project)
    assert (code, document["outcome"]) == (2, "failed")
    for name in ("ANTHROPIC_API_KEY", "GLM_BASE_URL", "MINIMAX_BASE_URL"):
        assert name in document["reason"]
    assert err.count("coordinator: ") == 1


def test_work_without_configuration_passes_all_gates(shell: Shell, tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "tool"\nversion = "1"\n',
        "tool.py": "ONE: int = 1\n",
        "test_tool.py": "from tool import ONE\n\n\ndef test_one() -> None:\n    assert ONE == 1\n",
    }
    project = make_project(tmp_path, files)
    with the_model(shell, GOOD, submit()):
        code, document, err = work(shell, project)
    assert code == 0, err
    gates = document["attempts"][0]["verdict"]["gates"]
    assert [(gate["gate"], gate["passed"]) for gate in gates] == [
        (name, True) for name in ("build", "lint", "test", "coverage", "integrity")
    ]


def test_a_cache_that_cannot_be_made_is_said(shell: Shell, project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    shell.set(RUNNER_TOOL_CACHE=str(tmp_path / "file"))
    ended = shell.run("work", project.issue, "--repo", project.folder)
    assert ended.code == 2
    assert "RUNNER_TOOL_CACHE" in ended.complaint()


def test_work_that_cannot_be_pushed_is_kept_as_a_patch(shell: Shell, project: Project) -> None:
    """Somebody rewrites the base branch while the agent works."""

    def rewrite(_body: object) -> Reply:
        git(project.folder, "commit", "--quiet", "--amend", "--allow-empty", "--message", "Another start")
        return submit()

    with the_model(shell, GOOD, rewrite):
        code, document, err = work(shell, project)
    assert code in {2, 4}
    assert document["outcome"] == "failed"
    assert "rewritten" in document["reason"]
    assert "+TWO = 2" in (project.kept / "work.patch").read_text(encoding="utf-8")
    assert err.count("could not be pushed; it is in") == 1
    assert project.branch() == ""
