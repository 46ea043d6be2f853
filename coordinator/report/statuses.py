"""Commit statuses: one per gate, and ``coordinator`` for the whole, which is the one to require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.forge.models import CommitStatus, StatusState
from coordinator.report.inert import is_web_address, one_line, visible
from coordinator.report.models import is_accepted
from coordinator.report.words import verdict_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coordinator.gates.protocol import GateResult, Verdict

WHOLE = "coordinator"
DESCRIPTION_LIMIT = 140
"""Characters (docs.github.com, "Create a commit status")."""


def pending_statuses(gates: Iterable[str], *, target_url: str = "") -> tuple[CommitStatus, ...]:
    """Return the statuses while the gates run."""
    contexts = [WHOLE, *(f"{WHOLE}/{gate}" for gate in gates)]
    return tuple(_status(context, StatusState.PENDING, "the gates are running", target_url) for context in contexts)


def verdict_statuses(
    verdict: Verdict,
    *,
    redact: Callable[[str], str],
    target_url: str = "",
) -> tuple[CommitStatus, ...]:
    """Return the statuses of a verdict. Never a success when nothing was checked."""
    gates = [
        _status(f"{WHOLE}/{result.gate}", _state(result), redact(visible(result.message)), target_url)
        for result in verdict.gates
    ]
    state, words = _whole(verdict)
    return (_status(WHOLE, state, words, target_url), *gates)


def left_out_statuses(gates: Iterable[str], *, target_url: str = "") -> tuple[CommitStatus, ...]:
    """Return the statuses of gates that turned out to be none of this project's, so that none stays pending."""
    words = "left out: no gate of this project"
    return tuple(_status(f"{WHOLE}/{gate}", StatusState.SUCCESS, words, target_url) for gate in gates)


def failed_statuses(gates: Iterable[str], reason: str, *, target_url: str = "") -> tuple[CommitStatus, ...]:
    """Return the statuses of a run that ended without a verdict, so that nothing stays pending for ever."""
    contexts = [WHOLE, *(f"{WHOLE}/{gate}" for gate in gates)]
    return tuple(_status(context, StatusState.ERROR, reason, target_url) for context in contexts)


def _state(result: GateResult) -> StatusState:
    if result.passed:
        return StatusState.SUCCESS
    return StatusState.ERROR if result.details.get("state") == "error" else StatusState.FAILURE


def _whole(verdict: Verdict) -> tuple[StatusState, str]:
    if not verdict.gates:
        return StatusState.ERROR, "nothing was checked"
    state = StatusState.SUCCESS if is_accepted(verdict) else StatusState.FAILURE
    return state, verdict_words(verdict)


def _status(context: str, state: StatusState, description: str, target_url: str) -> CommitStatus:
    return CommitStatus(
        context=one_line(context, 100),
        state=state,
        description=one_line(description, DESCRIPTION_LIMIT),
        target_url=target_url if is_web_address(target_url) else "",
    )
