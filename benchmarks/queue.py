"""What reading the queue costs: requests to the forge and our own processor time, for 500 and for 5,000 issues.

Run by hand: ``python -m benchmarks.queue``. The forge is the stand-in of the tests, over HTTP on loopback. Each issue
waits for others on the forge, by its text and by theirs, some for issues that are not ours, and some in a circle.
Requests must grow with the pages and the issues and with nothing else, our own time (all of it but the forge's client)
with the issues, and 5,000 of them must take less than two seconds of it. A busy machine slows both alike; the ratio is
what to compare. Bounded by three minutes; the exit code is 1 when something is not so.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from coordinator.events.permission import Permissions
from coordinator.flows.queue import read_queue
from coordinator.forge.gitea import GiteaForge
from coordinator.forge.gitea_api import PAGE_SIZE
from tests.standins.forge_server import ForgeServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.forge.models import Dependencies, Issue, Repository
    from coordinator.planning.queue import Queue

T = TypeVar("T")
SMALL, LARGE = 500, 5_000
MOST_SECONDS = 2.0
MOST_GROWTH = 1.05
"""Requests per page and issue of the large queue, in relation to the small one; a few requests do not grow at all."""
MOST_OWN_GROWTH = 3.0
"""The same of our own time per issue: sorting adds a little, noise more, and a quadratic part would make it ten."""
LISTS = 2
"""Lists of dependencies that Gitea has of an issue: what blocks it, and what it blocks."""


class TimedForge(GiteaForge):
    """Keeps account of the processor time that the client takes: that is not ours."""

    client_seconds = 0.0

    def repository(self) -> Repository:
        """Count the time."""
        return self._timed(super().repository)

    def issue(self, number: int) -> Issue:
        """Count the time."""
        return self._timed(lambda: super(TimedForge, self).issue(number))

    def find_issues(self, *, assignee: str, label: str) -> tuple[Issue, ...]:
        """Count the time."""
        return self._timed(lambda: super(TimedForge, self).find_issues(assignee=assignee, label=label))

    def dependencies(self, number: int) -> Dependencies:
        """Count the time."""
        return self._timed(lambda: super(TimedForge, self).dependencies(number))

    def _timed(self, ask: Callable[[], T]) -> T:
        start = time.thread_time()
        try:
            return ask()
        finally:
            self.client_seconds += time.thread_time() - start


@dataclass(frozen=True)
class Measured:
    """What one queue has cost."""

    issues: int
    units: int
    """Pages of the list, two lists of dependencies for each issue, and issues outside that had to be looked up.

    A list of dependencies that is not empty takes one request more, because Gitea does not say where it ends.
    """
    requests: int
    own_seconds: float
    queue: Queue


def fill(server: ForgeServer, size: int) -> int:
    """Make `size` issues of ours and a tenth as many of others; return how many of these block one of ours."""
    outside = size // 10
    for number in range(1, outside + 1):
        server.add_issue(f"Of others {number}")
    first = outside + 1
    for index in range(size):
        number = first + index
        body = f"---\npriority: {('low', 'medium', 'high')[index % 3]}\n---\n\nSome text.\n\n" + "More text.\n" * 20
        if index % 4 == 0:
            body += f"\nBlocked by: #{first + index * 37 % size}, #{index // 10 + 1}\n"
        elif index % 4 == 1 and index + 1 < size:
            body += f"\nBlocks: #{number + 1}\n"
        server.add_issue(f"Issue {number}", body, labels=("agent",))
        if index % 3 == 0 and index:
            server.state.issues[number].blocked_by.append(number - 1)
    return len({index // 10 + 1 for index in range(0, size, 4)})


def measure(size: int, folder: Path) -> Measured:
    """Read a queue of so many issues."""
    with ForgeServer(folder / str(size)) as server:
        looked_up = fill(server, size)
        forge = TimedForge(server.api_url, server.url, server.repository, SecretStr(server.token))
        start = time.thread_time()
        queue = read_queue(
            forge, assignee="nobody-at-all", label="agent", permissions=Permissions(forge, ()), working={}
        )
        own = time.thread_time() - start - forge.client_seconds
        forge.close()
        requests = len(server.requests)
    if len(queue.entries) != size:
        raise SystemExit(f"{len(queue.entries)} of {size} issues are in the queue")
    return Measured(size, ceil(size / PAGE_SIZE) + LISTS * size + looked_up, requests, own, queue)


def main() -> int:
    """Measure both sizes and print the table; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (measure(size, Path(folder)) for size in (SMALL, LARGE))
    print(f"{'issues':>7}{'requests':>10}{'units':>10}{'per unit':>10}{'own CPU s':>11}{'us per issue':>14}")
    for each in (small, large):
        per_issue = each.own_seconds / each.issues * 1e6
        row = f"{each.issues:>7}{each.requests:>10}{each.units:>10}{each.requests / each.units:>10.3f}"
        print(f"{row}{each.own_seconds:>11.2f}{per_issue:>14.0f}   {each.queue.counts}")
    growth = (large.requests / large.units) / (small.requests / small.units)
    own_growth = (large.own_seconds / large.issues) / (small.own_seconds / small.issues)
    wrong = {
        f"requests per page and issue: ratio {growth:.3f}, at most {MOST_GROWTH}": growth > MOST_GROWTH,
        f"own time per issue: ratio {own_growth:.2f}, at most {MOST_OWN_GROWTH}": own_growth > MOST_OWN_GROWTH,
        f"own time: {large.own_seconds:.2f} s, less than {MOST_SECONDS}": large.own_seconds >= MOST_SECONDS,
    }
    for line, is_wrong in wrong.items():
        print(f"{'WRONG' if is_wrong else 'ok':<7}{line}")
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
