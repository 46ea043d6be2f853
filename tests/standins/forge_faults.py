"""What can go wrong with a request to the stand-in of a Gitea server."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from tests.standins.forge_api import Answer
from tests.standins.forge_http import Reset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.standins.forge_http import Request

Stumble: TypeAlias = Literal["500", "429", "hang", "reset", "lost", "409", "412"]
STUMBLES: tuple[Stumble, ...] = ("500", "429", "hang", "reset", "lost", "409", "412")
"""Every way in which one request can fail once; ``lost`` is carried out, and the answer does not arrive."""


@dataclass
class Fault:
    """What goes wrong with the next requests whose ``METHOD path`` matches."""

    route: re.Pattern[str]
    times: int = 1
    after: int = 0
    """So many requests that match are let through before."""
    status: int = 0
    """Answered instead of the real thing."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before anything else."""
    drop: str = ""
    """``before``: the connection is closed and nothing was done; ``after``: it was done, and then closed; ``reset``:
    nothing was done, and the connection is reset; ``hang``: nothing is done, and nothing is ever said."""
    meanwhile: Callable[[], object] | None = None
    """Done by somebody else before the request is looked at."""


class Faults:
    """The faults of one server, each used up in the order in which they were given."""

    def __init__(self) -> None:
        self._all: list[Fault] = []
        self._over = threading.Event()

    def add(self, fault: Fault) -> None:
        """Let something go wrong from now on."""
        self._all.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._all.clear()

    def release(self) -> None:
        """End what hangs: the server ends."""
        self._over.set()

    def next(self, request: Request) -> Fault | None:
        """Return what goes wrong with a request, and count it."""
        for fault in self._all:
            if fault.times > 0 and fault.route.search(f"{request.method} {request.path}"):
                if fault.after:
                    fault.after -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    def suffer(self, fault: Fault, serve: Callable[[], Answer]) -> Answer | None:
        """Answer a request with which this goes wrong; None closes the connection."""
        time.sleep(fault.delay)
        if fault.meanwhile is not None:
            fault.meanwhile()
        if fault.status:
            return Answer(fault.status, fault.body, tuple(fault.headers.items()))
        if fault.drop == "reset":
            raise Reset
        if fault.drop == "hang":
            self._over.wait()
        if fault.drop in {"before", "hang"}:
            return None
        served = serve()
        return None if fault.drop else served


def stumble(route: str, kind: Stumble, *, after: int) -> Fault:
    """Return the fault of this kind, once, for the request after so many that match."""
    fault = Fault(re.compile(route), after=after)
    if kind in {"hang", "reset"}:
        fault.drop = kind
    elif kind == "lost":
        fault.drop = "after"
    else:
        fault.status = int(kind)
        fault.body = f'{{"message": "stumbled with {kind}", "url": "/api/swagger"}}'.encode()
        fault.headers = {"Content-Type": "application/json", **({"Retry-After": "1"} if kind == "429" else {})}
    return fault
