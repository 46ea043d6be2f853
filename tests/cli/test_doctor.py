"""`coordinator doctor`: what it says of forges, tokens, workflows and configurations."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import PROJECT, Project, Shell, make_project
from tests.doctor.clinic import Clinic, Found, make_clinic
from tests.standins.forge_server import ForgeServer
from tests.standins.github_server import GithubServer
from tests.support import API_CANARY, FORGE_CANARY, commit_files, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUPS = ["machine", "server", "repository", "configuration", "workflow", "token", "secrets", "models"]
WRITES = re.compile(r"git-receive-pack$")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForgeServer]:
    with ForgeServer(tmp_path / "server") as server:
        yield server


@pytest.fixture
def clinic(shell: Shell, server: ForgeServer, tmp_path: Path) -> Clinic:
    """A healthy repository on a stand-in of Gitea."""
    return make_clinic(shell, server, tmp_path)


@pytest.fixture(params=["gitea", "github"])
def any_clinic(request: pytest.FixtureRequest, shell: Shell, tmp_path: Path) -> Iterator[Clinic]:
    """The same on every stand-in that there is."""
    kinds: dict[str, type[ForgeServer | GithubServer]] = {"gitea": ForgeServer, "github": GithubServer}
    with kinds[request.param](tmp_path / "server") as server:
        yield make_clinic(shell, server, tmp_path)


def groups(found: Found) -> list[str]:
    return list(dict.fromkeys(check["group"] for check in found.checks))


# The whole.


def test_a_healthy_repository_has_no_error_and_nothing_is_written(any_clinic: Clinic) -> None:
    found = any_clinic.find()
    assert found.errors == []
    assert groups(found) == GROUPS
    requests = any_clinic.server.requests
    assert {request.method for request in requests} <= {"GET", "POST"}
    posts = [request.path for request in requests if request.method == "POST"]
    assert not [path for path in posts if not path.endswith(("/git-upload-pack", "/graphql"))]
    assert any_clinic.server.state.dispatched == []


def test_people_get_one_line_per_check_and_the_counts(any_clinic: Clinic) -> None:
    ended = any_clinic.look()
    *lines, last = ended.out.splitlines()
    names = "|".join(GROUPS)
    assert not [line for line in lines if not re.match(rf"(ok     |warning|error  )  ({names}) +.+: .", line)]
    assert all(" → " in line for line in lines if line.startswith("error"))
    oks, warnings, errors = (sum(line.startswith(state) for line in lines) for state in ("ok", "warning", "error"))
    told = re.fullmatch(r"(\d+) checks: (\d+) ok, (\d+) warnings?, (\d+) errors?", last)
    assert told is not None
    assert [int(number) for number in told.groups()] == [len(lines), oks, warnings, errors]
    assert ended.code == (2 if errors else 0)
    assert (ended.err, "\x1b" in ended.out) == ("", False)
    assert FORGE_CANARY not in ended.out
    assert API_CANARY not in ended.out


def test_in_a_job_no_line_is_a_command(clinic: Clinic) -> None:
    clinic.shell.set(GITHUB_ACTIONS="true", GITEA_ACTIONS="true")
    clinic.push(("runs-on: ubuntu-latest", 'runs-on: "::error::##[x]"'))
    ended = clinic.look()
    assert "waits for a runner" in ended.out
    assert "::" not in ended.out
    assert "##[" not in ended.out


@pytest.mark.parametrize("missing", ["GITEA_URL", "GITEA_TOKEN", "GITHUB_REPOSITORY"])
def test_what_the_shell_does_not_say_is_one_error(clinic: Clinic, missing: str) -> None:
    clinic.shell.unset(missing)
    found = clinic.find()
    [(group, message)] = found.errors
    assert (group, "is not known" in message) == ("server", True)
    assert {state for state, _ in found.of("token")} == {"warning"}
    assert {message for _, message in found.of("token")} == {"not checked, because the server is not known"}


def test_a_variable_that_is_wrong_is_one_error_and_not_shown(clinic: Clinic) -> None:
    clinic.shell.set(GITEA_URL=f"ftp://{API_CANARY}")
    found = clinic.find()
    assert [(check["group"], check["name"], check["message"]) for check in found.checks] == [
        ("machine", "environment", "The variable GITEA_URL is not valid")
    ]
    assert clinic.look().out.splitlines()[-1] == "1 checks: 0 ok, 0 warnings, 1 error"


def test_a_server_that_is_down_is_told_once(clinic: Clinic) -> None:
    clinic.server.fail(".", times=1000, status=503)
    found = clinic.find()
    [(group, message)] = found.errors
    assert (group, "503" in message) == ("server", True)
    for group in ("repository", "token", "workflow", "secrets"):
        assert {state for state, _ in found.of(group)} == {"warning"}
    assert found.of("machine")


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("1.21.11", "error"),
        ("1.22.0", "ok"),
        ("1.26.0+dev-1-g87d670c96b", "ok"),
        ("development", "warning"),
    ],
)
def test_the_age_of_a_gitea(clinic: Clinic, version: str, state: str) -> None:
    clinic.server.fail(r"GET /api/v1/version", status=200, body=f'{{"version": "{version}"}}'.encode())
    told = clinic.find().one("server", "version")
    assert (told[0], "Gitea" in told[1]) == (state, True)


@pytest.mark.parametrize(("version", "state"), [("6.0.4", "error"), ("16.0.0+gitea-1.22.0", "ok")])
def test_the_age_of_a_forgejo(clinic: Clinic, version: str, state: str) -> None:
    clinic.server.fail(r"GET /api/forgejo/v1/version", status=200, body=f'{{"version": "{version}"}}'.encode())
    assert clinic.find().one("server", "version")[0] == state


def test_what_the_server_lacks_is_said_with_its_effect(any_clinic: Clinic) -> None:
    any_clinic.use_token(any_clinic.server.job_token)
    lacking = [message for state, message in any_clinic.find().of("server") if state == "warning"]
    assert lacking
    assert not [message for message in lacking if not re.match(r"(no|cannot be seen beforehand; if not): \S", message)]


def test_a_token_that_the_server_does_not_take(any_clinic: Clinic) -> None:
    any_clinic.use_token("no-such-token-0a1b2c3d")
    found = any_clinic.find()
    assert found.code == 2
    assert "no-such-token" not in str(found.checks)
    assert any("does not accept the token" in message for _, message in found.errors)


def test_a_server_that_sends_the_token_back_does_not_get_it_shown(clinic: Clinic) -> None:
    clinic.server.fail("/users/coordinator", status=403, body=f'{{"message": "no {FORGE_CANARY}!"}}'.encode())
    state, message = clinic.find().one("repository", "trigger account")
    assert (state, "no ***!" in message) == ("error", True)


def test_a_repository_that_is_not_there(clinic: Clinic) -> None:
    clinic.shell.set(GITHUB_REPOSITORY="acme/other")
    found = clinic.find()
    assert found.one("repository", "repository")[0] == "error"
    assert found.one("repository", "commits") == ("warning", "not checked, because the repository is not known")


def test_a_repository_without_commits(clinic: Clinic) -> None:
    git(clinic.server.state.repository.path, "update-ref", "-d", "refs/heads/main")
    assert clinic.find().one("repository", "commits") == ("error", "there is no commit on main, so nothing runs")


# The token.


def test_a_token_of_the_account_that_issues_are_assigned_to(clinic: Clinic) -> None:
    found = clinic.find()
    assert found.one("token", "account")[0] == "ok"
    assert found.one("token", "rights")[0] == "ok"
    assert found.one("token", "fetch") == ("ok", "git reads the repository (1 branch)")
    assert found.one("token", "push")[0] == "ok"


def test_the_token_of_a_job(any_clinic: Clinic) -> None:
    any_clinic.use_token(any_clinic.server.job_token)
    found = any_clinic.find()
    state, message = found.one("token", "account")
    assert (state, "the job's own token" in message) == ("warning", True)
    assert found.one("token", "rights")[0] == "ok"
    assert found.one("secrets", "names") == ("warning", "they cannot be seen with this token")


def test_a_persons_own_token(clinic: Clinic) -> None:
    clinic.use_token(clinic.server.owner.token)
    found = clinic.find()
    state, message = found.one("token", "account")
    assert (state, "acme" in message, "starts no run" in message) == ("warning", True, True)
    assert found.one("token", "rights") == (
        "warning",
        "acme may administer the repository, so whoever gets at the token may as well",
    )


def test_the_token_of_a_reader(clinic: Clinic) -> None:
    clinic.use_token(clinic.server.add_user("reader", "read").token)
    found = clinic.find()
    assert found.one("token", "rights")[0] == "error"
    assert found.one("token", "fetch")[0] == "ok"
    assert found.one("token", "push")[0] == "error"


def test_what_the_tokens_account_may_do_can_be_unknown(shell: Shell, tmp_path: Path) -> None:
    with ForgeServer(tmp_path / "server", organisation=True) as server:
        clinic = make_clinic(shell, server, tmp_path)
        server.add_team("readers", (server.bot,), {"repo.pulls": "read"})
        server.fail("collaborators/coordinator/permission", times=2, status=403)
        assert clinic.find().one("token", "rights")[0] == "warning"


# Trigger, configuration, workflow.


def test_a_trigger_account_that_is_not_there(clinic: Clinic) -> None:
    clinic.push(("# trigger-assignee: my-bot", "trigger-assignee: nobody"))
    found = clinic.find()
    state, message = found.one("repository", "trigger account")
    assert (state, message.startswith("there is no account nobody")) == ("warning", True)
    assert found.one("workflow", "trigger assignee")[0] == "warning"


@pytest.mark.parametrize(
    ("level", "state", "word"),
    [
        ("write", "ok", "can be assigned to robot"),
        ("admin", "warning", "may administer"),
        ("read", "warning", "cannot be assigned to robot"),
        ("none", "warning", "cannot be assigned to robot"),
    ],
)
def test_what_the_trigger_account_may_do(clinic: Clinic, level: str, state: str, word: str) -> None:
    clinic.use_token(clinic.server.owner.token)
    clinic.server.add_user("robot", level)
    clinic.push(
        ("# trigger-assignee: my-bot", "trigger-assignee: robot"),
        **{".coordinator.yml": "trigger: {assignee: robot}\n"},
    )
    found = clinic.find()
    told = found.one("repository", "trigger account")
    assert (told[0], word in told[1]) == (state, True)
    assert found.one("workflow", "trigger assignee") == ("ok", "robot")


def test_what_a_trigger_account_may_do_can_be_unknown(shell: Shell, tmp_path: Path) -> None:
    with ForgeServer(tmp_path / "server", organisation=True) as server:
        clinic = make_clinic(shell, server, tmp_path)
        server.add_team("readers", (server.bot,), {"repo.pulls": "read"})
        server.add_user("robot", "write")
        clinic.push(**{".coordinator.yml": "trigger: {assignee: robot}\n"})
        found = clinic.find()
    assert found.one("repository", "trigger account")[0] == "warning"
    assert "teams" in found.one("repository", "trigger account")[1]


def test_a_label_that_an_issue_has(clinic: Clinic) -> None:
    assert clinic.find().one("repository", "trigger label")[0] == "warning"
    assert isinstance(clinic.server, ForgeServer)
    clinic.server.add_issue("One", labels=("agent",))
    clinic.server.add_issue("Two", assignees=(clinic.server.bot,))
    assert clinic.find().one("repository", "trigger label") == ("ok", "agent is on 1 open issue")


def test_a_configuration_that_is_wrong_names_place_and_nearest_key(clinic: Clinic) -> None:
    clinic.push(**{".coordinator.yml": "attempts: 3\nqueue:\n  paralel: 3\n"})
    found = clinic.find()
    assert found.errors == [("configuration", ".coordinator.yml:3: queue.paralel: unknown key")]
    [check] = [one for one in found.checks if one["state"] == "error" and one["group"] == "configuration"]
    assert check["mend"] == "Write parallel instead; valid here are parallel"
    for group, name in (("configuration", "queue"), ("models", "agents"), ("token", "account")):
        assert found.one(group, name) == ("warning", "not checked, because the configuration is not known")


def test_what_a_configuration_gives_up_is_said(clinic: Clinic) -> None:
    text = "sandbox: {network: open, allow_unconfined: true}\nbase_branch: gone\nqueue: {parallel: 1}\n"
    text += "gates: {lint: {enabled: false}}\nallow: [maintainer, acme, 42]\n"
    clinic.push(**{".coordinator.yml": text})
    found = clinic.find()
    assert found.one("configuration", "file") == ("ok", ".coordinator.yml on main")
    assert [state for state, _ in found.of("configuration", "sandbox")] == ["warning", "warning"]
    assert found.one("configuration", "base branch") == ("error", "there is no branch gone")
    assert found.one("configuration", "gates") == ("warning", "switched off: lint")
    assert found.one("configuration", "queue") == ("ok", "at most 1 run at once")
    assert found.one("configuration", "allow") == (
        "error",
        "there is no account maintainer: whoever registers that name may start runs",
    )


def test_names_that_may_start_runs_and_exist(clinic: Clinic) -> None:
    clinic.push(**{".coordinator.yml": "allow: [acme, 42]\n"})
    assert clinic.find().one("configuration", "allow") == ("ok", "acme, 42")


def test_gates_that_are_all_switched_off(clinic: Clinic) -> None:
    gates = ", ".join(f"{name}: {{enabled: false}}" for name in ("build", "lint", "test", "coverage", "integrity"))
    clinic.push(**{".coordinator.yml": f"gates: {{{gates}}}\n"})
    assert clinic.find().one("configuration", "gates")[0] == "error"


def test_a_repository_without_a_workflow(clinic: Clinic) -> None:
    clinic.push_files({"README.md": "x"})
    found = clinic.find()
    assert found.errors == [("workflow", "there is no .gitea/workflows/coordinator.yml on the branch main")]
    assert found.one("workflow", "events") == ("warning", "not checked, because the workflow is not known")
    assert found.one("secrets", "names") == ("warning", "not checked, because the workflow is not known")


def test_a_workflow_in_a_lower_folder_can_be_hidden(clinic: Clinic) -> None:
    clinic.push_files({".github/workflows/coordinator.yml": clinic_workflow(clinic)})
    [file, hidden] = clinic.find().of("workflow", "file")
    assert file == ("ok", ".github/workflows/coordinator.yml on main")
    assert hidden[0] == "warning"
    assert hidden[1].startswith("any file in .gitea/workflows would hide .github/workflows/coordinator.yml")


def test_a_second_workflow_that_is_not_read(clinic: Clinic) -> None:
    clinic.push(**{".forgejo/workflows/coordinator.yml": "on: push\n"})
    [_, unused] = clinic.find().of("workflow", "file")
    assert unused[0] == "warning"
    assert unused[1].startswith(".forgejo/workflows/coordinator.yml is not read")


def clinic_workflow(clinic: Clinic) -> str:
    return (clinic.source / clinic.workflow_path).read_text(encoding="utf-8")


def test_a_workflow_that_does_somebody_elses_bidding(clinic: Clinic) -> None:
    clinic.push(
        ("# trigger-label: my-label", "title: ${{ github.event.issue.title }}"),
        ("  pull_request:\n", "  pull_request_target:\n"),
        ("permissions: {}", "permissions: {}\nconcurrency: one"),
    )
    found = clinic.find()
    assert {check["name"] for check in found.checks if check["state"] == "error" and check["group"] == "workflow"} == {
        "events",
        "expressions",
        "concurrency",
    }


@pytest.mark.parametrize("key", ["assignee", "label"])
@pytest.mark.parametrize(
    ("given", "configured", "state"),
    [
        (None, None, "ok"),
        (None, "robot", "error"),
        ("robot", "robot", "ok"),
        ("robot", None, "warning"),
        ("${{ vars.ROBOT }}", "robot", "warning"),
    ],
)
def test_the_trigger_of_the_workflow_and_of_the_configuration_agree(
    clinic: Clinic, key: str, given: str | None, configured: str | None, state: str
) -> None:
    line = {"assignee": "# trigger-assignee: my-bot", "label": "# trigger-label: my-label"}[key]
    changes = () if given is None else ((line, f"trigger-{key}: {given}"),)
    files = {} if configured is None else {".coordinator.yml": f"trigger: {{{key}: {configured}}}\n"}
    clinic.push(*changes, **files)
    assert clinic.find().one("workflow", f"trigger {key}")[0] == state


def test_an_action_that_cannot_be_found(clinic: Clinic) -> None:
    unset = ('ACTION_REPOSITORY: "tools/coordinator"', 'ACTION_REPOSITORY: ""')
    clinic.push(unset)
    assert clinic.find().one("workflow", "action") == (
        "error",
        "ACTION_REPOSITORY is not set, and this repository does not hold the action",
    )
    clinic.push(unset, **{"coordinator/preflight.py": ""})
    assert clinic.find().one("workflow", "action") == ("ok", "this repository itself")
    clinic.push(
        ("uses: ./.coordinator-action", "uses: tools/coordinator@v1"), ("          token: ${{", "          tokn: ${{")
    )
    found = clinic.find()
    assert found.one("workflow", "action") == ("ok", "used as tools/coordinator@v1")
    assert found.one("workflow", "inputs") == ("error", "the action gets no token, so it can do nothing on the forge")


def test_a_workflow_that_does_not_use_the_action(clinic: Clinic) -> None:
    clinic.push_files({clinic.workflow_path: "on: issues\njobs: {a: {runs-on: x, steps: [{run: ls}]}}\n"})
    found = clinic.find()
    assert found.one("workflow", "action") == ("error", "no step uses the action")
    assert found.of("workflow", "inputs") == found.of("workflow", "trigger label") == []


# Secrets and models.


def test_the_secrets_that_the_workflow_uses(shell: Shell, tmp_path: Path) -> None:
    with GithubServer(tmp_path / "server") as server:
        clinic = make_clinic(shell, server, tmp_path)
        clinic.use_token(server.owner.token)
        server.state.secrets[:] = ["ANTHROPIC_API_KEY", "OTHER"]
        clinic.push(("# env:\n", "env:\n"), ("#   GLM_API_KEY: ${{", "  GLM_API_KEY: ${{"))
        found = clinic.find()
    assert {check["name"]: check["state"] for check in found.checks if check["group"] == "secrets"} == {
        "ANTHROPIC_API_KEY": "ok",
        "COORDINATOR_TOKEN": "warning",
        "COORDINATOR_WEBHOOK_SECRET": "ok",
        "GLM_API_KEY": "warning",
    }


def test_the_models_that_can_be_called(clinic: Clinic) -> None:
    found = clinic.find()
    assert [check["name"] for check in found.checks if check["group"] == "models"] == [
        "opus",
        "sonnet",
        "haiku",
        "agents",
    ]
    assert found.one("models", "agents") == (
        "ok",
        "left out: glm (GLM_BASE_URL is not set); minimax (MINIMAX_BASE_URL is not set)",
    )
    clinic.shell.set(GLM_BASE_URL="http://127.0.0.1:1", MINIMAX_BASE_URL="http://127.0.0.1:1")
    clinic.push(**{".coordinator.yml": "agents: {opus: {enabled: false}}\n"})
    assert clinic.find().one("models", "agents") == ("warning", "no agent can be called for hard issues")


# A person's machine alone.


def local(shell: Shell, project: Project, *arguments: str) -> Found:
    return Found(shell.run("doctor", "--repo", project.folder, "--format", "json", *arguments), FORGE_CANARY)


def test_without_a_server_the_machine_and_the_configuration_are_looked_at(shell: Shell, project: Project) -> None:
    found = local(shell, project)
    assert groups(found) == ["machine", "repository", "configuration", "models"]
    assert found.errors == []
    assert found.one("repository", "repository")[0] == "ok"
    assert found.one("configuration", "file") == ("ok", ".coordinator.yml on main")
    assert found.one("configuration", "checkout") == ("ok", "the same as on the base branch")
    assert {check["name"] for check in found.checks if check["group"] == "machine"} == {
        *("python", "git", "tools", "temporary folder", "tool cache"),
        *("user", "sandbox", "self-test", "network", "processes", "docker"),
    }


def test_without_a_key_no_agent_can_be_called(shell: Shell, project: Project) -> None:
    shell.unset("ANTHROPIC_API_KEY")
    found = local(shell, project)
    assert found.errors == [("models", "no agent can be called from here")]
    assert all(name in found.of("models")[0][1] for name in ("opus", "sonnet", "haiku", "glm", "minimax"))


def test_a_configuration_that_is_not_committed_yet(shell: Shell, project: Project) -> None:
    file = project.folder / ".coordinator.yml"
    file.write_text("attempts: 5\n", encoding="utf-8")
    state, message = local(shell, project).one("configuration", "checkout")
    assert (state, "another one than on main" in message) == ("warning", True)
    file.write_text("attemps: 5\n", encoding="utf-8")
    assert local(shell, project).errors == [("configuration", ".coordinator.yml:1: attemps: unknown key")]
    file.unlink()
    assert local(shell, project).one("configuration", "checkout")[0] == "warning"


def test_no_configuration_at_all(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, {"README.md": "x"})
    found = local(shell, project)
    assert found.one("configuration", "file") == ("ok", "there is no .coordinator.yml on main: all defaults")
    assert found.one("configuration", "checkout")[0] == "ok"


def test_what_is_no_repository_is_one_error(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for folder in ("plain", "gone"):
        ended = shell.run("doctor", "--repo", tmp_path / folder, "--format", "json")
        found = Found(ended, FORGE_CANARY)
        [(group, _)] = found.errors
        assert group == "repository"
        assert found.one("machine", "self-test")[0] in {"ok", "warning"}
        assert found.one("models", "agents") == ("warning", "not checked, because the repository is not known")


def test_a_machine_that_lacks_something_is_an_error(shell: Shell, project: Project, tmp_path: Path) -> None:
    shell.set(RUNNER_TEMP=str(tmp_path / "gone"))
    found = local(shell, project)
    assert found.code == 2
    assert found.one("machine", "temporary folder")[0] == "error"
    assert found.one("machine", "sandbox")[0] == "error"
    assert found.one("machine", "self-test") == ("warning", "not checked, because the sandbox is not known")
    assert found.one("configuration", "file")[0] == "ok"


def test_the_command_as_a_process_leaves_nothing_behind(shell: Shell, project: Project, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    shell.set(RUNNER_TEMP=str(temporary), TMPDIR=str(temporary))
    commit_files(project.folder, {".coordinator.yml": "attempts: 5\n"})
    ended = shell.finish(shell.start("doctor", "--repo", project.folder))
    assert ended.code == 0, ended.out
    assert "Traceback" not in ended.err
    assert ended.out.splitlines()[-1].endswith("0 errors")
    assert [path.name for path in temporary.iterdir() if path.name != "coordinator-uids"] == []


def test_the_process_that_holds_the_keys_is_hidden(shell: Shell) -> None:
    script = "import sys; from coordinator.cli import main; from coordinator.sandbox.kernel import process_is_hidden; "
    script += "main(['doctor', '--repo', '/nonexistent']); sys.exit(process_is_hidden())"
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, env=shell.variables, check=False)
    assert done.returncode == 1
