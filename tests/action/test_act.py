"""The whole action in nektos/act, in host mode and without docker: the workflow that users copy, a forge, a model.

The secrets are in act's environment and named by ``-s NAME``. With ``-s NAME=value`` every user of the machine could
read them in act's command line, and the coordinator's self-test refuses such a runner.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_server import ModelServer
from tests.action.support import ROOT
from tests.run.support import BODY, TITLE, found_in
from tests.small_project import GOOD, LINT_ONLY, submit
from tests.standins.forge_server import ForgeServer
from tests.support import API_CANARY, FORGE_CANARY, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.standins.forge_state import Json, User

ACT_VERSION = "v0.2.87"
WORKFLOW = ".gitea/workflows/coordinator.yml"
PROBE = """
  after:
    runs-on: ubuntu-latest
    needs: coordinator
    if: always()
    env:
      OUTCOME: ${{ needs.coordinator.outputs.outcome }}
      PULL: ${{ needs.coordinator.outputs.pull-request }}
      VERDICT: ${{ needs.coordinator.outputs.verdict }}
    steps:
      - run: printf 'SEEN outcome=%s pull=%s verdict=%s\\n' "$OUTCOME" "$PULL" "$VERDICT"
        shell: sh
"""
"""A second job, which sees the outputs of the action as users do."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def act(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the program; build it where there is Go and no act."""
    go = shutil.which("go")
    home = Path(os.environ.get("GOPATH", Path.home() / "go"))
    found = shutil.which("act") or shutil.which("act", path=str(home / "bin"))
    if found:
        return found
    if go is None:
        pytest.skip("there is no act on this machine, and no Go to build it with")
    folder = tmp_path_factory.mktemp("act")
    command = [go, "install", f"github.com/nektos/act@{ACT_VERSION}"]
    built = subprocess.run(
        command, env={**os.environ, "GOBIN": str(folder)}, check=False, capture_output=True, text=True
    )
    if built.returncode:
        pytest.skip(f"act cannot be built here: {(built.stderr.splitlines() or ['no reason given'])[-1]}")
    return str(folder / "act")


@dataclass(frozen=True)
class Runner:
    """A machine that runs jobs of the forge's repository."""

    act: str
    folder: Path
    forge: ForgeServer
    maintainer: User

    @property
    def tool_cache(self) -> Path:
        """Where act lets jobs keep tools."""
        return self.folder / "cache" / "tool_cache"

    def run(self, event: str, payload: Json, *, model: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
        """Run the workflow for an event."""
        file = self.folder / "event.json"
        file.write_text(json.dumps(payload), encoding="utf-8")
        variables = {
            "GITEA_ACTIONS": "true",
            "GITHUB_SERVER_URL": self.forge.url,
            "GITHUB_API_URL": self.forge.api_url,
            "GITHUB_REPOSITORY": self.forge.repository,
            "ANTHROPIC_BASE_URL": model,
        }
        command = [self.act, event, "-P", "ubuntu-latest=-self-hosted", "-W", WORKFLOW, "-e", str(file)]
        command += ["-C", str(self.folder / "checkout"), "--no-cache-server", "--action-offline-mode"]
        command += ["--action-cache-path", str(self.folder / "cache"), "--artifact-server-addr", "127.0.0.1"]
        for name in ("GITHUB_TOKEN", "COORDINATOR_TOKEN", "ANTHROPIC_API_KEY"):
            command += ["-s", name]
        for name, value in variables.items():
            command += ["--env", f"{name}={value}"]
        return subprocess.run(
            command, env=self._environment(), check=False, capture_output=True, text=True, timeout=420
        )

    def _environment(self) -> dict[str, str]:
        passed = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
        return {
            **passed,
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "GITHUB_TOKEN": self.forge.job_token,
            "COORDINATOR_TOKEN": FORGE_CANARY,
            "ANTHROPIC_API_KEY": API_CANARY,
        }


@pytest.fixture
def runner(act: str, tmp_path: Path) -> Iterator[Runner]:
    """Give a runner, and a repository that has the action, the workflow and a small tool in it."""
    for name in ("home", "cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / ".actrc").touch()
    with ForgeServer(tmp_path / "server") as forge:
        checkout = _checkout(tmp_path / "checkout")
        git(checkout, "push", "--quiet", str(forge.bare_repository), "HEAD:refs/heads/main")
        maintainer = forge.add_user("maintainer", "write")
        forge.add_issue(TITLE, BODY, author=maintainer)
        yield Runner(act, tmp_path, forge, maintainer)


def _checkout(folder: Path) -> Path:
    workflow = (ROOT / WORKFLOW).read_text(encoding="utf-8")
    outputs = "".join(
        f"      {name}: ${{{{ steps.coordinate.outputs.{name} }}}}\n" for name in ("outcome", "pull-request", "verdict")
    )
    seen = workflow.replace("    steps:\n", f"    outputs:\n{outputs}    steps:\n", 1)
    seen = seen.replace("      - name: Coordinate\n", "      - name: Coordinate\n        id: coordinate\n")
    assert seen.count("coordinate\n") == 1
    tool = {"tool.py": "ONE = 1\n", "ruff.toml": 'exclude = ["coordinator"]\n', ".coordinator.yml": LINT_ONLY}
    make_repository(folder, {**tool, WORKFLOW: seen + PROBE})
    for name in ("action.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "coordinator", folder / "coordinator", ignore=ignored)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Add the action")
    return folder


def _assigned(runner: Runner) -> dict[str, Json]:
    state = runner.forge.state
    state.set_assignees(state.issues[1], [runner.forge.bot], runner.maintainer)
    return {
        "action": "assigned",
        "issue": state.issue_json(state.issues[1]),
        "repository": state.repository_json(),
        "sender": state.user_json(runner.maintainer),
    }


def test_an_assigned_issue_ends_as_one_checked_pull_request(runner: Runner) -> None:
    forge = runner.forge
    with ModelServer([GOOD, submit()], key=API_CANARY) as model:
        done = runner.run("issues", _assigned(runner), model=model.url)
    log = done.stdout + done.stderr
    if "cannot install the dependencies" in log:
        pytest.skip("the package index cannot be reached from here")
    assert done.returncode == 0, log
    (pull,) = [issue for issue in forge.state.issues.values() if issue.pull]
    assert pull.title == f"{TITLE} (#1)"
    assert git(forge.bare_repository, "show", "coordinator/issue-1:tool.py") == "ONE = 1\nTWO = 2"
    (comment,) = forge.state.issues[1].comments
    assert "✅ Done" in str(comment["body"])
    assert {str(status["context"]): status["status"] for status in forge.state.statuses} == {
        "coordinator": "success",
        "coordinator/lint": "success",
    }
    (seen,) = [line for line in log.splitlines() if "SEEN " in line and "printf" not in line]
    assert f"outcome=completed pull={pull.number} verdict={{" in seen
    assert "starting: coordinator was assigned" in log
    assert not found_in(log.encode() + str(comment["body"]).encode() + pull.body.encode())
    assert list(runner.tool_cache.glob("coordinator/*/bin/python")), "kept for the next job"


def test_an_event_that_is_not_ours_ends_in_the_preflight(runner: Runner) -> None:
    state = runner.forge.state
    payload: dict[str, Json] = {
        "action": "assigned",
        "issue": state.issue_json(state.issues[1]),
        "repository": state.repository_json(),
        "sender": state.user_json(runner.maintainer),
    }
    done = runner.run("issues", payload)
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "coordinator: skipped: coordinator is not assigned" in log
    assert "SEEN outcome=skipped pull= verdict=" in log
    assert not list(runner.folder.rglob("bin/python")), "nothing was installed"
    assert not [request for request in runner.forge.requests if request.path.startswith("/api/")]
