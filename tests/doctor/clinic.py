"""A repository on a forge, and `coordinator doctor` looking at it from a person's shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.init.workflow import workflow_text
from tests.doctor.support import changed
from tests.standins.forge_server import ForgeServer
from tests.support import API_CANARY, FORGE_CANARY, commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.support import Ended, Shell
    from tests.standins.github_server import GithubServer

ACTION = "tools/coordinator"
WORKFLOW = workflow_text(ACTION, "v0.1.0")


@dataclass
class Clinic:
    """What is looked at, and how."""

    shell: Shell
    server: ForgeServer | GithubServer
    source: Path
    kind: str

    @property
    def workflow_path(self) -> str:
        """Where the forge has its workflows."""
        return f".{self.kind}/workflows/coordinator.yml"

    def push(self, *changes: tuple[str, str], **files: str | None) -> None:
        """Put the workflow, with texts in it replaced, and other files onto main; None takes a file away."""
        text = changed(('ACTION_REPOSITORY: ""', f'ACTION_REPOSITORY: "{ACTION}"'), *changes)
        every = {self.workflow_path: text, **{name.replace("__", "/"): content for name, content in files.items()}}
        self.push_files({name: content for name, content in every.items() if content is not None})

    def push_files(self, files: dict[str, str]) -> None:
        """Put these files onto main, and no others."""
        if self.source.exists():
            git(self.source, "rm", "--quiet", "-r", "--ignore-unmatch", ".")
            commit_files(self.source, files)
        else:
            make_repository(self.source, files)
        bare = self.server.state.repository.path
        git(self.source, "push", "--quiet", "--force", str(bare), "HEAD:refs/heads/main")

    def use_token(self, token: str) -> None:
        """Take another token."""
        self.shell.set(**{f"{self.kind.upper()}_TOKEN": token})

    def look(self, *arguments: str) -> Ended:
        """Run doctor, for people."""
        return self.shell.run("doctor", "--forge", self.kind, *arguments)

    def find(self) -> Found:
        """Run doctor, for a script."""
        ended = self.look("--format", "json")
        return Found(ended, self.server.token)


class Found:
    """The document of one examination."""

    def __init__(self, ended: Ended, token: str) -> None:
        assert token not in ended.out + ended.err
        assert API_CANARY not in ended.out + ended.err
        assert "Traceback" not in ended.err
        document = ended.document
        self.code = ended.code
        self.checks = document["checks"]
        self.counts = document["counts"]
        assert set(document) == {"passed", "counts", "checks"}
        assert all(set(check) == {"group", "name", "state", "message", "mend"} for check in self.checks)
        assert all(check["mend"] for check in self.checks if check["state"] == "error")
        assert not [check for check in self.checks if "the check itself failed" in check["message"]], self.checks
        assert sum(self.counts.values()) == len(self.checks)
        assert document["passed"] == (self.counts["error"] == 0) == (ended.code == 0)
        assert ended.code in {0, 2}

    def of(self, group: str, name: str = "") -> list[tuple[str, str]]:
        """State and message of the checks of a group, or of those of one name."""
        wanted = [check for check in self.checks if check["group"] == group and name in {"", check["name"]}]
        return [(check["state"], check["message"]) for check in wanted]

    def one(self, group: str, name: str) -> tuple[str, str]:
        """State and message of the one check of that name."""
        [found] = self.of(group, name)
        return found

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Group and message of all errors but those of this machine."""
        return [
            (check["group"], check["message"])
            for check in self.checks
            if check["state"] == "error" and check["group"] != "machine"
        ]


def make_clinic(shell: Shell, server: ForgeServer | GithubServer, folder: Path) -> Clinic:
    """Make a healthy repository."""
    kind = "gitea" if isinstance(server, ForgeServer) else "github"
    clinic = Clinic(shell, server, folder / "source", kind)
    shell.set(GITHUB_REPOSITORY=server.repository)
    clinic.use_token(FORGE_CANARY)
    if kind == "gitea":
        shell.set(GITEA_URL=server.url)
    else:
        shell.set(GITHUB_SERVER_URL=server.url, GITHUB_API_URL=server.api_url)
    clinic.push()
    return clinic
