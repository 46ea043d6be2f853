from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from pydantic import Field, TypeAdapter

from coordinator import __version__
from coordinator.models import Foreign
from coordinator.settings import read_environment
from tests.action.support import BASE_PYTHON, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEXT = (ROOT / "action.yml").read_text(encoding="utf-8")
SECRETS = {"token", "anthropic-api-key", "webhook-secret"}
FROM_THE_EVENT_FILE = {"event", "signature"}
"""Inputs whose values people write: they are declared, and read from the event file only."""


class Step(Foreign):
    name: str
    id: str
    run: str
    shell: str
    env: dict[str, str] = Field(default={})


class Input(Foreign):
    description: str
    default: str


class Output(Foreign):
    description: str
    value: str


class Runs(Foreign):
    using: str
    steps: list[Step]


class Action(Foreign):
    name: str
    description: str
    inputs: dict[str, Input]
    outputs: dict[str, Output]
    runs: Runs


RAW = TypeAdapter(dict[str, object]).validate_python(yaml.safe_load(TEXT))
ACTION = Action.model_validate(RAW)
PREFLIGHT, INSTALL, RUN = ACTION.runs.steps


def mappings(value: object) -> list[dict[str, object]]:
    return TypeAdapter(list[dict[str, object]]).validate_python(value)


def test_only_keys_that_the_strictest_runner_knows() -> None:
    # Forgejo's runner 12 refuses an action with any other key: act/schema/action_schema.json, composite steps.
    runs = TypeAdapter(dict[str, object]).validate_python(RAW["runs"])
    assert set(runs) == {"using", "steps"}
    for step in mappings(runs["steps"]):
        assert set(step) <= {"name", "id", "if", "run", "env", "continue-on-error", "working-directory", "shell"}
        assert {"run", "shell"} <= set(step)
    for output in mappings(list(TypeAdapter(dict[str, object]).validate_python(RAW["outputs"]).values())):
        assert set(output) == {"description", "value"}
    assert ACTION.runs.using == "composite"


def test_contexts_that_every_runner_knows_in_an_action() -> None:
    expressions = re.findall(r"\$\{\{(.*?)\}\}", TEXT)
    assert expressions
    for expression in expressions:
        for context in re.findall(r"\b([a-z]+)\.", expression):
            assert context in {"inputs", "steps", "preflight", "install", "run", "outputs"}


def test_no_expression_in_a_script_and_no_other_action() -> None:
    for step in ACTION.runs.steps:
        assert "${{" not in step.run
    assert "uses:" not in TEXT


def test_the_contract_of_inputs_and_outputs() -> None:
    assert set(ACTION.inputs) == SECRETS | FROM_THE_EVENT_FILE | {
        *("issue", "agent", "config", "trigger-assignee", "trigger-label", "base-branch", "dry-run", "log-level"),
    }
    assert set(ACTION.outputs) == {
        *("outcome", "issue", "agent", "branch", "pull-request", "verdict", "input-tokens", "output-tokens"),
        *("cost-usd", "report"),
    }
    assert ACTION.inputs["trigger-assignee"].default == ACTION.inputs["trigger-label"].default == ""
    for name, output in ACTION.outputs.items():
        assert f"steps.run.outputs.{name}" in output.value


def test_every_input_reaches_the_run_and_none_that_people_write() -> None:
    mapped = {
        name.removeprefix("INPUT_").lower().replace("_", "-"): value
        for name, value in RUN.env.items()
        if name.startswith("INPUT_")
    }
    assert set(mapped) == set(ACTION.inputs) - FROM_THE_EVENT_FILE
    for name, value in mapped.items():
        assert value == f"${{{{ inputs.{name} }}}}"
    for step in ACTION.runs.steps:
        assert not [name for name in step.env if name.endswith(("EVENT", "SIGNATURE"))]


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("issue", "7", "issue"),
        ("agent", "opus", "agent"),
        ("config", "x.yml", "configuration_path"),
        ("trigger-assignee", "robot", "trigger_assignee"),
        ("trigger-label", "bot", "trigger_label"),
        ("base-branch", "dev", "base_branch"),
        ("dry-run", "true", "dry_run"),
        ("log-level", "error", "log_level"),
        ("token", "ghp-000", "token"),
        ("webhook-secret", "whsec", "webhook_secret"),
    ],
)
def test_settings_know_every_input_by_the_name_that_the_step_gives_it(name: str, value: str, field: str) -> None:
    variable = next(variable for variable, given in RUN.env.items() if given == f"${{{{ inputs.{name} }}}}")
    assert getattr(read_environment({variable: value}), field) != getattr(read_environment({}), field)


def test_the_defaults_of_the_inputs_are_those_of_the_settings() -> None:
    defaults = {f"INPUT_{name.upper().replace('-', '_')}": given.default for name, given in ACTION.inputs.items()}
    assert read_environment(defaults) == read_environment({})
    assert read_environment({**defaults, "LOG_LEVEL": "error"}).log_level == "error"


def test_secrets_stand_in_the_last_step_only() -> None:
    for step in (PREFLIGHT, INSTALL):
        for value in step.env.values():
            assert not any(f"inputs.{name} " in value for name in SECRETS)
    assert RUN.run.splitlines()[-1].startswith("exec "), "no shell stays behind with the secrets in its environment"
    assert RUN.id == "run"


def test_the_workspace_cannot_shadow_a_module() -> None:
    for step in (PREFLIGHT, INSTALL):
        for line in step.run.splitlines():
            if "$GITHUB_ACTION_PATH" in line:
                assert " -I " in line
    assert RUN.env["PYTHONSAFEPATH"] == "1"
    assert 'exec "$COORDINATOR_PYTHON" -P -m coordinator run' in RUN.run


def run_step(step: Step, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the script of a step as the runners do: ``sh -e FILE`` in the workspace."""
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    (folder / "output").touch()
    script = folder / "script.sh"
    script.write_text(step.run, "utf-8")
    job: Mapping[str, str] = {"GITHUB_ACTION_PATH": str(ROOT), "GITHUB_OUTPUT": str(folder / "output"), **env}
    command = ["/bin/sh", "-e", str(script)]
    return subprocess.run(command, cwd=workspace, env=job, check=False, capture_output=True, text=True)


def test_the_preflight_step_finds_a_python_and_remembers_it(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n", "utf-8")  # too old, or a shim that finds nothing
    (tools / "python3").chmod(0o755)
    (tools / "python3.13").symlink_to(BASE_PYTHON)
    event = tmp_path / "event.json"
    event.write_text('{"action": "edited", "issue": {"state": "open"}}', "utf-8")
    env = {"PATH": f"{tools}", "GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": str(event)}
    done = run_step(PREFLIGHT, tmp_path, **env)
    assert done.returncode == 0, done.stderr
    outputs = (tmp_path / "output").read_text("utf-8")
    assert outputs.startswith("python=python3.13\n")
    assert "ours=false" in outputs
    assert "skipped" in done.stdout


def test_a_runner_without_a_new_python_gets_one_line(tmp_path: Path) -> None:
    done = run_step(PREFLIGHT, tmp_path, PATH="/nonexistent")
    assert done.returncode == 2
    assert done.stderr == ("coordinator: error: no Python 3.11 or newer on the PATH. Install python3 on the runner.\n")


def test_a_failing_installation_ends_the_step_with_its_code(tmp_path: Path) -> None:
    env = {"COORDINATOR_PYTHON": BASE_PYTHON, "PATH": "/usr/bin:/bin"}
    done = run_step(INSTALL, tmp_path, **env)
    assert done.returncode == 2
    assert "Usage" in done.stderr
    assert (tmp_path / "output").read_text("utf-8") == ""


def test_the_run_step_takes_the_modules_of_the_action_and_not_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    for module in ("coordinator", "json", "argparse", "sitecustomize"):
        (tmp_path / "workspace" / f"{module}.py").write_text("raise SystemExit('shadowed')\n", "utf-8")
    step = RUN.model_copy(update={"run": RUN.run.replace("coordinator run", "coordinator --version")})
    env = {"COORDINATOR_PYTHON": sys.executable, "PYTHONSAFEPATH": "1", "PATH": os.environ["PATH"]}
    done = run_step(step, tmp_path, **env)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"coordinator {__version__}\n"
