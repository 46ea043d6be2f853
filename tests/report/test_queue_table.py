"""The queue as a table for people."""

from __future__ import annotations

import io
import re

import pytest

from coordinator.planning.queue import Priority, Queue, QueueEntry, QueueState
from coordinator.report.console import LogSyntax
from coordinator.report.queue_table import queue_lines, write_queue


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def entry(number: int, title: str, state: QueueState = QueueState.READY, reason: str = "") -> QueueEntry:
    return QueueEntry(number=number, title=title, state=state, reason=reason)


QUEUE = Queue(
    entries=(
        entry(7, "Add the model").model_copy(update={"priority": Priority.CRITICAL}),
        entry(12, "Show it", QueueState.WAITING, "waits for #7"),
        entry(3, "Print it", QueueState.BLOCKED, "#99 does not exist: correct the dependencies of the issue; " * 2),
        entry(1234, "Sell it", QueueState.WORKING, "run 5 works on it"),
    )
)


def drawn(queue: Queue, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a terminal of that width shows, without colours."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    write_queue(queue, stream, LogSyntax.PLAIN)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()


def test_the_plain_table() -> None:
    assert "\n".join(queue_lines(QUEUE)) == (
        "ISSUE  STATE    PRIORITY  TITLE\n"
        "   #7  ready    critical  Add the model\n"
        "  #12  waiting  medium    Show it\n"
        "                          waits for #7\n"
        "   #3  blocked  medium    Print it\n"
        "                          #99 does not exist: correct the dependencies of the\n"
        "                          issue; #99 does not exist: correct the dependencies of\n"
        "                          the issue;\n"
        "#1234  working  medium    Sell it\n"
        "                          run 5 works on it\n"
        "4 issues: 1 ready, 1 waiting, 1 blocked, 1 working, 0 answered"
    )


@pytest.mark.parametrize("title", ["word " * 60, "x" * 255, "字" * 200, "a字" * 100, "\U0001f680" * 90])
def test_no_line_is_wider_than_eighty_columns(title: str) -> None:
    reason = f"waits for #1; {'lib/' + 'x' * 200}#5 is in another repository"
    for line in queue_lines(Queue(entries=(entry(999_999_999, title, QueueState.BLOCKED, reason),))):
        assert sum(2 if ord(character) > 0x2E80 else 1 for character in line) <= 80


@pytest.mark.parametrize(("length", "ending"), [(56, "xx"), (57, "x…")])
def test_a_title_that_fits_is_whole_and_a_longer_one_is_cut(length: int, ending: str) -> None:
    line = list(queue_lines(Queue(entries=(entry(1, "x" * length),))))[1]
    assert len(line) == 80
    assert line.endswith(ending)


def test_one_issue_is_no_plural() -> None:
    assert list(queue_lines(Queue(entries=(entry(1, "One"),))))[-1].startswith("1 issue: 1 ready, ")


def test_a_title_is_one_harmless_line() -> None:
    bad = entry(1, "A\n::error::\x1b[31mred\u202e\r##[command]x", QueueState.WAITING, "waits for\n::stop-commands::x")
    stream = io.StringIO()
    write_queue(Queue(entries=(bad,)), stream, LogSyntax.GITHUB)
    text = stream.getvalue()
    assert len(text.splitlines()) == 4
    for mark in ("\x1b", "\u202e", "\r", "::", "##["):
        assert mark not in text


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_gets_a_table_as_wide_as_it_is(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    long = QUEUE.model_copy(update={"entries": (*QUEUE.entries, entry(8, "[bold]long[/bold] :smile: " * 9))})
    lines = drawn(long, width, monkeypatch)
    assert max(map(len, lines)) <= width
    assert re.fullmatch(r"Issue +State +Priority +Title +Why *", lines[0])
    assert re.match(r" +#7 +ready +critical +Add the model", lines[1])
    assert any("waits for #7" in line for line in lines)
    assert "[bold]long[/bold]" in "".join(lines)
    assert ":smile:" in "".join(lines)
    assert lines[-1] == "5 issues: 2 ready, 1 waiting, 1 blocked, 1 working, 0 answered"


def test_a_terminal_inside_a_job_gets_plain_lines() -> None:
    stream = Terminal()
    write_queue(QUEUE, stream, LogSyntax.GITEA)
    assert stream.getvalue().splitlines() == list(queue_lines(QUEUE))
