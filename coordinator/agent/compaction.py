"""Replacing a conversation by a short one: compacted with a note of the model, or rotated without asking it.

Both come from one builder (`coordinator.agent.handoff`). The conversation that is replaced is only read, so it is there
until its replacement is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from coordinator.agent.conversation import Conversation
from coordinator.agent.failures import ContextOverflow
from coordinator.agent.handoff import handoff_message, render_tail
from coordinator.agent.protocol import WorkState
from coordinator.errors import CoordinatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.agent.budget import Budget
    from coordinator.agent.notes import NoteTaker

LARGEST_START = 0.5
"""Of the limit: what a conversation may begin with. Fuller ones are soon full again, and each reset costs knowledge."""
LARGEST_REST = 0.6
"""Of the estimate before: a reset that leaves more is not worth it, and the next one would win still less."""


class ResetKind(StrEnum):
    """How a conversation was replaced."""

    COMPACTED = "compacted"
    ROTATED = "rotated"


_TAILS = {ResetKind.COMPACTED: 0.10, ResetKind.ROTATED: 0.25}
"""Shares of the limit for the last steps. Without a new note they have to say more."""


@dataclass(frozen=True, slots=True)
class CompactionResult:
    """What one reset was. Sizes in tokens, in the unit of the last count; their ratio is that of two estimates."""

    kind: ResetKind
    tokens_before: int
    tokens_after: int
    seconds: float
    cost_usd: float
    """Of the calls that the note took, also of one that failed."""
    note: str
    """What the new conversation was told in the model's own words; of a rotation the last note before. Untrusted."""

    @property
    def freed(self) -> int:
        """Tokens that the next prompt is smaller by."""
        return self.tokens_before - self.tokens_after

    @property
    def reduction(self) -> float:
        """Per cent of the size before."""
        return 100 * self.freed / self.tokens_before


@dataclass(frozen=True, slots=True)
class Subject:
    """What a conversation is about: all that a new one is told, whatever was said."""

    task: str
    """The first message, word for word."""
    note: str = ""
    """The last note of the model, if it has written one."""
    verdict: str = ""
    """What the last submission was told."""


class ContextCompactor:
    """Builds the conversation that takes the place of another one."""

    def __init__(self, notes: NoteTaker, *, budget: Budget, work_state: Callable[[], WorkState]) -> None:
        self._notes = notes
        self._budget = budget
        self._work_state = work_state

    def compact(
        self, conversation: Conversation, subject: Subject, limit_tokens: int
    ) -> tuple[Conversation, CompactionResult]:
        """Ask for a note and build on it. Where there is none to be had, this is a rotation.

        `limit_tokens` is what a prompt may hold. Raises `ContextOverflow` when the new conversation would be too large;
        then the old one is all there is.
        """
        meter = _Meter(self._budget)
        note = self._notes.take(conversation)
        kind = ResetKind.COMPACTED if note else ResetKind.ROTATED
        return self._build(kind, conversation, replace(subject, note=note or subject.note), limit_tokens, meter=meter)

    def rotate(
        self, conversation: Conversation, subject: Subject, limit_tokens: int, *, least_tokens: int = 0
    ) -> tuple[Conversation, CompactionResult]:
        """Build from what is known here, without a call of the model. Raises as `compact` does.

        So many tokens the new conversation may have in any case, however small the old one is.
        """
        meter = _Meter(self._budget)
        return self._build(ResetKind.ROTATED, conversation, subject, limit_tokens, meter=meter, least=least_tokens)

    def _build(
        self,
        kind: ResetKind,
        old: Conversation,
        subject: Subject,
        limit_tokens: int,
        *,
        meter: _Meter,
        least: int = 0,
    ) -> tuple[Conversation, CompactionResult]:
        before, overhead = old.estimate, old.overhead_tokens
        most = min(LARGEST_START * limit_tokens, max(LARGEST_REST * before, least))
        text = handoff_message(
            subject.task,
            note=subject.note,
            state=self._state(subject),
            tail=render_tail(old.messages[1:], limit_tokens=int(_TAILS[kind] * limit_tokens)),
            limit_tokens=int(most) - overhead,
        )
        new = Conversation(text, overhead_tokens=overhead)
        if new.estimate > most:
            raise _too_large(new.estimate, before, limit_tokens)
        return new, CompactionResult(
            kind=kind,
            tokens_before=old.tokens,
            tokens_after=round(old.tokens * new.estimate / before),
            seconds=meter.seconds,
            cost_usd=meter.cost_usd,
            note=subject.note,
        )

    def _state(self, subject: Subject) -> WorkState:
        """Return the state of the checkout; that it cannot be read is no reason to lose the rest."""
        try:
            state = self._work_state()
        except CoordinatorError as error:
            state = WorkState(git=f"It could not be read: {error.what}", verdict="")
        return WorkState(git=state.git, verdict=state.verdict or subject.verdict)


class _Meter:
    """What a reset takes from here on."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._started = time.monotonic()
        self._spent = budget.cost_usd

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def cost_usd(self) -> float:
        return self._budget.cost_usd - self._spent


def _too_large(after: int, before: int, limit_tokens: int) -> ContextOverflow:
    return ContextOverflow(
        f"The context of {limit_tokens} tokens is full, and a new conversation with nothing but the task and what is "
        f"known of the work would need {after} tokens again, of {before} before",
        mend="Raise the context_limit of the agent's profile, or split the issue",
    )
