"""All gates of one tree, at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.evidence import one_line
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.protocol import GateResult, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.gates.protocol import QualityGate


@dataclass(frozen=True, slots=True)
class QualityOrchestrator:
    """Runs the gates of one tree in threads; it takes as long as the slowest of them.

    Each gate waits for a process of its own or for the shared pytest run, so there are never more busy processes than
    mypy, ruff and pytest: no further bound is needed on a machine of two cores.
    """

    gates: tuple[QualityGate, ...]
    tree: str
    """Object id of the git tree that the gates judge."""
    clean_up: Callable[[], None] | None = None
    """Called when all gates are done."""

    def judge(self) -> Verdict:
        """Return the verdict; the results stand in the order of `gates`."""
        try:
            with ThreadPoolExecutor(max_workers=max(len(self.gates), 1), thread_name_prefix="gate") as pool:
                results = tuple(pool.map(_checked, self.gates))
        finally:
            if self.clean_up is not None:
                self.clean_up()
        return Verdict(passed=bool(results) and all(result.passed for result in results), tree=self.tree, gates=results)


def _checked(gate: QualityGate) -> GateResult:
    """Ask one gate; a fault of the gate itself is its result, and the others go on."""
    try:
        return gate.check()
    except Exception as error:  # noqa: BLE001  (whatever breaks in one gate must not pass, and not stop the others)
        message = one_line(f"the gate itself failed: {type(error).__name__}: {error}")
        return timed(gate.name, lambda: Judgement(State.ERROR, message))
