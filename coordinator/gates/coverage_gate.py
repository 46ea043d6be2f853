"""The coverage gate: how much of the packages the tests executed, from the data of the shared pytest run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from coordinator.gates.evidence import Cleaner, counted
from coordinator.gates.files import read_regular
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.rules import rules_of
from coordinator.gates.tooling import Tool, as_typed, ended, own_tool, unusable
from coordinator.gates.tree import remove_folder
from coordinator.models import Foreign

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.gates.environment import TargetEnvironment
    from coordinator.gates.once import Once
    from coordinator.gates.protocol import GateResult
    from coordinator.gates.test_run import RunOutcome
    from coordinator.gates.tree import JudgedTree

REPORT_LIMIT = 256 * 1024 * 1024
MOST_FILES = 50
MOST_RANGES = 30


class Summary(Foreign):
    """The counts of one file, or of all, in ``coverage json``."""

    covered_lines: int
    num_statements: int
    percent_covered: float
    """With branches it counts them too; not rounded."""


class MeasuredFile(Foreign):
    """One file in ``coverage json``."""

    missing_lines: list[int]
    summary: Summary


class CoverageReport(Foreign):
    """``coverage json``, format 3; file names are relative to the folder where it ran."""

    files: dict[str, MeasuredFile]
    totals: Summary


@dataclass(frozen=True, slots=True)
class CoverageGate:
    """Passes when the tests execute at least `threshold` per cent of the packages. Failing tests do not matter here."""

    name: ClassVar[str] = "coverage"
    tree: JudgedTree
    run: Once[RunOutcome]
    environment: Once[TargetEnvironment]
    tool: Tool
    threshold: float

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        outcome = self.run.get()
        details: dict[str, JsonValue] = {
            "command": as_typed("coverage", "run", f"--source={','.join(self.tree.sources.places)}", "-m", "pytest"),
            "threshold": self.threshold,
            "notes": list(self.tree.notes),
        }
        if outcome.result.exit_code is None:
            return Judgement(State.ERROR, f"nothing was measured: pytest {ended(outcome.result)}", details)
        if outcome.report is None:
            return Judgement(State.ERROR, f"nothing was measured: {outcome.report_fault}", details)
        if not outcome.report.count("passed") + outcome.report.count("failure"):
            return Judgement(State.FAILED, "nothing was measured: no test ran", details)
        if not self.tree.sources.places:
            return Judgement(State.ERROR, "no package or module found to measure", details)
        return self._measure(outcome, details)

    def _measure(self, outcome: RunOutcome, details: dict[str, JsonValue]) -> Judgement:
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
            return unusable("coverage", result, output, details)
        try:
            return self._compare(CoverageReport.model_validate_json(found), details)
        except ValidationError:
            return unusable("coverage", result, output, details)

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
        parts = sorted(str(path) for path in data.parent.glob(f"{data.name}.*"))
        if not parts:
            return data
        whole = scratch / "combined.data"
        own = [str(data)] if data.exists() else []
        self.tool.run((
            *self._coverage(), "combine", "--keep", f"--rcfile={rules}", f"--data-file={whole}", *own, *parts,
        ))  # fmt: skip
        return whole

    def _compare(self, report: CoverageReport, details: dict[str, JsonValue]) -> Judgement:
        totals = report.totals
        if not report.files or not totals.num_statements:
            return Judgement(State.ERROR, "there is no statement to measure in the packages", details)
        percent = totals.percent_covered
        details |= {
            "percent": percent,
            "covered_lines": totals.covered_lines,
            "statements": totals.num_statements,
            "files": len(report.files),
            "missing": _missing(report),
        }
        where = ", ".join(self.tree.sources.places)
        message = f"{_floored(percent)} % of {where} is covered, {self.threshold:g} % is needed"
        if percent >= self.threshold:
            return Judgement(State.PASSED, message, details)
        worst = max(report.files.items(), key=lambda item: (len(item[1].missing_lines), item[0]))
        lacking = f"; most is missing in {worst[0]} ({counted(len(worst[1].missing_lines), 'line')})"
        return Judgement(State.FAILED, message + lacking, details)


def _floored(percent: float) -> str:
    """Return two decimals that never look like more than was reached."""
    return f"{math.floor(percent * 100) / 100:.2f}"


def _missing(report: CoverageReport) -> JsonValue:
    """Return the files with missing lines, the one with the most first, and the lines as ranges."""
    lacking = [(name, file) for name, file in report.files.items() if file.missing_lines]
    lacking.sort(key=lambda item: (-len(item[1].missing_lines), item[0]))
    return [
        {"path": name, "percent": file.summary.percent_covered, "lines": ", ".join(_ranges(file.missing_lines))}
        for name, file in lacking[:MOST_FILES]
    ]


def _ranges(lines: list[int]) -> list[str]:
    """Return ``[3, 4, 5, 9]`` as ``["3-5", "9"]``, shortened."""
    ranges: list[list[int]] = []
    for line in sorted(lines):
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:MOST_RANGES]]
    return [*shown, "…"] if len(ranges) > MOST_RANGES else shown
