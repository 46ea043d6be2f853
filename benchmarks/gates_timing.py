"""Running a process to its end, with its time and the most memory that it and all below it had at once."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_SECONDS = 1200
PAUSE = 0.05
"""Seconds between two looks at the memory of all processes."""
FLOOR = 64 * 1024 * 1024 // os.sysconf("SC_PAGE_SIZE")
"""Pages below which no exact look is taken. Each one stops a process that grows, as all do that start, for milliseconds
that would count as its own; and nothing that is compared has its peak there."""

NOT_INHERITED = ("PYTEST", "COVERAGE", "VIRTUAL", "PYTHON", "COORDINATOR")
"""How variables begin that would make this machine's settings a part of the result."""


@dataclass(frozen=True)
class Taken:
    """What a process took."""

    seconds: float
    megabytes: float
    """Peak of it and its descendants together."""
    output: str = ""


def timed(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Taken:
    """Run a process to its end in a folder, with these variables added; standard error is part of the output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**inherited, **env}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        with watched(process.pid) as peak:
            process.wait(MOST_SECONDS)
            seconds = time.perf_counter() - started
        output.seek(0)
        return Taken(seconds, peak.kilobytes / 1024, output.read().decode(errors="replace"))


@dataclass
class Peak:
    """The most memory that was seen."""

    kilobytes: int = 0
    resident: int = 0
    """Pages that were resident then, shared ones counted once for each process."""


@contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Watch the memory of a process and its descendants as long as the context is open."""
    peak = Peak()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(PAUSE):
            look(pid, peak)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def look(pid: int, peak: Peak) -> None:
    """Measure exactly, which costs milliseconds, where the cheap measure rises by a hundredth above the floor."""
    pids = (pid, *descendants(pid))
    resident = sum(resident_pages(each) for each in pids)
    if resident > max(peak.resident * 1.01, FLOOR):
        peak.resident = resident
        peak.kilobytes = max(peak.kilobytes, together(pids))


def resident_pages(pid: int) -> int:
    """Return the second field of ``statm`` (proc_pid_statm(5)), 0 for a process that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def descendants(pid: int) -> list[int]:
    """Return all processes below one."""
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return [each for child in children for each in (child, *descendants(child))]


def together(pids: Sequence[int]) -> int:
    """Return the kilobytes of processes, each with its part of shared pages (proc_pid_smaps(5)).

    Between ``vfork`` and ``exec`` two processes are one memory, which the kernel counts whole for both. They have the
    same addresses, as has a process that was forked: of those the largest counts, on both sides of the comparison.
    """
    sizes: dict[str, int] = {}
    for pid in pids:
        try:
            head, *lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (OSError, ValueError):
            continue
        size = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
        sizes[head] = max(size, sizes.get(head, 0))
    return sum(sizes.values())
