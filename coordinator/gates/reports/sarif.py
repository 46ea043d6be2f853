"""Reading a SARIF 2.1.0 log, the report that most analysers and security scanners can write.

Source of the fields and their defaults: OASIS, Static Analysis Results Interchange Format 2.1.0 (§3.27.9 `kind`,
§3.27.10 `level`, §3.27.23 `suppressions`, §3.20.14 `executionSuccessful`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import Field, ValidationError

from coordinator.gates.evidence import Finding
from coordinator.models import Foreign

if TYPE_CHECKING:
    from coordinator.gates.evidence import Cleaner

VERSION = "2.1."
SIZE_LIMIT = 16 * 1024 * 1024
"""Bytes: a result has some 700, the rules of a scanner a few hundred thousand."""
MOST_OBJECTS = 500_000
"""Objects of a log; six make a result with its place. Each of them takes over a kilobyte of memory when it is read."""
MOST_LINES = 2**31 - 1
"""As a line and as a column: a number that everybody who gets a finding can hold."""
HARMLESS_LEVELS = frozenset({"none", "note"})
FAULT = "fail"
"""The one kind of result whose level can be other than ``none``."""


class UnusableSarif(ValueError):
    """The document is no SARIF log that says anything. The message says why."""


class _Message(Foreign):
    text: str = ""
    markdown: str = ""


class _ArtifactLocation(Foreign):
    uri: str = ""


class _Region(Foreign):
    line: int = Field(default=0, alias="startLine", ge=0, le=MOST_LINES)
    column: int = Field(default=0, alias="startColumn", ge=0, le=MOST_LINES)


class _PhysicalLocation(Foreign):
    artifact: _ArtifactLocation = Field(default=_ArtifactLocation(), alias="artifactLocation")
    region: _Region = _Region()


class _Location(Foreign):
    physical: _PhysicalLocation = Field(default=_PhysicalLocation(), alias="physicalLocation")


class _Suppression(Foreign):
    status: str = "accepted"


class _RuleReference(Foreign):
    id: str = ""
    index: int = -1


class _Result(Foreign):
    rule_id: str = Field(default="", alias="ruleId")
    rule_index: int = Field(default=-1, alias="ruleIndex")
    rule: _RuleReference = _RuleReference()
    kind: str = "fail"
    level: str | None = None
    message: _Message = _Message()
    locations: tuple[_Location, ...] = ()
    suppressions: tuple[_Suppression, ...] = ()


class _Configuration(Foreign):
    level: str = "warning"


class _Rule(Foreign):
    id: str = ""
    configuration: _Configuration = Field(default=_Configuration(), alias="defaultConfiguration")


class _Driver(Foreign):
    name: str = ""
    rules: tuple[_Rule, ...] = ()


class _Tool(Foreign):
    driver: _Driver


class _Invocation(Foreign):
    successful: bool = Field(default=True, alias="executionSuccessful")


class _Run(Foreign):
    tool: _Tool
    invocations: tuple[_Invocation, ...] = ()
    results: tuple[_Result, ...] | None = None


class _Log(Foreign):
    version: str
    runs: tuple[_Run, ...]


@dataclass(frozen=True, slots=True)
class SarifReport:
    """What a log says."""

    findings: list[Finding] = field(default_factory=list)
    """Errors and warnings that nobody has suppressed."""
    harmless: int = 0
    """Results of level ``note`` or ``none``."""
    suppressed: int = 0
    """Results that the source or a file beside it suppresses."""


def parse_sarif(data: bytes, cleaner: Cleaner) -> SarifReport:
    """Read a log; paths become relative to the folders of `cleaner`. Raises `UnusableSarif`."""
    if len(data) > SIZE_LIMIT or data.count(b"{") > MOST_OBJECTS:
        message = f"it is larger than {SIZE_LIMIT >> 20} MB or has more than {MOST_OBJECTS} objects"
        raise UnusableSarif(message)
    try:
        log = _Log.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = f"it is no SARIF log: {'.'.join(map(str, first['loc']))} {first['msg']}".replace("  ", " ")
        raise UnusableSarif(message) from error
    if not log.version.startswith(VERSION):
        message = f"it is of version {log.version[:20]}, not 2.1"
        raise UnusableSarif(message)
    _require_complete(log)
    return _sorted_out(log, cleaner)


def _require_complete(log: _Log) -> None:
    if not log.runs:
        message = "it holds no run, so nothing was checked"
        raise UnusableSarif(message)
    for run in log.runs:
        name = run.tool.driver.name or "the tool"
        if run.results is None:
            message = f"{name} gives no list of results, so it did not finish"
            raise UnusableSarif(message)
        if not all(invocation.successful for invocation in run.invocations):
            message = f"{name} says that it did not run to its end"
            raise UnusableSarif(message)


def _sorted_out(log: _Log, cleaner: Cleaner) -> SarifReport:
    findings: list[Finding] = []
    harmless = suppressed = 0
    for run in log.runs:
        for result in run.results or ():
            if result.suppressions and all(mark.status == "accepted" for mark in result.suppressions):
                suppressed += 1
            elif result.kind != FAULT or _level(run, result) in HARMLESS_LEVELS:
                harmless += 1
            else:
                findings.append(_finding(run, result, cleaner))
    return SarifReport(findings, harmless, suppressed)


def _level(run: _Run, result: _Result) -> str:
    """Return the result's own level, else that of its rule, else ``warning``."""
    if result.level is not None:
        return result.level
    rule = _rule(run, result)
    return rule.configuration.level if rule is not None else "warning"


def _rule(run: _Run, result: _Result) -> _Rule | None:
    rules = run.tool.driver.rules
    index = max(result.rule_index, result.rule.index)
    if 0 <= index < len(rules):
        return rules[index]
    wanted = result.rule_id or result.rule.id
    return next((rule for rule in rules if wanted and rule.id == wanted), None)


def _finding(run: _Run, result: _Result, cleaner: Cleaner) -> Finding:
    place = result.locations[0].physical if result.locations else _PhysicalLocation()
    rule = _rule(run, result)
    return Finding(
        path=cleaner.relative(_path(place.artifact.uri)),
        line=place.region.line,
        column=place.region.column,
        code=result.rule_id or result.rule.id or (rule.id if rule is not None else ""),
        message=cleaner.clean(result.message.text or result.message.markdown or "no message"),
    )


def _path(uri: str) -> str:
    """Return the path of a ``file:`` address or of a relative reference, both percent-encoded."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    return unquote(parts.path) if parts.scheme in {"", "file"} else uri
