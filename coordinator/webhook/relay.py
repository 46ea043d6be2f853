"""The relay: takes deliveries at once, and has them seen to in the background."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, Literal, Protocol

from coordinator.errors import CoordinatorError, Refused, Unreachable
from coordinator.events.models import Skipped
from coordinator.models import Frozen
from coordinator.webhook.backlog import LIMIT, Backlog
from coordinator.webhook.delivery import Delivery, read_delivery
from coordinator.webhook.memory import Memory
from coordinator.webhook.signature import fits, sign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

WAITS: Final = (5.0, 20.0, 60.0)
"""Seconds before each further try. One try may itself be several requests."""
STOP_SECONDS: Final = 7.0
"""For what is queued at the end: with the 2 seconds that answers get, less than the 10 after which containers are
killed (``docker stop``)."""

_LOG = logging.getLogger(__name__)
_REPLAY: Final = "After that, deliver it again on the webhook's page of the forge"


class Handler(Protocol):
    """What is done with a delivery that was taken."""

    def handle(self, delivery: Delivery) -> str:
        """Do it, and return in few words what was done. Called from several threads.

        Raises `Unreachable` where another try may help, any other `CoordinatorError` where none does.
        """
        ...

    def end(self) -> None:
        """Let what is under way come to its end soon, and begin nothing more."""
        ...

    def abandon(self) -> None:
        """Leave nothing running behind."""
        ...


class Taken(Frozen):
    """The answer to a delivery whose signature is good."""

    status: Literal["queued", "ignored", "duplicate"]
    reason: str
    """One line without text that a person wrote."""


class Relay:
    """One secret, one backlog and one thing to do. `start` before the first delivery, `stop` after the last."""

    def __init__(
        self,
        handler: Handler,
        *,
        secret: SecretStr,
        workers: int,
        limit: int = LIMIT,
        waits: Sequence[float] = WAITS,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        """Have deliveries seen to by `handler` in so many `workers`; at most `limit` may wait."""
        if not secret.get_secret_value():
            message = "an empty secret signs nothing"
            raise ValueError(message)
        self._handler = handler
        self._secret = secret
        self._waits = waits
        self._stop_seconds = stop_seconds
        self._memory = Memory()
        self._backlog = Backlog(self._see_to, workers=workers, limit=limit)
        self._ending = threading.Event()

    def start(self) -> None:
        """Begin to see to deliveries."""
        self._backlog.start()

    def stop(self) -> None:
        """Take no more, let what was taken be finished, and name in the log what was not."""
        self._ending.set()
        self._handler.end()
        left = self._backlog.stop(self._stop_seconds)
        self._handler.abandon()
        for delivery in left:
            _LOG.error("%s: not finished when the relay ended. %s.", delivery.describe(), _REPLAY)

    def take(self, name: str, headers: Sequence[tuple[str, str]], body: bytes) -> Taken:
        """Take one delivery; `name` is its id, as `clean_id` returns it. Returns at once.

        Raises `Refused` for a signature that is missing or wrong, `Misconfigured` for a body that is no event, and
        `Unreachable` where too much is waiting.
        """
        signature = sign(body, self._secret)
        if not fits(headers, signature):
            _LOG.warning("delivery %s: refused: the signature is missing or wrong", name)
            raise Refused("the signature is missing or wrong", mend="Set the same secret in the webhook and the relay")
        try:
            delivery = read_delivery(name, body, signature)
        except CoordinatorError as error:
            _LOG.warning("delivery %s: no event: %s", name, error.what)
            raise
        if isinstance(delivery, Skipped):
            _LOG.info("delivery %s: ignored: %s", name, delivery.reason)
            return Taken(status="ignored", reason=delivery.reason)
        return self._queue(delivery)

    def _queue(self, delivery: Delivery) -> Taken:
        if not self._memory.add(delivery.body):
            _LOG.info("%s: ignored: it was taken before", delivery.describe())
            return Taken(status="duplicate", reason="this event was taken before")
        if not self._backlog.offer(delivery):
            self._memory.forget(delivery.body)
            _LOG.error("%s: turned away: too much is waiting. %s.", delivery.describe(), _REPLAY)
            raise Unreachable("too much is waiting", mend="Deliver it again later")
        _LOG.debug("%s: queued", delivery.describe())
        return Taken(status="queued", reason="it is being seen to")

    def _see_to(self, delivery: Delivery) -> None:
        try:
            done = self._tried(delivery)
        except CoordinatorError as error:
            self._failed(delivery, f"{error} {_REPLAY}.")
        except Exception as error:  # noqa: BLE001  (the edge of a thread: one bad delivery must not end it)
            self._failed(delivery, f"internal error: {type(error).__name__}")
        else:
            _LOG.info("%s: %s", delivery.describe(), done)

    def _failed(self, delivery: Delivery, why: str) -> None:
        self._memory.forget(delivery.body)
        _LOG.error("%s: failed: %s", delivery.describe(), why)

    def _tried(self, delivery: Delivery) -> str:
        for wait in self._waits:
            try:
                return self._handler.handle(delivery)
            except Unreachable as error:
                _LOG.warning("%s: to be tried again in %g s: %s", delivery.describe(), wait, error)
                if self._ending.wait(wait):
                    raise
        return self._handler.handle(delivery)
