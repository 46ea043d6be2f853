"""A second look at tests that failed: broken by this change, by chance, or on the base already.

Only tests that the base has get it. Each that passed there is tried once more on the head, and, if it fails again, on
the base; what the base's own run or that last try saw fail there is not the change's doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.integrity.testbed import existing_files
from coordinator.gates.python.pytest_run import Wish

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coordinator.gates.integrity.base_run import BaseRun
    from coordinator.gates.integrity.testbed import Testbed
    from coordinator.gates.python.pytest_run import RunOutcome

BROKEN = frozenset({"failure", "error"})
MOST_RETRIED = 10
"""Tests that are tried again: more of them failing at once is no accident, and trying them all again takes long."""


@dataclass(frozen=True, slots=True)
class Mercy:
    """What need not count among the failures; test ids, sorted."""

    flaky: tuple[str, ...] = ()
    """Passed when tried again on the head."""
    not_ours: tuple[str, ...] = ()
    """Fail on the base too."""
    notes: tuple[str, ...] = ()

    @property
    def forgiven(self) -> frozenset[str]:
        """All of them."""
        return frozenset((*self.flaky, *self.not_ours))


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Looks again at the failures of one run."""

    bed: Testbed
    base_run: BaseRun

    def __call__(self, outcome: RunOutcome) -> Mercy:
        """Return what is not the change's doing. Raises what running the tests raises."""
        failed = {test for test, word in outcome.outcomes().items() if word in BROKEN}
        known = self.base_run.record().outcomes if failed else {}
        not_ours = {test for test in failed if known.get(test) in BROKEN}
        unclear = {test for test in failed - not_ours if test in known}
        if len(unclear) > MOST_RETRIED:
            return _mercy((), not_ours, len(unclear))
        again = self._again(unclear, strict=outcome.strict)
        flaky = {test for test in unclear if again.get(test) == "passed"}
        there = self.base_run.again(unclear - flaky)
        not_ours |= {test for test in unclear - flaky if there.get(test) in BROKEN}
        return _mercy(flaky, not_ours, 0)

    def _again(self, tests: Iterable[str], *, strict: bool) -> Mapping[str, str]:
        """Run some tests once more on a clean copy of the head."""
        wanted = tuple(sorted(tests))
        files = existing_files(self.bed.tree.reading, wanted)
        if not files:
            return {}
        with self.bed.copied(self.bed.tree.reading) as tree:
            wish = Wish(self.bed.seconds, strict=strict, only=wanted, arguments=files)
            return self.bed.pytest(tree).alone(wish).outcomes()


def _mercy(flaky: Iterable[str], not_ours: Iterable[str], left_alone: int) -> Mercy:
    notes = [f"{test} failed, and passed when it was tried again: it is flaky" for test in sorted(flaky)]
    notes += [f"{test} fails on the base too: it is not this change's doing" for test in sorted(not_ours)]
    if left_alone:
        notes.append(f"{left_alone} failing tests pass on the base: too many to try them again")
    return Mercy(tuple(sorted(flaky)), tuple(sorted(not_ours)), tuple(notes))
