"""The coverage report on the shared pytest run, made by the coordinator's own coverage, once for all who read it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from coordinator.gates.evidence import Cleaner
from coordinator.gates.files import read_regular
from coordinator.gates.judgement import UNFINISHED, Judgement, State
from coordinator.gates.rules import rules_of
from coordinator.gates.tooling import Tool, ended, own_tool, unusable
from coordinator.gates.tree import remove_folder
from coordinator.models import Foreign

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from coordinator.gates.once import Once
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.gates.tree import JudgedTree

REPORT_LIMIT = 256 * 1024 * 1024


class Summary(Foreign):
    """The counts of one file, or of all, in ``coverage json``."""

    covered_lines: int
    num_statements: int
    percent_covered: float
    """With branches it counts them too; not rounded."""
    num_branches: int = 0
    covered_branches: int = 0

    def less(self, others: Sequence[Summary]) -> Summary:
        """Return what is left of a total without some of its files; the percentage as coverage itself computes it."""
        lines = self.covered_lines - sum(each.covered_lines for each in others)
        statements = self.num_statements - sum(each.num_statements for each in others)
        branches = self.num_branches - sum(each.num_branches for each in others)
        taken = self.covered_branches - sum(each.covered_branches for each in others)
        whole = statements + branches
        return Summary(
            covered_lines=lines,
            num_statements=statements,
            num_branches=branches,
            covered_branches=taken,
            percent_covered=100.0 * (lines + taken) / whole if whole else 100.0,
        )


class MeasuredFile(Foreign):
    """One file in ``coverage json``; lines are 1-based, and only those where a statement begins."""

    executed_lines: list[int]
    missing_lines: list[int]
    excluded_lines: list[int]
    summary: Summary


class CoverageReport(Foreign):
    """``coverage json``, format 3; file names are relative to the folder where it ran."""

    files: dict[str, MeasuredFile]
    totals: Summary

    def without(self, names: Collection[str]) -> CoverageReport:
        """Return the report as it would be without some files; its percentage as coverage itself computes it."""
        kept = {name: file for name, file in self.files.items() if name not in names}
        gone = [file.summary for name, file in self.files.items() if name in names]
        return CoverageReport(files=kept, totals=self.totals.less(gone)) if gone else self


@dataclass(frozen=True, slots=True)
class CoverageReading:
    """Makes the report from the data of the pytest run."""

    tree: JudgedTree
    run: Once[RunOutcome]
    environment: Once[TargetEnvironment]
    tool: Tool

    def __call__(self) -> CoverageReport | Judgement:
        """Return the report, or why there is none. Raises what the run raises."""
        outcome = self.run.get()
        if outcome.result.exit_code is None:
            return Judgement(State.ERROR, f"nothing was measured: pytest {ended(outcome.result)}")
        if outcome.report is None:
            return Judgement(State.ERROR, f"nothing was measured: {outcome.report_fault}")
        if not outcome.report.count("passed") + outcome.report.count("failure"):
            return Judgement(State.FAILED, "nothing was measured: no test ran")
        if outcome.cut:
            message = "not finished: stopped after test failed; the tests that were left out measure nothing"
            return Judgement(State.ERROR, message, {UNFINISHED: True})
        if not self.tree.sources.places:
            return Judgement(State.ERROR, "no package or module found to measure")
        return self._measure(outcome)

    def _measure(self, outcome: RunOutcome) -> CoverageReport | Judgement:
        odd = next((path for path in _data_files(outcome.data_file) if not stat.S_ISREG(path.lstat().st_mode)), None)
        if odd is not None:  # coverage would wait for a writer, or read what the link points to
            return Judgement(State.ERROR, f"what the tests left as {odd.name} is no plain file")
        scratch = self.tool.sandbox.make_folder("coverage")
        try:
            rules = self._rules_file(scratch)
            data = self._combined(outcome.data_file, scratch, rules)
            report = scratch / "coverage.json"
            include = ",".join(place if place.endswith(".py") else f"{place}/*" for place in self.tree.sources.places)
            result = self.tool.run((
                *self._coverage(), "json", f"--rcfile={rules}", f"--data-file={data}", f"--include={include}",
                "--fail-under=0", "-o", str(report),
            ))  # fmt: skip
            found = read_regular(report, REPORT_LIMIT)
        finally:
            remove_folder(scratch)
        cleaner = Cleaner((*outcome.folders, scratch))
        output = cleaner.clean((result.stdout + result.stderr).decode("utf-8", errors="replace"))
        if result.exit_code != 0 or found is None:
            return unusable("coverage", result, output, {})
        try:
            return CoverageReport.model_validate_json(found).without(outcome.canaries)
        except ValidationError:
            return unusable("coverage", result, output, {})

    def _coverage(self) -> tuple[str, ...]:
        """Return our own coverage, or the environment's where the project's configuration needs plugins from there."""
        rules = rules_of(self.tree.reading, "coverage")
        if rules is not None and rules.options.get("plugins"):
            environment = self.environment.get()
            return (str(environment.python), *environment.isolation, "-m", "coverage")
        return own_tool("coverage")

    def _rules_file(self, scratch: Path) -> Path:
        """Return the configuration: from the export that the tests could not write to."""
        rules = rules_of(self.tree.reading, "coverage")
        if rules is not None:
            return self.tree.reading / rules.file
        empty = scratch / ".coveragerc"
        empty.write_text("", encoding="utf-8")
        empty.chmod(0o644)
        return empty

    def _combined(self, data: Path, scratch: Path, rules: Path) -> Path:
        """Return the data file; where the project measures several processes, put together from theirs."""
        found = _data_files(data)
        if found in {(), (data,)}:
            return data
        whole = scratch / "combined.data"
        self.tool.run((
            *self._coverage(), "combine", "--keep", f"--rcfile={rules}", f"--data-file={whole}", *map(str, found),
        ))  # fmt: skip
        return whole


def _data_files(data: Path) -> tuple[Path, ...]:
    """Return what is there of the data: one file, or with a suffix one for each process. No process is left by then."""
    own = (data,) if os.path.lexists(data) else ()
    return (*own, *sorted(data.parent.glob(f"{data.name}.*")))
