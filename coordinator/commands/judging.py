"""Running the gates for a person's command, and saying what they would run."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.gates.explain import explain
from coordinator.gates.rules import use_base_rules
from coordinator.gates.suite import build_suite
from coordinator.signals import ending_on_signals
from coordinator.workspace.export import export

if TYPE_CHECKING:
    from coordinator.commands.confining import Confinement
    from coordinator.commands.gate_subject import GateSubject
    from coordinator.environment import Environment
    from coordinator.gates.cache.result_cache import Question
    from coordinator.gates.explain import Explanation
    from coordinator.gates.orchestrator import QualityOrchestrator
    from coordinator.gates.protocol import Verdict


def judge(
    subject: GateSubject,
    confinement: Confinement,
    question: Question | None,
    environment: Environment,
    *,
    only: tuple[str, ...],
    fail_fast: bool,
    anew: bool,
) -> Verdict:
    """Run the gates; with `only` those of these names. Raises `Misconfigured` for a name that no gate has.

    The verdict is kept as the answer to `question`. With `anew` nothing that was kept earlier is used.
    """
    configuration = subject.configuration
    with ExitStack() as stack:
        sandbox = stack.enter_context(confinement.open_sandbox())
        stack.enter_context(ending_on_signals(sandbox.stop_all))
        keeper = confinement.keeper(sandbox, configuration.setup)
        caches = confinement.caches(sandbox if environment.in_runner else None)

        def run() -> Verdict:
            suite = build_suite(
                export=lambda tree, folder: export(subject.repository, tree, folder),
                tree=subject.repository.tree_of(subject.head),
                base=subject.base,
                section=configuration.gates,
                sandbox=sandbox,
                environment=lambda source: keeper.environment_for(source, subject.checkout),
                checkout=subject.checkout,
                network=configuration.sandbox.network,
                setup=configuration.setup,
                fail_fast=fail_fast,
                mypy_cache=None if anew else caches.mypy,
                base_records=None if anew else caches.base_records,
            )
            return (_narrowed(suite, only) if only else suite).judge()

        return caches.results.judged(question, run, anew=anew)


def _narrowed(suite: QualityOrchestrator, only: tuple[str, ...]) -> QualityOrchestrator:
    """Leave the gates that are named. What they say is no verdict on the tree, so nothing is kept of it."""
    names = [gate.name for gate in suite.gates]
    unknown = [name for name in only if name not in names]
    if unknown:
        if suite.clean_up is not None:
            suite.clean_up()
        raise Misconfigured(
            f"There is no gate `{unknown[0]}` for this tree", mend=f"Name one of {', '.join(names)}, or see --explain"
        )
    return replace(suite, gates=tuple(gate for gate in suite.gates if gate.name in only), concluded=None)


def explained(subject: GateSubject) -> Explanation:
    """Say what each gate would run, by which rules and why; nothing of the tree is executed."""
    repository = subject.repository
    with tempfile.TemporaryDirectory(prefix="coordinator-explain-") as scratch:
        tree, base = Path(scratch, "tree"), Path(scratch, "base")
        tree.mkdir()
        export(repository, subject.head, tree)
        notes: tuple[str, ...] = ()
        if subject.base is not None:
            base.mkdir()
            export(repository, subject.base, base)
            notes = use_base_rules(tree, base)
        return explain(
            subject.configuration.gates,
            tree,
            base if subject.base is not None else None,
            setup=subject.configuration.setup,
            names=(repository.tree_of(subject.head), subject.base),
            notes=notes,
        )
