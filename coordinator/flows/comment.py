"""The one comment of a run, edited in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.report.comment import comment_body, find_own
from coordinator.report.words import headline

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.forge.protocol import Forge
    from coordinator.report.redaction import CleanReport

SECONDS_BETWEEN_EDITS = 20.0
"""For what is not urgent. Every edit is an event on the forge, and a mail to nobody's joy on some."""


class IssueComment:
    """Our comment on one issue: found by marker and author, or made. A `coordinator.flows.journal.Publisher`."""

    def __init__(self, forge: Forge, number: int, clock: Callable[[], float]) -> None:
        """`clock` gives monotonic seconds."""
        self._forge = forge
        self._number = number
        self._clock = clock
        self._comment_id: int | None = None
        self._edited_at = float("-inf")
        self._body = ""

    def publish(self, report: CleanReport, *, urgent: bool) -> str | None:
        """Bring the comment up to date. A forge that does not take it never ends the run: its answer is returned."""
        now = self._clock()
        if not urgent and now - self._edited_at < SECONDS_BETWEEN_EDITS:
            return None
        body = comment_body(report)
        if body == self._body:
            return None
        try:
            self._write(body)
        except CoordinatorError as error:
            return str(error)
        self._edited_at, self._body = now, body
        return None

    def publish_news(self, report: CleanReport) -> str | None:
        """Publish unless the comment says the same already: a sweep by the clock must not edit it each time."""
        try:
            own = find_own(self._forge.comments(self._number), self._forge.myself(), self._number)
        except CoordinatorError as error:
            return str(error)
        return None if own and headline(report) in own.body else self.publish(report, urgent=True)

    def _write(self, body: str) -> None:
        if self._comment_id is None:
            own = find_own(self._forge.comments(self._number), self._forge.myself(), self._number)
            self._comment_id = own.id if own else self._forge.create_comment(self._number, body).id
            if own is None:
                return
        self._forge.update_comment(self._comment_id, body)
