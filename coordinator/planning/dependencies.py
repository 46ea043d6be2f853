"""What an issue waits for, by the forge's own dependencies and by what is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from coordinator.planning.show import cycle_text, hashes
from coordinator.planning.values import unique

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coordinator.forge.models import Dependencies
    from coordinator.planning.metadata import PartialMetadata

    IssueState = Callable[[int], Literal["open", "closed"] | None]
    """The state of an issue now; None when there is no such issue."""


@dataclass(frozen=True, slots=True)
class Blockers:
    """What stands in the way of an issue, and what it stands in the way of."""

    blocks: tuple[int, ...] = ()
    open: tuple[int, ...] = ()
    """Blockers that are not closed."""
    missing: tuple[int, ...] = ()
    """Blockers that are named and that do not exist."""
    foreign: tuple[str, ...] = ()
    """Blockers in other repositories, whose state nobody here knows."""
    cycle: tuple[int, ...] = ()
    """A cycle that the issue is on: each waits for the next, the last for the first."""
    notes: tuple[str, ...] = ()

    @property
    def blocked_by(self) -> tuple[int, ...]:
        """The issues of this repository that keep the issue from being started."""
        return self.open + self.missing

    @property
    def any(self) -> bool:
        """Whether anything at all keeps the issue from being started."""
        return bool(self.open or self.missing or self.foreign)

    @property
    def for_good(self) -> bool:
        """Whether waiting would never end: a person has to change something."""
        return bool(self.missing or self.foreign or self.cycle)

    @property
    def reason(self) -> str:
        """One line on why the issue cannot start and what to do; empty when it can."""
        parts = []
        if self.missing:
            word = "does" if len(self.missing) == 1 else "do"
            parts.append(f"{hashes(self.missing)} {word} not exist: correct the dependencies of the issue")
        parts += [
            f"{_foreign_name(reference)}, where nobody watches it: remove the dependency once it is done"
            for reference in self.foreign
        ]
        if self.cycle:
            parts.append(f"cycle {cycle_text(self.cycle)}: remove one of these dependencies")
        if waits := [number for number in self.open if number not in self.cycle]:
            parts.append(f"waits for {hashes(waits)}")
        return "; ".join(parts)


def _foreign_name(reference: str) -> str:
    """Name an issue elsewhere; Gitea tells of one in a repository that the token may not read that it exists only."""
    hidden = reference.startswith("?")
    return (
        "an issue is in a repository that the token may not read" if hidden else f"{reference} is in another repository"
    )


def waits_for(
    number: int, *, native: Dependencies, said: PartialMetadata, named_by: Iterable[int] = ()
) -> tuple[int, ...]:
    """Return what an issue waits for, whatever its state: the forge's edges first, then those that are written.

    `said` is the text of the issue, `named_by` are the issues whose text says that they block it.
    """
    every = unique([*native.blocked_by, *said.blocked_by, *named_by])
    return tuple(other for other in every if other != number)


def find_blockers(
    number: int,
    *,
    native: Dependencies,
    said: PartialMetadata,
    named_by: Iterable[int],
    issue_state: IssueState,
    cycle: tuple[int, ...] = (),
    waited_for_by: Iterable[int] = (),
) -> Blockers:
    """Tell which of the things that an issue waits for are still in its way; see `waits_for`.

    `waited_for_by` are the issues whose text says that they wait for this one.
    """
    states = {other: issue_state(other) for other in waits_for(number, native=native, said=said, named_by=named_by)}
    itself = number in {*native.blocked_by, *said.blocked_by}
    return Blockers(
        blocks=tuple(other for other in unique([*native.blocks, *said.blocks, *waited_for_by]) if other != number),
        open=tuple(other for other, state in states.items() if state == "open"),
        missing=tuple(other for other, state in states.items() if state is None),
        foreign=unique([*native.foreign, *said.foreign]),
        cycle=cycle,
        notes=(f"waits for itself (#{number}), which is ignored",) if itself else (),
    )
