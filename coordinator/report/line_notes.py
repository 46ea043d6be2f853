"""The findings of a verdict as notes on the lines that a change brings, each with a mark to know it again by."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

from coordinator.forge.models import LineNote
from coordinator.report.evidence import findings
from coordinator.report.inert import code, fenced, inert_line, visible
from coordinator.report.states import gate_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.report.evidence import Finding

FINGERPRINT = re.compile(r"<!-- coordinator:finding=([0-9a-f]{32}) -->")
TITLE_LIMIT = 300
TEXT_LIMIT = 2000
"""Characters of what follows the first line of a message."""


def line_notes(
    verdict: Verdict, added: Mapping[str, AbstractSet[int]], redact: Callable[[str], str]
) -> dict[str, LineNote]:
    """Return a note for each finding on an added line, by its fingerprint, in the order of the gates.

    The fingerprint leaves the line out: a finding that only moves is the same one. `added` are the lines by path.
    """
    notes: dict[str, LineNote] = {}
    seen: Counter[tuple[str, ...]] = Counter()
    for result in verdict.failed_gates():
        for finding in findings(result):
            key = (result.gate, finding.path, finding.code, finding.message)
            seen[key] += 1
            if finding.line in added.get(finding.path, frozenset()):
                mark = hashlib.sha256(repr((key, seen[key])).encode(errors="replace")).hexdigest()[:32]
                notes[mark] = LineNote(path=finding.path, line=finding.line, body=_body(result, finding, mark, redact))
    return notes


def fingerprint(body: str) -> str:
    """Return the mark of a comment, its last line; empty for one that is none of these notes."""
    match = FINGERPRINT.fullmatch(body.rstrip().rpartition("\n")[2])
    return match[1] if match is not None else ""


def paths_with_findings(verdict: Verdict) -> tuple[str, ...]:
    """Return the files in which a verdict finds something on a line, each once."""
    found = (finding for result in verdict.failed_gates() for finding in findings(result))
    return tuple(dict.fromkeys(finding.path for finding in found if finding.line))


def _body(result: GateResult, finding: Finding, mark: str, redact: Callable[[str], str]) -> str:
    first, *rest = redact(visible(finding.message)).splitlines() or [""]
    head = " ".join(part for part in (code(redact(finding.code)), inert_line(first, TITLE_LIMIT)) if part)
    text = "\n".join(rest).strip()[:TEXT_LIMIT]
    parts = [f"{gate_mark(result)} **{inert_line(result.gate, 40)}** {head}", fenced(text) if text else ""]
    if finding.waiver:
        parts.append(f"A person can waive it in a comment:\n\n{fenced(redact(visible(finding.waiver)))}")
    return "\n\n".join([*(part for part in parts if part), f"<!-- coordinator:finding={mark} -->"])
