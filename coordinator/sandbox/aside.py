"""A second uid beside that of a sandbox, for commands that run nothing of the repository."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from coordinator.sandbox.ownership import change_owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.sandbox.protocol import Command, CommandResult


@dataclass(frozen=True, slots=True)
class AsideSandbox:
    """A `Sandbox` that shares all but the uid with the one below: neither can signal, trace or see what the other runs.

    A process may be traced and changed by any other of its uid (ptrace(2), "Ptrace access mode checking"), so a test
    could put words into the mouth of a tool that runs beside it.
    """

    root: Path
    """The folder of the sandbox below, where folders are made."""
    uid: int
    description: str
    run_as: Callable[[Command, int], CommandResult]
    """Runs a command in the sandbox below as another uid."""

    def run(self, command: Command) -> CommandResult:
        """Run one command. Raises what the sandbox below raises."""
        return self.run_as(command, self.uid)

    def give(self, folder: Path) -> None:
        """Hand over a folder that `make_folder` has made, with all its content."""
        change_owner(folder, self.uid)

    def make_folder(self, prefix: str) -> Path:
        """Create an empty folder that only these commands can enter. Gone when the sandbox below is closed."""
        folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.root))
        os.chown(folder, self.uid, self.uid)
        return folder

    def aside(self) -> Self:
        """Return this one: there is no third."""
        return self
