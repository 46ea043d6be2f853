"""A run of the tests with canaries among them: what it says is what they let us believe."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from coordinator.gates.integrity.canary import choose_signal, examine, make_canaries, plant, take_away
from coordinator.gates.python.test_layout import layout_of

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.python.pytest_run import PytestRun, RunOutcome, Wish

STRICTNESS = re.compile(
    r"\[XPASS\(strict\)\]|not found in `markers` configuration option|^ERROR: Unknown config option", re.MULTILINE
)
"""How pytest words what it refuses under `coordinator.gates.python.pytest_run.STRICT` alone."""


def run_with_canaries(run: PytestRun, wish: Wish, made: list[Path]) -> RunOutcome:
    """Run with canaries, and return the outcome without them; `made` gets the folders of the run."""
    layout = layout_of(run.tree.reading, run.args)
    canaries = make_canaries(run.tree.reading, layout)
    plant(run.tree.working, canaries)
    names = tuple(canary.path for canary in canaries)
    signal = choose_signal()
    outcome = run(replace(wish, canaries=names, arguments=names if layout.arguments else (), signal=signal), made)
    take_away(run.tree.working, canaries)
    if wish.covered:  # the report looks at the source of everything that was measured
        plant(run.tree.working, canaries)
    outcome = replace(outcome, canaries=names)
    code = outcome.result.exit_code
    if outcome.report is None or code is None:
        return outcome
    examined = examine(outcome.report, code, canaries, signal)
    result = replace(outcome.result, exit_code=examined.exit_code, stdout=_without(outcome.result.stdout, names))
    return replace(outcome, report=examined.report, doubt=examined.doubt, result=result)


def is_about_strictness(outcome: RunOutcome) -> bool:
    """Say whether a run broke, at least in part, because pytest was strict."""
    broken = outcome.report.broken() if outcome.report is not None else []
    said = (f"{case.message}\n{case.text}" for case in broken)
    return any(STRICTNESS.search(text) for text in (outcome.text, *said))


def _without(output: bytes, names: tuple[str, ...]) -> bytes:
    """Return the output without the lines that name a canary."""
    marks = [name.encode() for name in names]
    return b"".join(line for line in output.splitlines(keepends=True) if not any(mark in line for mark in marks))
