"""Asking the gates about one tree, or what an earlier run has kept of their answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.cache.result_cache import ask, kept_at
from coordinator.gates.suite import build_suite
from coordinator.gates.target.environment_stamp import environment_stamp
from coordinator.workspace.export import export

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from coordinator.flows.parts import Parts
    from coordinator.gates.integrity.findings import Waiver
    from coordinator.gates.protocol import Verdict
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.workspace.objects import TrustedRepository


def judge(
    parts: Parts,
    repository: TrustedRepository,
    *,
    tree: str,
    base: str,
    environment: TargetEnvironment,
    waivers: tuple[Waiver, ...],
    name_gates: Callable[[tuple[str, ...]], None],
    note_left_out: Callable[[Collection[str]], None] | None = None,
    fail_fast: bool = False,
    anew: bool = False,
) -> Verdict:
    """Return the verdict on a tree, as seen from commit `base`; unless `anew` is wanted, a kept one if there is one.

    `name_gates` hears which gates the tree gets, before they run, and `note_left_out` what of it cannot be exported.
    Raises what `build_suite` raises.
    """
    configuration = parts.settings.configuration
    left_out: set[str] = set()

    def write(wanted: str, folder: Path) -> None:
        missing = export(repository, wanted, folder)
        if wanted == tree:
            left_out.update(missing)

    def judge_anew() -> Verdict:
        suite = build_suite(
            export=write,
            tree=tree,
            base=base,
            section=configuration.gates,
            sandbox=parts.gate_sandbox,
            environment=lambda _source: environment,
            network=configuration.sandbox.network,
            waivers=waivers,
            setup=configuration.setup,
            fail_fast=fail_fast,
            mypy_cache=parts.caches.mypy,
            base_records=parts.caches.base_records,
        )
        if note_left_out is not None:
            note_left_out(left_out)
        name_gates(tuple(gate.name for gate in suite.gates))
        return suite.judge()

    question = ask(
        tree=tree,
        base=base,
        configuration=configuration,
        environment=environment_stamp(environment.folder, parts.person),
        confinement=parts.caches.confinement,
        waivers=waivers,
    )
    verdict = parts.caches.results.judged(question, judge_anew, anew=anew)
    if kept_at(verdict):
        if note_left_out is not None:
            note_left_out(export(repository, tree, parts.folder / "left-out"))
        name_gates(tuple(result.gate for result in verdict.gates))
    return verdict
