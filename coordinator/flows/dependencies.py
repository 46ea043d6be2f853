"""Finding out what issues wait for: from the forge, from their texts, and from the texts of others that are ours."""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from coordinator.events.standing import standing_requests
from coordinator.forge.models import Dependencies
from coordinator.forge.protocol import Missing
from coordinator.planning.cycles import rotated
from coordinator.planning.dependencies import find_blockers, waits_for
from coordinator.planning.metadata import read_metadata

if TYPE_CHECKING:
    from coordinator.events.permission import Permissions
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge
    from coordinator.planning.dependencies import Blockers
    from coordinator.planning.metadata import PartialMetadata

MOST_FOLLOWED = 100
"""Issues behind one issue that are looked at to see whether it waits for itself. Chains that people make are shorter,
and nobody can make a run ask the forge without end by what he writes."""


_IGNORED = "what it says that it blocks is ignored: nobody who may start runs has written it or asked for it"


class DependencyReader:
    """Reads what issues wait for, each issue at most once.

    Anybody may write an issue, and on Gitea even open it assigned and labelled. So the text of one holds up *others*
    only if it is ours, and somebody who may start runs has written it or asked for it. A forge that cannot be reached
    is an error, never a missing issue.
    """

    def __init__(self, forge: Forge, *, assignee: str, label: str, permissions: Permissions) -> None:
        """Ask for all that is ours."""
        self._forge = forge
        self._names = {"trigger_assignee": assignee, "trigger_label": label}
        self._permissions = permissions
        self._taken: set[int] = set()
        self._repository = forge.repository().full_name
        self._ours = {issue.number: issue for issue in forge.find_issues(assignee=assignee, label=label)}
        self._others: dict[int, Issue | None] = {}
        self._said: dict[int, PartialMetadata] = {}
        self._native: dict[int, Dependencies] = {}

    @property
    def ours(self) -> tuple[Issue, ...]:
        """The open issues that are ours, by number."""
        return tuple(self._ours[number] for number in sorted(self._ours))

    def take(self, issue: Issue) -> None:
        """Take an issue as one of ours, and as it is given, whatever the forge has of it."""
        self._ours[issue.number] = issue
        self._taken.add(issue.number)

    def state(self, number: int) -> Literal["open", "closed"] | None:
        """Return the state of an issue now; None when there is no such issue."""
        issue = self._issue(number)
        return None if issue is None else issue.state

    def said(self, issue: Issue) -> PartialMetadata:
        """Return what the text and the labels of an issue say."""
        if issue.number not in self._said:
            said = read_metadata(issue.body, issue.labels, repository=self._repository)
            if said.blocks and not self._may_hold_up(issue):
                said = said.model_copy(update={"blocks": (), "notes": (*said.notes, _IGNORED)})
            self._said[issue.number] = said
        return self._said[issue.number]

    def native(self, number: int) -> Dependencies:
        """Return the forge's dependencies of an issue. One that is a file only, or is gone, has none."""
        if number not in self._native:
            try:
                self._native[number] = self._forge.dependencies(number)
            except Missing:
                self._native[number] = Dependencies()
        return self._native[number]

    def blockers(self, issue: Issue) -> Blockers:
        """Return what is in the way of one issue, which counts as ours from now on.

        What it waits for is followed, to see whether that leads back to it.
        """
        self.take(issue)
        return find_blockers(
            issue.number,
            native=self.native(issue.number),
            said=self.said(issue),
            named_by=self._said_by.get(issue.number, ()),
            issue_state=self.state,
            cycle=self._find_cycle(issue.number),
            waited_for_by=[other.number for other in self.ours if issue.number in self.said(other).blocked_by],
        )

    @cached_property
    def _said_by(self) -> dict[int, list[int]]:
        """For each issue those of ours whose text says that they block it."""
        found: dict[int, list[int]] = {}
        for issue in self.ours:
            for number in self.said(issue).blocks:
                found.setdefault(number, []).append(issue.number)
        return found

    def _may_hold_up(self, issue: Issue) -> bool:
        """Whether the issue is of somebody, or asked for by somebody, whom other issues may be made to wait for."""
        if issue.number in self._taken or self._permissions.of(issue.author).allowed:
            return True
        standing = standing_requests(issue, self._forge.history(issue.number), **self._names)
        return any(self._permissions.of(entry.by).allowed for entry in standing)

    def _issue(self, number: int) -> Issue | None:
        if number in self._ours:
            return self._ours[number]
        if number not in self._others:
            try:
                self._others[number] = self._forge.issue(number)
            except Missing:
                self._others[number] = None
        return self._others[number]

    def _waits_for(self, number: int) -> tuple[int, ...]:
        """Return what an issue waits for, open or not; nothing for one that is closed or does not exist."""
        issue = self._issue(number)
        if issue is None or issue.state == "closed":
            return ()
        named_by = self._said_by.get(number, ())
        return waits_for(number, native=self.native(number), said=self.said(issue), named_by=named_by)

    def _find_cycle(self, start: int) -> tuple[int, ...]:
        """Return a shortest cycle through an issue; empty where there is none among the nearest `MOST_FOLLOWED`."""
        came_from = {start: start}
        ahead = deque([start])
        before = len(self._others)
        while ahead and max(len(came_from), len(self._others) - before) <= MOST_FOLLOWED:
            number = ahead.popleft()
            for other in self._waits_for(number):
                if other == start:
                    return rotated(_way(number, came_from))
                if other not in came_from:
                    came_from[other] = number
                    ahead.append(other)
        return ()


def _way(number: int, came_from: dict[int, int]) -> list[int]:
    """Return how an issue was come to, from the start on."""
    way = [number]
    while came_from[way[-1]] != way[-1]:
        way.append(came_from[way[-1]])
    return way[::-1]
