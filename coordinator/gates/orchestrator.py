"""All gates of one tree, at once."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.evidence import one_line
from coordinator.gates.judgement import UNFINISHED, Judgement, State, timed
from coordinator.gates.protocol import GateResult, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from coordinator.gates.protocol import QualityGate
    from coordinator.sandbox.interrupt import Interrupt

GRACE_SECONDS = 5.0
"""How long the others go on when the first gate has failed: who hears of lint and types at once mends both at once."""

ENDING = frozenset({State.FAILED.value, State.ERROR.value})
"""States at which there is nothing to wait for. A policy finding is not among them: a person may waive it."""


@dataclass(frozen=True, slots=True)
class FailFast:
    """That the first gate that fails ends the others."""

    interrupt: Interrupt
    """Ends the commands of all gates."""
    grace: float = GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class QualityOrchestrator:
    """Runs the gates of one tree in threads; it takes as long as the slowest of them.

    How many processes are busy at once is the sandbox's business: see `coordinator.gates.scheduling`.
    """

    gates: tuple[QualityGate, ...]
    tree: str
    """Object id of the git tree that the gates judge."""
    clean_up: Callable[[], None] | None = None
    """Called when all gates are done."""
    fail_fast: FailFast | None = None
    """None lets all gates come to their end. What is accepted never depends on it: then all of them passed."""
    concluded: Callable[[Verdict], None] | None = None
    """Called with the verdict, before `clean_up`."""

    def judge(self) -> Verdict:
        """Return the verdict; the results stand in the order of `gates`."""
        try:
            with ThreadPoolExecutor(max_workers=max(len(self.gates), 1), thread_name_prefix="gate") as pool:
                futures = [pool.submit(_checked, gate) for gate in self.gates]
                ended = _ended_early(futures, self.fail_fast) if self.fail_fast is not None else {}
                # Here, and not behind the pool: who interrupts this waiting finds the pool waiting for its threads.
                results = tuple(ended.get(future) or future.result() for future in futures)
            passed = bool(results) and all(result.passed for result in results)
            verdict = Verdict(passed=passed, tree=self.tree, gates=results)
            if self.concluded is not None:
                self.concluded(verdict)
            return verdict
        finally:
            if self.clean_up is not None:
                self.clean_up()


def _ended_early(futures: list[Future[GateResult]], rule: FailFast) -> dict[Future[GateResult], GateResult]:
    """Wait for all gates, and end those that are not done when one has failed; returns what is said of these."""
    pending = set(futures)
    first = None
    while pending and first is None:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        first = next((result for future in done if _ends_others(result := future.result())), None)
    if first is None:
        return {}
    _, cut = wait(pending, timeout=rule.grace)
    if not cut:
        return {}
    rule.interrupt.set()
    wait(cut)
    return {future: _unfinished(future.result(), first.gate) for future in cut if not future.result().passed}


def _ends_others(result: GateResult) -> bool:
    return result.details.get("state") in ENDING


def _unfinished(result: GateResult, first: str) -> GateResult:
    message = f"not finished: stopped after {first} failed"
    details = {"state": State.ERROR.value, UNFINISHED: True}
    return result.model_copy(update={"message": message, "details": details})


def _checked(gate: QualityGate) -> GateResult:
    """Ask one gate; a fault of the gate itself is its result, and the others go on."""
    try:
        return gate.check()
    except Exception as error:  # noqa: BLE001  (whatever breaks in one gate must not pass, and not stop the others)
        message = one_line(f"the gate itself failed: {type(error).__name__}: {error}")
        return timed(gate.name, lambda: Judgement(State.ERROR, message))
