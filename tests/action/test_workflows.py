from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import Field

from coordinator import __version__
from coordinator.models import Foreign
from tests.action.support import ROOT
from tests.support import FORGE_CANARY, commit_files, git, make_repository

FOLDER = ROOT / ".gitea" / "workflows"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())}


class Step(Foreign):
    name: str
    run: str = ""
    uses: str = ""
    with_: dict[str, str] = Field(default={}, alias="with")
    env: dict[str, str] = Field(default={})


class Job(Foreign):
    runs_on: str = Field(alias="runs-on")
    permissions: dict[str, str]
    steps: list[Step]


class Workflow(Foreign):
    name: str
    on: dict[str, dict[str, object] | None]
    permissions: dict[str, str]
    jobs: dict[str, Job]


def workflow(name: str) -> Workflow:
    data = yaml.safe_load(TEXTS[name])
    return Workflow.model_validate({**data, "on": data[True]})  # YAML 1.1 reads the key `on` as true


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_what_holds_for_every_workflow(name: str) -> None:
    parsed = workflow(name)
    assert parsed.permissions == {}
    assert "pull_request_target" not in parsed.on
    assert not re.search(r"^\s*concurrency:", TEXTS[name], re.MULTILINE)
    for job in parsed.jobs.values():
        for step in job.steps:
            assert "${{" not in step.run
            assert step.uses in {"", "./.coordinator-action"}, "no action of anybody else"
            for value in [*step.with_.values(), *step.env.values()]:
                for expression in re.findall(r"\$\{\{(.*?)\}\}", value):
                    assert re.fullmatch(r" (secrets\.[A-Z_]+( \|\| )?)?(github\.token)? ", expression), expression


def test_the_coordinator_runs_on_the_events_of_the_design() -> None:
    on = workflow("coordinator.yml").on
    assert set(on) == {"issues", "issue_comment", "pull_request", "workflow_dispatch"}
    assert on["issues"] == {"types": ["opened", "assigned", "unassigned", "labeled", "unlabeled", "closed"]}
    assert on["issue_comment"] == {"types": ["created"]}
    assert on["workflow_dispatch"] is not None
    inputs = on["workflow_dispatch"]["inputs"]
    assert isinstance(inputs, dict)
    assert set(inputs) == {"issue", "event", "signature"}
    assert {given["type"] for given in inputs.values()} == {"string"}


def test_the_coordinator_gets_no_more_than_its_inputs() -> None:
    [job] = workflow("coordinator.yml").jobs.values()
    step = job.steps[-1]
    assert set(step.with_) == {"token", "anthropic-api-key", "webhook-secret"}
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert set(step.with_) <= set(action["inputs"])
    assert job.permissions == dict.fromkeys(("actions", "contents", "issues", "pull-requests", "statuses"), "write")


def test_the_versions_agree() -> None:
    assert set(re.findall(r"\bv\d+\.\d+\.\d+\b", TEXTS["coordinator.yml"])) == {f"v{__version__}"}


def test_the_tests_of_a_pull_request_see_no_token() -> None:
    [job] = workflow("ci.yml").jobs.values()
    assert job.permissions == {"contents": "read"}
    assert job.steps[-1].run == ".ci/run"
    assert job.steps[-1].env == {}


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A folder that stands for the server: two repositories below it."""
    make_repository(tmp_path / "server" / "o" / "code", {"readme": "x"})
    make_repository(tmp_path / "server" / "o" / "action", {"coordinator/preflight.py": "", "action.yml": ""})
    return tmp_path / "server"


def run_step(step: Step, folder: Path, server: Path, **env: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    tools = "/usr/bin:/bin"
    job = {
        "PATH": f"{Path(shutil.which('git') or '').parent}:{tools}",
        "HOME": str(folder),
        "GITHUB_SERVER_URL": f"file://{server}",
        "GITHUB_REPOSITORY": "o/code",
        "FETCH_TOKEN": FORGE_CANARY,
        **env,
    }
    command = ["/bin/sh", "-e", "-c", step.run]
    return subprocess.run(command, cwd=folder, env=job, check=False, capture_output=True, text=True)


def test_the_action_is_fetched_from_the_repository_that_is_named(tmp_path: Path, server: Path) -> None:
    [job] = workflow("coordinator.yml").jobs.values()
    old = git(server / "o" / "action", "rev-parse", "HEAD")
    git(server / "o" / "action", "tag", "v1")
    commit_files(server / "o" / "action", {"action.yml": "new"})
    pinned = {"ACTION_REPOSITORY": "o/action", "ACTION_REF": "v1"}
    done = run_step(job.steps[0], tmp_path / "pinned", server, **pinned)
    assert done.returncode == 0, done.stderr
    assert git(tmp_path / "pinned" / ".coordinator-action", "rev-parse", "HEAD") == old
    own = run_step(job.steps[0], tmp_path / "own", server, GITHUB_REPOSITORY="o/action")
    assert own.returncode == 0, own.stderr
    assert (tmp_path / "own" / ".coordinator-action" / "action.yml").read_text("utf-8") == "new"
    for folder in ("pinned", "own"):
        assert not [p for p in (tmp_path / folder).rglob("*") if p.is_file() and FORGE_CANARY in p.read_text("latin-1")]


def test_a_workflow_copied_without_naming_the_action_says_so(tmp_path: Path, server: Path) -> None:
    [job] = workflow("coordinator.yml").jobs.values()
    done = run_step(job.steps[0], tmp_path / "copied", server)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "coordinator: error: o/code does not hold the action. Set ACTION_REPOSITORY in this workflow."
    )


def test_the_checkout_of_the_tests_is_the_commit_of_the_event(tmp_path: Path, server: Path) -> None:
    [job] = workflow("ci.yml").jobs.values()
    commit = git(server / "o" / "code", "rev-parse", "HEAD")
    done = run_step(job.steps[0], tmp_path / "ci", server, GITHUB_SHA=commit)
    assert done.returncode == 0, done.stderr
    assert git(tmp_path / "ci", "rev-parse", "HEAD") == commit
    assert FORGE_CANARY not in (tmp_path / "ci" / ".git" / "config").read_text("utf-8")
