"""What the gate suite costs against the same tools run by hand, on two published projects.

By hand means mypy, ruff, pytest, and pytest under coverage with its report: one after another, in a checkout. The suite
is one process of ours from its start to its end: it opens a sandbox, exports the commit and judges it. Both take turns;
a ratio is the median of those of single rounds, as a busy machine slows both sides of a round alike, and a time is the
shortest of all rounds, as nothing makes one shorter. Cold is a new checkout, without what mypy keeps; warm is the same
again.

Two suites are measured, on a commit that changes two lines of a source and no test: the four gates, which do what the
four tools do, and with the integrity gate, as users have it. That one runs the tests of the base as well (once per
base: then it is kept) and a few mutants, work that no tool by hand does; its figures have no bound.

What holds depends on the interpreter of the tests. Where coverage's fast core can serve (Python 3.12 for lines, 3.14
for branches) the suite has to take half of the time of the four tools, elsewhere 0.60 of it. Where the project measures
branches and only lines can be served, it is measured a second time with a configuration that asks for lines alone.

The sources come from the package index that pip is configured for, into a temporary folder. The exit code is 1 when a
bound does not hold, or nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from benchmarks.gates_hand import by_hand, covered_by_hand
from benchmarks.gates_subject import PROJECTS, by_lines, prepared
from benchmarks.gates_timing import timed
from coordinator.gates.python.coverage_core import PYTHON_CHOOSES, PYTHON_SINCE
from tests.gates.published import NotAvailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.gates_hand import Covered
    from benchmarks.gates_subject import Subject
    from benchmarks.gates_timing import Taken
    from tests.gates.published import Published

ROOT = Path(__file__).resolve().parent.parent

SERVED, UNSERVED, COVERED, OVERHEAD, UNCHANGED, MEMORY = 0.50, 0.60, 1.10, 0.5, 0.5, 1.4
"""Bounds: the suite against the four tools where the fast core serves and where it does not; against the covered tests
with their report alone; seconds in which no tool runs; seconds for an unchanged tree; peak memory."""
UNCHANGED_TRIES = 5
KEPT_MARK = '"kept_at"'
FOUR = 4
"""Gates of a Python project without a base."""
SUITES = ("cold", "warm", "new base", "known base")

HELP = f"""
bounds
  suite / four tools, cold    at most {SERVED:g} where coverage's fast core serves, else {UNSERVED:g}
  suite / covered tests       at most {COVERED:g}, cold, with the same core by hand
  own overhead                at most {OVERHEAD:g} s in which no tool runs, the start of pytest and report included
  unchanged tree              at most {UNCHANGED:g} s: `coordinator gate` on a tree that was judged before
  peak memory                 at most {MEMORY:g} of the same gates one after another, and of the largest tool by hand

examples
  python -m benchmarks.gates --project click --repeat 3
  python -m benchmarks.gates --python python3.13 --json > figures.json

A round takes some three minutes for each project; a machine with other work needs more rounds, not other bounds.
"""


class Said(TypedDict):
    """What one judgement says of itself: see `benchmarks.gates_job`."""

    gates: dict[str, str]
    busy: float
    launch: float
    tests_after: float


class Figure(TypedDict):
    """One measured number and its bound."""

    name: str
    value: float
    bound: float | None
    unit: str


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gates",
        description=__doc__,
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document: figures by project")
    parser.add_argument("--project", choices=sorted(PROJECTS), help="measure this one alone")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the tests: a path, or a name on PATH")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="rounds (default: 1)")
    options = parser.parse_args()
    python = shutil.which(options.python)
    if python is None or options.repeat < 1:
        parser.error(f"{options.python} cannot be run" if python is None else "there has to be one round")
    document: dict[str, list[Figure] | str] = {}
    for project in [PROJECTS[options.project]] if options.project else PROJECTS.values():
        for name, result in measured(project, Path(python), options.repeat):
            document[name] = result
            if not options.json:
                show(name, result)
    if options.json:
        print(json.dumps(document, indent=2))
    figures = [figure for result in document.values() if not isinstance(result, str) for figure in result]
    return int(not figures or any(is_missed(figure) for figure in figures))


def measured(project: Published, python: Path, repeat: int) -> Iterator[tuple[str, list[Figure] | str]]:
    """Yield the figures of a project as it is, and measured by lines alone where that makes a difference."""
    with tempfile.TemporaryDirectory(prefix="gates-") as made:
        Path(made).chmod(0o755)
        try:
            subject = prepared(project, python, Path(made))
        except NotAvailable as error:
            yield project.name, f"skipped: {error}"
            return
        yield named(subject), figures_of(subject, repeat)
        if subject.measures_branches and PYTHON_SINCE <= subject.version < PYTHON_CHOOSES:
            subject = by_lines(subject)
            yield named(subject), figures_of(subject, repeat)


def named(subject: Subject) -> str:
    how = "branches" if subject.measures_branches else "lines"
    served = "served" if subject.is_served else "not served"
    return f"{subject.project.name}, Python {'.'.join(map(str, subject.version))}, {how}: the fast core has {served}"


@dataclass(frozen=True)
class Round:
    """All that was measured in turns once."""

    hand: Mapping[str, Mapping[str, Taken]]
    """Each tool by hand, ``cold`` and ``warm``."""
    covered: Covered
    """The covered tests and their report alone, cold, measuring what the suite measures, with the core it chooses."""
    suites: Mapping[str, tuple[Taken, Said]]
    """``cold``, ``warm``; with integrity ``new base``, ``known base``."""

    def four(self, kind: str) -> float:
        """Return the seconds of the four tools one after another."""
        return sum(each.seconds for each in self.hand[kind].values())

    def suite(self, kind: str) -> float:
        """Return the seconds of a suite."""
        return self.suites[kind][0].seconds

    def overhead(self, kind: str) -> float:
        """Return the seconds in which no tool ran, with the starts of the two that none other hides.

        Those two are the tests and the report. A third, by which it is known what a start takes, was made when the
        judgement was over: it is in the time and not in the busy one, so that one more makes two.
        """
        taken, said = self.suites[kind]
        return taken.seconds - said["busy"] + said["launch"]

    def memory(self) -> float:
        """Return the suite's peak in relation to that of the largest tool by hand."""
        return self.suites["cold"][0].megabytes / max(each.megabytes for each in self.hand["cold"].values())


def figures_of(subject: Subject, repeat: int) -> list[Figure]:
    """Judge and run by hand in turns; returns all figures of the project."""
    rounds = [one_round(subject, suite_first=bool(number % 2)) for number in range(repeat)]
    peak = statistics.median(each.suites["cold"][0].megabytes for each in rounds)

    def ratio(name: str, value: Callable[[Round], float], bound: float | None = None) -> Figure:
        return figure(name, statistics.median(map(value, rounds)), bound, "x")

    def seconds(name: str, value: Callable[[Round], float], bound: float | None = None) -> Figure:
        return figure(name, min(map(value, rounds)), bound, "s")

    def suite_seconds(name: str) -> Figure:
        return seconds(f"suite, {name}", lambda each: each.suite(name))

    def hand_seconds(kind: str, name: str) -> Figure:
        return seconds(f"by hand, {kind}: {name}", lambda each: each.hand[kind][name].seconds)

    return [
        ratio(
            "cold: suite / four tools one after another",
            lambda each: each.suite("cold") / each.four("cold"),
            SERVED if subject.is_served else UNSERVED,
        ),
        ratio("warm: suite / four tools one after another", lambda each: each.suite("warm") / each.four("warm")),
        ratio(
            "cold: suite / covered tests and report", lambda each: each.suite("cold") / each.covered.seconds, COVERED
        ),
        figure("peak memory: suite / its gates one after another", peak / one_by_one(subject), MEMORY, "x"),
        ratio("peak memory: suite / largest tool by hand", Round.memory, MEMORY),
        seconds("own overhead, cold", lambda each: each.overhead("cold"), OVERHEAD),
        seconds("own overhead, warm", lambda each: each.overhead("warm"), OVERHEAD),
        figure("unchanged tree", unchanged(subject), UNCHANGED, "s"),
        ratio("integrity, new base / four tools, warm", lambda each: each.suite("new base") / each.four("warm")),
        ratio("integrity, known base / four tools, warm", lambda each: each.suite("known base") / each.four("warm")),
        *(suite_seconds(name) for name in SUITES),
        seconds("suite, warm: until the tests start", lambda each: each.suites["warm"][1]["tests_after"]),
        *(hand_seconds(kind, name) for kind in ("cold", "warm") for name in rounds[0].hand[kind]),
        seconds("by hand, cold: covered and report alone", lambda each: each.covered.seconds),
        figure("suite: peak memory", peak, None, "MB"),
    ]


def figure(name: str, value: float, bound: float | None, unit: str) -> Figure:
    return Figure(name=name, value=round(value, 3), bound=bound, unit=unit)


def one_round(subject: Subject, *, suite_first: bool) -> Round:
    """Measure everything once; who goes first is the other one in the next round."""
    kept = subject.folder / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    hand: dict[str, Mapping[str, Taken]] = {}
    suites: dict[str, tuple[Taken, Said]] = {}
    covered = covered_by_hand(subject, subject.core)
    for kind in ("cold", "warm"):
        if suite_first:
            suites[kind] = suite(subject, kept)
        hand[kind] = by_hand(subject, cold=kind == "cold")
        if not suite_first:
            suites[kind] = suite(subject, kept)
    for kind in ("new base", "known base"):
        suites[kind] = suite(subject, kept, base=subject.base)
    return Round(hand, covered, suites)


def one_by_one(subject: Subject) -> float:
    """Return the peak memory, in MB, of a cold suite with one processor: its gates run one after another."""
    kept = subject.folder / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    return suite(subject, kept, alone=True)[0].megabytes


def suite(subject: Subject, kept: Path, *, base: str | None = None, alone: bool = False) -> tuple[Taken, Said]:
    """Judge the head in a process of its own; returns what it took and what it said of itself."""
    options = {
        "environment": str(subject.environment), "kept": str(kept), "base": base,
        "build_args": subject.project.build_args, "alone": alone,
    }  # fmt: skip
    command = (sys.executable, "-m", "benchmarks.gates_job", str(subject.repository), json.dumps(options))
    taken = timed(command, ROOT, {})
    try:
        said: Said = json.loads(taken.output.splitlines()[-1])
    except (ValueError, IndexError):
        raise SystemExit(f"the suite did not come to its end: {taken.output[-2000:]}") from None
    wrong = [name for name, state in said["gates"].items() if state == "error"]
    if wrong or len(said["gates"]) != FOUR + (base is not None):
        raise SystemExit(f"the suite did not do its work: {said['gates']}")
    return taken, said


def unchanged(subject: Subject) -> float:
    """Return the seconds of ``coordinator gate`` on a tree that was judged before: the shortest of some."""
    env = {"VIRTUAL_ENV": str(subject.environment), "RUNNER_TOOL_CACHE": str(subject.folder / "tools")}
    command = (sys.executable, "-m", "coordinator", "gate", str(subject.repository), "--format", "json")
    timed(command, ROOT, env)
    again = [timed(command, ROOT, env) for _ in range(UNCHANGED_TRIES)]
    if not all(KEPT_MARK in each.output for each in again):
        raise SystemExit(f"the verdict was not kept: {again[0].output[-2000:]}")
    return min(each.seconds for each in again)


def is_missed(each: Figure) -> bool:
    return each["bound"] is not None and each["value"] > each["bound"]


def show(name: str, result: list[Figure] | str) -> None:
    print(name)
    if isinstance(result, str):
        print(f"  {result}")
        return
    for each in result:
        bound = "" if each["bound"] is None else f"  {'WRONG' if is_missed(each) else 'ok'}, at most {each['bound']:g}"
        print(f"  {each['name']:45}{each['value']:8.2f} {each['unit']}{bound}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
