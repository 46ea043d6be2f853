"""Reading an lcov tracefile, the coverage report that most languages have a tool for.

The format is that of ``geninfo(1)``: records that begin with ``SF:<path>``, hold one ``DA:<line>,<hits>`` for each
line that can run, and end with ``end_of_record``. The summaries ``LF`` and ``LH`` are not believed: they are counted
again from the lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LINE = re.compile(r"DA:(?P<line>[0-9]{1,9}),(?P<hits>-?[0-9]{1,18})(?:,.*)?")
MALFORMED_SHOWN = 80


class UnusableLcov(ValueError):
    """The text is no tracefile. The message says where it is not."""


@dataclass(frozen=True, slots=True)
class Lcov:
    """Which lines of which files ran."""

    files: dict[str, dict[int, bool]] = field(default_factory=dict)
    """By path as the report spells it: each line that can run, 1-based, and whether it did."""

    @property
    def lines(self) -> int:
        """How many lines can run."""
        return sum(len(lines) for lines in self.files.values())

    @property
    def covered(self) -> int:
        """How many of them did."""
        return sum(ran for lines in self.files.values() for ran in lines.values())

    @property
    def percent(self) -> float:
        """The share of the lines that ran, 0 to 100; 0 of 0 lines are 0 per cent."""
        return 100 * self.covered / self.lines if self.lines else 0.0

    def missing(self) -> dict[str, list[int]]:
        """Return the lines that did not run, of the files that have such lines."""
        lacking = {path: [line for line, ran in lines.items() if not ran] for path, lines in self.files.items()}
        return {path: sorted(lines) for path, lines in lacking.items() if lines}


def parse_lcov(text: str) -> Lcov:
    """Read a tracefile; several records of one file are joined. Raises `UnusableLcov`."""
    report = Lcov()
    lines: dict[int, bool] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        row = raw.strip()
        if row.startswith("SF:"):
            lines = report.files.setdefault(row.removeprefix("SF:"), {})
        elif row == "end_of_record":
            lines = None
        elif row.startswith("DA:"):
            match = LINE.fullmatch(row)
            if match is None or lines is None:
                message = f"line {number} has no place in a tracefile: {row[:MALFORMED_SHOWN]}"
                raise UnusableLcov(message)
            line = int(match["line"])
            lines[line] = lines.get(line, False) or int(match["hits"]) > 0
    if lines is not None:
        message = "it breaks off inside a record: `end_of_record` is missing"
        raise UnusableLcov(message)
    return report
