"""The one run of the tests, under coverage, that serves the test gate and the coverage gate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.files import remove_below
from coordinator.gates.integrity.canary_run import is_about_strictness, run_with_canaries
from coordinator.gates.python.pytest_run import Wish
from coordinator.gates.tree import remove_folder

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.integrity.base_run import BaseRun
    from coordinator.gates.integrity.testbed import Testbed
    from coordinator.gates.python.pytest_run import RunOutcome

LENIENT = "the base's own tests do not hold under strict pytest, so the project's own settings were used"


@dataclass(frozen=True)
class TestRun:
    """Runs the project's tests once, with canaries, and strictly where the base holds under that.

    Without a base there is nobody to tell whether it was this tree that broke a stricter rule: the project's own count.
    """

    __test__: ClassVar[bool] = False
    bed: Testbed
    first: tuple[str, ...] = ()
    """Files whose tests go first, and end the run when one of them fails; without any the order is the project's."""
    base: BaseRun | None = None
    made: list[Path] = field(default_factory=list)
    """Folders to delete in the end."""

    def __call__(self) -> RunOutcome:
        """Run the tests. Raises what preparing the environment raises."""
        if self.base is None:
            return self._run(self.first, strict=False)
        known = self.base.known()
        strict = known is None or known.strict
        outcome = self._run(self.first, strict=strict)
        if strict and is_about_strictness(outcome) and not self.base.record().strict:
            strict = False
            outcome = self._anew(outcome, self.first, strict=False)
        if outcome.cut and _broken(outcome) <= self.base.record().having("failure", "error"):
            outcome = self._anew(outcome, (), strict=strict)
        return outcome if strict else replace(outcome, notes=(*outcome.notes, LENIENT))

    def remove(self) -> None:
        """Delete what the run left behind."""
        for folder in self.made:
            remove_folder(folder)

    def _run(self, first: tuple[str, ...], *, strict: bool) -> RunOutcome:
        wish = Wish(self.bed.seconds, covered=True, strict=strict, first=first)
        return run_with_canaries(self.bed.pytest(self.bed.tree), wish, self.made)

    def _anew(self, outcome: RunOutcome, first: tuple[str, ...], *, strict: bool) -> RunOutcome:
        """Run once more in the same export: what failed before is not this tree's fault."""
        for name in outcome.canaries:
            remove_below(self.bed.tree.working, name)
        return self._run(first, strict=strict)


def _broken(outcome: RunOutcome) -> set[str]:
    return {test for test, word in outcome.outcomes().items() if word in {"failure", "error"}}
