"""Reading a transcript, so that a conversation that was broken off can go on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue, TypeAdapter

from coordinator.agent.mending import answered, is_sound, open_calls
from coordinator.agent.protocol import Ending, Usage
from coordinator.models import Foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coordinator.agent.reply import Message


class _Resumed(Foreign):
    event: Literal["resumed"]
    note: str = ""
    verdict: str = ""


class _Start(Foreign):
    event: Literal["start"]
    profile: str
    model: str


class _Message(Foreign):
    event: Literal["message"]
    role: Literal["user", "assistant"]
    content: list[dict[str, JsonValue]] = Field(min_length=1)
    masked: bool = False


class _Usage(Foreign):
    event: Literal["usage"]
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0


class _Verdict(Foreign):
    event: Literal["verdict"]
    accepted: bool
    final: bool
    text: str


class _Reset(Foreign):
    event: Literal["reset"]
    note: str = ""


class _Cut(Foreign):
    event: Literal["cut"]


class _End(Foreign):
    event: Literal["end"]
    ending: Ending
    reason: str = ""


_Event: TypeAlias = Annotated[
    _Resumed | _Start | _Message | _Usage | _Verdict | _Reset | _Cut | _End, Field(discriminator="event")
]
_EVENT: TypeAdapter[_Event] = TypeAdapter(_Event)
_OBJECT = TypeAdapter(dict[str, JsonValue])
_KNOWN = frozenset({"resumed", "start", "message", "usage", "verdict", "reset", "cut", "end"})


@dataclass(frozen=True, slots=True)
class Replay:
    """What is known of the conversation that a transcript ends with."""

    profile: str
    model: str
    messages: tuple[Message, ...]
    """The history, complete: it alternates, and every call in it has a result. Its last message is one of the user.
    Empty where a kill came right after a reset: then only the note is left of it."""
    note: str = ""
    """The agent's last note on the work, written when its context was emptied; empty if that never happened."""
    verdict: str = ""
    """What the last submission was told; empty if nothing was submitted."""
    accepted: bool = False
    """Whether that submission was accepted."""
    ending: Ending | None = None
    """How the agent step ended; None where it was broken off."""
    reason: str = ""
    """Of the ending, in one line."""
    turns: int = 0
    """Replies of the model since the history began."""
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    open_calls: tuple[str, ...] = ()
    """Identifiers of the calls that nobody had answered."""
    faithful: bool = True
    """Whether the messages are what the model was sent and has said, byte for byte, with nothing missing."""
    warnings: tuple[str, ...] = ()
    """One line each on what of the transcript could not be read."""


def read_transcript(data: bytes) -> Replay | None:
    """Read the conversation that a transcript ends with; None for one in which nothing was said.

    The messages after the last start or reset are the history. Unknown events are skipped, as is a last line that a
    kill tore off. At a damaged line in the middle of the history the reading ends, with a warning: with a hole in it
    the API would refuse it, and a guess at what stood there would be worse than what is known to be true.
    """
    reading = _Reading()
    for event in _events(data):
        reading.take(event)
    return reading.result()


@dataclass(frozen=True, slots=True)
class _Damaged:
    """A line that cannot be read, counted from 1."""

    line: int
    why: str


def _events(data: bytes) -> Iterator[_Event | _Damaged]:
    lines = data.rstrip(b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            event = _OBJECT.validate_python(json.loads(line))
            if event.get("event") in _KNOWN:
                yield _EVENT.validate_python(event)
        except (ValueError, RecursionError) as error:
            if number < len(lines):
                yield _Damaged(number, type(error).__name__)


@dataclass(slots=True)
class _Reading:
    """The transcript as far as it was read."""

    begun: _Start | None = None
    resumed: _Resumed | None = None
    note: str = ""
    verdict: _Verdict | None = None
    earlier_verdict: str = ""
    said: list[_Message] = field(default_factory=list)
    judged: _Verdict | None = None
    """The verdict since the last message."""
    usage: _Usage | None = None
    end: _End | None = None
    damage: _Damaged | None = None
    is_cut: bool = False

    def take(self, event: _Event | _Damaged) -> None:
        """Take note of the next line."""
        match event:
            case _Resumed():
                self.resumed = event
            case _Start():
                self._begin(event)
            case _Reset():
                self.note, self.said, self.damage, self.judged = event.note, [], None, None
            case _Cut():
                self.is_cut, self.said = True, []
            case _Damaged():
                self.damage = self.damage or event
            case _ if self.damage is None:
                self._go_on(event)

    def _begin(self, start: _Start) -> None:
        resumed = self.resumed or _Resumed(event="resumed")
        self.begun, self.resumed, self.note, self.earlier_verdict = start, None, resumed.note, resumed.verdict
        self.verdict, self.judged, self.usage, self.end, self.damage = None, None, None, None, None
        self.said, self.is_cut = [], False

    def _go_on(self, event: _Event) -> None:
        match event:
            case _Message():
                self.said.append(event)
                self.judged = None
            case _Verdict():
                self.verdict = self.judged = event
            case _Usage():
                self.usage = event
            case _End():
                self.end = event

    def result(self) -> Replay | None:
        """Return what was read."""
        if self.begun is None or not (self.said or self.note):
            return None
        messages = _joined(self.said)
        complete = answered(messages, self.judged.text if self.judged else "") if messages else []
        fits = is_sound(complete)
        used = self.usage or _Usage(event="usage")
        return Replay(
            profile=self.begun.profile,
            model=self.begun.model,
            messages=tuple(complete),
            note=self.note,
            verdict=self.verdict.text if self.verdict else self.earlier_verdict,
            accepted=self.verdict is not None and self.verdict.accepted,
            ending=self._ending(),
            reason=self.end.reason if self.end else "",
            turns=sum(message.role == "assistant" for message in self.said),
            usage=Usage.model_validate(used.model_dump(exclude={"event", "cost_usd"})),
            cost_usd=used.cost_usd,
            open_calls=open_calls(messages),
            faithful=bool(messages)
            and fits
            and self.damage is None
            and not self.is_cut
            and not any(message.masked for message in self.said),
            warnings=tuple(self._warnings(fits=fits)),
        )

    def _ending(self) -> Ending | None:
        """Return how it ended; a kill may have come between the last verdict and the line that says so."""
        if self.end is not None:
            return self.end.ending
        if self.verdict is not None and self.verdict.accepted:
            return Ending.ACCEPTED
        return Ending.REJECTED if self.verdict is not None and self.verdict.final else None

    def _warnings(self, *, fits: bool) -> Iterator[str]:
        if self.damage is not None:
            yield f"line {self.damage.line} of the transcript is damaged ({self.damage.why}); what follows it is lost"
        if not fits and not self.is_cut:
            yield "the messages of the transcript do not fit together, so they are passed on as text"


def _joined(said: Sequence[_Message]) -> list[Message]:
    """Return the messages; what a paused reply was continued with belongs to the same message."""
    messages: list[Message] = []
    for message in said:
        if messages and message.role == "assistant" and messages[-1]["role"] == "assistant":
            messages[-1] = {"role": "assistant", "content": [*messages[-1]["content"], *message.content]}
        else:
            messages.append({"role": message.role, "content": list(message.content)})
    return messages
