"""Violations of the lint rules that are there and silenced, whatever the comment that silences them looks like."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from coordinator.errors import Unreachable
from coordinator.gates.evidence import Cleaner, last_lines
from coordinator.gates.integrity.findings import PolicyFinding, Severity, attention
from coordinator.gates.integrity.growth import Growth, Occurrence, growth
from coordinator.gates.integrity.kinds import Kind
from coordinator.gates.integrity.sources import python_files
from coordinator.gates.python.lint_gate import RUFF_REPORT, lint_command
from coordinator.gates.tooling import Tool, ended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from coordinator.gates.tree import JudgedTree

IGNORE_NOQA = "--ignore-noqa"


@dataclass(frozen=True, slots=True)
class SuppressedViolations:
    """Runs ruff with and without the comments, on the base and on the head, by the base's rules."""

    name: ClassVar[str] = "suppressed violations"
    tree: JudgedTree
    base: Path
    reading: Tool
    args: tuple[str, ...]
    allow: int
    """How many new ones need no person."""

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding per file with more silenced violations of one rule than before.

        Raises `Unreachable` when ruff gives no report.
        """
        if not any(file.after is not None for file in python_files(self.tree.change)):
            return ()
        after = self._silenced(self.reading)
        if not after:
            return ()
        before = self._silenced(Tool(self.reading.sandbox, self.base, Cleaner((self.base,))))
        grown = growth(before, after)
        allowed = sum(each.number for each in grown) <= self.allow
        return [_finding(each, allowed=allowed) for each in grown]

    def _silenced(self, tool: Tool) -> Mapping[str, Sequence[Occurrence]]:
        """Return what ruff finds only when it does not look at the comments."""
        silenced = self._report(tool, IGNORE_NOQA)
        for found in self._report(tool):
            if silenced[found]:
                silenced[found] -= 1
        by_path: dict[str, list[Occurrence]] = defaultdict(list)
        for (path, code, line), number in sorted((+silenced).items()):
            by_path[path] += [Occurrence(code, code, line)] * number
        return by_path

    def _report(self, tool: Tool, *flags: str) -> Counter[tuple[str, str, int]]:
        result = tool.run(lint_command(*self.args, *flags))
        if result.exit_code not in {0, 1} or result.truncated:
            raise _unusable(f"ruff {ended(result)}: {last_lines(tool.output(result.stderr), 1)}")
        try:
            report = RUFF_REPORT.validate_json(result.stdout)
        except ValidationError:
            raise _unusable("what ruff wrote is no report") from None
        return Counter(
            (tool.cleaner.relative(each.filename), each.code or "syntax", each.location.row if each.location else 0)
            for each in report
        )


def _unusable(what: str) -> Unreachable:
    return Unreachable(f"silenced violations could not be counted: {what}", mend="Look at what the lint gate says")


def _finding(grown: Growth, *, allowed: bool) -> PolicyFinding:
    lines = ", ".join(map(str, grown.lines))
    message = (
        f"ruff finds {grown.number} more of {grown.kind} than before (line {lines}) when comments do not silence it. "
        "Change the code so that the rule is kept."
    )
    if not allowed:
        return attention(Kind.NOQA, grown.path, message, path=grown.path, line=grown.lines[0])
    return PolicyFinding(
        kind=Kind.NOQA,
        what=grown.path,
        path=grown.path,
        line=grown.lines[0],
        message=f"{grown.path}: {message} The configuration allows that many.",
        severity=Severity.NOTE,
    )
