"""Showing an examination: one line per check on a terminal, in a file and in a log; or one document."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol, TextIO

from coordinator.doctor.models import Check, State
from coordinator.report.console import LogSyntax, harmless
from coordinator.report.inert import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import JsonValue

LONGEST = 2000
"""Characters of one message: room for the longest list of keys, an end to what a server may answer."""
_STYLES = {State.OK: "green", State.WARNING: "yellow", State.ERROR: "bold red"}


class Display(Protocol):
    """Where checks are shown as they are made."""

    def show(self, check: Check) -> None:
        """Show one check."""
        ...

    def end(self, checks: Sequence[Check]) -> None:
        """Show how many there were of which kind."""
        ...


def open_display(stream: TextIO, syntax: LogSyntax) -> Display:
    """Return a coloured display for a terminal, and plain lines for everything else."""
    if syntax is LogSyntax.PLAIN and stream.isatty():
        return TerminalDisplay(stream)
    return PlainDisplay(stream, syntax)


def clean_check(check: Check, redact: Callable[[str], str]) -> Check:
    """Return the check with texts of one visible line each and without secrets."""

    def clean(text: str) -> str:
        return one_line(redact(one_line(text, LONGEST)), LONGEST)

    texts = {"name": clean(check.name), "message": clean(check.message), "mend": clean(check.mend)}
    return check.model_copy(update=texts)


class PlainDisplay:
    """One line for each check, with its mend behind an arrow; none is a command to a runner."""

    def __init__(self, stream: TextIO, syntax: LogSyntax = LogSyntax.PLAIN) -> None:
        self._stream = stream
        self._syntax = syntax

    def show(self, check: Check) -> None:
        """Write one line."""
        self._write(f"{_head(check)}{f' → {check.mend}' if check.mend else ''}")

    def end(self, checks: Sequence[Check]) -> None:
        """Write the last line."""
        self._write(summary(checks))

    def _write(self, line: str) -> None:
        self._stream.write(f"{harmless(line, self._syntax)}\n")
        self._stream.flush()


class TerminalDisplay:
    """The same in colours, with the mend on a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415  (slow to import, for terminals only)

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)

    def show(self, check: Check) -> None:
        """Write one or two lines; the terminal wraps what is too long for it."""
        from rich.text import Text  # noqa: PLC0415  (rich is slow to import)

        line = Text(_head(check))
        line.stylize(_STYLES[check.state], 0, len(check.state))
        if check.mend:
            line.append(f"\n{'':9}→ {check.mend}", "dim")
        self._console.print(line, soft_wrap=True)

    def end(self, checks: Sequence[Check]) -> None:
        """Write the last line."""
        worst = max((check.state for check in checks), key=list(State).index, default=State.OK)
        self._console.print(summary(checks), style=_STYLES[worst], soft_wrap=True)


def _head(check: Check) -> str:
    return f"{check.state:<9}{check.group:<15}{check.name}: {check.message}"


def counts(checks: Sequence[Check]) -> dict[str, int]:
    """Return how many checks ended how, for each state."""
    found = Counter(check.state for check in checks)
    return {state.value: found[state] for state in State}


def summary(checks: Sequence[Check]) -> str:
    """Return the last line."""
    found = counts(checks)
    many = {state: "" if count == 1 or state == State.OK else "s" for state, count in found.items()}
    return f"{len(checks)} checks: " + ", ".join(f"{count} {state}{many[state]}" for state, count in found.items())


def document(checks: Sequence[Check]) -> JsonValue:
    """Return the document of ``--format json``."""
    return {
        "passed": passed(checks),
        "counts": {**counts(checks)},
        "checks": [check.model_dump(mode="json") for check in checks],
    }


def passed(checks: Sequence[Check]) -> bool:
    """Whether no check is an error."""
    return all(check.state is not State.ERROR for check in checks)
