"""Mutation smoke: the tests have to notice when a changed line does something else.

It alone sees a test that runs through the code and asserts nothing, and a source that knows the numbers of its test. A
few mutants, one after another: first the tests that are nearest to them, then all, each up to the first failure. All of
it takes no longer than the test run itself took, and `LEAST_SECONDS` at the least; what does not fit is said.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.evidence import counted
from coordinator.gates.files import write_below
from coordinator.gates.integrity.findings import PolicyFinding, Severity, attention
from coordinator.gates.integrity.mutants import apply, choose, mutants_of
from coordinator.gates.integrity.test_ids import file_of
from coordinator.gates.integrity.testbed import existing_files
from coordinator.gates.judgement import Judgement
from coordinator.gates.python.pytest_run import Wish
from coordinator.gates.python.test_layout import is_below, layout_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coordinator.gates.integrity.base_records import BaseRecord
    from coordinator.gates.integrity.mutants import Mutant, Mutated
    from coordinator.gates.integrity.testbed import Testbed
    from coordinator.gates.once import Once
    from coordinator.gates.python.coverage_report import CoverageReport
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.tree import JudgedTree

KIND = "mutation"

LEAST_SECONDS = 10.0
HANGS_AFTER = 4.0
"""A mutant whose tests take so many times longer than without it (and `HANGS_SECONDS` more) hangs: it was noticed."""
HANGS_SECONDS = 5.0

SILENT = frozenset({0, 5})
"""Exit codes of pytest (its reference page) when nothing failed: passed, nothing to run."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """Tries mutants of the changed lines of the packages."""

    name: ClassVar[str] = "mutation"
    bed: Testbed
    run: Once[RunOutcome]
    coverage: Once[CoverageReport | Judgement]
    record: Callable[[], BaseRecord]
    """Returns what the base's own tests said."""
    most: int
    """Mutants."""
    least_seconds: float = LEAST_SECONDS

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding for each mutant that no test notices. Raises what running the tests raises."""
        offered = tuple(self._offered())
        if not offered:
            return ()
        outcome = self.run.get()
        passed = frozenset(test for test, word in outcome.outcomes().items() if word == "passed")
        if outcome.cut or self._is_doubted(outcome) or not passed:
            return (_note("The tests as they are did not pass, so none was tried with a mutant."),)
        seen = [mutant for mutant in offered if self._is_executed(mutant)]
        chosen = choose(seen, self.most)
        if not chosen:
            return ()
        with self.bed.copied(self.bed.tree.reading) as tree:
            end = time.monotonic() + max(self.least_seconds, outcome.result.seconds)
            return tuple(self._tried(chosen, _Trial(self.bed, tree, outcome, passed, end)))

    def _is_doubted(self, outcome: RunOutcome) -> bool:
        """Say whether the run is not believed; what the base's own run does as well is the project's nature."""
        return outcome.doubt is not None and outcome.doubt.fault != self.record().doubt

    def _offered(self) -> Iterator[Mutant]:
        """Yield the mutants of the changed sources; in a file with the name of tests, of what is none itself."""
        layout = layout_of(self.bed.tree.reading, self.bed.args)
        places = self.bed.tree.sources.places
        for path, file in sorted(self.bed.tree.change.files.items()):
            if not path.endswith(".py") or file.after is None or file.is_link:
                continue
            if layout.is_source(path, places):
                yield from mutants_of(path, file.after, file.added_lines)
            elif layout.is_test_file(path) and is_below(path, places):
                found = mutants_of(path, file.after, file.added_lines)
                yield from (mutant for mutant in found if not layout.is_test(mutant.function))

    def _is_executed(self, mutant: Mutant) -> bool:
        """Say whether the tests run through the line; those that they do not are the coverage's business."""
        report = self.coverage.get()
        if isinstance(report, Judgement):
            return True
        file = report.files.get(mutant.path)
        return file is not None and mutant.line not in {*file.missing_lines, *file.excluded_lines}

    def _tried(self, chosen: Sequence[Mutant], trial: _Trial) -> Iterator[PolicyFinding]:
        """Try one mutant after another; of a function with one that nobody noticed no further one."""
        found: set[tuple[str, str]] = set()
        for place, mutant in enumerate(chosen):
            data = self.bed.tree.change.files[mutant.path].after or b""
            mutated = apply(mutant, data)
            if mutated is None or (mutant.path, mutant.function) in found:
                continue
            noticed = trial.is_noticed(mutant, mutated, data)
            if noticed is None:
                left = len(chosen) - place
                yield _note(f"There was no time left for {counted(left, 'mutant')} of {len(chosen)}.")
                return
            if not noticed:
                found.add((mutant.path, mutant.function))
                yield _survivor(mutant, mutated)


class _Trial:
    """One copy of the tree, in which mutant after mutant is tried."""

    def __init__(self, bed: Testbed, tree: JudgedTree, outcome: RunOutcome, passed: frozenset[str], end: float) -> None:
        """Take the tests that passed without a mutant, and when the time is over (`time.monotonic`)."""
        self._tree = tree
        self._run = bed.pytest(tree)
        self._changed = frozenset(bed.tree.change.files)
        self._passed = passed
        self._strict = outcome.strict
        self._whole = outcome.result.seconds
        self._end = end
        self._number = 0
        self._usual: dict[tuple[str, ...], float | None] = {}

    def is_noticed(self, mutant: Mutant, mutated: Mutated, data: bytes) -> bool | None:
        """Say whether a test fails with the mutant; None when there is no time left to say so."""
        everything = tuple(sorted(self._passed))
        near = tuple(test for test in everything if self._is_near(file_of(test), mutant.path))
        usual = self._usual_seconds(near) if near and near != everything else None
        self._put(mutant.path, mutated.source)
        try:
            if usual is not None and self._fails(near, usual):
                return True
            return self._fails(everything, self._whole)
        except TimeoutError:
            return None
        finally:
            self._put(mutant.path, data)

    def _is_near(self, test_file: str, path: str) -> bool:
        """Say whether a test file was changed as well, or has the module's name in its own."""
        names = {part.strip("_") for part in PurePosixPath(path).with_suffix("").parts[-2:]} - {"init", ""}
        own = PurePosixPath(test_file).stem.removeprefix("test_").removesuffix("_test")
        return test_file in self._changed or own in names

    def _usual_seconds(self, tests: tuple[str, ...]) -> float | None:
        """Return how long tests take without a mutant; None when they fail without one, alone as they are."""
        if tests not in self._usual:
            outcome = self._outcome(tests, self._end - time.monotonic())
            passed = outcome is not None and outcome.result.exit_code == 0
            self._usual[tests] = outcome.result.seconds if outcome is not None and passed else None
        return self._usual[tests]

    def _fails(self, tests: tuple[str, ...], usual: float) -> bool:
        """Say whether any of the tests fails. Raises `TimeoutError` when the time for all mutants is over before."""
        left = self._end - time.monotonic()
        hanging = usual * HANGS_AFTER + HANGS_SECONDS
        outcome = self._outcome(tests, min(left, hanging))
        if outcome is None or (outcome.result.timed_out and left < hanging):
            raise TimeoutError
        return outcome.result.exit_code not in SILENT

    def _outcome(self, tests: tuple[str, ...], seconds: float) -> RunOutcome | None:
        if seconds <= 0:
            return None
        files = existing_files(self._tree.working, tests) if len(tests) < len(self._passed) else ()
        return self._run.alone(Wish(seconds, strict=self._strict, only=tests, stop=True, arguments=files))

    def _put(self, path: str, data: bytes) -> None:
        """Write a source with a time of change of its own: what Python compiled of it before is not to be used."""
        self._number += 1
        write_below(self._tree.working, path, data)
        now = int(time.time()) + self._number
        os.utime(self._tree.working / path, (now, now), follow_symlinks=False)


def _survivor(mutant: Mutant, mutated: Mutated) -> PolicyFinding:
    message = (
        f"No test notices when line {mutant.line} of {mutant.path}, `{mutated.before}`, becomes `{mutated.after}`. "
        f"Let a test of {mutant.function} assert what that line is for."
    )
    return attention(KIND, f"{mutant.path}::{mutant.function}", message, path=mutant.path, line=mutant.line)


def _note(message: str) -> PolicyFinding:
    return PolicyFinding(kind=KIND, what="mutants", path="", line=0, message=message, severity=Severity.NOTE)
