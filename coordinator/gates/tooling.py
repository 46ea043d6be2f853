"""Running a gate tool confined and reading what it says."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.evidence import last_lines
from coordinator.gates.judgement import Judgement, State
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.gates.evidence import Cleaner
    from coordinator.sandbox.protocol import CommandResult, Sandbox

TOOL_LIMITS = Limits(seconds=1200.0, output_bytes=64 * 1024 * 1024)
"""Of mypy, ruff and the coverage report each: mypy takes 5 s on a project of 71 files, ruff writes some 700 bytes for
each finding."""


def own_tool(module: str) -> tuple[str, ...]:
    """Return how a tool of the coordinator's own environment is started, out of reach of the judged tree's modules."""
    return (sys.executable, "-I", "-m", module)


def as_typed(*argv: str) -> str:
    """Return a command line that a person can repeat in a checkout."""
    return shlex.join(argv)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that runs confined in one folder without a network."""

    sandbox: Sandbox
    folder: Path
    cleaner: Cleaner

    def run(self, argv: tuple[str, ...], env: Mapping[str, str] | None = None) -> CommandResult:
        """Run it to its end."""
        return self.sandbox.run(
            Command(argv, cwd=self.folder, limits=TOOL_LIMITS, env=dict(env or {}), network=Network.NONE)
        )

    def output(self, data: bytes) -> str:
        """Return output as clean text."""
        return self.cleaner.clean(data.decode("utf-8", errors="replace"))


def ended(result: CommandResult) -> str:
    """Say how a command ended."""
    if result.timed_out:
        return "reached its time limit"
    if result.exit_code is None:
        return f"was ended by signal {result.signal}"
    return f"ended with exit code {result.exit_code}"


def unusable(tool: str, result: CommandResult, output: str, details: dict[str, JsonValue]) -> Judgement:
    """Return the judgement on a tool whose run cannot be believed: a crash, a time limit, a report that is missing."""
    evidence = last_lines(output)
    first = next((line.strip() for line in evidence.splitlines()[-1:]), "")
    message = f"{tool} {ended(result)} and gave no usable result"
    return Judgement(State.ERROR, f"{message}: {first}"[:500] if first else message, details | {"output": evidence})
