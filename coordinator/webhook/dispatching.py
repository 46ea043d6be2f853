"""Passing a delivery on to the workflow of its repository, which verifies it again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.forge.protocol import Forge
    from coordinator.webhook.delivery import Delivery

WORKFLOW: Final = "coordinator.yml"
WORKERS: Final = 4
"""Deliveries passed on at once, so that one repository that hangs does not hold up the others."""


class Dispatching:
    """Starts the workflow on the default branch, with the body and its signature as inputs.

    `open_forge` returns a forge for ``owner/name``, to be closed here.
    """

    def __init__(self, open_forge: Callable[[str], Forge], *, workflow: str = WORKFLOW) -> None:
        self._open_forge = open_forge
        self._workflow = workflow
        self._own_id: int | None = None

    def handle(self, delivery: Delivery) -> str:
        """Dispatch, unless it is our own account's doing. Raises what the forge raises."""
        with closing(self._open_forge(delivery.repository)) as forge:
            if self._is_own(delivery, forge):
                return "ignored: done by the coordinator's own account, and its doings start nothing"
            ref = delivery.event.repository.default_branch or forge.repository().default_branch
            inputs = {"event": delivery.body.decode(), "signature": delivery.signature}
            forge.dispatch(self._workflow, ref=ref, inputs=inputs)
            return f"dispatched {self._workflow}"

    def end(self) -> None:
        """Nothing is cut short: a request that was sent is waited for."""

    def abandon(self) -> None:
        """Nothing is left: threads end with the process."""

    def _is_own(self, delivery: Delivery, forge: Forge) -> bool:
        if self._own_id is None:
            self._own_id = forge.myself().id
        sender = delivery.event.sender
        return sender is not None and sender.id == self._own_id
