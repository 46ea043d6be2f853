"""What a machine allows the confinement to do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.sandbox.uid import UidLease


@dataclass(frozen=True, slots=True)
class Means:
    """What this machine lets us do, found by trying."""

    lease: UidLease | None
    """None: commands run as the coordinator's own uid."""
    holds_network: bool
    """Whether a command can be kept from the network."""
    hides_processes: bool
    """Whether a command can be kept from seeing the processes of others."""
    processes: int
    """Bound on processes and threads of the leased uid; without one it would count a person's whole session."""

    @property
    def uid(self) -> int | None:
        """The uid that commands get, None for our own."""
        return None if self.lease is None else self.lease.uid

    @property
    def side(self) -> str:
        """Who runs the commands, in words."""
        return f"the coordinator's own uid {os.geteuid()}" if self.uid is None else f"uid {self.uid}"
