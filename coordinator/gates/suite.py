"""Wiring: from a judged tree and the configuration to the orchestrator with its gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.gates.build_gate import BuildGate
from coordinator.gates.coverage_gate import CoverageGate
from coordinator.gates.evidence import Cleaner
from coordinator.gates.lint_gate import LintGate
from coordinator.gates.once import Once
from coordinator.gates.orchestrator import QualityOrchestrator
from coordinator.gates.test_gate import TestGate
from coordinator.gates.test_run import TestRun
from coordinator.gates.tooling import Tool
from coordinator.gates.tree import JudgedTree, export_tree
from coordinator.sandbox.protocol import Network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coordinator.configuration import GatesSection
    from coordinator.gates.environment import TargetEnvironment
    from coordinator.gates.protocol import QualityGate
    from coordinator.gates.tree import Export
    from coordinator.sandbox.protocol import Sandbox


def build_suite(
    *,
    export: Export,
    tree: str,
    base: str | None,
    section: GatesSection,
    sandbox: Sandbox,
    environment: Callable[[Path], TargetEnvironment],
    checkout: Path | None = None,
    network: Network = Network.NONE,
) -> QualityOrchestrator:
    """Export the tree and return the orchestrator of its gates: build, lint, test, coverage, as far as enabled.

    `tree` is the id of the git tree to judge and `base` the commit or tree whose configuration of the gate tools
    counts (None: the judged tree's own). `environment` gets the folder of the clean export and returns the target's
    environment; it is called once, when the first gate needs it, and what it raises becomes an `error` of the gates
    that need it. `checkout` is where compiled and version modules of an editable installation may lie.

    Raises `Misconfigured` when no gate is enabled or one is wanted that does not exist, and what `export` raises.
    """
    require_gates(section)
    judged = export_tree(export, tree, base, sandbox)
    target = Once(lambda: _completed(judged, environment(judged.reading), checkout))
    run = TestRun(judged, target, sandbox, section.test.minutes, section.test.args, network)

    def clean_up() -> None:
        run.remove()
        judged.remove()

    return QualityOrchestrator(_gates(section, judged, target, run, sandbox), tree, clean_up)


def require_gates(section: GatesSection) -> None:
    """Raise `Misconfigured` when no gate is enabled or one is wanted that does not exist: before anything is spent."""
    if not any(gate.enabled for gate in (section.build, section.lint, section.test, section.coverage)):
        raise Misconfigured(
            "All quality gates are disabled, so nothing could be accepted",
            mend="Enable at least one gate below `gates` in .coordinator.yml",
        )
    if section.commands:
        raise Misconfigured(
            f"The gate `{section.commands[0].name}` below `gates.commands` cannot be run by this version",
            mend="Remove `gates.commands` from .coordinator.yml, or call the command from a test",
        )


def _gates(
    section: GatesSection, judged: JudgedTree, target: Once[TargetEnvironment], run: TestRun, sandbox: Sandbox
) -> tuple[QualityGate, ...]:
    reading = Tool(sandbox, judged.reading, Cleaner((judged.reading,)))
    working = Tool(sandbox, judged.working, Cleaner((judged.working,)))
    shared = Once(run)
    gates: list[tuple[bool, QualityGate]] = [
        (section.build.enabled, BuildGate(judged, target, reading, section.build.args)),
        (section.lint.enabled, LintGate(judged, reading, section.lint.args)),
        (section.test.enabled, TestGate(judged, shared, section.test.args)),
        (section.coverage.enabled, CoverageGate(judged, shared, target, working, section.coverage.threshold)),
    ]
    return tuple(gate for enabled, gate in gates if enabled)


def _completed(judged: JudgedTree, environment: TargetEnvironment, checkout: Path | None) -> TargetEnvironment:
    """Add what only a build makes, from the installed copy and from the person's checkout, before any gate looks."""
    roots = [checkout / root for root in judged.sources.roots] if checkout is not None else []
    judged.add_built_files([environment.site, *roots])
    return environment
