"""From the words ISSUE and --repo of the command line to an issue and its repository."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.commands.building import make_forge
from coordinator.environment import Platform
from coordinator.errors import Misconfigured
from coordinator.forge.local import LocalForge
from coordinator.forge.local_git import LocalGit
from coordinator.workspace.objects import TrustedRepository

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from coordinator.environment import Environment
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge

LARGEST_NUMBER = 10**9
GITHUB_URL = "https://github.com"
GITHUB_API_URL = "https://api.github.com"


@dataclass(frozen=True, slots=True)
class Target:
    """A person's repository, the forge it is on, and the issue."""

    folder: Path
    """The top of the checkout, or a bare repository."""
    repository: TrustedRepository
    """Read only."""
    forge: Forge
    issue: Issue


@contextmanager
def find_target(arguments: argparse.Namespace, environment: Environment, *, keep: bool) -> Iterator[Target]:
    """Find what a command is about. With `keep` an issue file is taken over into the local forge, else only read.

    The forge is closed afterwards.

    Raises `Misconfigured` for a folder that is no repository, and for an issue that is not there or cannot be read.
    """
    folder = _existing(arguments.repo)
    repository = TrustedRepository.discover(folder)
    with open_forge(arguments, environment) as forge:
        yield Target(LocalGit(folder).path, repository, forge, _find_issue(arguments.issue, forge, keep=keep))


@contextmanager
def open_forge(arguments: argparse.Namespace, environment: Environment) -> Iterator[Forge]:
    """Open the forge that --forge and --repo name, and close it afterwards.

    Raises `Misconfigured` for a folder that is no repository, and for what is not known of a server.
    """
    local = _existing(arguments.repo) if arguments.forge == "local" else None
    with closing(make_forge(choose_platform(environment, arguments.forge), local=local)) as forge:
        yield forge


def choose_platform(environment: Environment, forge: str) -> Environment:
    """Return the environment for the forge that a person has named, whatever the variables look like.

    The token of one server never goes to another: with --forge github GITHUB_TOKEN is what counts, and a token that
    belongs to GITEA_URL, or to the Gitea whose job this is, is not sent to GitHub, nor the other way round.
    """
    on_github = environment.platform is Platform.GITHUB
    if forge == "local" or (on_github == (forge == "github") and environment.in_runner):
        return environment
    if forge == "github":
        return _on_github(environment)
    return _on_gitea(environment) if on_github else environment


def _on_github(environment: Environment) -> Environment:
    guessed = environment.platform is Platform.GITHUB and environment.variable("GITEA_URL") is None
    own = None if environment.in_runner else environment.secret("GITHUB_TOKEN")  # in a job of Gitea that is Gitea's
    update = {
        "platform": Platform.GITHUB,
        "server_url": (environment.server_url if guessed else None) or GITHUB_URL,
        "api_url": (environment.api_url if guessed else None) or GITHUB_API_URL,
        "token": own or (environment.token if guessed else None),
    }
    return environment.model_copy(update=update)


def _on_gitea(environment: Environment) -> Environment:
    url = (environment.variable("GITEA_URL") or "").removesuffix("/api/v1")
    update = {
        "platform": Platform.GITEA,
        "server_url": url or None,
        "api_url": f"{url}/api/v1" if url else None,
        "token": environment.secret("GITEA_TOKEN"),
    }
    return environment.model_copy(update=update)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise Misconfigured(f"{folder} is no folder", mend="Give --repo the folder of a git repository")
    return folder


def _find_issue(word: str, forge: Forge, *, keep: bool) -> Issue:
    if word.isascii() and word.isdigit() and not Path(word).exists():
        if not 0 < int(word) < LARGEST_NUMBER:
            raise Misconfigured(f"{word} is no issue number", mend="Give the number of an issue, or a Markdown file")
        return forge.issue(int(word))
    if not isinstance(forge, LocalForge):
        raise Misconfigured(
            f"{word} is no issue number", mend="On a server, give the number of an issue; files are for --forge local"
        )
    return forge.import_issue(Path(word)) if keep else forge.preview_issue(Path(word))
