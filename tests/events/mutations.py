"""Event files as no forge would write them: the real ones, changed at random, as strategies of hypothesis."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from hypothesis import strategies as st

from tests.events.payload_files import FLOWS, event_name, payload_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"
    Place: TypeAlias = "tuple[dict[str, Value], str]"

PAYLOAD_TEXTS = {name: payload_path(name).read_text(encoding="utf-8") for name in sorted(FLOWS)}
EVENT_NAMES = (
    "issues",
    "issue_comment",
    "pull_request",
    "workflow_dispatch",
    "schedule",
    "push",
    "pull_request_target",
)

COMMAND = "pwned"
"""Stands in every text that a runner might take for a command, so that a test finds it in a log."""
TEXTS = (
    *("", " ", "\0", "a\0b", "\ud800", "x\udfff", "\u202egnp.exe", "\u200b", "\u0131", "\u0430gent", "AGENT", "agent "),
    *("${{ github.token }}", f"::set-output name={COMMAND}::x", f"\n::add-mask::{COMMAND}", f"\r::warning::{COMMAND}"),
    *(f"##[set-output name={COMMAND}]x", f"x ##[add-path]{COMMAND}", f"\u2028::error::{COMMAND}", "%0A::debug::"),
    *(f"a\n##[warning]{COMMAND}\n", "\x1b[2J\x1b]0;t\x07", "../../etc/passwd", "refs/pull/1/head", "--upload-pack=x"),
    *("-1", "1; id", "0x10", "\u0661", "1e3", "true", "null", "agent", "coordinator", "coordinator[bot]", "maintainer"),
    *(
        "/coordinator run",
        "/coordinator stop",
        "/coordinator retry\n::stop-commands::x",
        "/coordinator",
        "open",
        "closed",
    ),
    *(
        "labeled",
        "label_updated",
        "label_cleared",
        "assigned",
        "unassigned",
        "opened",
        "closed",
        "created",
        "synchronize",
    ),
    *("2026-11-20T12:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59"),
    *("2026-13-01", "acme/app", "Acme/App", "acme/app.git", "evil/app", "x" * 70_000, "\U0001f642" * 300),
)
NUMBERS = (0, -0.0, 1, -1, -2, 2, 5, 6, 1.0, 1.5, 1e308, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400)
OTHERS: tuple[Value, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, [{"name": "agent"}], [{"id": 5}])

_READ = frozenset(
    {
        "action",
        "assignee",
        "assignees",
        "body",
        "changes",
        "closed_at",
        "comment",
        "created_at",
        "default_branch",
        "head",
    }
    | {"added_labels", "removed_labels", "full_name", "id", "inputs", "is_pull", "issue", "label", "labels", "login"}
    | {"base", "name", "number", "pull_request", "ref", "repo", "repo_id", "repository", "sender", "sha", "signature"}
    | {"state", "title", "updated_at", "user", "workflow", "event"}
)
"""Keys that the coordinator reads somewhere, and a few that it does not: these are changed most of the time."""


@dataclass(frozen=True)
class Change:
    """One change of a payload: at the `where`-th of the places that it has then, counted round and round."""

    kind: str
    where: int
    value: Value
    anywhere: bool = False
    """Whether also among the fields that nobody reads."""


def places(node: Value, *, anywhere: bool) -> Iterator[Place]:
    """Yield every place of a document."""
    if not isinstance(node, (dict, list)):
        return
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if anywhere or not isinstance(key, str) or key in _READ:
            yield cast("Place", (node, key))  # a list with its index is changed as an object with its key is
            yield from places(value, anywhere=anywhere)


def change_all(document: dict[str, Value], changes: list[Change]) -> None:
    """Make the changes in the document."""
    for change in changes:
        found = list(places(document, anywhere=change.anywhere))
        if found:
            holder, key = found[change.where % len(found)]
            _KINDS[change.kind](holder, key, change.value)


def _drop(holder: dict[str, Value], key: str, _value: Value) -> None:
    del holder[key]


def _put(holder: dict[str, Value], key: str, value: Value) -> None:
    holder[key] = deepcopy(value)


def _retype(holder: dict[str, Value], key: str, _value: Value) -> None:
    old = holder[key]
    holder[key] = int(old) if isinstance(old, str) and old.isascii() and old.isdecimal() else json.dumps(old)


def _nest(holder: dict[str, Value], key: str, value: Value) -> None:
    holder[key] = [holder[key]] if value is None else {"nested": holder[key]}


def _double(holder: dict[str, Value], key: str, _value: Value) -> None:
    old = holder[key]
    holder[key] = [*old, *deepcopy(old)] if isinstance(old, list) else old


def _extend(holder: dict[str, Value], key: str, value: Value) -> None:
    old = holder[key]
    if isinstance(old, str) and isinstance(value, str):
        holder[key] = old + value
    elif isinstance(old, dict) and isinstance(value, str):
        old[value] = value


_KINDS: Mapping[str, Callable[[dict[str, Value], str, Value], None]] = {
    "drop": _drop,
    "put": _put,
    "retype": _retype,
    "nest": _nest,
    "double": _double,
    "extend": _extend,
}

values: st.SearchStrategy[Value] = st.one_of(
    st.sampled_from([*TEXTS, *NUMBERS, *OTHERS]), st.text(max_size=20), st.integers(-(2**64), 2**64)
)
"""What is put in the place of something else."""
changes = st.builds(
    Change,
    kind=st.sampled_from(["put", "put", "put", "extend", "drop", "retype", "nest", "double"]),
    where=st.integers(0, 2**16),
    value=values,
    anywhere=st.sampled_from([False, False, False, True]),
)
"""One change."""


@st.composite
def damaged(draw: st.DrawFn, text: str) -> bytes:
    """Draw a document that may be cut off, or have bytes put in."""
    raw = text.encode()
    at = draw(st.integers(0, len(raw)))
    how = draw(st.sampled_from(["cut", "put", "double"]))
    if how == "cut":
        return raw[:at]
    put = draw(
        st.sampled_from([b"\0", b"\xff\xfe", b"{", b"[" * 3000, b'"', b"\n", b"NaN", b"\xef\xbb\xbf", b"1" * 5000])
    )
    return raw[:at] + (put if how == "put" else raw) + raw[at:]


@dataclass(frozen=True)
class EventFile:
    """An event as a job finds it."""

    name: str
    raw: bytes


Adopt: TypeAlias = "Callable[[str, dict[str, Value], Callable[[int], int]], None]"
"""Makes a document, of an event of this name, fit a forge; the last draws a number from 0 up to below another."""


def leave_alone(_name: str, _document: dict[str, Value], _number: Callable[[int], int]) -> None:
    """Adopt nothing."""


@st.composite
def event_files(draw: st.DrawFn, adopt: Adopt = leave_alone) -> EventFile:
    """Draw an event file: a real one after `adopt`, with up to five changes, at times damaged or under another name."""
    file = draw(st.sampled_from(sorted(PAYLOAD_TEXTS)))
    document = json.loads(PAYLOAD_TEXTS[file])
    adopt(event_name(file), document, lambda below: draw(st.sampled_from(range(below))))
    count = draw(st.sampled_from((0, 0, 0, 1, 1, 1, 2, 5)))
    change_all(document, draw(st.lists(changes, min_size=count, max_size=count)))
    text = json.dumps(document)
    seldom = draw(st.sampled_from(range(16)))
    name = draw(st.sampled_from(EVENT_NAMES)) if seldom == 1 else event_name(file)
    return EventFile(name, draw(damaged(text)) if seldom == 2 else text.encode())
