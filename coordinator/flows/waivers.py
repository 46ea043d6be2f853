"""What persons with the right to have waived, read from the forge at the moment of the judgement.

A waiver is a line ``Gate-Allow: KIND WHAT`` in a comment of the issue or of the pull request, or the label
``gate-allow`` on one of them, which waives all that can be waived. It counts by whose it is: the comment's author, or
who put the label on as the forge's history tells, has to have write access now. Nothing in the branch is ever one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.events.text import fold, one_line
from coordinator.events.verify import ACTIONS_USER
from coordinator.forge.models import Change
from coordinator.gates.integrity.findings import ANYTHING, WAIVER_LABEL, WAIVER_WORD, Waiver
from coordinator.report.sections import MARKER
from coordinator.workspace.clone import work_branch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from coordinator.events.permission import Permissions
    from coordinator.forge.models import Account
    from coordinator.forge.protocol import Forge

MOST_WAIVERS = 1000
"""In one comment."""
LINE = re.compile(rf"{re.escape(WAIVER_WORD)}\s*(?P<kind>[a-z][a-z0-9-]{{0,40}})\s+(?P<what>\S.*)")


@dataclass(frozen=True, slots=True)
class WaiverDesk:
    """Reads the waivers on issues and pull requests."""

    forge: Forge
    permissions: Permissions
    warn: Callable[[str], None]
    """Told about waivers that do not count, and about a forge that does not answer."""

    def of_work(self, issue: int | None, *, head: str, base: str) -> tuple[Waiver, ...]:
        """Return the waivers on an issue and on the open pull request of its work, as `read` does."""
        numbers = [] if issue is None else [issue]
        try:
            pull = self.forge.find_pull_request(head=head, base=base)
        except CoordinatorError as error:
            self.warn(f"Waivers on the pull request could not be read, so none counts: {error}")
            pull = None
        return self.read([*numbers, pull.number] if pull else numbers)

    def read(self, numbers: Iterable[int]) -> tuple[Waiver, ...]:
        """Return the waivers on issues and pull requests; none, and a warning, where the forge does not answer."""
        try:
            return tuple(waiver for number in dict.fromkeys(numbers) for waiver in self._on(number))
        except CoordinatorError as error:
            self.warn(f"Waivers could not be read, so none counts: {error}")
            return ()

    def _on(self, number: int) -> Iterator[Waiver]:
        for comment in self.forge.comments(number):
            lines = () if comment.body.lstrip().startswith(MARKER) else waiver_lines(comment.body)
            if lines and self._may_waive(comment.author):
                yield from (Waiver(kind=kind, what=what, by=comment.author.login) for kind, what in lines)
        holder = self._who_labelled(number)
        if holder is not None and self._may_waive(holder):
            yield Waiver(kind=ANYTHING, what=ANYTHING, by=holder.login)

    def _may_waive(self, account: Account) -> bool:
        """Return whether an account may, with a warning when not.

        The coordinator's own account never may: its token is near the work. On a person's own machine it is the
        person's, and what the coordinator writes is told by the marker alone.
        """
        why = self._why_not(account)
        if why:
            self.warn(f"A waiver of @{one_line(account.login)} does not count: {why}")
        return not why

    def _why_not(self, account: Account) -> str:
        if self.forge.kind == "local":
            return "" if account.id == self.forge.myself().id else "not the account of this machine"
        if account.id in {self.forge.myself().id, ACTIONS_USER.get(self.forge.kind)}:
            return "it is the account that the coordinator itself writes with"
        right = self.permissions.of(account)
        return "" if right.allowed else right.reason

    def _who_labelled(self, number: int) -> Account | None:
        """Return who put the label on that an issue has now; None without one, or when the history does not tell."""
        if WAIVER_LABEL not in map(fold, self.forge.issue(number).labels):
            return None
        entries = [entry for entry in self.forge.history(number) if fold(entry.subject) == WAIVER_LABEL]
        last = next((entry for entry in reversed(entries) if entry.change in {Change.LABELED, Change.UNLABELED}), None)
        return last.by if last is not None and last.change is Change.LABELED else None


def waiver_lines(body: str) -> tuple[tuple[str, str], ...]:
    """Return kind and subject of the waivers in a comment, the first ones of very many.

    Each is a line of its own, also as an item of a list or as code; never one behind ``>``: that is a quotation.
    """
    lines = (line.strip().removeprefix("- ").removeprefix("* ").strip(" \t`") for line in body.splitlines())
    found = (match.group("kind", "what") for match in map(LINE.fullmatch, lines) if match is not None)
    return tuple((kind, what) for kind, what in islice(found, MOST_WAIVERS))


def issue_of(branch: str) -> int | None:
    """Return the issue that a work branch of the coordinator is for; None for any other branch."""
    number = branch.rpartition("-")[2]
    return int(number) if number.isdecimal() and number.isascii() and work_branch(int(number)) == branch else None
