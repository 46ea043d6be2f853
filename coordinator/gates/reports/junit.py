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
from coordinator.gates.python.pytest_runner import PROPERTY

if TYPE_CHECKING:
    from pathlib import Path

REPORT_LIMIT = 128 * 1024 * 1024
"""Bytes; a suite of 30 000 tests writes some 5 MB."""

TEXT_LIMIT = 8000
"""Characters kept of the text of one failure."""

ID_LIMIT = 4000
"""Characters kept of a test's id, which may hold what the test is run with, and of each name that it is made of."""

MOST_CASES = 500_000
"""Entries; each takes some 300 bytes of memory, and the least that one takes in the file is twelve."""

MOST_DEPTH = 100
"""Elements within each other; nested suites need one each. The parser keeps a record of every open one."""

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
    kind: str = ""
    """The ``type`` of what is not a plain pass: ``pytest.xfail`` is a skip that is an expected failure."""
    message: str = ""
    text: str = ""
    exact_id: str = ""
    """The test's id, where our part of the session has written it down."""

    @property
    def node_id(self) -> str:
        """The id that pytest takes on its command line; without an exact one, as far as the report allows to tell."""
        if self.exact_id:
            return self.exact_id
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


def read_report(path: Path, *, writer: str = "pytest") -> TestReport:
    """Read a report; `writer` is who should have written it, in words. Raises `UnusableReport`."""
    data = read_regular(path, REPORT_LIMIT)
    if data is None:
        raise UnusableReport(f"{writer} wrote no report")
    reader = _Reader(writer)
    parser = xml.parsers.expat.ParserCreate()
    parser.buffer_text = True  # else each line is a call
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(data, True)
    except xml.parsers.expat.ExpatError as error:
        raise UnusableReport(f"{writer}'s report is no XML: {error}") from error
    if not reader.suites:
        raise UnusableReport(f"{writer}'s report holds no test suite")
    return reader.report


class _Reader:
    def __init__(self, writer: str) -> None:
        self.report = TestReport()
        self._writer = writer
        self.suites = 0
        self._depth = 0
        self._case: TestCase | None = None
        self._inside = ""

    def refuse(self, *_parts: object) -> None:
        raise UnusableReport(f"{self._writer}'s report declares a document type")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise UnusableReport(f"{self._writer}'s report has more than {MOST_DEPTH} elements within each other")
        if tag == "testsuite":
            self.suites += 1
        elif tag == "testcase":
            self._case = _case(attributes)
            self.report.cases.append(self._case)
            if len(self.report.cases) > MOST_CASES:
                raise UnusableReport(f"{self._writer}'s report holds more than {MOST_CASES} tests")
        elif tag in OUTCOMES and self._case is not None:
            self._outcome(self._case, tag, attributes)
        elif tag == "property" and self._case is not None and attributes.get("name") == PROPERTY:
            # The first one is ours: it is there before the test runs, which can record others of the same name.
            self._case.exact_id = self._case.exact_id or attributes.get("value", "")[:ID_LIMIT]

    def _outcome(self, case: TestCase, tag: str, attributes: dict[str, str]) -> None:
        """Keep the worst of several, such as a failure and an error in the teardown of one test."""
        if case.outcome == "passed" or OUTCOMES.index(tag) < OUTCOMES.index(case.outcome):
            case.outcome, case.message, case.text = tag, attributes.get("message", "")[:TEXT_LIMIT], ""
            case.kind = attributes.get("type", "")[:ID_LIMIT]
            self._inside = tag

    def end(self, tag: str) -> None:
        self._depth -= 1
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
        classname=attributes.get("classname", "")[:ID_LIMIT],
        name=attributes.get("name", "")[:ID_LIMIT],
        file=attributes.get("file", "")[:ID_LIMIT],
        line=int(line) + 1 if line.isascii() and line.isdigit() and len(line) < 10 else 0,  # noqa: PLR2004  (fits an int)
    )
