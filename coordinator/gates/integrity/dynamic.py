"""Wiring of the checks that run tests: inventory, the base's tests, mutants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.integrity.base_tests import BaseTests
from coordinator.gates.integrity.inventory import Inventory
from coordinator.gates.integrity.mutation import Mutation

if TYPE_CHECKING:
    from coordinator.gates.integrity.base_run import BaseRun
    from coordinator.gates.integrity.gate import Check
    from coordinator.gates.integrity.subject import Subject


def dynamic_checks(subject: Subject, base_run: BaseRun) -> tuple[Check, ...]:
    """Return the checks that run tests."""
    checks: tuple[Check, ...] = (
        Inventory(subject.tree, subject.base, subject.run, base_run.record),
        BaseTests(base_run.bed, subject.base, subject.run, base_run.record),
    )
    most = subject.section.integrity.mutants
    if not most:
        return checks
    return (*checks, Mutation(base_run.bed, subject.run, subject.coverage, base_run.record, most))
