"""What the agent step costs: own processor time, memory, tokens billed, and what each reset of the context frees.

Run by hand: ``python -m benchmarks.agent`` (``--json`` for one document). The model is the strict stand-in, over HTTP
on loopback in a process of its own; each job is a process too, and the processor time of its commands is not counted.
All figures are ratios of one run, as a busy machine slows both sides alike; jobs that are compared take turns.

The other agent is mini-swe-agent, which does no more than it must. It is installed into a temporary environment, unless
``--peer PYTHON`` names an interpreter that has it; where no package index can be reached that line is skipped. The exit
code is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEER = ("mini-swe-agent==2.4.6", "mcp")
"""The releases of litellm that it takes import `mcp` and do not ask for it."""
INSTALL_SECONDS = 150
JOB_SECONDS = 120
ROUND = 10
"""Turns after which the commands of a job begin anew; every window is a multiple of it."""
WINDOW = 20
EARLY, LATE = 3, 300
REPETITIONS = 2
PEER_TURNS = 60
BILLED_TURNS = 200
LONG_TURNS = 1_000
MEMORY_MARK, MEMORY_WINDOW = 200, 200
"""Memory rises and falls with each conversation, so what is compared is the peak of as many turns as one may have."""


class Figures(TypedDict):
    """What a job says of itself."""

    cpu: list[float]
    memory: list[int]
    reductions: list[float]


class Bill(TypedDict):
    """What the stand-in says of a job."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    refused: list[str]


@dataclass(frozen=True)
class Target:
    """One line of the result."""

    name: str
    value: float
    bound: float
    at_least: bool = False
    detail: str = ""

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        word = "at least" if self.at_least else "at most"
        return f"{'ok' if self.met else 'WRONG':<7}{self.name}: {self.value:.3f}, {word} {self.bound:g}   {self.detail}"


def run_job(turns: int, lines: str, *more: str, peer: str = "") -> tuple[Figures, Bill]:
    """Run one job against a server of its own; `peer` is the interpreter of the other agent, if that shall do it."""
    server = [sys.executable, "-m", "benchmarks.agent_server", "--turns", str(turns), "--lines", lines]
    with subprocess.Popen(server, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        url = json.loads(serving.stdout.readline() if serving.stdout else "")["url"]
        job = [peer, str(HERE / "agent_peer.py")] if peer else [sys.executable, "-m", "benchmarks.agent_job"]
        command = [*job, "--url", url, "--turns", str(turns), *more]
        try:
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=JOB_SECONDS)
        finally:
            bill: Bill = json.loads(serving.communicate()[0])
    if bill["refused"]:
        raise SystemExit(f"the stand-in refused requests: {bill['refused'][:3]}")
    figures: Figures = json.loads(done.stdout)
    return figures, bill


def per_turn(figures: Figures, first: int, count: int) -> list[float]:
    """Return the processor time of so many turns from the given one on, in milliseconds."""
    marks = figures["cpu"][first - 1 : first + count]
    return [1_000 * (after - before) for before, after in itertools.pairwise(marks)]


def median(jobs: Sequence[Figures], first: int, count: int) -> float:
    """Return the median of these turns over all repetitions, in milliseconds."""
    return statistics.median(time for job in jobs for time in per_turn(job, first, count))


def time_targets(peer: str) -> list[Target]:
    """Measure the loop's own time, early and late and beside the other agent. The jobs take turns."""
    ours: list[Figures] = []
    theirs: list[Figures] = []
    for _ in range(REPETITIONS):
        ours.append(run_job(LATE + WINDOW, "even")[0])
        if peer:
            theirs.append(run_job(PEER_TURNS, "even", peer=peer)[0])
    if any(job["reductions"] for job in ours):
        raise SystemExit("the context was reset in a job that is to show how its length counts")
    early, late = median(ours, EARLY, WINDOW), median(ours, LATE - 1, WINDOW)
    detail = f"{late:.2f} ms a turn to {early:.2f} ms"
    targets = [Target(f"own CPU, turn {LATE} to turn {EARLY}", late / early, 1.2, detail=detail)]
    if theirs:
        same, other = (median(jobs, EARLY, PEER_TURNS - ROUND) for jobs in (ours, theirs))
        detail = f"{same:.2f} ms a turn to {other:.2f} ms"
        targets.append(Target("own CPU, to mini-swe-agent's", same / other, 1.0, detail=detail))
    return targets


def billed(bill: Bill) -> int:
    """Return all tokens of a bill, whatever their price."""
    return _prompts(bill) + bill["output_tokens"]


def _prompts(bill: Bill) -> int:
    return bill["input_tokens"] + bill["cache_read_tokens"] + bill["cache_write_tokens"]


def token_targets() -> list[Target]:
    """Measure what a job of 200 turns is billed, and the same job when nothing is ever left out."""
    figures, bill = run_job(BILLED_TURNS, "real")
    _, whole = run_job(BILLED_TURNS, "real", "--unbounded")
    detail = f"{billed(bill) / 1e6:.1f} to {billed(whole) / 1e6:.1f} million, {len(figures['reductions'])} resets"
    share = bill["cache_read_tokens"] / _prompts(bill)
    return [
        Target("tokens billed, to an unbounded history", billed(bill) / billed(whole), 0.5, detail=detail),
        Target("share of cached input", share, 0.9, at_least=True),
    ]


def long_targets() -> list[Target]:
    """Measure memory and resets over a thousand turns."""
    figures, _ = run_job(LONG_TURNS, "real")
    reductions, memory = figures["reductions"], figures["memory"]
    early, late = (max(memory[mark - MEMORY_WINDOW : mark]) for mark in (MEMORY_MARK, LONG_TURNS))
    shown = f"{late / 2**20:.1f} MiB to {early / 2**20:.1f} MiB"
    rest = f"{len(reductions)} resets, per cent: {', '.join(f'{one:.0f}' for one in reductions)}"
    targets = [Target("least reduction of a reset, per cent", min(reductions), 40, at_least=True, detail=rest)]
    if early:
        targets.append(Target(f"memory, turn {LONG_TURNS} to {MEMORY_MARK}", late / early, 1.1, detail=shown))
    return targets


def install_peer(folder: Path) -> str:
    """Return an interpreter that has mini-swe-agent; empty where it cannot be had."""
    print("installing mini-swe-agent …", file=sys.stderr)
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    try:
        command = [python, "-m", "pip", "install", "--quiet", "--no-input", *PEER]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS, stdout=sys.stderr)
    except subprocess.SubprocessError as error:
        print(f"it cannot be installed: {error}", file=sys.stderr)
        return ""
    return python


def main() -> int:
    """Measure everything and print it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--peer", default="", metavar="PYTHON", help="an interpreter that has mini-swe-agent")
    parser.add_argument("--no-peer", action="store_true", help="do without mini-swe-agent")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        peer = "" if options.no_peer else options.peer or install_peer(Path(folder) / "peer")
        targets = [*time_targets(peer), *token_targets(), *long_targets()]
    skipped = "" if peer else "own CPU, to mini-swe-agent's: it could not be installed, or was not wanted"
    if options.json:
        document = {"targets": [{**asdict(target), "met": target.met} for target in targets], "skipped": skipped}
        print(json.dumps({**document, "seconds": round(time.monotonic() - started, 1)}))
    else:
        print(*targets, *([f"skipped {skipped}"] if skipped else []), sep="\n")
        print(f"{time.monotonic() - started:.0f} s")
    return int(not all(target.met for target in targets))


if __name__ == "__main__":
    sys.exit(main())
