"""A gate that runs a shell command: one of the configuration's own, or one of the presets for other languages.

It passes when the command ends with 0, when its report, where it has one, can be read and names no fault, and, for
tests, when one of them ran.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.commands.workshop import MISSING
from coordinator.gates.evidence import Cleaner, last_lines, one_line, shown, telling_lines
from coordinator.gates.files import remove_below
from coordinator.gates.judgement import OTHER_TOOLS, Judgement, State, timed
from coordinator.gates.reports.problems import problems
from coordinator.gates.tooling import ended
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.gates.choice import Choice
    from coordinator.gates.commands.workshop import Bench, Workshop
    from coordinator.gates.once import Once
    from coordinator.gates.protocol import GateResult
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.sandbox.protocol import CommandResult

OUTPUT_BYTES = 8 * 1024 * 1024
"""What comes after that is read and dropped."""
EVIDENCE_LINES = 40
EVIDENCE_LIMIT = 4000
"""Characters."""

VOLATILE = (
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|sec|secs|seconds|min)\b"), "…"),
    (re.compile(r"\b(?P<what>duration_ms:?) \d+(?:\.\d+)?"), r"\g<what> …"),
    (re.compile(r"(?P<what>\bthread '[^'\n]{0,300}') \(\d+\)"), r"\g<what>"),
    (re.compile(r"(?P<what>\btarget/\S{1,300}-)[0-9a-f]{16}\b"), r"\g<what>…"),
)
"""What test runners say that differs from run to run on one tree: durations, Rust's thread numbers, and the hash that
Cargo makes of the folder. Bounded as in `coordinator.gates.evidence.CHANGING`."""

NOT_FOUND = re.compile(r"(?:^|: )(?P<name>[\w./+-]+): (?:command )?not found\s*$", re.MULTILINE)
"""How dash and bash name a program that is missing."""

CANNOT_RUN, SIGNALLED = 126, 128
"""Exit codes of a shell, as `MISSING`: not executable, and above 128 for a child that a signal ended."""


@dataclass(frozen=True, slots=True)
class CommandGate:
    """Passes when the command and its report say so."""

    name: str
    line: str
    """For ``/bin/sh -c``, run in the root of a clean copy of the tree."""
    workshop: Workshop
    variables: Callable[[Path], Mapping[str, str]]
    """Gets the folder in which the command is about to run; returns its environment."""
    minutes: float
    network: Network = Network.NONE
    report: str | None = None
    """Where the command writes JUnit, SARIF or lcov, relative to the root."""
    threshold: float | None = None
    """Per cent of the lines that an lcov report has to show."""
    ran: Callable[[str], bool] | None = None
    """Tells from the output whether a test ran at all; None where nobody can tell."""

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        bench = self.workshop.bench()
        if self.report is not None:
            remove_below(bench.folder, self.report)  # what is committed there is no report of this run
        result = self.workshop.sandbox.run(
            Command(
                ("/bin/sh", "-c", self.line),
                cwd=bench.folder,
                limits=Limits(self.minutes * 60, output_bytes=OUTPUT_BYTES),
                env={**self.variables(bench.folder), "HOME": str(bench.home)},
                merge_stderr=True,
                network=self.network,
            )
        )
        return self._read(result, bench)

    def _read(self, result: CommandResult, bench: Bench) -> Judgement:
        cleaner = Cleaner((bench.folder,))
        output = _steady(cleaner.clean(result.stdout.decode("utf-8", errors="replace")))
        cut = (f"its output was cut after {OUTPUT_BYTES >> 20} MB",) if result.truncated else ()
        details: dict[str, JsonValue] = {"command": self.line, "notes": [*bench.notes, *cut], OTHER_TOOLS: True}
        fault = self._not_done(result, output)
        if fault:
            return Judgement(State.ERROR, fault, details | {"output": _evidence(output)})
        if self.report is not None:
            return self._by_report(result, bench, self.report, output, details)
        if result.exit_code != 0:
            return self._failed(result, bench, output, details)
        if self.ran is not None and not self.ran(output):
            message = f"no tests in the target: {self._shown} ran none"
            unseen = f"{self._shown} wrote so much that nobody can tell whether a test ran: {cut[0]}" if cut else ""
            return Judgement(State.ERROR, unseen or message, details | {"output": _evidence(output)})
        return Judgement(State.PASSED, f"{self._shown} passed", details)

    @property
    def _shown(self) -> str:
        return f"`{one_line(self.line, 80)}`"

    def _not_done(self, result: CommandResult, output: str) -> str:
        """Say why the command did not do its work, empty when it did: then a bad end is the tree's fault."""
        if result.timed_out:
            return f"{self._shown} reached its limit of {self.minutes:g} minutes"
        if result.exit_code is None or result.exit_code > SIGNALLED:
            signal = result.signal if result.exit_code is None else result.exit_code - SIGNALLED
            return f"{self._shown} was ended by signal {signal}"
        if result.exit_code == MISSING:
            match = NOT_FOUND.search(output)
            name = match["name"] if match is not None else self.line.split()[0]
            return (
                f"{name} is not there for {self._shown}: install it on the runner, in a folder of PATH that other "
                "accounts can read (a closed home is none), or by `setup` in .coordinator.yml"
            )
        if result.exit_code == CANNOT_RUN:
            return f"{self._shown} cannot be executed: {one_line(last_lines(output, 1))}"
        return ""

    def _failed(
        self, result: CommandResult, bench: Bench, output: str, details: dict[str, JsonValue], why: str = ""
    ) -> Judgement:
        found = problems(output, bench.folder)
        first = f"{found[0].place()}: {found[0].message}" if found else telling_lines(output, 1)
        message = f"{self._shown} {ended(result)}{why}" + (f": {first}" if first else "")
        return Judgement(State.FAILED, one_line(message), details | shown(found) | {"output": _evidence(output)})

    def _by_report(
        self, result: CommandResult, bench: Bench, name: str, output: str, details: dict[str, JsonValue]
    ) -> Judgement:
        from coordinator.gates.commands.command_report import (  # noqa: PLC0415  (its formats are slow to import)
            UnusableCommandReport,
            read_command_report,
        )

        try:
            facts = read_command_report(bench.folder, name, Cleaner((bench.folder,)), self.threshold)
        except UnusableCommandReport as error:
            if result.exit_code != 0:
                return self._failed(result, bench, output, details, f", and {error}")
            message = f"{self._shown} ended with exit code 0, but {error}"
            return Judgement(State.ERROR, message, details | {"output": _evidence(output)})
        details |= facts.details
        if facts.faults:
            return Judgement(State.FAILED, one_line(facts.faults), details)
        if result.exit_code != 0:
            message = f"{self._shown} {ended(result)}, though its report names no fault: {telling_lines(output, 1)}"
            return Judgement(State.FAILED, one_line(message), details | {"output": _evidence(output)})
        return Judgement(State.PASSED, facts.summary, details)


def _steady(output: str) -> str:
    for pattern, instead in VOLATILE:
        output = pattern.sub(instead, output)
    return output


def _evidence(output: str) -> str:
    return last_lines(output, EVIDENCE_LINES, EVIDENCE_LIMIT)


def command_gates(
    choice: Choice, workshop: Workshop, target: Once[TargetEnvironment], network: Network
) -> tuple[CommandGate, ...]:
    """Return the gates of the chosen commands; in a Python project they run in its environment, on its sources."""
    roots = workshop.tree.sources.roots

    def variables(folder: Path) -> Mapping[str, str]:
        if not choice.python:
            return choice.variables
        return {**choice.variables, **target.get().variables(*(folder / root for root in roots))}

    return tuple(
        CommandGate(
            each.name, each.line, workshop, variables, each.minutes, network, each.report, each.threshold, each.ran
        )
        for each in choice.commands
    )
