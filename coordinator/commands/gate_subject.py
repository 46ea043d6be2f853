"""What `coordinator gate` judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.configuration_file import load_configuration
from coordinator.errors import Misconfigured
from coordinator.forge.local_git import LocalGit
from coordinator.workspace.objects import TrustedRepository

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.configuration import Configuration
    from coordinator.environment import Environment


@dataclass(frozen=True, slots=True)
class GateSubject:
    """What is judged: a commit of a person's repository, by the rules of its base where there is one."""

    checkout: Path
    """The top of the checkout; its environment may serve for the tests."""
    repository: TrustedRepository
    head: str
    base: str | None
    configuration: Configuration
    """Of the base, without one the judged commit's own."""


def gate_subject(folder: Path, base: str | None, environment: Environment) -> GateSubject:
    """Return what to judge. Raises `Misconfigured` for what is no git checkout, or a base without a common commit."""
    if not folder.is_dir():
        raise Misconfigured(f"{folder} is no folder", mend="Name the folder of a git checkout")
    repository = TrustedRepository.discover(folder)
    head = repository.resolve("HEAD")
    commit = _base(repository, head, base)
    path = environment.configuration_path
    configuration = load_configuration(repository.read_file(commit or head, path), file=path)
    return GateSubject(LocalGit(folder).path, repository, head, commit, configuration)


def _base(repository: TrustedRepository, head: str, wanted: str | None) -> str | None:
    if wanted is None:
        return None
    base = repository.merge_base(head, repository.resolve(wanted))
    if base is None:
        raise Misconfigured(
            f"HEAD and {wanted} have no common commit",
            mend="Fetch more history (a shallow clone has none), or name another base",
        )
    return base
