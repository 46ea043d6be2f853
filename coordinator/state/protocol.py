"""The one interface of the two places where state lives: a ref of the forge's git, and a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.state.records import State


class StateStore(Protocol):
    """Everything that is remembered of one repository. All methods raise what their place raises."""

    def read(self) -> State:
        """Return the newest state; an empty one where there is none yet."""
        ...

    def change(self, why: str, edit: Callable[[State], State]) -> State:
        """Change the state atomically and return it as it is then.

        `edit` is called again with a newer state when somebody else was faster, so it must depend on its argument
        alone. When it returns what it was given, nothing is written. `why` is one line for the history, without text
        that a person wrote. What `edit` raises is passed on, and nothing is written.
        """
        ...
