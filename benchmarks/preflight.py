"""What an event costs that is not ours: processor and wall time of the preflight, beside what it saves.

Run by hand: ``python -m benchmarks.preflight``. Each row is a fresh interpreter, the rows take turns so that a busy
machine slows all alike, and the ratios of one run are what to compare. Bounded: a few seconds, always exit code 0.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

ROUNDS = 15
ROOT = Path(__file__).resolve().parent.parent
EVENT = ROOT / "tests" / "payloads" / "gitea" / "issues.edited.json"
PROGRAMS = {
    "an interpreter that does nothing": ["-I", "-c", "pass"],
    "the preflight": ["-I", str(ROOT / "coordinator" / "preflight.py")],
    "an import of pydantic": ["-I", "-c", "import pydantic; pydantic.BaseModel"],
}


def measure(arguments: list[str]) -> tuple[float, float]:
    """Run the interpreter once; returns seconds of processor and of wall time."""
    environment = {"GITHUB_EVENT_NAME": "issues", "GITHUB_EVENT_PATH": str(EVENT)}
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    process = os.posix_spawn(sys.executable, [sys.executable, *arguments], environment, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{arguments} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, wall


def main() -> None:
    """Measure all programs in turn and print the table."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for name, arguments in list(PROGRAMS.items()) * ROUNDS:
        times[name].append(measure(arguments))
    medians = {name: tuple(map(statistics.median, zip(*pairs, strict=True))) for name, pairs in times.items()}
    base = next(iter(medians.values()))[0]
    print(f"Medians of {ROUNDS} runs each, an event that is not ours ({EVENT.name}), Python {sys.version.split()[0]}\n")
    print(f"{'':34}{'CPU ms':>9}{'wall ms':>9}{'CPU ratio':>11}")
    for name, (cpu, wall) in medians.items():
        print(f"{name:34}{cpu * 1000:9.1f}{wall * 1000:9.1f}{cpu / base:11.2f}")


if __name__ == "__main__":
    main()
