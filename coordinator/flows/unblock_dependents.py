"""An issue was closed: what was waiting for it alone, and is ours, starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.flows.claim import IN_PROGRESS
from coordinator.flows.queue import find_dependents
from coordinator.flows.starting import Start, Starter
from coordinator.report.models import Outcome

if TYPE_CHECKING:
    from coordinator.flows.starting import Coordination, Started
    from coordinator.forge.models import Issue


def unblock_dependents(coordination: Coordination, closed: Issue) -> tuple[Outcome, str, tuple[Started, ...]]:
    """Start the dependents that nothing else holds up, each once. Raises what forge and store raise."""
    _tidy(coordination, closed.number)
    settings = coordination.settings
    dependents = find_dependents(
        coordination.forge,
        closed,
        assignee=settings.trigger_assignee,
        label=settings.trigger_label,
        permissions=coordination.permissions,
    )
    starter = Starter(coordination)
    started: list[Started] = []
    for dependent in dependents:
        if dependent.held_up:
            coordination.say(f"issue #{dependent.number} is not free yet: {dependent.reason}")
            continue
        one = starter.start(dependent.number)
        if one.start is Start.PASSED_OVER:
            coordination.say(f"issue #{one.number} is free and was not started: {one.reason}")
        else:
            started.append(one)
    if not started:
        return Outcome.SKIPPED, f"nothing that could start was waiting for issue #{closed.number} alone", ()
    names = ", ".join(f"#{one.number}" for one in started)
    return Outcome.COMPLETED, f"Issue #{closed.number} was closed; started: {names}", tuple(started)


def _tidy(coordination: Coordination, number: int) -> None:
    """Let go of the closed issue itself; a run that still works on it sees for itself that it is closed."""
    try:
        if coordination.claims.ask_to_stop(number, f"issue #{number} was closed") is None:
            _forget(coordination, number)
            coordination.claims.let_go(number)
            coordination.forge.remove_label(number, IN_PROGRESS)
    except CoordinatorError as error:
        coordination.say(f"warning: issue #{number} could not be let go: {error}")


def _forget(coordination: Coordination, number: int) -> None:
    try:
        coordination.forget(number)
    except CoordinatorError as error:
        coordination.say(f"warning: what was saved for a next run on issue #{number} could not be taken away: {error}")
