"""Reading pytest's JUnit report, which the judged code could have written itself.

The file is taken only when it is a regular file of bounded size without a document type, so that no entity can grow.
In the format xunit1 a test case has ``classname name file line`` (``line`` 0-based), and one of the children
``failure``, ``error``, ``skipped`` with ``message`` and text when it did not simply pass.
"""

from __future__ import annotations

import xml.parsers.expat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.gates.files import read_regular

if TYPE_CHECKING:
    from pathlib import Path

REPORT_LIMIT = 128 * 1024 * 1024
"""Bytes; a suite of 30 000 tests writes some 5 MB."""

TEXT_LIMIT = 8000
"""Characters kept of the text of one failure."""

OUTCOMES = ("failure", "error", "skipped")


class UnusableReport(Exception):
    """There is no report, or it is none that pytest writes. The message says which."""


@dataclass(slots=True)
class TestCase:
    """One entry of the report."""

    __test__ = False

    classname: str = ""
    name: str = ""
    file: str = ""
    line: int = 0
    """1-based; 0 when unknown."""
    outcome: str = "passed"
    """``passed``, ``failure``, ``error`` or ``skipped``."""
    message: str = ""
    text: str = ""

    @property
    def node_id(self) -> str:
        """The id that pytest takes on its command line, as far as the report allows to tell."""
        if not self.file:
            return "::".join(part for part in (self.classname, self.name) if part)
        module = self.file.removesuffix(".py").replace("/", ".")
        classes = self.classname.removeprefix(module).strip(".") if self.classname.startswith(module) else ""
        name = "" if self.name == module else self.name
        return "::".join(part for part in (self.file, *classes.split("."), name) if part)


@dataclass(slots=True)
class TestReport:
    """All entries, in the order in which they ran."""

    __test__ = False

    cases: list[TestCase] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """Return how many entries have an outcome."""
        return sum(case.outcome == outcome for case in self.cases)

    def broken(self) -> list[TestCase]:
        """Return the entries that failed or could not run."""
        return [case for case in self.cases if case.outcome in {"failure", "error"}]


def read_report(path: Path) -> TestReport:
    """Read a report. Raises `UnusableReport`."""
    data = read_regular(path, REPORT_LIMIT)
    if data is None:
        raise UnusableReport("pytest wrote no report")
    reader = _Reader()
    parser = xml.parsers.expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(data, True)
    except xml.parsers.expat.ExpatError as error:
        raise UnusableReport(f"pytest's report is no XML: {error}") from error
    if not reader.suites:
        raise UnusableReport("pytest's report holds no test suite")
    return reader.report


class _Reader:
    def __init__(self) -> None:
        self.report = TestReport()
        self.suites = 0
        self._case: TestCase | None = None
        self._inside = ""

    @staticmethod
    def refuse(*_parts: object) -> None:
        raise UnusableReport("pytest's report declares a document type")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "testsuite":
            self.suites += 1
        elif tag == "testcase":
            self._case = _case(attributes)
            self.report.cases.append(self._case)
        elif tag in OUTCOMES and self._case is not None:
            self._outcome(self._case, tag, attributes.get("message", ""))

    def _outcome(self, case: TestCase, tag: str, message: str) -> None:
        """Keep the worst of several, such as a failure and an error in the teardown of one test."""
        if case.outcome == "passed" or OUTCOMES.index(tag) < OUTCOMES.index(case.outcome):
            case.outcome, case.message, case.text = tag, message[:TEXT_LIMIT], ""
            self._inside = tag

    def end(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""
        elif tag == "testcase":
            self._case = None

    def characters(self, text: str) -> None:
        if self._inside and self._case is not None and len(self._case.text) < TEXT_LIMIT:
            self._case.text = (self._case.text + text)[:TEXT_LIMIT]


def _case(attributes: dict[str, str]) -> TestCase:
    line = attributes.get("line", "")
    return TestCase(
        classname=attributes.get("classname", ""),
        name=attributes.get("name", ""),
        file=attributes.get("file", ""),
        line=int(line) + 1 if line.isascii() and line.isdigit() and len(line) < 10 else 0,  # noqa: PLR2004  (fits an int)
    )
