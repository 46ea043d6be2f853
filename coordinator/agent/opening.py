"""How an agent step begins that goes on with an earlier one: with the conversation as it was, or with a text about it.

A history is bound to what it was said under: a thinking block is signed over system prompt, tools and all messages
before it, and another model cannot take it at all. It also speaks of files that have to be there. So it is sent again
only where all of that is the same; otherwise a new conversation starts, with text alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.agent.handoff import handoff_message, render_tail
from coordinator.agent.protocol import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coordinator.agent.protocol import ModelEndpoint, WorkState
    from coordinator.agent.replay import Replay
    from coordinator.agent.reply import Block, Message

HANDOFF_SHARE = 0.5
"""Of the room for a prompt: a handoff that fills more would soon have to be written again."""
_NOTHING_TO_SAY = frozenset({Ending.ACCEPTED, Ending.DECLINED})
"""After these a new conversation starts from the task alone: it is done, or the model would refuse again."""
_BROKEN_OFF = frozenset({None, Ending.FAILED})
"""After these the conversation itself is as good as ever."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How the next agent step begins."""

    messages: tuple[Message, ...]
    """The history to start with; empty for a new conversation that starts with the task."""
    how: str
    """One line for the log."""
    note: str = ""
    """What has to outlive the next reset and the next kill."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What has become of the things that a conversation is about, since it was broken off."""

    moved: str = ""
    """Why the files of the checkout are not those that the conversation left, in one line; empty where they are."""
    rewritten: bool = False
    """Whether the text of the issue is another one."""
    rebound: bool = False
    """Whether model, system prompt or tools are others (`binding`)."""


def binding(endpoint: ModelEndpoint, system: str, tools: Sequence[Block]) -> str:
    """Return a digest of what a history is bound to."""
    parts = [endpoint.profile, endpoint.model, endpoint.vendor_features, system, list(tools)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def make_opening(
    replay: Replay | None, task: str, *, since: Circumstances, state: Callable[[], WorkState], endpoint: ModelEndpoint
) -> Opening:
    """Return how to go on with what is left of an earlier conversation; `task` is the first message of a new one."""
    if replay is None or replay.ending in _NOTHING_TO_SAY:
        return Opening((), "a new conversation")
    reasons = [*_reasons(replay, since, endpoint)]
    if not reasons:
        return Opening(replay.messages, f"the conversation goes on after {replay.turns} turns", replay.note)
    note = "\n\n".join(part for part in (_history(replay, reasons), replay.note) if part)
    room = int(HANDOFF_SHARE * (endpoint.context_limit - endpoint.max_output_tokens))
    tail = render_tail(replay.messages[1:])
    text = handoff_message(task, note=note, state=state(), tail=tail, limit_tokens=room)
    message: Message = {"role": "user", "content": [{"type": "text", "text": text}]}
    return Opening((message,), f"a new conversation, told of the earlier one: {'; '.join(reasons)}", replay.note)


def _reasons(replay: Replay, since: Circumstances, endpoint: ModelEndpoint) -> Iterator[str]:
    """Give what keeps a history from being sent again as it was, one line each."""
    if (replay.profile, replay.model) != (endpoint.profile, endpoint.model):
        yield f"it was led by {replay.profile} ({replay.model})"
    elif since.rebound:
        yield "the system prompt or the tools have changed"
    if since.moved:
        yield since.moved
    if since.rewritten:
        yield "the issue has been edited; what it says above is what counts"
    if replay.ending not in _BROKEN_OFF:
        yield f"it had ended ({replay.ending}): {replay.reason or 'no reason is known'}"
    if not replay.faithful:
        yield "its record is not complete"


def _history(replay: Replay, reasons: Sequence[str]) -> str:
    lines = [f"- {reason}" for reason in reasons]
    return "\n".join([f"An earlier run worked on this issue for {replay.turns} turns. Since then:", *lines])
