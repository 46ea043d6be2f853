"""Fifty claimants at once: for one issue, and for an issue each. Nobody may win twice, and no claim may get lost.

Run by hand: ``python -m benchmarks.claims``. In a folder, and in git over HTTP with the stand-in forge of the tests,
each claimant with a store of its own. A busy machine slows all alike; the ratios of one run are what to compare.
Bounded by two minutes; the exit code is 1 when a claim was lost or doubled.
"""

from __future__ import annotations

import base64
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.forge.models import GitRemote
from coordinator.state.claims import Claims, Held, RunIdentity
from coordinator.state.folder import FolderStateStore
from coordinator.state.git_store import GitStateStore
from coordinator.workspace.git import Git
from coordinator.workspace.remote import STATE_REF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from coordinator.state.protocol import StateStore
    from coordinator.state.records import ClaimRecord, State

CLAIMANTS = 50
UNDISTURBED = 5
HISTORY = 5000
ROOT = Path(__file__).resolve().parent.parent


class CountingStore:
    """Counts how often a change was tried."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self.tries = 0

    def read(self) -> State:
        """Read."""
        return self._store.read()

    def change(self, why: str, edit: Callable[[State], State]) -> State:
        """Change, and count."""

        def counted(state: State) -> State:
            self.tries += 1
            return edit(state)

        return self._store.change(why, counted)


@dataclass
class Claimant:
    """One run that wants one issue, and what it got."""

    name: str
    number: int
    store: CountingStore
    answer: ClaimRecord | Held | CoordinatorError | None = None
    seconds: float = 0.0

    def claim(self) -> None:
        """Ask for the issue once."""
        start = time.perf_counter()
        claims = Claims(self.store, RunIdentity(self.name), now=lambda: datetime.now(UTC))
        try:
            self.answer = claims.take(self.number, request=None, most_runs=None)
        except CoordinatorError as error:
            self.answer = error
        self.seconds = time.perf_counter() - start

    @property
    def won(self) -> bool:
        """Whether it was told that the issue is its own."""
        return not isinstance(self.answer, Held | CoordinatorError | None)


def race(claimants: list[Claimant]) -> float:
    """Let all claim at once; returns seconds until the last one has its answer."""
    barrier = threading.Barrier(len(claimants) + 1)

    def start(claimant: Claimant) -> None:
        barrier.wait()
        claimant.claim()

    threads = [threading.Thread(target=start, args=(claimant,)) for claimant in claimants]
    for thread in threads:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def check(what: str, claimants: list[Claimant], state: State, *, seconds: float, alone: float, winners: int) -> bool:
    """Print what came of a race; returns whether the answers and the state are as they must be."""
    won = [each for each in claimants if each.won]
    held = sum(isinstance(each.answer, Held) for each in claimants)
    failed = [each.answer for each in claimants if isinstance(each.answer, CoordinatorError)]
    kept = sum((claim := state.issues[each.number].claim) is not None and claim.run == each.name for each in won)
    tries = sum(each.store.tries for each in claimants)
    print(
        f"  {what:28}{len(won):5} won {held:3} held {len(failed):3} failed {kept:3} kept"
        f"{tries / len(claimants):7.1f} tries each{seconds:8.1f} s, {seconds / len(claimants) / alone:5.2f} x one alone"
    )
    for error in failed[:3]:
        print(f"    {error}")
    return len(won) == kept == winners and held == len(claimants) - winners


def measure(name: str, open_store: Callable[[], StateStore]) -> bool:
    """Run both races in one place; returns whether nothing was lost or doubled."""
    print(name)

    def claimant(run: str, number: int) -> Claimant:
        return Claimant(run, number, CountingStore(open_store()))

    single = [claimant(f"single {number}", 1000 + number) for number in range(UNDISTURBED)]
    for each in single:
        each.claim()
    alone = statistics.median(each.seconds for each in single)
    print(f"  {'one alone':28}{alone * 1000:8.1f} ms")
    one = [claimant(f"one {number}", 7) for number in range(CLAIMANTS)]
    seconds = race(one)
    good = check(f"{CLAIMANTS} for one issue", one, open_store().read(), seconds=seconds, alone=alone, winners=1)
    many = [claimant(f"many {number}", 100 + number) for number in range(CLAIMANTS)]
    seconds = race(many)
    state = open_store().read()
    what = f"{CLAIMANTS} for an issue each"
    return check(what, many, state, seconds=seconds, alone=alone, winners=CLAIMANTS) and good


@contextmanager
def stand_in(folder: Path) -> Iterator[tuple[GitRemote, Path]]:
    """Start the stand-in forge in a process of its own; gives its remote and the bare repository behind it."""
    command = [sys.executable, "-m", "tests.standins.forge_server", "--state", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            about = json.loads(process.stdout.readline()) if process.stdout else {}
            header = base64.b64encode(f"x:{about['token']}".encode()).decode()
            url = f"{about['url']}/{about['repository']}.git"
            yield GitRemote(url=url, authorization=f"Basic {header}"), Path(about["bare_repository"])
        finally:
            process.terminate()


def lengthen_history(bare: Path) -> None:
    """Put thousands of changes behind the state that is there."""
    lines = [f"commit {STATE_REF}\ncommitter a <a@example.invalid> 0 +0000\ndata 0\nfrom {STATE_REF}^0\n"]
    for number in range(HISTORY):
        text = f'{{"number": 1, "text": "{number}"}}'
        lines.append(f"commit {STATE_REF}\ncommitter a <a@example.invalid> 0 +0000\ndata 0\n")
        lines.append(f"M 100644 inline issues/1.json\ndata {len(text)}\n{text}\n")
    command = ["git", "-c", "safe.directory=*", f"--git-dir={bare}", "fast-import", "--quiet"]
    subprocess.run(command, input="".join(lines), text=True, check=True)


def first_read(open_store: Callable[[], StateStore]) -> float:
    """Return the median seconds of a look at the state by a run that has just begun."""
    times = []
    for _ in range(UNDISTURBED):
        store, start = open_store(), time.perf_counter()
        store.read()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    """Measure both places and print the table; returns the exit code."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        good = measure("a folder", lambda: FolderStateStore(folder / "state"))
        with stand_in(folder / "forge") as (remote, bare):

            def open_store() -> StateStore:
                return GitStateStore(remote, Git(), Path(tempfile.mkdtemp(dir=folder)))

            good = measure("git over HTTP", open_store) and good
            before = first_read(open_store)
            lengthen_history(bare)
            after = first_read(open_store)
            print(f"  first look{before * 1000:8.1f} ms, with {HISTORY} more changes behind it {after / before:5.2f} x")
    print("nothing lost, nothing doubled" if good else "A CLAIM WAS LOST OR DOUBLED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
