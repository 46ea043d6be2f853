"""A sandbox that several gates share: not more commands at once than processors, and one end for all of them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from coordinator.errors import Unreachable
from coordinator.gates.tree import remove_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.sandbox.interrupt import Interrupt
    from coordinator.sandbox.protocol import Command, CommandResult, Sandbox

OWN_FOLDERS = ("HOME", "TMPDIR")
"""Variables that name a folder."""


class Turns:
    """Lets so many go on at once: by rank, lowest first, and among equals in the order in which they came."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._arrivals = count()
        self._waiting: list[tuple[int, int]] = []
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, interrupt: Interrupt, rank: int = 0) -> Iterator[None]:
        """Wait for a place and keep it. Raises `Unreachable` when the interrupt is set before one is free."""
        with interrupt.stopping(self._look):
            self._wait(interrupt, rank)
        try:
            yield
        finally:
            with self._changed:
                self._places += 1
                self._changed.notify_all()

    def _wait(self, interrupt: Interrupt, rank: int) -> None:
        with self._changed:
            ticket = (rank, next(self._arrivals))
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: interrupt.is_set or (self._places > 0 and min(self._waiting) == ticket))
                if interrupt.is_set:
                    raise Unreachable("A command was not started, as the gates were ended", mend="Judge the tree again")
                self._places -= 1
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _look(self) -> None:
        with self._changed:
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class SharedSandbox:
    """A sandbox as the gates of one judgement share it. Satisfies `coordinator.sandbox.protocol.Sandbox`.

    More busy processes than processors make each of them slower and need their memory at the same time.
    """

    inner: Sandbox
    turns: Turns
    interrupt: Interrupt
    """Ends what runs, and lets nothing start any more."""
    rank: int = 1
    """Whose commands go first when not all can: the lower."""

    @property
    def description(self) -> str:
        """How commands are confined here."""
        return self.inner.description

    def run(self, command: Command) -> CommandResult:
        """Run one command when it is its turn, with an empty HOME and TMPDIR of its own unless it brings them.

        What judged code writes there (settings for ruff, Go, Cargo or npm) must not be there for another gate or for
        the next judgement. Raises like the sandbox, and `Unreachable` after the interrupt.
        """
        with self.turns.taken(self.interrupt, self.rank):
            own = {name: self.inner.make_folder(name.lower()) for name in OWN_FOLDERS}
            try:
                env = {name: str(folder) for name, folder in own.items()} | dict(command.env)
                return self.inner.run(replace(command, env=env, interrupt=self.interrupt))
            finally:
                for folder in own.values():
                    remove_folder(folder)

    def give(self, folder: Path) -> None:
        """Hand a folder over to the confined side."""
        self.inner.give(folder)

    def make_folder(self, prefix: str) -> Path:
        """Create a folder that confined commands can write."""
        return self.inner.make_folder(prefix)

    def aside(self) -> SharedSandbox:
        """Return the one beside it, with the same turns and the same end."""
        return replace(self, inner=self.inner.aside())
