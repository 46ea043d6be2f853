"""Somebody else's pull request in a clone of ours, to be read: the trusted process checks nothing of it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.forge.protocol import Missing
from coordinator.workspace.clone import BASE, check_branch_name, fetch_into, no_branch
from coordinator.workspace.remote import Remote

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.forge.models import GitRemote
    from coordinator.workspace.git import Git
    from coordinator.workspace.objects import TrustedRepository

HEAD = "refs/coordinator/head"
"""Where the clone keeps the head of the pull request."""


@dataclass(frozen=True, slots=True)
class PullRequestClone:
    """A clone with the head of a pull request and the branch that it is for."""

    repository: TrustedRepository
    head: str
    """Commit at the head, as it was fetched."""
    base: str
    """Commit at the tip of the base branch."""
    merge_base: str
    """Where the two part: what was there before the pull request."""


def clone_pull_request(where: GitRemote, git: Git, git_dir: Path, *, number: int, base_branch: str) -> PullRequestClone:
    """Fetch the head of a pull request and its base branch into a new bare repository, checking every object.

    All forges keep the head as ``refs/pull/NUMBER/head``, that of a fork too. Raises `Missing` where there is no such
    pull request, and `Misconfigured` for a base branch that is not there or has no history in common with the head.
    """
    remote = Remote(where, git)
    check_branch_name(git, base_branch)
    names = {BASE: f"refs/heads/{base_branch}", HEAD: f"refs/pull/{number}/head"}
    refs = remote.refs(*names.values())
    if names[BASE] not in refs.commits:
        raise no_branch(remote, base_branch)
    if names[HEAD] not in refs.commits:
        raise Missing(f"{remote.name} has no pull request #{number}", mend="Look whether its number is right")
    repository = fetch_into(remote, git, git_dir, {name: target for target, name in names.items()}, refs)
    base, head = repository.resolve(BASE), repository.resolve(HEAD)
    merge_base = repository.merge_base(base, head)
    if not merge_base:
        raise Misconfigured(
            f"Pull request #{number} and the branch {base_branch} have no history in common",
            mend="Rebase the pull request onto that branch",
        )
    return PullRequestClone(repository, head, base, merge_base)
