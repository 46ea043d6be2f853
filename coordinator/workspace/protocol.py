"""What comes out of the workspace: commits that the coordinator itself has built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit built by the coordinator from the bytes in the agent's checkout."""

    commit: str
    tree: str
    base: str
    """The base commit that it is judged against."""
    changed_files: tuple[str, ...]
    """Paths that differ from the base, sorted, ``/``-separated."""
    insertions: int
    deletions: int
    refused_files: tuple[str, ...]
    """What was left out of the commit and why, one line each: ``path: reason``."""
    left_out: tuple[str, ...] = ()
    """New files that do not count as work (ignored by the base, left by a build), one line each; no caches."""

    @property
    def empty(self) -> bool:
        """Whether nothing differs from the base."""
        return not self.changed_files
