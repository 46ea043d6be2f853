"""What a command of the project's own wrote as its report: JUnit, SARIF or lcov, told apart by how it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.gates.evidence import Finding, counted, shown
from coordinator.gates.files import place_below, read_below
from coordinator.gates.python.coverage_gate import line_ranges
from coordinator.gates.reports.junit import UnusableReport, read_report
from coordinator.gates.reports.lcov import UnusableLcov, parse_lcov
from coordinator.gates.reports.sarif import UnusableSarif, parse_sarif

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.gates.evidence import Cleaner

REPORT_LIMIT = 32 * 1024 * 1024
"""Bytes: an lcov file of a million lines has some 12 MB, and takes ten times as much memory when it is read."""

MOST_FILES = 20


class UnusableCommandReport(Exception):
    """There is no report, or none that says anything. The message says why."""


@dataclass(frozen=True, slots=True)
class ReportedFacts:
    """What a report says."""

    faults: str
    """In words what is wrong, e.g. ``2 of 9 tests failed``; empty when nothing is."""
    summary: str
    """In words what was looked at, e.g. ``9 tests passed``."""
    details: dict[str, JsonValue] = field(default_factory=dict)


def read_command_report(folder: Path, name: str, cleaner: Cleaner, threshold: float | None) -> ReportedFacts:
    """Read the report `name` below the folder in which the command ran; nothing of it runs any more.

    `threshold` is the per cent of lines that an lcov report has to show. Raises `UnusableCommandReport`.
    """
    data = read_below(folder, name, REPORT_LIMIT)
    if data is None:
        message = f"there is no report at {name}, or it is no plain file of at most {REPORT_LIMIT >> 20} MB"
        raise UnusableCommandReport(message)
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    begin = data[:1]
    try:
        if begin == b"<":
            return _junit(folder, name, cleaner)
        if begin == b"{":
            return _sarif(data, cleaner)
        return _lcov(data, cleaner, threshold)
    except (UnusableReport, UnusableSarif, UnusableLcov) as error:
        message = f"the report {name} cannot be used: {error}"
        raise UnusableCommandReport(message) from error


def _junit(folder: Path, name: str, cleaner: Cleaner) -> ReportedFacts:
    place = place_below(folder, name)
    assert place is not None  # noqa: S101  (for mypy: it was read from there)
    report = read_report(place, writer="the command")
    total, skipped = len(report.cases), report.count("skipped")
    broken = report.broken()
    findings = [
        Finding(
            path=cleaner.relative(case.file) if case.file else "",
            line=case.line,
            column=0,
            code=case.node_id,
            message=cleaner.clean(case.text.strip() or case.message or "failed"),
        )
        for case in broken
    ]
    passed = total - skipped - len(broken)
    details: dict[str, JsonValue] = {"tests": total, "passed": passed, "failed": len(broken), "skipped": skipped}
    details |= shown(findings)
    if not total:
        message = "it holds no test"
        raise UnusableReport(message)
    if broken:
        return ReportedFacts(f"{len(broken)} of {counted(total, 'test')} failed: {broken[0].node_id}", "", details)
    if not passed:
        message = f"no test passed: all {total} were skipped"
        raise UnusableReport(message)
    return ReportedFacts("", f"{counted(passed, 'test')} passed" + (f", {skipped} skipped" if skipped else ""), details)


def _sarif(data: bytes, cleaner: Cleaner) -> ReportedFacts:
    report = parse_sarif(data, cleaner)
    details: dict[str, JsonValue] = {"harmless": report.harmless, "suppressed": report.suppressed}
    details |= shown(report.findings)
    if report.findings:
        first = report.findings[0]
        head = " ".join(part for part in (f"{first.place()}:" if first.path else "", first.code, first.message) if part)
        return ReportedFacts(f"{counted(len(report.findings), 'finding')}, first {head}", "", details)
    aside = [f"{report.harmless} harmless"] if report.harmless else []
    aside += [f"{report.suppressed} suppressed"] if report.suppressed else []
    return ReportedFacts("", "nothing found" + (f" ({', '.join(aside)})" if aside else ""), details)


def _lcov(data: bytes, cleaner: Cleaner, threshold: float | None) -> ReportedFacts:
    try:
        report = parse_lcov(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = "it is neither XML nor JSON nor text"
        raise UnusableLcov(message) from error
    if not report.lines:
        message = "no line was measured"
        raise UnusableLcov(message)
    lacking = sorted(report.missing().items(), key=lambda item: (-len(item[1]), item[0]))
    missing: list[JsonValue] = [
        {"path": cleaner.relative(path), "lines": ", ".join(line_ranges(lines))} for path, lines in lacking[:MOST_FILES]
    ]
    details: dict[str, JsonValue] = {
        "percent": report.percent, "lines": report.lines, "covered": report.covered, "missing": missing,
    }  # fmt: skip
    percent = math.floor(report.percent * 100) / 100  # never looks like more than was reached
    words = f"{percent:.2f} % of {counted(report.lines, 'line')} in {counted(len(report.files), 'file')}"
    if threshold is None:
        return ReportedFacts("", f"{words} covered", details)
    details["threshold"] = threshold
    message = f"{words} covered, {threshold:g} % is needed"
    return ReportedFacts(message, "", details) if report.percent < threshold else ReportedFacts("", message, details)
