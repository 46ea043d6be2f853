"""What the integrity gate finds, how grave that is, and what a person can waive."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ANYTHING = "*"
WAIVER_WORD = "Gate-Allow:"
"""How a line begins by which a person waives a finding."""

WAIVER_LABEL = "gate-allow"
"""A label that waives all that can be waived, when somebody with write access has put it on."""


class Severity(StrEnum):
    """How grave a finding is."""

    FAILED = "failed"
    """A fault is proven; nobody can waive it."""
    ATTENTION = "attention"
    """Not accepted before a person has waived it."""
    NOTE = "note"
    """Shown only."""


def _nameable(what: str) -> str:
    """Return a subject as one line that names this and nothing else, whatever the branch calls its files.

    A name with a line break would put further waivers into the text that people copy, and one with ``*`` would waive
    more than is shown.
    """
    line = " ".join(what.split())
    return "".join("?" if mark == ANYTHING or not mark.isprintable() else mark for mark in line)


class PolicyFinding(Frozen):
    """One thing that the change did to the checks."""

    kind: str
    """A short hyphenated word: ``type-ignore``, ``test-removal``, ``protected-file`` …"""
    what: Annotated[str, AfterValidator(_nameable)]
    """What a waiver names beside the kind: a path, ``path::node``, a table. Always one printable line without ``*``."""
    path: str
    """Relative to the checkout, ``/``-separated; empty when the finding has no place."""
    line: int
    """1-based; 0 when unknown."""
    message: str
    """What, why, and how to mend, in one or two sentences."""
    severity: Severity

    @property
    def waiver_line(self) -> str:
        """The line of a comment that waives this finding; empty where nobody can."""
        return f"{WAIVER_WORD} {self.kind} {self.what}" if self.severity is Severity.ATTENTION else ""


def attention(kind: str, what: str, message: str, *, path: str = "", line: int = 0) -> PolicyFinding:
    """Return a finding that a person can waive."""
    return PolicyFinding(kind=kind, what=what, path=path, line=line, message=message, severity=Severity.ATTENTION)


class Waiver(Frozen):
    """A person's word that a finding of severity `attention` is as it should be."""

    kind: str
    """The kind of finding; ``*`` for every kind."""
    what: str
    """What the finding is about; a final ``*`` stands for any rest."""
    by: str
    """Login of the person."""

    def covers(self, finding: PolicyFinding) -> bool:
        """Say whether the finding is waived by this. Proven faults never are."""
        if finding.severity is not Severity.ATTENTION or self.kind not in {ANYTHING, finding.kind}:
            return False
        if self.what.endswith(ANYTHING):
            return finding.what.startswith(self.what.removesuffix(ANYTHING))
        return finding.what == self.what


def settle(
    findings: Iterable[PolicyFinding], waivers: Sequence[Waiver]
) -> tuple[tuple[PolicyFinding, ...], tuple[tuple[PolicyFinding, Waiver], ...]]:
    """Return the findings that stand, and those that somebody waived, each with the waiver."""
    standing: list[PolicyFinding] = []
    waived: list[tuple[PolicyFinding, Waiver]] = []
    for finding in findings:
        waiver = next((each for each in waivers if each.covers(finding)), None)
        if waiver is None:
            standing.append(finding)
        else:
            waived.append((finding, waiver))
    return tuple(standing), tuple(waived)
