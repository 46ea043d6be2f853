"""The build gate: ``mypy --strict`` on the packages, or on what the project's configuration names."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError

from coordinator.gates.evidence import Finding, counted, last_lines, one_line, shown
from coordinator.gates.files import read_regular
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.python.mypy_cache import set_unforeseeable_time
from coordinator.gates.rules import rules_of
from coordinator.gates.tooling import Tool, as_typed, own_tool, unusable
from coordinator.gates.tree import remove_folder
from coordinator.models import Foreign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.gates.once import Once
    from coordinator.gates.protocol import GateResult
    from coordinator.gates.python.mypy_cache import MypyCache
    from coordinator.gates.rules import Rules
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.gates.tree import JudgedTree
    from coordinator.sandbox.protocol import CommandResult

CONFIG_COMPLAINT = re.compile(r"^\S*(?:pyproject\.toml|mypy\.ini|setup\.cfg): (?!note:)", re.MULTILINE)
"""How mypy begins a line on standard error about an option that it does not know or understand, and goes on with 0."""

SCOPE_OPTIONS = ("files", "packages", "modules")
"""Options of mypy's configuration that say what is checked."""

OWN_MYPY = (*own_tool("mypy"), "--sqlite-num-shards", "1")
"""Our mypy keeps its cache in one database instead of 16 (mypy 2.4, ``defaults.SQLITE_NUM_SHARDS``), each of which has
pages in memory: 9 of 193 MB less on a project of 71 files, at the time when the tests need memory too, and one file to
copy. More of them serve mypy's parallel workers, which are not used."""

ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""mypy parses in threads, for each of which glibc (mallopt(3)) keeps an arena of memory: 3 of 116 MB less without."""

CHECKED = re.compile(rb"^Success: no issues found in ([0-9]+) source files?$", re.MULTILINE)
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
    plugged: Tool
    """The same for a mypy with plugins, which are code of the project."""
    args: tuple[str, ...] = ()
    cache: MypyCache | None = None
    """What earlier judgements left; None where others could write there."""

    def check(self) -> GateResult:
        """Judge the tree."""
        return timed(self.name, lambda: self._kept_apart().judge())

    def judge(self) -> Judgement:
        """Judge the tree with the tool as it is."""
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
        mypy = (str(environment.python), *environment.isolation, "-m", "mypy") if theirs else OWN_MYPY
        settings = () if rules is not None else ("--config-file=",)
        details: dict[str, JsonValue] = {
            "command": as_typed("mypy", "--strict", *self.args, *places),
            "notes": [*self.tree.notes, *(["the project's own mypy ran, as its plugins need"] if theirs else [])],
        }
        argv = (
            *mypy, "--strict", *settings, "--python-executable", str(environment.python), *self.args, *places,
        )  # fmt: skip
        return self._run(argv, environment, _cache_name(argv, rules, environment), details)

    def _kept_apart(self) -> BuildGate:
        """Return the gate that runs mypy where its plugins, if it has any, can touch nothing of the coordinator's."""
        rules = rules_of(self.tree.reading, "mypy")
        plugged = rules is not None and bool(rules.options.get("plugins"))
        return replace(self, tool=self.plugged, cache=None) if plugged else self

    def _run(
        self,
        argv: tuple[str, ...],
        environment: TargetEnvironment,
        name: str,
        details: dict[str, JsonValue],
    ) -> Judgement:
        """Run mypy, with what is kept of earlier runs where it may be used."""
        cache = self.cache
        scratch = self.tool.sandbox.make_folder("mypy")
        folder = scratch / "cache"
        argv = (*argv, "--cache-dir", str(folder))
        try:
            if cache is not None:
                set_unforeseeable_time(self.tree.reading)
                cache.lend(name, folder, self.tool.sandbox)
            result = self.tool.run((*argv, "-O", "json"), {**environment.variables(), **ONE_ARENA})
            judgement = self._read(result, lambda: self._checked(argv, scratch, environment), details)
            if cache is not None and judgement.state is State.PASSED:
                cache.take(name, folder)
            return judgement
        finally:
            remove_folder(scratch)

    def _checked(self, argv: tuple[str, ...], scratch: Path, environment: TargetEnvironment) -> int:
        """Return how many files mypy checks. Its last line says so, which ``-O json`` leaves out: a second, warm run.

        Where the configuration switches that line off, a report is asked for, with which mypy uses no cache.
        """
        said = self.tool.run((*argv, "--error-summary"), environment.variables())
        if said.ok and (found := CHECKED.findall(said.stdout)):
            return int(found[-1])
        self.tool.run((*argv, "--linecount-report", str(scratch / "count")), environment.variables())
        data = read_regular(scratch / "count" / "linecount.txt", REPORT_LIMIT)
        return 0 if data is None else max(len(data.splitlines()) - 1, 0)

    def _read(self, result: CommandResult, count: Callable[[], int], details: dict[str, JsonValue]) -> Judgement:
        output, complaints = self.tool.output(result.stdout), self.tool.output(result.stderr)
        findings = _findings(output)
        if result.truncated or result.exit_code not in {0, 1, 2} or findings is None:
            return unusable("mypy", result, complaints or output, details)
        details |= shown(findings)
        if CONFIG_COMPLAINT.search(complaints):
            message = f"mypy does not accept its configuration: {one_line(complaints)}"
            return Judgement(State.ERROR, message, details | {"output": last_lines(complaints)})
        if findings:
            first = findings[0]
            where = f"{counted(len(findings), 'type error')}, first at {first.place()}: {first.message.splitlines()[0]}"
            return Judgement(State.FAILED, one_line(where), details)
        if result.exit_code != 0:
            return unusable("mypy", result, complaints or output, details)
        files = count()
        if not files:
            return Judgement(State.ERROR, "mypy checked no file at all", details)
        message = f"mypy --strict finds nothing in {counted(files, 'file')}"
        return Judgement(State.PASSED, message, details | {"files": files})


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


def _cache_name(argv: tuple[str, ...], rules: Rules | None, environment: TargetEnvironment) -> str:
    """Return what tells one kept cache from another; mypy itself sees when an entry of one is out of date."""
    parts = [
        importlib.metadata.version("mypy"), *argv, str(environment.python), repr(environment.version),
        json.dumps(rules.options if rules is not None else None, sort_keys=True, default=str),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
