"""A verdict for a terminal, and as annotations for GitHub's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.judgement import State
from coordinator.report.console import harmless_anywhere
from coordinator.report.evidence import evidence_lines, findings, gate_notes, waiver_lines
from coordinator.report.inert import visible
from coordinator.report.states import is_unfinished, state_of, state_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.report.console import Console

EVIDENCE_SHOWN = 12
"""Lines of evidence per gate that did not pass; the JSON has them all."""
WAIVERS_SHOWN = 8
NOTES_SHOWN = 10

COLOURS = {State.PASSED: "32", State.FAILED: "31", State.ERROR: "33", State.ATTENTION: "35"}
"""SGR parameters (ECMA-48, 8.3.117): green, red, yellow, magenta."""


def verdict_text(
    verdict: Verdict,
    *,
    again: Callable[[tuple[str, ...]], str] | None = None,
    colour: bool = False,
) -> str:
    """Return an aligned table of the gates, the first evidence of those that did not pass, notes, and what to do next.

    `again` gets the names of gates and returns the command that judges by them alone; without it none is named. With
    `colour` the words of the table are coloured, as a terminal understands it.
    """
    names = max((len(result.gate) for result in verdict.gates), default=0)
    words = max((len(state_word(result)) for result in verdict.gates), default=0)
    lines = [_row(result, names, words, colour=colour) for result in verdict.gates]
    for result in verdict.failed_gates():
        lines += _section(result)
    notes = _notes(verdict)
    lines += ["", *notes] if notes else []
    word = "accepted" if verdict.passed else "rejected"
    lines += ["", f"{word}: tree {visible(verdict.tree[:12])}"]
    failed = tuple(result.gate for result in verdict.failed_gates())
    if failed and again is not None:
        lines.append(f"next: mend it, commit, and look again with: {visible(again(failed))}")
    return "\n".join(lines)


def _row(result: GateResult, names: int, words: int, *, colour: bool) -> str:
    word = f"{state_word(result):<{words}}"
    if colour:
        word = f"\x1b[{COLOURS[state_of(result)]}m{word}\x1b[0m"
    return f"{word}  {harmless_anywhere(f'{result.gate:<{names}}  {result.seconds:6.1f}s  {result.message}')}"


def _notes(verdict: Verdict) -> list[str]:
    notes = gate_notes(verdict)
    lines = [f"note: {harmless_anywhere(note)}" for note in notes[:NOTES_SHOWN]]
    return [*lines, f"… and {len(notes) - NOTES_SHOWN} more notes"] if len(notes) > NOTES_SHOWN else lines


def _section(result: GateResult) -> list[str]:
    """Return the evidence of a gate under its name, how to repeat it, and how a person lets it pass."""
    lines = evidence_lines(result, EVIDENCE_SHOWN)[1:]
    command = result.details.get("command")
    if isinstance(command, str):
        lines.append(f"to repeat it: {command}")
    waivers = waiver_lines(result)
    if waivers:
        lines.append("to allow it, somebody who may write comments on the issue or the pull request:")
        lines += [f"  {line}" for line in waivers[:WAIVERS_SHOWN]]
    if len(waivers) > WAIVERS_SHOWN:
        lines.append(f"  … and {len(waivers) - WAIVERS_SHOWN} more")
    return ["", f"{visible(result.gate)}:", *(f"  {harmless_anywhere(line)}" for line in lines)] if lines else []


def verdict_annotations(verdict: Verdict, console: Console) -> None:
    """Write an error annotation for each finding of the gates that did not pass, and one line per gate and note.

    A gate that was ended because of another one is a warning.
    """
    for result in verdict.gates:
        console.say(f"{state_word(result)} {result.gate}: {result.message}")
    for note in gate_notes(verdict):
        console.say(f"note: {note}")
    for result in verdict.failed_gates():
        found = findings(result)
        for finding in found:
            console.annotate(
                " ".join(part for part in (finding.code, finding.message, finding.advice) if part),
                path=finding.path,
                line=finding.line,
                title=f"coordinator/{result.gate}",
            )
        if is_unfinished(result):
            console.warn(f"{result.gate}: {result.message}")
        elif not found:
            console.fail(f"{result.gate}: {result.message}")
