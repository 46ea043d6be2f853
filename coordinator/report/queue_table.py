"""The queue for people: a coloured table on a terminal, and lines of at most 80 columns everywhere else."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING, TextIO

from coordinator.planning.queue import QueueState
from coordinator.report.console import LogSyntax, harmless
from coordinator.report.inert import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.planning.queue import Queue, QueueEntry

PLAIN_WIDTH = 80
LONGEST = 2000
"""Characters of a title or a reason. No forge takes a title of more than 255; a reason names twenty issues at most."""
_STYLES = {
    QueueState.READY: "green",
    QueueState.WAITING: "yellow",
    QueueState.BLOCKED: "bold red",
    QueueState.WORKING: "cyan",
    QueueState.ANSWERED: "dim",
}
_HEADS = ("ISSUE", "STATE", "PRIORITY", "TITLE")


def write_queue(queue: Queue, stream: TextIO, syntax: LogSyntax) -> None:
    """Write the table and how many issues are in each state."""
    if syntax is LogSyntax.PLAIN and stream.isatty():
        _draw(queue, stream)
    else:
        stream.writelines(f"{harmless(line, syntax)}\n" for line in queue_lines(queue))


def queue_lines(queue: Queue) -> Iterator[str]:
    """Yield the plain table: a line for each issue, below it the reason where it is not ready, and the counts."""
    widths = [max(len(text) for text in column) for column in zip(_HEADS[:3], *map(_cells, queue.entries), strict=True)]
    yield _row(_HEADS[:3], widths) + _HEADS[3]
    for entry in queue.entries:
        head = _row(_cells(entry), widths)
        yield head + _cut(one_line(entry.title, LONGEST), PLAIN_WIDTH - len(head))
        if entry.state is not QueueState.READY:
            yield from textwrap.wrap(
                one_line(entry.reason, LONGEST),
                PLAIN_WIDTH,
                initial_indent=" " * len(head),
                subsequent_indent=" " * len(head),
                break_on_hyphens=False,
            )
    yield _summary(queue)


def _cells(entry: QueueEntry) -> tuple[str, str, str]:
    return f"#{entry.number}", entry.state.value, entry.priority.value


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    number, state, priority = (text.ljust(width) for text, width in zip(cells, widths, strict=True))
    return f"{number.strip():>{widths[0]}}  {state}  {priority}  "


def _cut(text: str, columns: int) -> str:
    """Return as much of a line as fits. Chinese, Japanese and Korean characters take two columns each."""
    widths = [2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text]
    if sum(widths) <= columns:
        return text
    used = kept = 0
    while used + widths[kept] < columns:
        used += widths[kept]
        kept += 1
    return f"{text[:kept]}…"


def _summary(queue: Queue) -> str:
    total = len(queue.entries)
    counts = ", ".join(f"{count} {state}" for state, count in queue.counts.items())
    return f"{total} issue{'' if total == 1 else 's'}: {counts}"


def _draw(queue: Queue, stream: TextIO) -> None:
    """Draw the table as wide as the terminal. What does not fit into a cell goes on below it."""
    from rich.console import Console  # noqa: PLC0415  (slow to import, for terminals only)
    from rich.table import Table  # noqa: PLC0415  (rich is slow to import)
    from rich.text import Text  # noqa: PLC0415  (rich is slow to import)

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Issue", justify="right", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Priority", no_wrap=True)
    table.add_column("Title", overflow="fold", ratio=1)
    table.add_column("Why", overflow="fold", ratio=1, style="dim")
    for entry in queue.entries:
        number, state, priority = _cells(entry)
        table.add_row(
            number,
            Text(state, style=_STYLES[entry.state]),
            priority,
            Text(one_line(entry.title, LONGEST)),
            Text(one_line(entry.reason, LONGEST)),
        )
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print(_summary(queue))
