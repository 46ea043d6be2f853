"""The same ground on three forges: a folder, the stand-in, and a real Gitea server where one is given."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import time
from typing import TYPE_CHECKING, Protocol

import httpx
from pydantic import SecretStr, TypeAdapter

from coordinator.forge.gitea import GiteaForge
from coordinator.forge.http import RestClient
from coordinator.forge.local import LOCAL_USER, LocalForge
from tests.support import GIT_ENVIRONMENT, commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coordinator.forge.models import Account, GitRemote
    from coordinator.forge.protocol import Forge
    from tests.standins.forge_server import ForgeServer
    from tests.standins.forge_state import Json

FILES = {"README.md": "# App\n", "docs/a b.md": "spaced\n", "src/app.py": "X = 1\n"}
JSON_OBJECT = TypeAdapter(dict[str, object])


WORKFLOW = """\
on:
  workflow_dispatch:
    inputs:
      issue: {type: string}
      event: {type: string}
jobs:
  work: {runs-on: no-such-runner, steps: [{run: "true"}]}
"""
"""Waits for ever where it is started on a real server, until its repository is deleted."""


class Lab(Protocol):
    """A repository with `FILES` on ``main`` and a forge in front of it."""

    me: str
    """Login of the account behind the forge."""

    @property
    def forge(self) -> Forge:
        """The forge as the account sees it."""
        ...

    def add_issue(self, title: str, body: str) -> int:
        """Add an issue and return its number."""
        ...

    def push_branch(self, name: str, files: Mapping[str, str]) -> str:
        """Push a branch with one commit on top of main and return the commit."""
        ...


class LocalLab:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._repository = make_repository(folder / "app", FILES)
        self.forge = LocalForge.of(self._repository)
        self.me = LOCAL_USER.login

    def add_issue(self, title: str, body: str) -> int:
        file = self._folder / f"issue-x{secrets.token_hex(4)}.md"
        file.write_text(f"---\ntitle: {title}\n---\n{body}", encoding="utf-8")
        return self.forge.import_issue(file).number

    def push_branch(self, name: str, files: Mapping[str, str]) -> str:
        return _push_branch(self._folder / secrets.token_hex(4), self.forge.git_remote(), name, files)


class RestLab:
    """A Gitea, real or not: an owner's token to prepare with, and the bot's for the forge."""

    def __init__(
        self,
        folder: Path,
        api_url: str,
        full_name: str,
        *,
        owner_token: str,
        bot: tuple[str, str],
        sleep: Callable[[float], None],
    ) -> None:
        self._folder = folder
        self._sleep = sleep
        self.owner_token = owner_token
        self.api_url = api_url
        self.full_name = full_name
        self.me, bot_token = bot
        self.server_url = api_url.removesuffix("/api/v1")
        self.owner = httpx.Client(
            base_url=f"{api_url}/repos/{full_name}",
            headers={"Authorization": f"token {owner_token}"},
            trust_env=False,
        )
        self.forge = self.forge_of(bot_token)

    def forge_of(self, token: str, full_name: str = "", *, deadline_seconds: float = 60.0) -> GiteaForge:
        """Return the forge for a token."""

        def connect(api_url: str, its_token: SecretStr) -> RestClient:
            return RestClient(api_url, its_token, deadline_seconds=deadline_seconds, sleep=self._sleep)

        return GiteaForge(self.api_url, self.server_url, full_name or self.full_name, SecretStr(token), connect=connect)

    def close(self) -> None:
        self.owner.close()
        self.forge.close()

    def ask(self, method: str, path: str, fields: Json = None) -> dict[str, object]:
        """Send a request as the owner; the answer has to be a success."""
        reply = self.owner.request(method, path, json=fields)
        assert reply.is_success, (method, path, reply.status_code, reply.text)
        return JSON_OBJECT.validate_json(reply.content) if reply.content.startswith(b"{") else {}

    def add_issue(self, title: str, body: str) -> int:
        return _number(self.ask("POST", "/issues", {"title": title, "body": body}))

    def switch(self, **settings: bool) -> None:
        """Change settings of the repository as its owner."""
        self.ask("PATCH", f"{self.api_url}/repos/{self.full_name}", {**settings})

    def add_organisation_label(self, name: str) -> None:
        """Add a label to the organisation that owns the repository, as its owner."""
        owner = self.full_name.partition("/")[0]
        reply = self.owner.post(f"{self.api_url}/orgs/{owner}/labels", json={"name": name, "color": "00ff00"})
        assert reply.is_success, reply.text

    def assign(self, number: int, *logins: str) -> None:
        """Assign accounts as the owner does it, instead of those before."""
        self.ask("PATCH", f"/issues/{number}", {"assignees": [*logins]})

    def push_branch(self, name: str, files: Mapping[str, str]) -> str:
        return _push_branch(self._folder / secrets.token_hex(4), self.forge.git_remote(), name, files)


def standin_lab(folder: Path, server: ForgeServer) -> RestLab:
    """Return the ground on the stand-in. Where it stumbles, nobody really waits."""
    bot, pauses = (server.bot.login, server.token), list[float]()
    owner_token = server.owner.token
    lab = RestLab(folder, server.api_url, server.repository, owner_token=owner_token, bot=bot, sleep=pauses.append)
    _push_start(folder, lab.forge.git_remote())
    return lab


class RealGitea:
    """A real server, on which each test gets accounts and a repository of its own."""

    def __init__(self, url: str, token: str) -> None:
        self.api_url = f"{url.rstrip('/')}/api/v1"
        self._admin = httpx.Client(
            base_url=self.api_url, headers={"Authorization": f"token {token}"}, trust_env=False, timeout=60
        )
        self._made: list[str] = []
        """Paths of what has to be deleted again, in this order."""

    def close(self) -> None:
        for path in self._made:
            self._admin.delete(path).raise_for_status()
        self._admin.close()

    def add_user(self, prefix: str, *more_scopes: str) -> tuple[int, str, str]:
        """Add an account; return its id, login and token."""
        login, password = f"{prefix}{secrets.token_hex(4)}", secrets.token_hex(12)
        fields: dict[str, Json] = {
            "username": login,
            "email": f"{login}@x.invalid",
            "password": password,
            "must_change_password": False,
        }
        made = JSON_OBJECT.validate_json(self._send("/admin/users", fields))
        self._made.append(f"/admin/users/{login}?purge=true")
        scopes: list[Json] = ["write:repository", "write:issue", "read:user", *more_scopes]
        reply = httpx.post(
            f"{self.api_url}/users/{login}/tokens",
            json={"name": "test", "scopes": scopes},
            auth=(login, password),
            trust_env=False,
            timeout=60,
        )
        made_token = JSON_OBJECT.validate_json(reply.content)
        return int(str(made["id"])), login, str(made_token["sha1"])

    def lab(self, folder: Path, *, organisation: bool = False) -> RestLab:
        _, person, owner_token = self.add_user("owner", "write:organization")
        _, bot, bot_token = self.add_user("bot")
        name = f"{self._add_organisation(person) if organisation else person}/app"
        if not organisation:
            self._send(f"/admin/users/{person}/repos", {"name": "app"})
        lab = RestLab(folder, self.api_url, name, owner_token=owner_token, bot=(bot, bot_token), sleep=time.sleep)
        lab.ask("PUT", f"/collaborators/{bot}", {"permission": "write"})
        lab.ask("POST", "/labels", {"name": "agent", "color": "#00ff00"})
        _push_start(folder, lab.forge.git_remote())
        _wait_for_first_push(lab)
        return lab

    def _add_organisation(self, owner: str) -> str:
        """Add an organisation with a repository, and return its name."""
        name = f"org{secrets.token_hex(4)}"
        self._send(f"/admin/users/{owner}/orgs", {"username": name})
        self._made[:0] = [f"/repos/{name}/app", f"/orgs/{name}"]
        self._send(f"/orgs/{name}/repos", {"name": "app"})
        return name

    def _send(self, path: str, fields: Mapping[str, Json]) -> bytes:
        reply = self._admin.post(path, json=fields)
        assert reply.is_success, (path, reply.status_code, reply.text)
        return reply.content


def account(forge: Forge, login: str) -> Account:
    found = forge.account(login)
    assert found is not None
    return found


def git_with(remote: GitRemote, folder: Path, *arguments: str) -> str:
    """Run git with the remote's header, which goes through the environment and not onto the command line."""
    header = {"http.extraHeader": f"Authorization: {remote.authorization}"} if remote.authorization else {}
    settings = {**header, "http.followRedirects": "false", "safe.directory": "*"}
    numbered: dict[str, str] = {}
    for number, (key, value) in enumerate(settings.items()):
        numbered |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    environment = {
        **GIT_ENVIRONMENT,
        **numbered,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": os.environ.get("LC_ALL", "C"),
    }
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _push_start(folder: Path, remote: GitRemote) -> None:
    start = make_repository(folder / "start", FILES)
    git_with(remote, start, "push", "--quiet", remote.url, "HEAD:refs/heads/main")


def _wait_for_first_push(lab: RestLab) -> None:
    """Wait until the server knows that the repository is no longer empty: until then its branches are status 500."""
    end = time.monotonic() + 10
    while lab.owner.get(f"{lab.api_url}/repos/{lab.full_name}/branches/main").is_error:
        assert time.monotonic() < end, "the first push was never taken in"
        time.sleep(0.05)


def _push_branch(folder: Path, remote: GitRemote, name: str, files: Mapping[str, str]) -> str:
    git_with(remote, folder.parent, "clone", "--quiet", "--branch", "main", remote.url, str(folder))
    git(folder, "checkout", "--quiet", "-b", name)
    commit = commit_files(folder, files)
    git_with(remote, folder, "push", "--quiet", remote.url, f"HEAD:refs/heads/{name}")
    return commit


def _number(answer: Mapping[str, object]) -> int:
    return int(str(answer["number"]))


def basic(token: str) -> str:
    return base64.b64encode(f"x:{token}".encode()).decode()
