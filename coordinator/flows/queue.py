"""Reading the queue from a forge, and what of it waits for one issue."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from coordinator.flows.dependencies import DependencyReader
from coordinator.flows.starting import RESERVED_SECONDS
from coordinator.planning.queue import Candidate, plan_queue, unknown_blockers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coordinator.events.permission import Permissions
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge
    from coordinator.planning.queue import Queue
    from coordinator.state.claims import Claims


def read_queue(
    forge: Forge,
    *,
    assignee: str,
    label: str,
    permissions: Permissions,
    working: Mapping[int, str],
    answered: Mapping[int, str] = MappingProxyType({}),
    more: Iterable[Issue] = (),
) -> Queue:
    """Read all open issues that are ours, and order them. Raises what the forge raises.

    Asks once for the list, once for the dependencies of each issue, and once for the state of each blocker that is not
    among them. `working` says of the issues that a run has, which run, `answered` of those that one has worked on, how
    that ended. Issues in `more` count as ours as well.
    """
    reader = DependencyReader(forge, assignee=assignee, label=label, permissions=permissions)
    for issue in more:
        reader.take(issue)
    # All texts before the first request: read in turn with requests, they take twice the processor time.
    said = [(issue, reader.said(issue)) for issue in reader.ours]
    candidates = [Candidate(issue, reader.native(issue.number), words) for issue, words in said]
    outside = {number: reader.state(number) for number in unknown_blockers(candidates)}
    return plan_queue(candidates, outside=outside, working=working, answered=answered)


def runs_at_work(claims: Claims) -> dict[int, str]:
    """Return the issues that a run has or was started for, each with which one. Raises what the store raises."""
    started = dict.fromkeys(sorted(claims.reserved(RESERVED_SECONDS)), "a run was started for it")
    return {**started, **{number: f"run {claim.run} works on it" for number, claim in claims.living().items()}}


def runs_that_answered(claims: Claims) -> dict[int, str]:
    """Return the issues that a run has worked on as they were asked for last, each with how that ended."""
    return {
        number: f"run {issue.answered_by} has worked on it: {issue.runs[-1].outcome}"
        for number, issue in claims.records().items()
        if issue.answered is not None and issue.runs and not issue.waiting
    }


@dataclass(frozen=True, slots=True)
class Dependent:
    """An issue of ours that was waiting for another one."""

    number: int
    held_up: bool
    """Whether anything else is still in its way."""
    reason: str
    """One line on what that is; empty when it is free."""


def find_dependents(
    forge: Forge, closed: Issue, *, assignee: str, label: str, permissions: Permissions
) -> tuple[Dependent, ...]:
    """Return the open issues of ours that wait for a closed one, by number, and what else is in their way.

    The text of the closed issue may only name issues that are ours already, and each of them is judged as it is now.
    Raises what the forge raises.
    """
    reader = DependencyReader(forge, assignee=assignee, label=label, permissions=permissions)
    freed = {*reader.native(closed.number).blocks, *reader.said(closed).blocks}
    found = []
    for issue in reader.ours:
        names_it = closed.number in reader.said(issue).blocked_by
        if issue.number != closed.number and (names_it or issue.number in freed):
            blockers = reader.blockers(issue)
            found.append(Dependent(issue.number, blockers.any, blockers.reason))
    return tuple(found)
