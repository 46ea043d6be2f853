"""What a person sees on the terminal while the work goes on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from coordinator.report.console import Console, LogSyntax
from coordinator.report.inert import one_line
from coordinator.report.models import StepState
from coordinator.report.words import dollars, duration, per_cent

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType
    from rich.text import Text

    from coordinator.report.models import AttemptReport, Step
    from coordinator.report.redaction import CleanReport

_SIGNS = {StepState.OPEN: "·", StepState.CURRENT: "▸", StepState.DONE: "✓", StepState.FAILED: "✗"}
_STYLES = {
    StepState.OPEN: "dim",
    StepState.CURRENT: "bold yellow",
    StepState.DONE: "green",
    StepState.FAILED: "bold red",
}


class Progress(Protocol):
    """Shows a run as it goes on. Used as a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(self, *_: object) -> None:
        """Leave what was shown standing."""
        ...

    def update(self, report: CleanReport) -> None:
        """Show the run as it is now."""
        ...

    def say(self, text: str) -> None:
        """Show one message, one line."""
        ...


def open_progress(stream: TextIO, *, syntax: LogSyntax, redact: Callable[[str], str]) -> Progress:
    """Return a live display for a terminal that can be drawn on, and plain lines for everything else."""
    if syntax is LogSyntax.PLAIN and stream.isatty():
        display = TerminalProgress(stream, redact=redact)
        if display.can_draw:
            return display
    return PlainProgress(Console(stream, syntax=syntax, redact=redact))


class PlainProgress(AbstractContextManager["PlainProgress"]):
    """One line for every step that changes and every turn."""

    def __init__(self, console: Console) -> None:
        """Take where to write."""
        self._console = console
        self._shown: set[str] = set()

    def __exit__(self, *_: object) -> None:
        """End; nothing is held."""

    def update(self, report: CleanReport) -> None:
        """Write the lines that have not been written yet. A job that prints nothing cannot be cancelled on Gitea."""
        for line in _lines(report):
            if line not in self._shown:
                self._shown.add(line)
                self._console.say(line)

    def say(self, text: str) -> None:
        """Write one line."""
        self._console.say(text)


def _lines(report: CleanReport) -> list[str]:
    lines = [_step_line(step) for step in report.steps if step.state in {StepState.DONE, StepState.FAILED}]
    activity = activity_line(report)
    return [*lines, activity] if activity else lines


def _step_line(step: Step) -> str:
    word = "failed: " if step.state is StepState.FAILED else ""
    return f"{word}{step.name}{': ' if step.detail else ''}{step.detail}"


def activity_line(report: CleanReport) -> str:
    """Return what the agent does, as one plain line; empty when it does nothing."""
    activity = report.activity
    if activity is None:
        return ""
    return (
        f"attempt {activity.attempt} · turn {activity.turn}/{activity.turn_limit}"
        f" · context {per_cent(activity.context_share)} · {dollars(activity.cost_usd)} · {one_line(activity.text, 100)}"
    )


class TerminalProgress:
    """A display that is redrawn in place. `rich` is imported here and only here."""

    def __init__(self, stream: TextIO, *, redact: Callable[[str], str]) -> None:
        """Take the terminal."""
        from rich.console import Console as RichConsole  # noqa: PLC0415  (slow to import, for terminals only)
        from rich.live import Live  # noqa: PLC0415  (rich is slow to import)

        self._redact = redact
        self._console = RichConsole(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False)

    @property
    def can_draw(self) -> bool:
        """Whether the terminal can be drawn on at all (``TERM=dumb`` cannot)."""
        return not self._console.is_dumb_terminal

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last picture standing."""
        self._live.stop()

    def update(self, report: CleanReport) -> None:
        """Draw the run as it is now."""
        self._live.update(_picture(report), refresh=True)

    def say(self, text: str) -> None:
        """Write one line above the display. It is cut at the terminal's width only."""
        line = one_line(self._redact(one_line(text, 10_000)), 10_000)
        self._live.console.print(line, soft_wrap=True)


def _attempt_line(attempt: AttemptReport) -> Text:
    from rich.text import Text  # noqa: PLC0415  (rich is slow to import)

    line = Text(f"  attempt {attempt.number}: ", overflow="ellipsis", no_wrap=True)
    for result in attempt.verdict.gates:
        line.append(f"{'✓' if result.passed else '✗'} {result.gate}  ", "green" if result.passed else "bold red")
    return line.append(next((one_line(result.message, 200) for result in attempt.verdict.failed_gates()), ""))


def _picture(report: CleanReport) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415  (rich is slow to import)
    from rich.table import Table  # noqa: PLC0415  (rich is slow to import)
    from rich.text import Text  # noqa: PLC0415  (rich is slow to import)

    steps = Table.grid(padding=(0, 1))
    for step in report.steps:
        style = _STYLES[step.state]
        steps.add_row(Text(_SIGNS[step.state], style), Text(step.name, style), Text(one_line(step.detail, 300)))
    lines: list[RenderableType] = [steps]
    lines += [_attempt_line(attempt) for attempt in report.attempts]
    if activity := activity_line(report):
        lines.append(Text(f"  {activity} · {duration(report.seconds)}", "yellow", overflow="ellipsis", no_wrap=True))
    return Group(*lines)
