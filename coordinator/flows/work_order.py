"""What a run is to work on, and on whose word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from coordinator.forge.models import Issue


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One issue, with the very text that was asked for."""

    issue: Issue
    verified: str
    """Who started it and why that is allowed, one line."""
    event: str = ""
    """What that person did, e.g. ``issues assigned``."""
    asked_at: datetime | None = None
    """When the assignment, the label or the command was made, by the forge's clock; None where nothing tells."""
    once: bool = False
    """Whether a run that has answered this request already makes this one needless: one click starts several runs. A
    run that was asked for by name, or started again, is always meant."""
    text: str = ""
    """Digest of the text as a person has just seen it (`coordinator.events.freshness.digest`); empty for a run that no
    person has started."""
