"""The text that a new conversation begins with when it takes the place of an earlier one.

It is text alone. A call without its result is refused by every Messages API, and a thinking block is signed over all
that stood before it, so nothing of the earlier history is carried over as it was.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from coordinator.agent.conversation import BYTES_PER_TOKEN, json_bytes
from coordinator.agent.untrusted import Fence, inert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coordinator.agent.protocol import WorkState
    from coordinator.agent.reply import Block, Message

LONGEST_NOTE = 24_000
"""Characters: what a reply of `coordinator.agent.notes.NOTE_TOKENS` holds at most."""
LONGEST_STATE = 8_000
LONGEST_VERDICT = 16_000
"""Characters; as many as of an earlier run's rejection (`coordinator.agent.prompt`)."""
NOTE_SHARE, STATE_SHARE = 2, 4
"""Where the limit is small: at most the half of the room beside the task is for the note, and a quarter each for the
state of the checkout and the verdict."""
LONGEST_STEP = 1_500
"""Characters of one call, one result or one remark among the last steps."""
LONGEST_NEWEST = 6_000
"""Characters of one result of the newest step, which the model may not have seen yet."""
TAIL_TOKENS = 16_000
LEAST = 200
"""Bytes: less of a text is not worth its heading."""
FRAME = 900
"""Bytes of JSON for headings, fences and notes on what was cut, rather too many."""

INTRODUCTION = (
    "You have worked on this for a while. The conversation so far was too long to be kept; what you need of it follows."
)
GO_ON = (
    "Go on with the work now, with a tool call. What the note calls done or decided is settled: do not plan it again, "
    "and do not try again what failed. The files may differ from what the last steps show, so read a file before you "
    "edit it. When everything is done and the checks pass, call submit."
)
NOTE = "Your note on the work so far:"
NO_NOTE = "There is no note on the work so far; the last steps and the checkout say what was done."
STATE = "The checkout now:"
VERDICT = "What the gates said to your last submission:"
STEPS = "Your last steps, shortened, the newest last:"
CUT = "[… earlier steps left out …]\n"
CUT_END = "\n[… the rest is left out …]"
NEW_LINE = "\n"


def handoff_message(task: str, *, note: str, state: WorkState, tail: str, limit_tokens: int, nonce: str = "") -> str:
    """Return the first message of the new conversation: the task word for word, and what is known of the work.

    The tail is cut at its beginning so that the message stays within `limit_tokens`, as `estimate_tokens` counts them.
    Of note, state and verdict only what is too long for their share is cut; of the task nothing ever is, so a message
    whose task alone is beyond the limit is too.
    """
    fence = Fence(nonce)
    size = limit_tokens * BYTES_PER_TOKEN
    room = size - FRAME - json_bytes(f"{task}\n\n{INTRODUCTION}\n\n{GO_ON}")
    parts = [task, INTRODUCTION, *_known(note, state, room, fence)]
    left = size - FRAME - json_bytes("\n\n".join([*parts, GO_ON]))
    if steps := _newest(inert(tail).strip(), left):
        parts += [STEPS, fence.around("steps", steps)]
    return "\n\n".join([*parts, GO_ON])


def _known(note: str, state: WorkState, room: int, fence: Fence) -> Iterator[str]:
    """Give note, state and verdict, each bounded: they are written by the model, or from what files and tests print."""
    note = _oldest(inert(note[:LONGEST_NOTE]).strip(), room // NOTE_SHARE)
    yield from (NOTE, fence.around("note", note)) if note else (NO_NOTE,)
    git = _oldest(inert(state.git[:LONGEST_STATE]).strip(), room // STATE_SHARE)
    yield from (STATE, fence.around("checkout", git)) if git else ()
    verdict = _oldest(inert(state.verdict[:LONGEST_VERDICT]).strip(), room // STATE_SHARE)
    yield from (VERDICT, fence.around("verdict", verdict)) if verdict else ()


def _oldest(text: str, size: int) -> str:
    """Return the beginning of a text in at most `size` bytes of JSON; empty if that is little."""
    kept = _fitted(text, size, lambda text, characters: text[:characters])
    return kept if kept == text else f"{kept}{CUT_END}" if kept else ""


def _newest(text: str, size: int) -> str:
    """Return the end of a text, from a new line on, in at most `size` bytes of JSON; empty if that is little."""
    kept = _fitted(text, size, lambda text, characters: text[-characters:])
    return kept if kept == text else f"{CUT}{kept.partition(NEW_LINE)[2] or kept}" if kept else ""


def _fitted(text: str, size: int, part: Callable[[str, int], str]) -> str:
    """Return a part of a text in at most `size` bytes of JSON; empty where that would be less than `LEAST`."""
    while (whole := json_bytes(text)) > size:
        if size < LEAST:
            return ""
        text = part(text, min(len(text) * size // whole, len(text) - 1))
    return text


def render_tail(messages: Sequence[Message], *, limit_tokens: int = TAIL_TOKENS) -> str:
    """Return the last steps as text, the newest last: as many whole messages as about `limit_tokens` hold.

    The newest one is always told, in the half of the room at most. Thinking is left out: it belongs to the conversation
    that it was thought in.
    """
    if not messages:
        return ""
    *earlier, newest = messages
    room = limit_tokens * BYTES_PER_TOKEN
    longest = min(LONGEST_NEWEST, room // 2 // len(newest["content"]))
    rendered = [_rendered(newest, longest)]
    for message in reversed(earlier):
        text = _rendered(message, LONGEST_STEP)
        room -= json_bytes(text)
        if room < json_bytes(rendered[0]):
            break
        rendered.append(text)
    return "\n".join(text for text in reversed(rendered) if text)


def _rendered(message: Message, longest_result: int) -> str:
    return "\n".join(_blocks(message, longest_result))


def _blocks(message: Message, longest_result: int) -> Iterator[str]:
    said = "You said" if message["role"] == "assistant" else "You were told"
    for block in message["content"]:
        match block.get("type"):
            case "text":
                yield f"{said}: {_shortened(str(block.get('text', '')), LONGEST_STEP)}"
            case "tool_use":
                arguments = json.dumps(block.get("input"), ensure_ascii=False)
                yield f"You called {block.get('name')}: {_shortened(arguments, LONGEST_STEP)}"
            case "tool_result":
                kind = "Error" if block.get("is_error") else "Result"
                yield f"{kind}: {_shortened(_result_text(block), longest_result)}"


def _result_text(block: Block) -> str:
    """Return what a call gave: a text, or a list of text blocks, as a history from elsewhere may hold."""
    content = block.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _shortened(text: str, limit: int) -> str:
    """Return head and tail of a text: the end says more often how it went."""
    if len(text) <= limit:
        return text
    head = limit // 3
    return f"{text[:head]} [… {len(text) - limit} characters left out …] {text[head - limit :]}"
