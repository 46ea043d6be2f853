"""The build gate: ``mypy --strict`` on the packages, or on what the project's configuration names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from coordinator.gates.evidence import Finding, counted, last_lines, one_line, shown
from coordinator.gates.files import read_regular
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.rules import rules_of
from coordinator.gates.tooling import Tool, as_typed, own_tool, unusable
from coordinator.gates.tree import remove_folder
from coordinator.models import Foreign

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.gates.environment import TargetEnvironment
    from coordinator.gates.once import Once
    from coordinator.gates.protocol import GateResult
    from coordinator.gates.tree import JudgedTree
    from coordinator.sandbox.protocol import CommandResult

CONFIG_COMPLAINT = re.compile(r"^\S*(?:pyproject\.toml|mypy\.ini|setup\.cfg): (?!note:)", re.MULTILINE)
"""How mypy begins a line on standard error about an option that it does not know or understand, and goes on with 0."""

SCOPE_OPTIONS = ("files", "packages", "modules")
"""Options of mypy's configuration that say what is checked."""

REPORT_LIMIT = 16 * 1024 * 1024


class MypyMessage(Foreign):
    """One line of ``mypy -O json``.

    E.g. ``{"file": "a.py", "line": 3, "column": 9, "message": "…", "code": "misc", "severity": "error"}``.
    """

    file: str
    line: int
    column: int
    """0-based."""
    message: str
    hint: str | None = None
    code: str | None = None
    severity: str


@dataclass(frozen=True, slots=True)
class BuildGate:
    """Passes when mypy in strict mode accepts its configuration and finds nothing in at least one file."""

    name: ClassVar[str] = "build"
    tree: JudgedTree
    environment: Once[TargetEnvironment]
    tool: Tool
    args: tuple[str, ...] = ()

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, self._judge)

    def _judge(self) -> Judgement:
        if not self.tree.has_python:
            return Judgement(State.ERROR, "no Python file in the checkout, so there is nothing to build")
        rules = rules_of(self.tree.reading, "mypy")
        scoped = rules is not None and any(option in rules.options for option in SCOPE_OPTIONS)
        if not scoped and not self.tree.sources.places:
            return Judgement(State.ERROR, "no package or module found to check; name them in mypy's `files`")
        places = () if scoped else self.tree.sources.places
        environment = self.environment.get()
        plugins = rules is not None and bool(rules.options.get("plugins"))
        theirs = plugins and "mypy" in environment.distributions
        mypy = (str(environment.python), *environment.isolation, "-m", "mypy") if theirs else own_tool("mypy")
        settings = () if rules is not None else ("--config-file=",)
        details: dict[str, JsonValue] = {
            "command": as_typed("mypy", "--strict", *self.args, *places),
            "notes": [*self.tree.notes, *(["the project's own mypy ran, as its plugins need"] if theirs else [])],
        }
        scratch = self.tool.sandbox.make_folder("mypy")
        argv = (
            *mypy, "--strict", *self.args, *settings, "-O", "json", "--cache-dir", str(scratch / "cache"),
            "--linecount-report", str(scratch / "count"), "--python-executable", str(environment.python), *places,
        )  # fmt: skip
        try:
            result = self.tool.run(argv, environment.variables())
            return self._read(result, _checked(scratch), details)
        finally:
            remove_folder(scratch)

    def _read(self, result: CommandResult, files: int, details: dict[str, JsonValue]) -> Judgement:
        output, complaints = self.tool.output(result.stdout), self.tool.output(result.stderr)
        findings = _findings(output)
        if result.truncated or result.exit_code not in {0, 1, 2} or findings is None:
            return unusable("mypy", result, complaints or output, details)
        details |= {"files": files, **shown(findings)}
        if CONFIG_COMPLAINT.search(complaints):
            message = f"mypy does not accept its configuration: {one_line(complaints)}"
            return Judgement(State.ERROR, message, details | {"output": last_lines(complaints)})
        if findings:
            first = findings[0]
            where = f"{counted(len(findings), 'type error')}, first at {first.place()}: {first.message.splitlines()[0]}"
            return Judgement(State.FAILED, one_line(where), details)
        if result.exit_code != 0:
            return unusable("mypy", result, complaints or output, details)
        if not files:
            return Judgement(State.ERROR, "mypy checked no file at all", details)
        return Judgement(State.PASSED, f"mypy --strict finds nothing in {counted(files, 'file')}", details)


def _findings(output: str) -> list[Finding] | None:
    """Return the errors, without the notes; None when the output is not what mypy writes."""
    findings = []
    for line in output.splitlines():
        if not line.startswith("{"):
            continue
        try:
            message = MypyMessage.model_validate_json(line)
        except ValidationError:
            return None
        if message.severity == "error":
            findings.append(_finding(message))
    return findings


def _finding(message: MypyMessage) -> Finding:
    text = f"{message.message}\n{message.hint}" if message.hint else message.message
    return Finding(
        path=message.file.removeprefix("./"),
        line=max(message.line, 0),
        column=message.column + 1,
        code=message.code or "",
        message=text,
    )


def _checked(scratch: Path) -> int:
    """Return how many files mypy checked: the lines of its line count report after the first, which is the total."""
    data = read_regular(scratch / "count" / "linecount.txt", REPORT_LIMIT)
    return 0 if data is None else max(len(data.splitlines()) - 1, 0)
