"""A real server and real runners, where their addresses are given."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import Computed, call, is_agent_call, say
from coordinator.demo.model_server import ModelServer
from tests.live.project import FILES, Project, snapshot, workflow
from tests.live.runner import Runner
from tests.live.server import Gitea, Person
from tests.support import API_CANARY, git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Reply

URL, TOKEN, RUNNER = "COORDINATOR_TEST_GITEA_URL", "COORDINATOR_TEST_GITEA_TOKEN", "COORDINATOR_TEST_RUNNER"
SCOPES = ("write:repository", "write:issue", "read:user")


@pytest.fixture(scope="session")
def gitea() -> Iterator[Gitea]:
    missing = [name for name in (URL, TOKEN, RUNNER) if not os.environ.get(name)]
    if missing:
        pytest.skip(
            f"no real server and runner: {', '.join(missing)} not set (address, administrator's token, program)"
        )
    server = Gitea(os.environ[URL], os.environ[TOKEN])
    yield server
    server.close()


@pytest.fixture(scope="session")
def people(gitea: Gitea) -> Iterator[dict[str, Person]]:
    """An owner, the coordinator's account, and somebody who may only read."""
    found = {
        "owner": gitea.add_person("owner"),
        "bot": gitea.add_person("bot", SCOPES),
        "stranger": gitea.add_person("stranger"),
    }
    yield found
    for person in found.values():
        gitea.remove(f"/admin/users/{person.login}?purge=true")


@pytest.fixture(scope="session")
def label(gitea: Gitea, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The label of two runners that take one job each at a time; of one where two jobs would share an account.

    An account that is not root runs jobs one by one: a confined command of one could read the secrets of the other, so
    the second one is refused.
    """
    folder, name = tmp_path_factory.mktemp("runners"), f"live-{secrets.token_hex(4)}"
    folder.chmod(0o755)
    program = Path(os.environ[RUNNER])

    def make(number: int) -> Runner:
        return Runner(program, gitea, folder / str(number), name=f"{name}-{number}", label=name)

    with ExitStack() as stack:
        for number in range(2 if os.geteuid() == 0 else 1):
            stack.enter_context(make(number))
        yield name


@pytest.fixture(scope="session")
def action(gitea: Gitea, people: dict[str, Person], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The repository on the server that holds the action as it is in this checkout."""
    folder = tmp_path_factory.mktemp("action") / "action"
    snapshot(folder)
    owner = people["owner"]
    gitea.send("POST", "/user/repos", token=owner.token, json={"name": "coordinator", "default_branch": "main"})
    gitea.send("PATCH", f"/repos/{owner.login}/coordinator", json={"has_actions": False})
    address = gitea.url.replace("://", f"://{owner.login}:{owner.token}@")
    git(folder, "push", "--quiet", f"{address}/{owner.login}/coordinator.git", "HEAD:refs/heads/main")
    return f"{owner.login}/coordinator"


@pytest.fixture
def answers() -> Answers:
    """What the model does; tests change it."""
    return Answers()


class Answers:
    """A model that does what `work` says in one command, and hands it in. Any number of conversations at once."""

    def __init__(self) -> None:
        self.work: Callable[[Json], str] = lambda _: "printf 'TWO = 2\\n' >> tool.py"
        self.turns: list[str] = []
        """The first user message of the conversation of each turn."""
        self.before: Callable[[Json], None] = lambda _: None
        """Called before each answer."""

    def __call__(self, body: Json) -> Reply:
        self.turns.append(str(body["messages"][0]["content"]))
        self.before(body)
        worked = any(message["role"] == "assistant" for message in body["messages"])
        return say(call("submit", {"summary": "Add TWO"}) if worked else call("bash", {"command": self.work(body)}))


@pytest.fixture
def model(answers: Answers) -> Iterator[ModelServer]:
    with ModelServer([Computed(answers, when=is_agent_call, repeat=True)], key=API_CANARY) as server:
        yield server


@pytest.fixture
def new_project(  # noqa: PLR0917  (each is a part of the ground)
    gitea: Gitea, people: dict[str, Person], label: str, action: str, model: ModelServer, tmp_path: Path
) -> Iterator[Callable[..., Project]]:
    """Make a repository with workflow and secrets, in which no issue is open yet."""
    made: list[Project] = []

    def make(*, token: bool = True, files: dict[str, str] | None = None) -> Project:
        bot = people["bot"]
        name = f"app-{secrets.token_hex(4)}"
        project = Project(gitea, tmp_path / name, name, owner=people["owner"], bot=bot)
        made.append(project)
        text = workflow(action=action, label=label, bot=bot.login, model_url=model.url, token=token)
        project.secret("ANTHROPIC_API_KEY", API_CANARY)
        if token:
            project.secret("COORDINATOR_TOKEN", bot.token)
        project.push({**FILES, **(files or {}), ".gitea/workflows/coordinator.yml": text})
        return project

    yield make
    for project in made:
        _check_leaks(project, tmp_path)
        gitea.remove(project.api)


def _check_leaks(project: Project, folder: Path) -> None:
    """See that neither key stands in a log, a comment, or anything that was pushed."""
    secrets_ = (API_CANARY, project.bot.token)
    texts = [project.logs()]
    for number in range(1, 8):
        reply = project.gitea.send("GET", f"{project.api}/issues/{number}/comments", ok=False)
        texts.append(reply.text)
    clone = folder / f"leaks-{project.name}.git"
    address = project.gitea.url.replace("://", f"://{project.owner.login}:{project.owner.token}@")
    git(folder, "clone", "--quiet", "--mirror", f"{address}/{project.full_name}.git", str(clone))
    texts.append(git(clone, "log", "--all", "--patch", "--format=fuller"))
    for secret in secrets_:
        assert not any(secret in text for text in texts), "a secret has leaked"
