"""Our own bare clone of the two branches of a run, and the commit that the run starts from."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.workspace.git import Git, GitCall, GitFailed
from coordinator.workspace.objects import TrustedRepository
from coordinator.workspace.remote import PUSHED_BRANCHES, RUN_REFS, Remote, RemoteRefs

if TYPE_CHECKING:
    from pathlib import Path

BASE = "refs/coordinator/base"
WORK = "refs/coordinator/work"
"""Where the clone keeps the two branches of the remote."""

_SHA256_DIGITS = 64
_OWN_COMMITS_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run starts."""

    repository: TrustedRepository
    branch: str
    base_branch: str
    base_commit: str
    work_commit: str | None
    """The tip of the work branch; None when there is none yet."""
    commit: str
    """What the checkout is filled from."""
    merge_base: str
    run_commit: str | None = None
    """Where the ref stands on the remote that an earlier run has left for the next one (`run_ref`); not fetched yet."""


def run_ref(issue: int) -> str:
    """Return the name of the ref that holds what a run on an issue needs to go on."""
    return f"{RUN_REFS}issue-{issue}"


def work_branch(issue: int) -> str:
    """Return the name of the branch for an issue."""
    return f"{PUSHED_BRANCHES.removeprefix('refs/heads/')}issue-{issue}"


def clone(remote: Remote, git: Git, git_dir: Path, *, issue: int, base_branch: str | None) -> Start:
    """Fetch the base branch, and the work branch if there is one, into a new bare repository.

    Raises like `coordinator.workspace.workspace.Workspace.open`.
    """
    branch = work_branch(issue)
    base = base_branch or _default_branch(remote)
    check_branch_name(git, base)
    if base == branch:
        raise _checked_out(remote, branch)
    names = {BASE: f"refs/heads/{base}", WORK: f"refs/heads/{branch}"}
    refs = remote.refs(*names.values(), run_ref(issue))
    if names[BASE] not in refs.commits:
        raise no_branch(remote, base)
    if names[WORK] in remote.checked_out_branches():
        raise _checked_out(remote, branch)
    wanted = {name: target for target, name in names.items() if name in refs.commits}
    repository = fetch_into(remote, git, git_dir, wanted, refs)
    base_commit, run_commit = repository.resolve(BASE), refs.commits.get(run_ref(issue))
    if names[WORK] not in refs.commits:
        return Start(repository, branch, base, base_commit, None, base_commit, base_commit, run_commit)
    work_commit = repository.resolve(WORK)
    merge_base = _continues(repository, remote, base_commit, work_commit, issue)
    if merge_base == work_commit:
        return Start(repository, branch, base, base_commit, work_commit, base_commit, base_commit, run_commit)
    return Start(repository, branch, base, base_commit, work_commit, work_commit, merge_base, run_commit)


def fetch_into(remote: Remote, git: Git, git_dir: Path, wanted: dict[str, str], refs: RemoteRefs) -> TrustedRepository:
    """Make a bare repository, and copy refs of the remote (full name) to refs of ours into it."""
    longest = max(map(len, refs.commits.values()))
    object_format = "sha256" if longest == _SHA256_DIGITS else "sha1"
    git_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = ("--quiet", "--bare", "--template=", f"--object-format={object_format}")
    git.run("init", *options, call=GitCall(repository=git_dir))
    remote.fetch(git_dir, wanted)
    return TrustedRepository(git_dir, git)


def _continues(repository: TrustedRepository, remote: Remote, base: str, work: str, issue: int) -> str:
    """Return the merge base of a work branch that an earlier run made, or that the base branch already contains."""
    merge_base = repository.merge_base(base, work)
    if merge_base == work or (merge_base and _has_own_commit(repository, merge_base, work, issue)):
        return merge_base
    raise Misconfigured(
        f"The branch {work_branch(issue)} of {remote.name} was not made by a run on issue {issue}",
        mend="Rename or delete that branch, so that no work of other people is mixed into this run's",
    )


def _has_own_commit(repository: TrustedRepository, merge_base: str, work: str, issue: int) -> bool:
    """Whether a commit on the branch carries our trailer; people may have added commits of their own."""
    trailers = "--format=%(trailers:key=Issue,valueonly)"
    options = ("--no-show-signature", f"--max-count={_OWN_COMMITS_LOOKED_AT}", trailers)
    call = GitCall(repository=repository.git_dir)
    found = repository.git.run("log", *options, f"{merge_base}..{work}", call=call)
    return f"#{issue}".encode() in found.split()


def _default_branch(remote: Remote) -> str:
    refs = remote.refs()
    if refs.head_branch is not None:
        return refs.head_branch
    if not remote.branches():
        raise Misconfigured(f"{remote.name} has no commits", mend="Commit and push the project first")
    raise Misconfigured(
        f"HEAD of {remote.name} is not on a branch with commits",
        mend="Name the branch that the work is meant for: `base_branch` in .coordinator.yml, or the input base-branch",
    )


def no_branch(remote: Remote, base: str) -> Misconfigured:
    """Return the error for a base branch that is not there, with the name of one that is."""
    branches = remote.branches()
    if not branches:
        return Misconfigured(f"{remote.name} has no commits", mend="Commit and push the project first")
    near = get_close_matches(base, branches, n=1, cutoff=0.4) or branches[:1]
    return Misconfigured(
        f"{remote.name} has no branch {base!r}", mend=f"Set `base_branch` to a branch that is there, e.g. {near[0]}"
    )


def check_branch_name(git: Git, branch: str) -> None:
    """Raise `Misconfigured` for what cannot be the name of a branch."""
    try:
        git.run("check-ref-format", f"refs/heads/{branch}")
    except (GitFailed, ValueError) as failure:  # ValueError: a NUL, which no argument can hold
        raise Misconfigured(
            f"{branch!r} cannot be the name of a branch", mend="Set `base_branch` to the name of a branch"
        ) from failure


def _checked_out(remote: Remote, branch: str) -> Misconfigured:
    return Misconfigured(
        f"The branch {branch} is checked out in {remote.name}, and a checkout is never changed",
        mend="Switch that checkout to another branch, e.g. `git switch -`, and run again",
    )
