"""A sandbox whose commands end with the run, however long each of them may take by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coordinator.sandbox.protocol import Command, CommandResult, Sandbox

LEAST_SECONDS: Final = 0.1
"""What a command gets when the time is up: it is started all the same, and ended as any other that takes too long."""


class DeadlineSandbox:
    """A `Sandbox` on top of another one. `remaining_seconds` says how long the run still has."""

    def __init__(self, sandbox: Sandbox, remaining_seconds: Callable[[], float]) -> None:
        self._sandbox = sandbox
        self._remaining_seconds = remaining_seconds

    @property
    def description(self) -> str:
        """How commands are confined, as the sandbox below says."""
        return self._sandbox.description

    def run(self, command: Command) -> CommandResult:
        """Run one command, no longer than the run lasts. Raises what the sandbox below raises."""
        seconds = min(command.limits.seconds, max(self._remaining_seconds(), LEAST_SECONDS))
        return self._sandbox.run(replace(command, limits=replace(command.limits, seconds=seconds)))

    def give(self, folder: Path) -> None:
        """Hand a folder over as the sandbox below does."""
        self._sandbox.give(folder)

    def make_folder(self, prefix: str) -> Path:
        """Create a folder as the sandbox below does."""
        return self._sandbox.make_folder(prefix)

    def aside(self) -> DeadlineSandbox:
        """Return the one beside the sandbox below, with the same end."""
        return DeadlineSandbox(self._sandbox.aside(), self._remaining_seconds)
