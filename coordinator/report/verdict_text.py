"""A verdict for a terminal, and as annotations for GitHub's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.report.evidence import evidence_lines, findings
from coordinator.report.inert import visible

if TYPE_CHECKING:
    from coordinator.gates.protocol import Verdict
    from coordinator.report.console import Console

EVIDENCE_SHOWN = 12
"""Lines of evidence per failed gate; the JSON has them all."""


def verdict_text(verdict: Verdict) -> str:
    """Return an aligned table of the gates, the first evidence of those that failed, and the verdict."""
    width = max((len(result.gate) for result in verdict.gates), default=0)
    lines = [
        f"{'passed' if result.passed else 'FAILED'}  {result.gate:<{width}}  {result.seconds:6.1f}s  {result.message}"
        for result in verdict.gates
    ]
    for result in verdict.failed_gates():
        evidence = evidence_lines(result, EVIDENCE_SHOWN)[1:]
        lines += ["", f"{result.gate}:", *(f"  {line}" for line in evidence)] if evidence else []
        command = result.details.get("command")
        lines += [f"  to repeat it: {command}"] if isinstance(command, str) else []
    word = "accepted" if verdict.passed else "rejected"
    return "\n".join(visible(line) for line in [*lines, "", f"{word}: tree {verdict.tree[:12]}"])


def verdict_annotations(verdict: Verdict, console: Console) -> None:
    """Write an error annotation for each finding of the failed gates, and one line per gate."""
    for result in verdict.gates:
        console.say(f"{'passed' if result.passed else 'FAILED'} {result.gate}: {result.message}")
    for result in verdict.failed_gates():
        found = findings(result)
        for finding in found:
            console.annotate(
                f"{finding.code} {finding.message}".strip(),
                path=finding.path,
                line=finding.line,
                title=f"coordinator/{result.gate}",
            )
        if not found:
            console.fail(f"{result.gate}: {result.message}")
