"""The coverage gate: how much of the packages the tests executed, from the data of the shared pytest run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.evidence import counted
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.tooling import as_typed

if TYPE_CHECKING:
    from pydantic import JsonValue

    from coordinator.gates.once import Once
    from coordinator.gates.protocol import GateResult
    from coordinator.gates.python.coverage_report import CoverageReport
    from coordinator.gates.tree import JudgedTree

MOST_FILES = 50
MOST_RANGES = 30


@dataclass(frozen=True, slots=True)
class CoverageGate:
    """Passes when the tests execute at least `threshold` per cent of the packages. Failing tests do not matter here."""

    name: ClassVar[str] = "coverage"
    tree: JudgedTree
    report: Once[CoverageReport | Judgement]
    """The report on the shared pytest run, or why there is none."""
    threshold: float

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        report = self.report.get()
        details: dict[str, JsonValue] = {
            "command": as_typed("coverage", "run", f"--source={','.join(self.tree.sources.places)}", "-m", "pytest"),
            "threshold": self.threshold,
            "notes": list(self.tree.notes),
        }
        if isinstance(report, Judgement):
            return Judgement(report.state, report.message, details | report.details)
        return self._compare(report, details)

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
        {"path": name, "percent": file.summary.percent_covered, "lines": ", ".join(line_ranges(file.missing_lines))}
        for name, file in lacking[:MOST_FILES]
    ]


def line_ranges(lines: list[int]) -> list[str]:
    """Return ``[3, 4, 5, 9]`` as ``["3-5", "9"]``, shortened."""
    ranges: list[list[int]] = []
    for line in sorted(lines):
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:MOST_RANGES]]
    return [*shown, "…"] if len(ranges) > MOST_RANGES else shown
