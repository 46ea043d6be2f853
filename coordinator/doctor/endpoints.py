"""Trying all models that can be called from here: at the same time, and told in the order of the profiles."""

from __future__ import annotations

import threading
import time
import warnings
from functools import partial
from typing import TYPE_CHECKING, Protocol

from coordinator.doctor.endpoint_findings import trial_findings
from coordinator.doctor.endpoint_trial import TRIAL_SECONDS, try_endpoint
from coordinator.doctor.examining import Examination, findings_of
from coordinator.doctor.models import Finding, Group, bad, good
from coordinator.planning.endpoints import make_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.doctor.endpoint_trial import Trial
    from coordinator.doctor.subject import Subject

GRACE_SECONDS = 2.0
"""For a thread to end whose time is up. What goes on after that waits for a name server, or for half a header."""


class Attempt(Protocol):
    """How one endpoint is tried; see `try_endpoint`."""

    def __call__(self, endpoint: ModelEndpoint, *, deadline: float) -> Trial:
        """Try it until the deadline, a reading of `time.monotonic()`."""
        ...


def endpoint_examinations(
    subject: Subject, *, seconds: float = TRIAL_SECONDS, attempt: Attempt = try_endpoint
) -> Iterator[Examination]:
    """Give the one check that calls models. Each profile has so many seconds."""
    yield Examination(Group.MODELS, "trials", partial(try_endpoints, subject, seconds, attempt))


def try_endpoints(subject: Subject, seconds: float, attempt: Attempt) -> Iterator[Finding]:
    """Call every profile that has an address and a key once."""
    agents = subject.agents.needed()
    with warnings.catch_warnings():
        # each client ignores it while it reads, which is not safe where several do so at once
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
        tried = {
            name: _Tried(make_endpoint(profile, subject.environment), seconds, attempt)
            for name, profile in agents.enabled.items()
            if name not in agents.reasons
        }
        for name in agents.enabled:
            if name in tried:
                yield from tried[name].findings()
            else:
                yield good(f"not configured: {agents.reasons[name]}", name=name)


class _Tried:
    """One profile that is being tried, in a thread that the end of the process does not wait for."""

    def __init__(self, endpoint: ModelEndpoint, seconds: float, attempt: Attempt) -> None:
        self._endpoint = endpoint
        self._seconds = seconds
        self._attempt = attempt
        self._deadline = time.monotonic() + seconds
        self._found: list[Finding] = []
        self._thread = threading.Thread(target=self._try, name=f"trial-{endpoint.profile}", daemon=True)
        self._thread.start()

    def _try(self) -> None:
        examination = Examination(Group.MODELS, self._endpoint.profile, self._look)
        self._found = list(findings_of(examination))

    def _look(self) -> Iterator[Finding]:
        yield from trial_findings(self._attempt(self._endpoint, deadline=self._deadline))

    def findings(self) -> Iterator[Finding]:
        """Wait for the trial to end, or for its time to be up, and give what was found. A signal ends the waiting."""
        self._thread.join(max(0.0, self._deadline + GRACE_SECONDS - time.monotonic()))
        name = f"{self._endpoint.profile} endpoint"
        if self._thread.is_alive():
            yield bad(f"there was no end after {self._seconds:g} s", "Check the address and the network", name=name)
        for finding in self._found:
            yield finding if finding.name else finding.model_copy(update={"name": name})
