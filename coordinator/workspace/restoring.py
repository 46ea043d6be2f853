"""Putting the files of an earlier run back, where the work branch has not gone on without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.workspace.git import GitFailed

if TYPE_CHECKING:
    from coordinator.workspace.checkpoint import Checkpoint, Checkpoints
    from coordinator.workspace.clone import Start


@dataclass(frozen=True, slots=True)
class Restored:
    """What an earlier run has left, and what became of its files."""

    checkpoint: Checkpoint | None
    work: str | None = None
    """Tree that the checkout is filled from; None for that of the commit that the run starts from."""
    moved: str = ""
    """Why the files in the checkout are not those of the checkpoint, in one line; empty where they are."""
    warning: str = ""
    """Why the checkpoint cannot be used; empty where it can."""


def restore(start: Start, checkpoints: Checkpoints) -> tuple[Start, Restored]:
    """Return where the run starts, with what an earlier one has left in the forge.

    The checkpoint's files count only on top of the very commit that they were made on, and only while the work branch
    is where that run has last seen it: what somebody has pushed since is not taken back. Raises `Unreachable` when the
    forge does not give the checkpoint: to start without it would be to lose it.
    """
    if not checkpoints.is_there:
        return start, Restored(None)
    try:
        found = checkpoints.load()
    except Misconfigured as error:
        return start, Restored(None, warning=str(error))
    if found.work is None:
        return start, Restored(found, moved="its files were not kept, because a secret was among them")
    if start.repository.tree_of(start.commit) == found.work:
        return start, Restored(found)
    moved = _why_moved(start, found)
    if moved:
        return start, Restored(found, moved=moved)
    return _on_its_own_commit(start, found), Restored(found, work=found.work)


def _why_moved(start: Start, found: Checkpoint) -> str:
    if start.work_commit != found.about.branch:
        return f"the branch {start.branch} was changed by somebody else; the checkout holds what is there now"
    if start.work_commit is None and _is_ancestor(start, found.tip):
        return ""
    if start.commit == found.tip:
        return ""
    return f"the branch {start.base_branch} took the work in or was rewritten; the checkout holds what is there now"


def _is_ancestor(start: Start, commit: str) -> bool:
    try:
        return start.repository.is_ancestor(commit, start.base_commit)
    except GitFailed:
        return False


def _on_its_own_commit(start: Start, found: Checkpoint) -> Start:
    """Start from the commit that the files were made on: on a newer one they would take back what came since."""
    if start.commit == found.tip:
        return start
    return replace(start, commit=found.tip, merge_base=found.tip)
