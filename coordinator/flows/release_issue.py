"""An issue is not asked for any more: whoever works on it is told to stop, and what nobody works on is let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.flows.claim import IN_PROGRESS
from coordinator.report.models import Outcome

if TYPE_CHECKING:
    from coordinator.flows.starting import Coordination


def release_issue(coordination: Coordination, number: int, why: str) -> tuple[Outcome, str]:
    """Give the claim on an issue back; return how that ended, in one line.

    A run that works stops at its next turn, with its work on the branch, and says so in the comment. Raises what forge
    and store raise.
    """
    claims = coordination.claims
    before = claims.record(number)
    living = claims.ask_to_stop(number, why)
    if living is not None:
        where = f" ({living.url})" if living.url else ""
        return Outcome.RELEASED, f"The run that works on issue #{number}{where} stops at its next turn: {why}"
    claims.let_go(number)
    try:
        coordination.forge.remove_label(number, IN_PROGRESS)
    except CoordinatorError as error:
        coordination.say(f"warning: the label {IN_PROGRESS} of issue #{number} could not be taken off: {error}")
    if before.claim or before.waiting or before.dispatched_at:
        return Outcome.RELEASED, f"Issue #{number} was released: {why}"
    return Outcome.SKIPPED, f"nobody works on issue #{number}, so there is nothing to release"
