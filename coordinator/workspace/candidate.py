"""From the bytes in the agent's checkout to the changes that a commit may hold."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING

from coordinator.workspace.beneath import Beneath
from coordinator.workspace.changes import DEFAULT_LIMITS, Change, ChangeLimits, Notes, Totals, refusal
from coordinator.workspace.paths import ALWAYS_PROTECTED
from coordinator.workspace.tracked import tracked_changes
from coordinator.workspace.untracked import IgnoreRules, UntrackedFiles, folders_above, new_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from coordinator.workspace.objects import TreeEntry


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one checkout. Nothing in it is believed: not its git directory, not its ``.gitignore`` files."""

    checkout: Path
    rules: IgnoreRules
    """Of the base: what they ignore does not count as work."""
    absent: frozenset[str]
    """Paths of the first commit that were never written into the checkout."""
    protected_paths: tuple[str, ...] = ()
    """Glob patterns beside `ALWAYS_PROTECTED`."""
    limits: ChangeLimits = DEFAULT_LIMITS

    def changes(self, entries: Sequence[TreeEntry], like: str) -> tuple[list[Change], Notes]:
        """Return what differs from the entries of a tree and may be committed, and what may not.

        `like` is an object id of the repository. All processes of the agent have to be gone.
        """
        notes = Notes()
        totals = Totals(self.limits)
        accepted: list[Change] = []
        for change in self._allowed(entries, notes, like):
            reason = totals.refusal(change)
            if reason:
                notes.refuse(change.path, f"this and every later change: {reason}")
                break
            accepted.append(change)
        return list(_without_collisions(accepted, entries, notes)), notes

    def _allowed(self, entries: Sequence[TreeEntry], notes: Notes, like: str) -> Iterator[Change]:
        protected = (*ALWAYS_PROTECTED, *self.protected_paths)
        with Beneath(self.checkout) as tracked, Beneath(self.checkout) as untracked:
            old = tracked_changes(tracked, entries, self.absent, notes, self.limits)
            paths = self._counting(UntrackedFiles(untracked, entries, notes, self.limits).find(), notes)
            new = new_changes(untracked, paths, notes, self.limits, like=like)
            for change in merge(old, new, key=lambda each: each.path):
                reason = refusal(change, protected, self.limits)
                if reason:
                    notes.refuse(change.path, reason)
                else:
                    yield change

    def _counting(self, paths: Sequence[str], notes: Notes) -> list[str]:
        ignored = self.rules.ignored(paths)
        for path in sorted(ignored):
            notes.leave_out(path, "ignored by the base's .gitignore")
        return [path for path in paths if path not in ignored]


def _without_collisions(changes: Sequence[Change], entries: Sequence[TreeEntry], notes: Notes) -> Iterator[Change]:
    """Give the changes but for those that need a file and a folder of one name, because a refused one stays."""
    changed = {change.path for change in changes}
    kept = {entry.path for entry in entries} - changed
    folders = {folder for path in kept for folder in folders_above(path)}
    for change in changes:
        collides = change.path in folders or any(folder in kept for folder in folders_above(change.path))
        if change.mode is not None and collides:
            notes.refuse(change.path, "what may not be changed is in its way")
        else:
            yield change
