"""Canaries: tests that must fail, put beside the others, so that a run is believed only when it says that they failed.

Name and content cannot be guessed. What patches reports, forces an exit code, ends the run early or leaves tests out
does so to the canary as well, unless it knows the project's tests by name; the inventory and the base's tests are for
that. Code that runs in the same process as pytest can always forge what it likes about one test that it aims at.
"""

from __future__ import annotations

import secrets
import string
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import remove_below, write_below
from coordinator.gates.reports.junit import TestReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from coordinator.gates.python.test_layout import TestLayout
    from coordinator.gates.reports.junit import TestCase

MOST = 8
"""Canaries of one run: one for each place where pytest starts, or each folder at the top that has test files."""

NO_TESTS = 5
"""Exit code of pytest when it had nothing to run (its reference page)."""

SIGNALS = range(64, 113)
"""Exit codes that neither pytest (0 to 5), the common ones of plugins, nor shells and signals (from 124 on) use."""

TEARDOWN = "failed on teardown"
"""How pytest's JUnit report begins the message of an error after the test itself."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One test module with one test that fails."""

    path: str
    """Relative to the tree, ``/``-separated."""
    function: str
    said: str
    """The message of its failure."""

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return str(PurePosixPath(self.path).parent)

    @property
    def content(self) -> bytes:
        """The module."""
        lines = ['"""A test that fails."""', "", "", f"def {self.function}() -> None:", '    """Fail."""']
        return "\n".join([*lines, f'    raise AssertionError("{self.said}")', ""]).encode()

    def is_failure(self, case: TestCase) -> bool:
        """Say whether this is how it fails: by itself, or because a fixture that all tests get did."""
        own = case.outcome == "failure" and self.said in f"{case.message}{case.text}"
        return own or (case.outcome == "error" and not case.message.startswith(TEARDOWN))


class Fault(StrEnum):
    """Why a run is not believed."""

    PASSED = "passed"
    SKIPPED = "skipped"
    HIDDEN = "hidden"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Doubt:
    """That a run is not believed."""

    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A run without its canaries."""

    report: TestReport
    exit_code: int
    """As it would have been without them."""
    doubt: Doubt | None


def choose_signal() -> int:
    """Return the exit code for a session in which only the canaries fail."""
    return SIGNALS[secrets.randbelow(len(SIGNALS))]


def make_canaries(folder: Path, layout: TestLayout) -> tuple[Canary, ...]:
    """Choose names and places for the tree in `folder`."""
    return tuple(_make(place, layout) for place in _folders(folder, layout)[:MOST])


def plant(folder: Path, canaries: Iterable[Canary]) -> None:
    """Write the canaries into an export."""
    for canary in canaries:
        write_below(folder, canary.path, canary.content)


def take_away(folder: Path, canaries: Iterable[Canary]) -> None:
    """Remove the canaries from an export."""
    for canary in canaries:
        remove_below(folder, canary.path)


def examine(report: TestReport, exit_code: int, canaries: Sequence[Canary], signal: int) -> Examined:
    """Take the canaries out of a run and say whether it can be believed."""
    by_path = {canary.path: canary for canary in canaries}
    planted = [case for case in report.cases if _file(case) in by_path]
    late = [_after_all(case) for case in planted if case.message.startswith(TEARDOWN)]
    others = TestReport([*(case for case in report.cases if _file(case) not in by_path), *late])
    code = exit_code if exit_code != signal else _natural(others)
    return Examined(others, code, _doubt(planted, others, exit_code, by_path, signal))


def _folders(folder: Path, layout: TestLayout) -> list[str]:
    """Return the folders for canaries, each one collected for certain where the project has tests there."""
    found = list(layout.test_files(folder))
    starts = [_start(folder, place) for place in layout.places if place not in {"", "."}]
    if not starts:
        starts = list(dict.fromkeys(name.split("/", 1)[0] if "/" in name else "." for name in found))
    chosen = (_busiest(start, found) for start in starts)
    return list(dict.fromkeys(place for place in chosen if place)) or [starts[0] if starts else "."]


def _start(folder: Path, place: str) -> str:
    return place if (folder / place).is_dir() else str(PurePosixPath(place).parent)


def _busiest(start: str, files: Iterable[str]) -> str:
    """Return the folder with test files nearest to where pytest starts; of several the one with the most of them."""
    parents = Counter(str(PurePosixPath(name).parent) for name in files)
    below = [name for name in parents if name == start or name.startswith(f"{start}/")]
    return min(below, key=lambda name: (name.count("/"), -parents[name], name), default="")


def _make(folder: str, layout: TestLayout) -> Canary:
    name = _named(layout.files, "test_*.py")
    inside = f"{_token()}/{name}" if "*" not in _pattern(layout.files) else name
    path = PurePosixPath(folder, inside)
    return Canary(str(path), _function(layout.functions), _token())


def _pattern(patterns: Sequence[str]) -> str:
    """Return the pattern of a name that leaves room for a random part, or the first if none does."""
    names = [PurePosixPath(pattern).name for pattern in patterns]
    return next((name for name in names if name.endswith(".py") and "*" in name), names[0])


def _named(patterns: Sequence[str], default: str) -> str:
    pattern = _pattern(patterns)
    if not pattern.endswith(".py") or any(mark in pattern for mark in "?["):
        pattern = default
    return pattern.replace("*", _token(), 1).replace("*", "")


def _function(patterns: Sequence[str]) -> str:
    first = patterns[0]
    if any(mark in first for mark in "?["):
        return f"test_{_token()}"
    return first.replace("*", _token(), 1).replace("*", "") if "*" in first else f"{first.rstrip('_')}_{_token()}"


def _token() -> str:
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))


def _file(case: TestCase) -> str:
    return case.exact_id.partition("::")[0] or case.file


def _after_all(case: TestCase) -> TestCase:
    """Return what went wrong when the fixtures of the whole session ended: the canary only happened to be last."""
    return replace(case, classname="", name="the end of the session", file="", line=0, exact_id="")


def _natural(others: TestReport) -> int:
    if others.broken():
        return 0  # a session that ends as if nothing had failed: the gate says that code and report disagree
    return 0 if others.cases else NO_TESTS


def _doubt(
    own: Sequence[TestCase], others: TestReport, exit_code: int, canaries: dict[str, Canary], signal: int
) -> Doubt | None:
    failed = {_file(case) for case in own if canaries[_file(case)].is_failure(case)}
    for case in own:
        if _file(case) in failed:  # pytest-rerunfailures: what is tried again has an entry for each try before
            continue
        if case.outcome == "passed":
            return Doubt(Fault.PASSED, "a test that must fail was reported as passed" + _ADVICE)
        if case.outcome == "skipped":
            return Doubt(Fault.SKIPPED, "a test that must fail was skipped or expected to fail" + _ADVICE)
    hidden = [path for path in canaries if path not in failed]
    folders = {str(PurePosixPath(name).parent) for name in {_file(case) for case in others.cases}}
    missed = [path for path in hidden if canaries[path].folder in folders]
    if others.cases and (missed or not failed):
        place = canaries[(missed or hidden)[0]].folder
        return Doubt(Fault.HIDDEN, f"a test that must fail was put into {place}/, and pytest never ran it" + _ADVICE)
    if failed and exit_code != signal and exit_code in {0, NO_TESTS}:
        return Doubt(Fault.EXIT, f"pytest ended with exit code {exit_code}, though a test that must fail did" + _ADVICE)
    return None


_ADVICE = ": something changes what is run or reported; look for hooks, plugins and early exits"
