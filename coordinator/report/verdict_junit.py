"""A verdict as JUnit XML, which nearly every CI server can show: a suite per gate, a test case per finding.

The shape is the one that the Jenkins JUnit plugin reads and that pytest writes as ``xunit1``: ``testsuites`` with
totals, ``testsuite`` with ``name tests failures errors time``, ``testcase`` with ``classname name file line time``.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from coordinator.gates.judgement import State
from coordinator.report.evidence import Finding, evidence_lines, findings
from coordinator.report.inert import visible
from coordinator.report.states import is_unfinished, state_of

if TYPE_CHECKING:
    from coordinator.gates.protocol import GateResult, Verdict

EVIDENCE_SHOWN = 200
"""Lines of evidence of a gate whose findings have no place."""

NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold, not even as a reference (Extensible Markup Language, 2.2)."""

COMMAND = re.compile(r"^(?P<blank>[ \t]*)(?P<colon>:)(?=:)|(?P<mark>#)(?=#\[)", re.MULTILINE)
"""Where a runner would take a line for a command, when the document goes to its log."""


def verdict_junit(verdict: Verdict) -> str:
    """Return the document.

    A gate that passed is one passing test case, one that could not judge an ``error``, and one that was ended because
    another had failed is ``skipped``.
    """
    suites = [_suite(result) for result in verdict.gates]
    total = " ".join(f'{name}="{number}"' for name, number in _totals(verdict).items())
    return "\n".join(
        ['<?xml version="1.0" encoding="utf-8"?>', f'<testsuites name="coordinator" {total}>', *suites, "</testsuites>"]
    )


def _totals(verdict: Verdict) -> dict[str, int]:
    counts = [_counts(result) for result in verdict.gates]
    return {name: sum(count[name] for count in counts) for name in ("tests", "failures", "errors", "skipped")}


def _counts(result: GateResult) -> dict[str, int]:
    if result.passed:
        return {"tests": 1, "failures": 0, "errors": 0, "skipped": 0}
    if is_unfinished(result):
        return {"tests": 1, "failures": 0, "errors": 0, "skipped": 1}
    number = max(len(findings(result)), 1)
    broken = state_of(result) is State.ERROR
    return {"tests": number, "failures": 0 if broken else number, "errors": number if broken else 0, "skipped": 0}


def _suite(result: GateResult) -> str:
    counts = " ".join(f'{name}="{number}"' for name, number in _counts(result).items())
    head = f'<testsuite name={_quoted(result.gate)} {counts} time="{result.seconds:.3f}">'
    return "\n".join([head, *_cases(result), "</testsuite>"])


def _cases(result: GateResult) -> list[str]:
    start = f"<testcase classname={_quoted(f'coordinator.{result.gate}')}"
    if result.passed:
        return [f'{start} name={_quoted(result.gate)} time="{result.seconds:.3f}"/>']
    if is_unfinished(result):
        return [f"{start} name={_quoted(result.gate)}><skipped message={_quoted(result.message)}/></testcase>"]
    tag = "error" if state_of(result) is State.ERROR else "failure"
    found = findings(result)
    if found:
        return [_case(start, tag, finding) for finding in found]
    text = "\n".join(evidence_lines(result, EVIDENCE_SHOWN))
    return [f"{start} name={_quoted(result.gate)}>{_fault(tag, result.message, text)}</testcase>"]


def _case(start: str, tag: str, finding: Finding) -> str:
    first = finding.lines()[0]
    line = f' line="{finding.line}"' if finding.line else ""
    fault = _fault(tag, finding.message.partition("\n")[0], "\n".join(filter(None, [*finding.lines(), finding.advice])))
    return f"{start} name={_quoted(first)} file={_quoted(finding.path)}{line}>{fault}</testcase>"


def _fault(tag: str, message: str, text: str) -> str:
    return f"<{tag} message={_quoted(message)}>{_plain(text)}</{tag}>"


def _quoted(text: str) -> str:
    return f'"{_plain(" ".join(text.split()))}"'


def _plain(text: str) -> str:
    plain = escape(NO_XML.sub("\ufffd", "\n".join(visible(line) for line in text.split("\n"))))
    return COMMAND.sub(lambda found: f"{found['blank'] or ''}&#{ord(found['colon'] or found['mark'])};", plain)
