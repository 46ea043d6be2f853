"""The one function through which every command of the agent, the set-up and the gates goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path  # noqa: TC003  (part of the records' public types)
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.sandbox.interrupt import Interrupt


class Network(StrEnum):
    """What a confined command may reach."""

    NONE = "none"
    LOOPBACK = "loopback"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one command. Reaching one ends the command, never the coordinator."""

    seconds: float
    """Wall time."""
    output_bytes: int = 8 * 1024 * 1024
    """Of standard output and of standard error each; the rest is dropped and `CommandResult.truncated` says so."""
    file_bytes: int = 2 * 1024 * 1024 * 1024
    """Largest file that the command can write (RLIMIT_FSIZE)."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command to run confined. No shell is added: `argv` is executed as it stands."""

    argv: tuple[str, ...]
    cwd: Path
    limits: Limits
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the clean base environment (PATH, HOME, LANG, TMPDIR, CI …).

    The coordinator's own environment is never passed on.
    """
    stdin: bytes = b""
    merge_stderr: bool = False
    """Standard error goes into standard output, in the order written."""
    network: Network = Network.OPEN
    """What the command wants at most; a tier that cannot hold it back says so in `Sandbox.description`."""
    interrupt: Interrupt | None = None
    """Ends the command before its time, as a signal would."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a confined command did. All its processes are gone when this exists."""

    exit_code: int | None
    """None when it was ended by a signal or by our time limit."""
    signal: int | None
    timed_out: bool
    stdout: bytes
    stderr: bytes
    truncated: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0


class Sandbox(Protocol):
    """Runs commands that belong to the agent or to the repository."""

    @property
    def description(self) -> str:
        """One line for people: how commands are confined here, e.g. ``uid 64123, clean environment``."""
        ...

    def run(self, command: Command) -> CommandResult:
        """Run one command and leave no process of it behind. Thread-safe: gates run at once.

        Raises `coordinator.errors.Unreachable` when the confinement itself cannot be set up; a command that fails
        is a result.
        """
        ...

    def give(self, folder: Path) -> None:
        """Hand an existing folder with all its content over to the confined side, so that commands may write there."""
        ...

    def make_folder(self, prefix: str) -> Path:
        """Create an empty folder that confined commands can reach and write."""
        ...

    def aside(self) -> Sandbox:
        """Return a sandbox for commands that run nothing of the repository: what this one runs cannot touch them.

        Where all commands share one uid it is this one. It ends with this one, and has to be asked for before that.
        """
        ...
