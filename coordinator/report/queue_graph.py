"""The queue as a Mermaid graph, which Gitea, Forgejo and GitHub draw in comments and in Markdown files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.planning.queue import QueueState
from coordinator.report.inert import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coordinator.planning.queue import Queue, QueueEntry

MOST_CHARACTERS = 45_000
"""Gitea (``[markup] MERMAID_MAX_SOURCE_CHARACTERS``) and Mermaid (``maxTextSize``) draw no more than 50,000."""
MOST_EDGES = 480
"""Mermaid draws no more than 500 (``maxEdges``), and a page cannot raise that."""
TITLE_CHARACTERS = 60
LABEL_CHARACTERS = 160
"""A title with its number, or the name of an issue elsewhere (Gitea allows 40 + 100 characters for owner and name)."""
_ARROW_CHARACTERS = 40
_OUTSIDE_CHARACTERS = 70
"""An arrow, and the node of an issue outside of the queue, both with the longest numbers there are."""
_HARMLESS = frozenset(" ,.-")
_OUTSIDE = "outside"
_COLOURS = {
    QueueState.READY.value: "fill:#dcfce7,stroke:#166534,color:#14532d",
    QueueState.WAITING.value: "fill:#fef9c3,stroke:#854d0e,color:#713f12",
    QueueState.BLOCKED.value: "fill:#fee2e2,stroke:#991b1b,color:#7f1d1d",
    QueueState.WORKING.value: "fill:#dbeafe,stroke:#1e40af,color:#1e3a8a",
    QueueState.ANSWERED.value: "fill:#f5f5f5,stroke:#404040,color:#262626",
    _OUTSIDE: "fill:#f4f4f5,stroke:#52525b,color:#27272a,stroke-dasharray:4",
}


def queue_graph(queue: Queue, *, empty: str) -> str:
    """Return a ``flowchart TD`` in which an arrow leads from an issue to those that wait for it.

    Titles are text of strangers: each is one quoted label without a character that means anything. A queue that is
    larger than what the forges draw is cut at its end, and says so. `empty` is what an empty one says.
    """
    lines = ["flowchart TD", *(f"    classDef {name} {colours}" for name, colours in _COLOURS.items())]
    if not queue.entries:
        lines.append(_node("empty", empty, _OUTSIDE))
    kept = _what_fits(queue.entries, MOST_CHARACTERS - sum(map(len, lines)))
    lines += [*map(_entry_node, kept), *_surroundings(kept, queue)]
    if len(kept) < len(queue.entries):
        lines.append(_node("rest", f"and {len(queue.entries) - len(kept)} more", _OUTSIDE))
    return "\n".join(lines)


def inert_label(text: str, limit: int) -> str:
    """Return a text as a label: letters, digits and a few signs stay, the rest becomes ``#NN;``.

    That is Mermaid's own way to write a character that means nothing (``encodeEntities`` in its ``utils.ts``), also
    where quotes would end the label, ``%%{`` would configure the graph, or ``$$`` would begin a formula. The ligature
    with which Mermaid itself marks such a character inside is taken apart: it would be decoded twice.
    """
    shown = one_line(text.replace("\ufb02", "fl"), limit)
    return "".join(char if char.isalnum() or char in _HARMLESS else f"#{ord(char)};" for char in shown)


def _what_fits(entries: Sequence[QueueEntry], room: int) -> Sequence[QueueEntry]:
    """Return as many entries as can be drawn, with everything that they wait for."""
    known = {entry.number for entry in entries}
    edges = 0
    for index, entry in enumerate(entries):
        waits = len(entry.blocked_by) + len(entry.foreign)
        edges += waits
        outside = len(entry.blocked_by) - len(known.intersection(entry.blocked_by))
        foreign = sum(len(_node("f999", reference, _OUTSIDE)) + 1 for reference in entry.foreign)
        room -= len(_entry_node(entry)) + 1 + waits * _ARROW_CHARACTERS + outside * _OUTSIDE_CHARACTERS + foreign
        if room < 0 or edges > MOST_EDGES:
            return entries[:index]
    return entries


def _surroundings(kept: Iterable[QueueEntry], queue: Queue) -> list[str]:
    """Return what the entries wait for beyond the queue, and all arrows."""
    drawn = {entry.number: f"i{entry.number}" for entry in kept}
    known = {entry.number for entry in queue.entries}
    outside: dict[str, str] = {}
    arrows = []
    for entry in kept:
        names = [drawn[number] for number in entry.blocked_by if number in drawn]
        for number in entry.blocked_by:
            if number not in known:
                word = "does not exist" if number in entry.missing else "open"
                names.append(outside.setdefault(f"#{number} {word}", f"o{number}"))
        names += [outside.setdefault(reference, f"f{len(outside)}") for reference in entry.foreign]
        arrows += [f"    {name} --> i{entry.number}" for name in names]
    return [*(_node(name, label, _OUTSIDE) for label, name in outside.items()), *arrows]


def _entry_node(entry: QueueEntry) -> str:
    title = one_line(entry.title, TITLE_CHARACTERS)
    return _node(f"i{entry.number}", f"#{entry.number} {title}", entry.state.value)


def _node(name: str, label: str, state: str) -> str:
    return f'    {name}["{inert_label(label, LABEL_CHARACTERS)}"]:::{state}'
