"""Findings on the lines of a pull request: each once, and taken away when it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.gates.change import FileChange
from coordinator.report.line_notes import fingerprint, line_notes, paths_with_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coordinator.forge.models import LineComment, LineNote
    from coordinator.forge.protocol import Forge
    from coordinator.gates.protocol import Verdict
    from coordinator.workspace.objects import TrustedRepository

MOST = 20
"""Comments of ours on one pull request: the whole list is in the one comment, and on the page of the run."""


@dataclass(frozen=True, slots=True)
class LineComments:
    """The coordinator's comments on the lines of one pull request.

    A forge that does not take them never changes a verdict: it costs a warning.
    """

    forge: Forge
    number: int
    redact: Callable[[str], str]
    warn: Callable[[str], None]

    def show(
        self, verdict: Verdict, repository: TrustedRepository, base: str, head: str, *, only_if_newest: bool = False
    ) -> None:
        """Bring the comments in line with a verdict on commit `head`, whose change began at commit `base`.

        With `only_if_newest` nothing is done when there is a newer push by now: its own run has the say.
        """
        try:
            if only_if_newest and self.forge.pull_request(self.number).head_commit != head:
                return
            added = {path: _added(repository, base, head, path) for path in paths_with_findings(verdict)}
            self._settle(head, line_notes(verdict, added, self.redact))
        except CoordinatorError as error:
            self.warn(f"the findings could not be shown on their lines: {error}")

    def _settle(self, head: str, notes: Mapping[str, LineNote]) -> None:
        kept: set[str] = set()
        for comment in self._ours():
            mark = fingerprint(comment.body)
            if (mark in notes and mark not in kept) or comment.answered:
                kept.add(mark)
            else:
                self.forge.remove_line_comment(self.number, comment)
        fresh = [note for mark, note in notes.items() if mark not in kept]
        self.forge.comment_on_lines(self.number, head, fresh[: max(MOST - len(kept), 0)])

    def _ours(self) -> list[LineComment]:
        """Return those that this account has written with a mark: anybody can write a mark."""
        found = [comment for comment in self.forge.line_comments(self.number) if fingerprint(comment.body)]
        mine = self.forge.myself().id if found else 0
        return [comment for comment in found if comment.author.id == mine]


def _added(repository: TrustedRepository, base: str, head: str, path: str) -> frozenset[int]:
    """Return the lines of a file that the change brings; none of one that the head does not have."""
    after = repository.read_file(head, path)
    return FileChange(path, repository.read_file(base, path), after).added_lines if after is not None else frozenset()
