"""Wiring: from a judged tree to the checks of the integrity gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.integrity.census import Census
from coordinator.gates.integrity.changed_lines import ChangedLines
from coordinator.gates.integrity.dynamic import dynamic_checks
from coordinator.gates.integrity.kinds import Kind
from coordinator.gates.integrity.protected import ProtectedFiles
from coordinator.gates.integrity.suppressed import SuppressedViolations
from coordinator.gates.integrity.tables import ConfigurationTables
from coordinator.gates.python.test_layout import layout_of
from coordinator.gates.rules import omitted_from_coverage

if TYPE_CHECKING:
    from coordinator.gates.integrity.gate import Check
    from coordinator.gates.integrity.subject import Subject


def build_checks(subject: Subject) -> tuple[Check, ...]:
    """Return the checks that are switched on; each one is built for this tree."""
    dynamic = dynamic_checks(subject, subject.base_run) if subject.base_run is not None else ()
    return (*_static_checks(subject), *_coverage_checks(subject), *dynamic)


def _static_checks(subject: Subject) -> tuple[Check, ...]:
    """Return what looks at the change alone."""
    tree, section = subject.tree, subject.section
    layout = layout_of(tree.reading, section.test.args)
    checks: tuple[Check, ...] = (
        Census(tree.change, section.integrity.allow, lambda path: layout.is_source(path, tree.sources.places)),
        ProtectedFiles(tree, subject.base),
        ConfigurationTables(tree.change),
    )
    if not section.lint.enabled or not subject.python:
        return checks
    budget = section.integrity.allow.get(Kind.NOQA, 0)
    return (*checks, SuppressedViolations(tree, subject.base, subject.reading, section.lint.args, budget))


def _coverage_checks(subject: Subject) -> tuple[Check, ...]:
    """Return what the report of the coverage gate is needed for."""
    section = subject.section.coverage
    if not section.enabled or not subject.python:
        return ()
    omitted = omitted_from_coverage(subject.base)
    return (ChangedLines(subject.tree, subject.coverage, section.changed_lines, omitted),)
