"""The conversation of one agent step, over all its resets: there is always one, and it has room for a request."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from coordinator.agent.compaction import LARGEST_START, Subject
from coordinator.agent.context import ContextAction
from coordinator.agent.conversation import Conversation
from coordinator.agent.failures import ContextOverflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coordinator.agent.budget import Budget
    from coordinator.agent.compaction import CompactionResult, ContextCompactor
    from coordinator.agent.context import ContextMonitor
    from coordinator.agent.failures import RequestRefused
    from coordinator.agent.reply import Block, Message, Reply
    from coordinator.agent.transcript import Transcript

log = logging.getLogger(__name__)

FREE_RESETS = 10
TURNS_PER_RESET = 5
"""An agent step may begin anew ten times, and once more for every five turns. What buys fewer turns on the average
costs more in prompts and lost knowledge than it frees; agents were seen to do nothing else (copilot-cli#3157)."""
SMALL_SHARE = 0.1
"""Of the limit: a conversation that the server refused may be followed by one of this size, even where it was small
itself. By our count it is far from full then, so there is nothing to be won by leaving out what is known."""


class History:
    """Keeps the conversation on record, and replaces it before it is too long."""

    def __init__(
        self,
        subject: Subject,
        opening: Sequence[Message],
        *,
        overhead_tokens: int,
        monitor: ContextMonitor,
        compactor: ContextCompactor,
        transcript: Transcript,
        budget: Budget,
        on_reset: Callable[[CompactionResult], None],
    ) -> None:
        """Begin with `opening`, or with the task where there is none."""
        self.conversation = Conversation(opening or subject.task, overhead_tokens=overhead_tokens)
        self.resets = 0
        self.subject = subject
        self._monitor = monitor
        self._compactor = compactor
        self._transcript = transcript
        self._budget = budget
        self._on_reset = on_reset
        self._least = Conversation(subject.task, overhead_tokens=overhead_tokens).estimate
        for message in self.conversation.messages:
            transcript.write("message", **message)

    @property
    def share(self) -> float:
        """How full the context is: 0 to 1 and above."""
        return self._monitor.share(self.conversation.tokens)

    def append_reply(self, reply: Reply) -> None:
        """Append and record what the model said, and what it cost."""
        self._transcript.write("message", **self.conversation.append_reply(reply))
        self.record_usage()

    def append_answer(self, answer: list[Block]) -> None:
        """Append and record what the model is told."""
        self._transcript.write("message", **self.conversation.append_user(answer))

    def record_usage(self) -> None:
        """Record what was used so far."""
        self._transcript.write("usage", **self._budget.usage.model_dump(), cost_usd=self._budget.cost_usd)

    def judged(self, verdict: str) -> None:
        """Take note of what a submission was told."""
        self.subject = replace(self.subject, verdict=verdict)

    def overflowed(self) -> None:
        """Take note that the server had no room for the conversation."""
        self._monitor.overflowed(self.conversation.tokens)

    def refused(self, error: RequestRefused) -> None:
        """Take note that the server found the history itself unsound. Raises the error where there is none yet."""
        if len(self.conversation.messages) == 1:
            raise error
        self._monitor.trigger_rotation()

    def make_room(self) -> None:
        """Replace the conversation if it is too long for the next request, or if that was asked for.

        Raises `ContextOverflow` with sizes when the task alone is too large, when a new conversation would be nearly as
        large as the old one, or when all of this has happened too often.
        """
        self._check_task()
        tokens = self.conversation.tokens
        action = self._monitor.decide(tokens)
        if action is ContextAction.CONTINUE:
            return
        try:
            self._reset(action)
        except ContextOverflow as error:
            if self._monitor.must_rotate or self._monitor.is_full(tokens):
                raise
            log.warning("the context stays as it is: %s", error.what)
        finally:
            self._monitor.settled()

    def _reset(self, action: ContextAction) -> None:
        self._check_count()
        try:
            new, result = self._build(action)
        finally:
            self.record_usage()
        event = {**asdict(result), "kind": result.kind.value}
        self._transcript.write("reset", **event)
        self._transcript.write("message", **new.messages[0])
        self.conversation, self.resets = new, self.resets + 1
        self.subject = replace(self.subject, note=result.note)
        self._on_reset(result)

    def _build(self, action: ContextAction) -> tuple[Conversation, CompactionResult]:
        limit = self._monitor.limit_tokens
        if action is ContextAction.COMPACT:
            return self._compactor.compact(self.conversation, self.subject, limit)
        least = int(SMALL_SHARE * limit) if self._monitor.must_rotate else 0
        return self._compactor.rotate(self.conversation, self.subject, limit, least_tokens=least)

    def _check_task(self) -> None:
        limit = self._monitor.limit_tokens
        if self._least > LARGEST_START * limit:
            raise ContextOverflow(
                f"The task and the system prompt alone need about {self._least} tokens, more than half of the {limit} "
                "that the profile leaves for a prompt",
                mend="Raise the context_limit of the agent's profile, or split the issue",
            )

    def _check_count(self) -> None:
        turns = self._budget.turns
        if self.resets >= FREE_RESETS + turns // TURNS_PER_RESET:
            raise ContextOverflow(
                f"The context of {self._monitor.limit_tokens} tokens was full {self.resets + 1} times in {turns} turns",
                mend="Raise the context_limit of the agent's profile, or split the issue",
            )
