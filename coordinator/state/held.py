"""Why a run may not have an issue, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from coordinator.state.records import ClaimRecord, IssueRecord


@dataclass(frozen=True, slots=True)
class Held:
    """Why a run may not have an issue."""

    reason: str
    """One line for the log."""
    url: str
    """Page of the run that has it, or has done what was asked; empty where it has none."""
    until: datetime | None
    """When the claim runs out unless it is renewed; None where the request was answered already."""


def name_of(claim: ClaimRecord) -> str:
    """Name the run that has a claim, with its page."""
    return f"run {claim.run}" + (f" ({claim.url})" if claim.url else "")


def held_by(number: int, claim: ClaimRecord) -> Held:
    """Say which run works on an issue."""
    until = claim.expires_at
    shown = until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    reason = f"{name_of(claim)} works on issue #{number}; its claim stands until {shown} unless it is renewed"
    return Held(reason, claim.url, until)


def answered_by(issue: IssueRecord) -> Held:
    """Say which run has answered the newest request for an issue, and how to ask again."""
    where = f" ({issue.answered_url})" if issue.answered_url else ""
    reason = (
        f"run {issue.answered_by}{where} has answered this request for issue #{issue.number} already; to have it "
        "worked on again, take the assignment or label away and put it back, or comment /coordinator retry"
    )
    return Held(reason, issue.answered_url, None)
