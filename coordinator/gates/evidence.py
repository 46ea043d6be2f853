"""What a gate shows: findings, bounded lists and tool output without anything that changes from run to run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import JsonValue

MOST_FINDINGS = 50
"""Findings that a result carries; the total is given beside them."""

MESSAGE_LIMIT = 2000
"""Characters of the message of one finding."""

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
CHANGING = (
    (re.compile(r"\b0x[0-9a-fA-F]{6,}"), "0x…"),
    (re.compile(r"\bpytest-of-[^/\s]{1,64}/pytest-\d+"), "pytest-of-…/pytest-…"),
    (re.compile(r"\bin \d+(?:\.\d+)?s(?: \(\d+:\d\d:\d\d\))?"), "in …s"),
    (re.compile(r"\b(?:pid|PID)[ =]\d+"), "pid …"),
)
"""No pattern may run on over a long part of a line from each of many places in it: the output can be megabytes of what
suits a pattern best, and while one is at work nothing else of the coordinator is."""

TELLING = re.compile(
    r"\b(?:[Ee]rrors?|ERROR|FAIL(?:ED|URE)?S?|not ok|fatal|panicked)\b|\b[A-Z]\w*(?:Error|Exception)\b"
)
"""What the first line that says why something failed has in it, with most tools."""


class Finding(Frozen):
    """One fault at one place."""

    path: str
    """Relative to the checkout, ``/``-separated; empty when the fault has no place."""
    line: int
    """1-based; 0 when unknown."""
    column: int
    """1-based; 0 when unknown."""
    code: str
    """The tool's name for the rule, or the test's id."""
    message: str

    def place(self) -> str:
        """Return ``path:line:column`` as far as it is known."""
        parts = [self.path, *(str(number) for number in (self.line, self.column) if number)]
        return ":".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Takes out of tool output what differs between two runs on one tree, and what a terminal would obey."""

    folders: tuple[Path, ...]
    """Folders of this run; a path below one of them is shown relative to it."""

    def clean(self, output: str) -> str:
        """Return the text with paths relative, addresses and durations gone, and without control characters."""
        for folder in sorted({form for path in self.folders for form in _forms(path)}, key=len, reverse=True):
            output = output.replace(f"{folder}/", "").replace(folder, ".")
        output = ESCAPES.sub("", output.replace("\r\n", "\n"))
        for pattern, instead in CHANGING:
            output = pattern.sub(instead, output)
        return output

    def relative(self, path: str) -> str:
        """Return a path as it stands in the checkout."""
        for folder in sorted({form for each in self.folders for form in _forms(each)}, key=len, reverse=True):
            if path.startswith(f"{folder}/"):
                return path.removeprefix(f"{folder}/")
        return path.removeprefix("./")


def _forms(folder: Path) -> tuple[str, ...]:
    return (str(folder), str(folder.resolve()))


def shown(findings: Sequence[Finding]) -> dict[str, JsonValue]:
    """Return the first findings and how many there are in all."""
    first: list[JsonValue] = [
        finding.model_copy(update={"message": finding.message[:MESSAGE_LIMIT]}).model_dump()
        for finding in findings[:MOST_FINDINGS]
    ]
    return {"findings": first, "findings_total": len(findings)}


def last_lines(output: str, count: int = 12, limit: int = MESSAGE_LIMIT) -> str:
    """Return the last lines of an output that hold something."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    return "\n".join(lines[-count:])[-limit:]


def telling_lines(output: str, count: int) -> str:
    """Return at most that many lines from the first one on that says why something failed, else the last ones."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    first = next((place for place, line in enumerate(lines) if TELLING.search(line)), len(lines) - count)
    return "\n".join(lines[max(first, 0) :][:count])


def one_line(output: str, limit: int = 300) -> str:
    """Return the text as one line of bounded length."""
    line = " ".join(output.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def counted(number: int, thing: str) -> str:
    """Return ``1 test`` or ``3 tests``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
