"""What an issue waits for, by the forge's own dependencies and by its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from coordinator.planning.show import hashes
from coordinator.planning.values import unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coordinator.forge.models import Dependencies

    IssueState = Callable[[int], Literal["open", "closed"] | None]
    """The state of an issue now; None when there is no such issue."""


@dataclass(frozen=True, slots=True)
class Blockers:
    """What stands in the way of an issue, and what it stands in the way of."""

    blocks: tuple[int, ...] = ()
    open: tuple[int, ...] = ()
    """Blockers that are not closed."""
    missing: tuple[int, ...] = ()
    """Blockers that the issue names and that do not exist."""
    notes: tuple[str, ...] = ()

    @property
    def blocked_by(self) -> tuple[int, ...]:
        """Everything that keeps the issue from being started."""
        return self.open + self.missing

    @property
    def reason(self) -> str:
        """One line on why the issue cannot start; empty when it can."""
        parts = []
        if self.missing:
            word = "does" if len(self.missing) == 1 else "do"
            parts.append(f"{hashes(self.missing)} {word} not exist: correct the dependencies of the issue")
        if self.open:
            parts.append(f"waits for {hashes(self.open)}")
        return "; ".join(parts)


def find_blockers(
    number: int,
    *,
    native: Dependencies,
    blocked_by: Iterable[int],
    blocks: Iterable[int],
    issue_state: IssueState,
) -> Blockers:
    """Merge the forge's dependencies with those of the text, and look up which blockers are still open."""
    waits_for = unique([*native.blocked_by, *blocked_by])
    notes = [f"waits for itself (#{number}), which is ignored"] if number in waits_for else []
    notes += [f"{reference} blocks it in another repository and is not watched" for reference in native.foreign]
    states = {other: issue_state(other) for other in waits_for if other != number}
    return Blockers(
        blocks=tuple(other for other in unique([*native.blocks, *blocks]) if other != number),
        open=tuple(other for other, state in states.items() if state == "open"),
        missing=tuple(other for other, state in states.items() if state is None),
        notes=tuple(notes),
    )
