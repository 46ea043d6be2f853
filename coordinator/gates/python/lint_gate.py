"""The lint gate: ``ruff check`` on the whole checkout; every finding fails it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import TypeAdapter, ValidationError

from coordinator.gates.evidence import Finding, counted, one_line, shown
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.tooling import Tool, as_typed, own_tool, unusable
from coordinator.models import Foreign

if TYPE_CHECKING:
    from pydantic import JsonValue

    from coordinator.gates.protocol import GateResult
    from coordinator.gates.tree import JudgedTree

LINTED = (".py", ".pyi", ".ipynb", ".pyw")


class RuffLocation(Foreign):
    """A place in a file, 1-based."""

    row: int
    column: int


class RuffFinding(Foreign):
    """One entry of ``ruff check --output-format json``; `filename` is absolute."""

    code: str | None
    filename: str
    location: RuffLocation | None
    message: str


RUFF_REPORT = TypeAdapter(list[RuffFinding])
UNHIDDEN = "--no-respect-gitignore"
"""Without this a file ``.ignore``, in the tree or in any folder above it, hides files from ruff. The ``.gitignore`` of
an export hides nothing either way: ruff obeys it in a git checkout alone."""


def lint_command(*args: str) -> tuple[str, ...]:
    """Return how the coordinator's own ruff looks at the folder that it runs in; its report is `RUFF_REPORT`."""
    return (*own_tool("ruff"), "check", *args, "--no-fix", "--no-cache", UNHIDDEN, "--output-format", "json", ".")


@dataclass(frozen=True, slots=True)
class LintGate:
    """Passes when ruff looks at one file at the least and reports nothing, whatever the severity."""

    name: ClassVar[str] = "lint"
    tree: JudgedTree
    tool: Tool
    args: tuple[str, ...] = ()

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        if not self.tree.has_python:
            return Judgement(State.ERROR, "no Python file in the checkout, so there is nothing to lint")
        details: dict[str, JsonValue] = {
            "command": as_typed("ruff", "check", *self.args, "--no-fix", "."),
            "notes": list(self.tree.notes),
        }
        result = self.tool.run(lint_command(*self.args))
        complaints = self.tool.output(result.stderr)
        if result.exit_code not in {0, 1} or result.truncated:
            return unusable("ruff", result, complaints, details)
        try:
            findings = [self._finding(found) for found in RUFF_REPORT.validate_json(result.stdout)]
        except ValidationError:
            return unusable("ruff", result, complaints, details)
        details |= shown(findings)
        if findings:
            first = findings[0]
            where = f"{counted(len(findings), 'finding')}, first at {first.place()}: {first.code} {first.message}"
            return Judgement(State.FAILED, one_line(where), details)
        if result.exit_code != 0:
            return unusable("ruff", result, complaints, details)
        return self._clean(details)

    def _clean(self, details: dict[str, JsonValue]) -> Judgement:
        """Nothing was found: that counts when ruff looked at something."""
        listing = self.tool.run((*own_tool("ruff"), "check", *self.args, "--no-cache", UNHIDDEN, "--show-files", "."))
        lines = self.tool.output(listing.stdout).splitlines()
        files = sum(line.endswith(LINTED) for line in lines) if listing.ok else 0
        if not files:
            return Judgement(State.ERROR, "ruff looked at no file: all of them are excluded", details)
        return Judgement(State.PASSED, f"ruff finds nothing in {counted(files, 'file')}", details | {"files": files})

    def _finding(self, found: RuffFinding) -> Finding:
        return Finding(
            path=self.tool.cleaner.relative(found.filename),
            line=found.location.row if found.location else 0,
            column=found.location.column if found.location else 0,
            code=found.code or "syntax",
            message=self.tool.cleaner.clean(found.message),
        )
