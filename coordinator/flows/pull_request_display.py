"""What people see of the check of a pull request: the statuses of its head, and the one comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError, Unreachable
from coordinator.flows.comment import IssueComment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coordinator.events.models import EventPullRequest
    from coordinator.forge.models import CommitStatus
    from coordinator.forge.protocol import Forge
    from coordinator.report.redaction import CleanReport


class HeadComment:
    """The comment of a pull request, for as long as one commit is its head. A `coordinator.flows.journal.Publisher`.

    The check of an older push may end after that of a newer one, and both write the same comment.
    """

    def __init__(self, forge: Forge, pull: EventPullRequest, clock: Callable[[], float]) -> None:
        """`clock` gives monotonic seconds."""
        self._forge = forge
        self._pull = pull
        self._comment = IssueComment(forge, pull.number, clock)

    def publish(self, report: CleanReport, *, urgent: bool) -> str | None:
        """Bring the comment up to date, unless there is a newer push. What the forge does not take is returned."""
        try:
            if self._forge.pull_request(self._pull.number).head_commit != self._pull.head_commit:
                return None
        except CoordinatorError as error:
            return str(error)
        return self._comment.publish(report, urgent=urgent)


class HeadStatuses:
    """The statuses of one commit. A forge that does not take them never ends the check."""

    def __init__(self, forge: Forge, commit: str, warn: Callable[[str], None]) -> None:
        self._forge = forge
        self._commit = commit
        self._warn = warn

    def set(self, statuses: Iterable[CommitStatus]) -> None:
        """Set each one by itself, so that one that is refused leaves no other behind; a dead forge is asked once."""
        failures: list[str] = []
        for status in statuses:
            try:
                self._forge.set_statuses(self._commit, (status,))
            except CoordinatorError as error:
                failures.append(str(error))
                if isinstance(error, Unreachable):
                    break
        if failures:
            self._warn(f"the commit statuses could not be set: {failures[0]}")
