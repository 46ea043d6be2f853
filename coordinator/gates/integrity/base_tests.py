"""The base's versions of changed tests, on the head's sources: whether they were changed to fit what the code does.

Everything that serves the tests (`TestLayout.is_on_test_side`) is put back to what it was on the base, its
``conftest.py`` files too; all else is the head's. Tests that passed on the base and fail so may be meant to: the
change may be about just that. A person decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.files import read_below
from coordinator.gates.integrity.findings import attention
from coordinator.gates.integrity.test_ids import Group, file_of, grouped
from coordinator.gates.integrity.testbed import existing_files
from coordinator.gates.python.pytest_run import Wish
from coordinator.gates.python.test_layout import layout_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from coordinator.gates.integrity.base_records import BaseRecord
    from coordinator.gates.integrity.findings import PolicyFinding
    from coordinator.gates.integrity.testbed import Testbed
    from coordinator.gates.once import Once
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.python.test_layout import TestLayout
    from coordinator.gates.tree import JudgedTree

KIND = "base-tests"
FILE_LIMIT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BaseTests:
    """Runs them."""

    name: ClassVar[str] = "base tests"
    bed: Testbed
    base: Path
    run: Once[RunOutcome]
    """Waited for, so that it comes first where processors are few."""
    record: Callable[[], BaseRecord]
    """Returns what the base's own tests said."""

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding for each file or function of tests that fail. Raises what running them raises."""
        layout = layout_of(self.base, self.bed.args)
        tree = self.bed.tree
        changed = [path for path in tree.change.files if layout.is_on_test_side(path, tree.sources.places)]
        if not changed:
            return ()
        self.run.get()
        passed = self.record().having("passed")
        wanted = {test for test in passed if self._is_touched(file_of(test), changed, layout)}
        if not wanted:
            return ()
        old = {path: read_below(self.base, path, FILE_LIMIT) for path in changed}
        with self.bed.copied(tree.reading, old) as copy:
            broken = self._broken(wanted, copy)
        return [_finding(group, broken) for group in grouped(broken, wanted)]

    def _is_touched(self, path: str, changed: Collection[str], layout: TestLayout) -> bool:
        """Say whether a test file changed, or something that serves it: a conftest, a helper of its folder or above."""
        if path in changed:
            return True
        helpers = (name for name in changed if name.endswith(".py") and not layout.is_test_file(name))
        return any(self._serves(name, path) for name in helpers)

    def _serves(self, helper: str, path: str) -> bool:
        is_new = self.bed.tree.change.files[helper].before is None
        if is_new and PurePosixPath(helper).name != "conftest.py":
            return False
        folder = str(PurePosixPath(helper).parent)
        return folder == "." or path.startswith(f"{folder}/")

    def _broken(self, wanted: Collection[str], tree: JudgedTree) -> Mapping[str, str]:
        """Run the tests and return those that do not pass, also when tried once more, with what became of them."""
        strict = self.record().strict
        left = dict.fromkeys(wanted, "")
        for _ in range(2):
            only = tuple(sorted(left))
            arguments = ("--continue-on-collection-errors", *existing_files(tree.working, only))
            wish = Wish(self.bed.seconds, strict=strict, only=only, arguments=arguments)
            outcomes = self.bed.pytest(tree).alone(wish).outcomes()
            left = {test: outcomes.get(test, "not run") for test in left if outcomes.get(test) != "passed"}
            if not left:
                break
        return left


def _finding(group: Group, broken: Mapping[str, str]) -> PolicyFinding:
    words = sorted({{"failure": "fail", "error": "break"}.get(broken[test], "do not run") for test in group.tests})
    message = (
        f"As they are on the base, these tests {' or '.join(words)} with the new sources: {group.named()}. Let the "
        "sources do what these tests ask for, unless the task is to change just that."
    )
    return attention(KIND, group.what, message, path=group.path)
