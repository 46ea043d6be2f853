"""One issue's way through git: clone, checkout for the agent, candidate, push.

Everything here is done by the trusted process in repositories of its own. From the agent's side only bytes come back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Self

from coordinator.workspace.candidate import Reader
from coordinator.workspace.changes import DEFAULT_LIMITS as CHANGE_LIMITS
from coordinator.workspace.changes import ChangeLimits
from coordinator.workspace.checkout import make_checkout
from coordinator.workspace.checkpoint import SAVE_LIMITS, About, Checkpoints
from coordinator.workspace.clone import BASE, Start, clone
from coordinator.workspace.commit import COORDINATOR, Identity, write_commit, write_tree
from coordinator.workspace.failures import BranchMoved
from coordinator.workspace.git import Git
from coordinator.workspace.message import commit_message
from coordinator.workspace.paths import shown
from coordinator.workspace.protocol import Candidate
from coordinator.workspace.remote import DEFAULT_LIMITS as REMOTE_LIMITS
from coordinator.workspace.remote import Remote, RemoteLimits
from coordinator.workspace.restoring import Restored, restore
from coordinator.workspace.untracked import IgnoreRules

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from coordinator.forge.models import GitRemote
    from coordinator.sandbox.protocol import Sandbox
    from coordinator.workspace.objects import TrustedRepository


@dataclass(frozen=True, slots=True)
class WorkspaceOptions:
    """What may be different from the defaults."""

    git: Git = field(default_factory=Git)
    identity: Identity = COORDINATOR
    """Author and committer of all commits."""
    protected_paths: tuple[str, ...] = ()
    """Glob patterns that no run may change, beside `coordinator.workspace.paths.ALWAYS_PROTECTED`."""
    changes: ChangeLimits = CHANGE_LIMITS
    remote: RemoteLimits = REMOTE_LIMITS


DEFAULT_OPTIONS = WorkspaceOptions()


@dataclass(frozen=True, slots=True)
class Origin:
    """Who saves a checkpoint, and in which conversation; see `coordinator.workspace.checkpoint.About`."""

    run: str
    saved_at: datetime
    profile: str
    binding: str
    text: str


class Workspace:
    """The clone and the checkout of one run on one issue."""

    def __init__(
        self,
        remote: Remote,
        start: Start,
        reader: Reader,
        *,
        issue: int,
        options: WorkspaceOptions,
        checkpoints: Checkpoints,
        restored: Restored,
    ) -> None:
        self._remote = remote
        self._start = start
        self._reader = reader
        self._issue = issue
        self._options = options
        self._tip = start.commit
        self._pushed = start.work_commit
        self.repository: TrustedRepository = start.repository
        """Our clone: reads files, trees and differences of every commit that is named here."""
        self.checkpoints = checkpoints
        """What this run leaves for the next one."""
        self.restored = restored
        """What an earlier run has left for this one."""

    @classmethod
    def open(
        cls,
        remote: GitRemote,
        *,
        issue: int,
        folder: Path,
        sandbox: Sandbox,
        base_branch: str | None = None,
        options: WorkspaceOptions = DEFAULT_OPTIONS,
    ) -> Self:
        """Clone what is needed into `folder`, which is private to us and empty, and fill the agent's checkout.

        `base_branch` defaults to the branch that the remote's HEAD names. Raises
        `coordinator.errors.Misconfigured` for what a person has to mend (no repository, no commits, no such branch, a
        refused token, a work branch that is checked out or holds commits of other people only), and
        `coordinator.errors.Unreachable` when the server cannot be reached after all tries.
        """
        where = Remote(remote, options.git, options.remote)
        quick = Remote(remote, options.git, replace(options.remote, seconds=SAVE_LIMITS.seconds, pauses=()))
        start = clone(where, options.git, folder / "clone.git", issue=issue, base_branch=base_branch)
        checkpoints = Checkpoints(
            where, quick, start.repository, issue=issue, base_branch=start.base_branch, seen=start.run_commit
        )
        start, restored = restore(start, checkpoints)
        rules = IgnoreRules(start.repository, start.merge_base, folder / "ignore-rules")
        checkout, absent = make_checkout(start.repository, start.commit, sandbox, work=restored.work)
        reader = Reader(checkout, rules, absent, options.protected_paths, options.changes)
        return cls(where, start, reader, issue=issue, options=options, checkpoints=checkpoints, restored=restored)

    @property
    def checkout(self) -> Path:
        """The folder in which the agent works."""
        return self._reader.checkout

    @property
    def branch(self) -> str:
        """The work branch, ``coordinator/issue-N``."""
        return self._start.branch

    @property
    def base_branch(self) -> str:
        """The branch that the work is meant for."""
        return self._start.base_branch

    @property
    def base_commit(self) -> str:
        """The tip of the base branch when the workspace was opened."""
        return self._start.base_commit

    @property
    def start_commit(self) -> str:
        """The commit that the checkout was filled from: the tip of the work branch, else that of the base branch."""
        return self._start.commit

    @property
    def merge_base(self) -> str:
        """The commit of the base branch on which the work stands; the candidates are judged against it."""
        return self._start.merge_base

    @property
    def resumed(self) -> bool:
        """Whether the work of an earlier run is being continued."""
        return self._start.commit != self._start.base_commit or self.restored.work is not None

    def candidate(self, summary: str) -> Candidate:
        """Build a commit from the bytes that are in the checkout now. All processes of the agent have to be gone.

        Its parent is the last commit of the work branch; if nothing differs from that, it is that commit itself.
        `summary` is the agent's own and comes out inert.
        """
        entries = self.repository.entries(self._tip)
        changes, notes = self._reader.changes(entries, self._tip)
        tree = write_tree(self.repository, self._tip, changes) if changes else self.repository.tree_of(self._tip)
        commit = self._tip
        if tree != self.repository.tree_of(self._tip):
            message = commit_message(summary, issue=self._issue)
            commit = write_commit(self.repository, tree, [self._tip], message, self._options.identity)
        insertions, deletions = self.repository.line_counts(self.merge_base, commit)
        return Candidate(
            commit=commit,
            tree=tree,
            base=self.merge_base,
            changed_files=tuple(map(shown, self.repository.changed_files(self.merge_base, commit))),
            insertions=insertions,
            deletions=deletions,
            refused_files=notes.refused,
            left_out=notes.left_out,
        )

    def push(self, candidate: Candidate) -> None:
        """Set the work branch of the remote to the candidate, if it is still where we last saw it.

        Raises `BranchMoved` when it is not, or when the base branch was rewritten so that the commit under the work is
        gone from it: pushing would bring back what somebody took out.
        """
        self._check_base()
        self._remote.push(
            self.repository.git_dir,
            commit=candidate.commit,
            ref=f"refs/heads/{self.branch}",
            expected=self._pushed,
        )
        self._pushed = self._tip = candidate.commit

    def save(self, origin: Origin, transcript: bytes, candidate: Candidate, *, with_files: bool) -> None:
        """Leave for the next run what it needs to go on. Raises like `Checkpoints.save`.

        `candidate` is what is in the checkout now; `with_files` says whether it may be shown on the forge.
        """
        about = About(**asdict(origin), issue=self._issue, base=self.merge_base, branch=self._pushed)
        work = candidate.tree if with_files else None
        self.checkpoints.save(about, transcript, work=work, tip=self._tip)

    def base_now(self) -> str:
        """Fetch the base branch once more and return its tip, which may be newer than `base_commit`."""
        self._remote.fetch(self.repository.git_dir, {f"refs/heads/{self.base_branch}": BASE})
        return self.repository.resolve(BASE)

    def _check_base(self) -> None:
        if not self.repository.is_ancestor(self.merge_base, self.base_now()):
            raise BranchMoved(
                f"The branch {self.base_branch} of {self._remote.name} was rewritten while this run worked",
                mend="Run again: the new run starts from what is there now",
            )
