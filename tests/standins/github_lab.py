"""The ground for tests on the stand-in of GitHub: a repository, its owner, and forges for any token."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr, TypeAdapter

from coordinator.forge.github import GithubForge
from coordinator.forge.http import RestClient
from tests.forge.labs import FILES, git_with
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.standins.github_server import GithubServer
    from tests.standins.github_state import Json, User

JSON_OBJECT = TypeAdapter(dict[str, object])


class GithubLab:
    """A repository with `FILES` on ``main``, and a forge in front of it for the account that may write."""

    def __init__(self, folder: Path, server: GithubServer) -> None:
        self._folder = folder
        self.server = server
        self.me = server.bot.login
        self.pauses: list[float] = []
        self.owner = httpx.Client(
            base_url=f"{server.api_url}/repos/{server.repository}",
            headers={"Authorization": f"Bearer {server.owner.token}"},
            trust_env=False,
        )
        self.forge = self.forge_of(server.token)
        start = make_repository(folder / "start", FILES)
        git(start, "push", "--quiet", str(server.state.repository.path), "HEAD:refs/heads/main")

    def forge_of(self, token: str, full_name: str = "") -> GithubForge:
        """Return the forge for a token; where the server stumbles, nobody really waits."""

        def connect(api_url: str, its_token: SecretStr) -> RestClient:
            return RestClient(api_url, its_token, sleep=self.pauses.append)

        name = full_name or self.server.repository
        return GithubForge(self.server.api_url, self.server.url, name, SecretStr(token), connect=connect)

    def close(self) -> None:
        self.owner.close()
        self.forge.close()

    def ask(self, method: str, path: str, fields: Json = None) -> dict[str, object]:
        """Send a request as the owner; the answer has to be a success."""
        reply = self.owner.request(method, path, json=fields)
        assert reply.is_success, (method, path, reply.status_code, reply.text)
        return JSON_OBJECT.validate_json(reply.content) if reply.content.startswith(b"{") else {}

    def add_issue(self, title: str, body: str) -> int:
        return int(str(self.ask("POST", "/issues", {"title": title, "body": body})["number"]))

    def assign(self, number: int, *users: User) -> None:
        """Assign accounts as the owner does it, instead of those before."""
        self.ask("PATCH", f"/issues/{number}", {"assignees": [user.login for user in users]})

    def push_branch(self, name: str, files: Mapping[str, str]) -> str:
        folder, remote = self._folder / secrets.token_hex(4), self.forge.git_remote()
        git_with(remote, folder.parent, "clone", "--quiet", "--branch", "main", remote.url, str(folder))
        git(folder, "checkout", "--quiet", "-b", name)
        commit = commit_files(folder, files)
        git_with(remote, folder, "push", "--quiet", "--force", remote.url, f"HEAD:refs/heads/{name}")
        return commit

    def push_main(self, files: Mapping[str, str]) -> str:
        """Add a commit to main."""
        commit = self.push_branch(f"to-main-{secrets.token_hex(4)}", files)
        remote, folder = self.forge.git_remote(), self._folder / "start"
        git_with(remote, folder, "fetch", "--quiet", remote.url, commit)
        git_with(remote, folder, "push", "--quiet", remote.url, f"{commit}:refs/heads/main")
        return commit
