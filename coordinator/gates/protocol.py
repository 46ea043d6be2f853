"""What a quality gate is, and what it says."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field, JsonValue

from coordinator.models import Frozen


class GateResult(Frozen):
    """The answer of one gate about one tree."""

    gate: str
    """``build``, ``lint``, ``test``, ``coverage`` …"""
    passed: bool
    message: str
    """One line: what was found, e.g. ``2 of 311 tests failed: tests/test_a.py::test_b``."""
    details: dict[str, JsonValue] = Field(default_factory=dict)
    """Evidence that a machine can read. Lists of findings have ``path line column code message``, 1-based;
    a list of files with lines that no test ran has ``path lines``, e.g. ``3-5, 9``."""
    seconds: float


class Verdict(Frozen):
    """What all gates together say about one git tree."""

    passed: bool
    tree: str
    """Object id of the git tree that was judged."""
    gates: tuple[GateResult, ...]

    def failed_gates(self) -> tuple[GateResult, ...]:
        """Return the gates that did not pass, in the order in which they are shown."""
        return tuple(result for result in self.gates if not result.passed)


class QualityGate(Protocol):
    """One check of one tree. Built for that tree; `check()` takes no arguments and never raises for a bad tree."""

    @property
    def name(self) -> str:
        """The gate's name: ``build``, ``lint``, ``test``, ``coverage``."""
        ...

    def check(self) -> GateResult:
        """Judge the tree."""
        ...
