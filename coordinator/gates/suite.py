"""Wiring: from a judged tree and the configuration to the orchestrator with its gates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.gates.choice import any_enabled, choose
from coordinator.gates.commands.command_gate import command_gates
from coordinator.gates.commands.workshop import Workshop
from coordinator.gates.evidence import Cleaner
from coordinator.gates.integrity.base_records import BaseRecords
from coordinator.gates.integrity.base_run import BaseRun
from coordinator.gates.integrity.flaky import SecondLook
from coordinator.gates.integrity.gate import IntegrityGate
from coordinator.gates.integrity.subject import Subject
from coordinator.gates.integrity.testbed import Testbed
from coordinator.gates.once import Once
from coordinator.gates.orchestrator import FailFast, QualityOrchestrator
from coordinator.gates.processors import usable_processors
from coordinator.gates.python.build_gate import BuildGate
from coordinator.gates.python.coverage_gate import CoverageGate
from coordinator.gates.python.coverage_report import CoverageReading
from coordinator.gates.python.lint_gate import LintGate
from coordinator.gates.python.mypy_cache import MypyCache
from coordinator.gates.python.test_gate import TestGate
from coordinator.gates.python.test_run import TestRun
from coordinator.gates.scheduling import SharedSandbox, Turns
from coordinator.gates.tooling import Tool
from coordinator.gates.tree import JudgedTree, copy_for_tests, export_tree
from coordinator.sandbox.interrupt import Interrupt
from coordinator.sandbox.protocol import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from coordinator.configuration import GatesSection
    from coordinator.gates.choice import Choice
    from coordinator.gates.integrity.findings import Waiver
    from coordinator.gates.protocol import QualityGate
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.gates.tree import Export
    from coordinator.sandbox.protocol import Sandbox

NO_BASE = "no base to compare with, so the integrity gate was left out"


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
    waivers: Sequence[Waiver] = (),
    setup: Sequence[str] | None = None,
    fail_fast: bool = False,
    mypy_cache: Path | None = None,
    base_records: BaseRecords | None = None,
) -> QualityOrchestrator:
    """Export the tree and return the orchestrator of its gates, as far as enabled.

    They are build, lint, test and coverage for a Python project, the commands of the configuration or of a preset for
    another language (`choice`), and integrity where there is a base to compare with.

    `tree` is the id of the git tree to judge and `base` the commit or tree whose configuration of the gate tools
    counts (None: the judged tree's own). `environment` gets the folder of the clean export and returns the target's
    environment; it is called once, when the first gate needs it, and what it raises becomes an `error` of the gates
    that need it. `checkout` is where compiled and version modules of an editable installation may lie. `waivers` are
    what persons with the right to have said about findings of the integrity gate. `setup` is the configuration's
    own way to prepare the project, for one that is not in Python. With `fail_fast` the first gate that fails ends the
    others. `mypy_cache` is the folder of caches kept for later judgements, where only the coordinator can write.
    `base_records` remembers what the base's own tests said.

    Raises `Misconfigured` when no gate is enabled, and what `export` raises.
    """
    require_gates(section)
    judged = _noted(export_tree(export, tree, base, sandbox), section)
    choice = _chosen(judged, section, setup)
    interrupt = Interrupt()
    sandbox = SharedSandbox(sandbox, Turns(usable_processors()), interrupt)
    workshop = Workshop(judged, sandbox, choice.setup, choice.variables)
    copied = Once(lambda: copy_for_tests(judged, sandbox))
    target = Once(lambda: _completed(judged, environment(judged.reading), copied, checkout))
    first = tuple(sorted(judged.change.files)) if fail_fast else ()
    bed = Testbed(judged, target, replace(sandbox, rank=2), section.test.minutes, section.test.args, network)
    base_run = _base_run(bed, section, choice, base_records)
    run = TestRun(replace(bed, sandbox=replace(sandbox, rank=0)), first, base_run)
    cache = MypyCache(mypy_cache) if mypy_cache is not None else None

    def tested() -> RunOutcome:
        copied.get()  # while another gate asks for the environment
        return run()

    def clean_up() -> None:
        run.remove()
        if base_run is not None:
            base_run.remove()
        workshop.remove()
        if cache is not None:
            cache.drop()
        judged.remove()

    gates = _gates(
        section=section,
        judged=judged,
        target=target,
        shared=Once(tested),
        network=network,
        sandbox=sandbox,
        waivers=waivers,
        choice=choice,
        workshop=workshop,
        cache=cache,
        base_run=base_run,
    )
    return QualityOrchestrator(
        gates,
        tree,
        clean_up,
        fail_fast=FailFast(interrupt) if fail_fast else None,
        concluded=cache.conclude if cache is not None else None,
    )


def require_gates(section: GatesSection) -> None:
    """Raise `Misconfigured` when no gate is enabled: before anything is spent."""
    if not any_enabled(section) and not section.commands:
        raise Misconfigured(
            "All quality gates are disabled, so nothing could be accepted",
            mend="Enable at least one gate below `gates` in .coordinator.yml",
        )


def _chosen(judged: JudgedTree, section: GatesSection, setup: Sequence[str] | None) -> Choice:
    try:
        return choose(section, judged.reading, judged.base, None if setup is None else tuple(setup))
    except Misconfigured:
        judged.remove()
        raise


def _gates(
    *,
    section: GatesSection,
    judged: JudgedTree,
    target: Once[TargetEnvironment],
    shared: Once[RunOutcome],
    network: Network,
    sandbox: Sandbox,
    waivers: Sequence[Waiver],
    choice: Choice,
    workshop: Workshop,
    cache: MypyCache | None,
    base_run: BaseRun | None,
) -> tuple[QualityGate, ...]:
    beside = Tool(sandbox, judged.reading, Cleaner((judged.reading,)))
    reading = replace(beside, sandbox=sandbox.aside())
    working = Tool(sandbox, judged.working, Cleaner((judged.working,)))
    report = Once(CoverageReading(judged, shared, target, working))
    build = BuildGate(judged, target, reading, beside, section.build.args, cache)
    gates: list[tuple[bool, QualityGate]] = [
        (choice.python and section.build.enabled, build),
        (choice.python and section.lint.enabled, LintGate(judged, reading, section.lint.args)),
        (choice.python and section.test.enabled, _test_gate(judged, shared, section, base_run)),
        (choice.python and section.coverage.enabled, CoverageGate(judged, report, section.coverage.threshold)),
    ]
    gates += [(True, gate) for gate in command_gates(choice, workshop, target, network)]
    if section.integrity.enabled and judged.base is not None:
        from coordinator.gates.integrity.suite import build_checks  # noqa: PLC0415  (brings all its checks)

        subject = Subject(
            judged, judged.base, section, sandbox, target, shared, report, reading, network, choice.python, base_run,
        )  # fmt: skip
        gates.append((True, IntegrityGate(build_checks(subject), waivers)))
    return tuple(gate for enabled, gate in gates if enabled)


def _base_run(bed: Testbed, section: GatesSection, choice: Choice, records: BaseRecords | None) -> BaseRun | None:
    """Return the base's own tests; None where tests are not judged, or there is nothing to compare them with."""
    wanted = choice.python and section.integrity.enabled and section.test.enabled
    base = bed.tree.base if wanted else None
    return BaseRun(bed, base, records or BaseRecords()) if base is not None else None


def _test_gate(judged: JudgedTree, run: Once[RunOutcome], section: GatesSection, base_run: BaseRun | None) -> TestGate:
    if base_run is None:
        return TestGate(judged, run, section.test.args)
    look = SecondLook(base_run.bed, base_run)
    return TestGate(judged, run, section.test.args, base_run.record, look, section.integrity.flaky_counts)


def _noted(judged: JudgedTree, section: GatesSection) -> JudgedTree:
    """Say so where there is nothing to compare with."""
    if not section.integrity.enabled or judged.base is not None:
        return judged
    return replace(judged, notes=(*judged.notes, NO_BASE))


def _completed(
    judged: JudgedTree, environment: TargetEnvironment, copied: Once[None], checkout: Path | None
) -> TargetEnvironment:
    """Add what only a build makes, from the installed copy and from the person's checkout, before any gate looks."""
    copied.get()
    roots = [checkout / root for root in judged.sources.roots] if checkout is not None else []
    judged.add_built_files([environment.site, *roots])
    return environment
