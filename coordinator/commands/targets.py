"""From the words ISSUE and --repo of the command line to an issue and its repository."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.commands.building import make_forge
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
    folder: Path = arguments.repo
    if not folder.is_dir():
        raise Misconfigured(f"{folder} is no folder", mend="Give --repo the folder of a git repository")
    repository = TrustedRepository.discover(folder)
    with closing(make_forge(environment, local=folder if arguments.forge == "local" else None)) as forge:
        yield Target(LocalGit(folder).path, repository, forge, _find_issue(arguments.issue, forge, keep=keep))


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
