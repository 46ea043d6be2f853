"""The base's own tests, run once: what passed there, what failed there already, and whether they hold strictly."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import coordinator
from coordinator.gates.evidence import one_line
from coordinator.gates.integrity.base_records import MOST_TESTS, BaseRecord
from coordinator.gates.integrity.canary_run import is_about_strictness, run_with_canaries
from coordinator.gates.integrity.testbed import existing_files
from coordinator.gates.once import Once
from coordinator.gates.python.pytest_run import Wish
from coordinator.gates.tooling import ended
from coordinator.gates.tree import remove_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coordinator.gates.integrity.base_records import BaseRecords
    from coordinator.gates.integrity.testbed import Testbed
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.tree import JudgedTree

FORMAT = 1
"""To be raised when the meaning of what is kept changes."""

FINISHED = frozenset({0, 1, 5})
"""Exit codes of a pytest that came to its end (its reference page): passed, failed, nothing to run."""


class BaseRun:
    """Runs the base's tests on the base's sources with the base's rules, in the environment of the judged tree."""

    def __init__(self, bed: Testbed, base: Path, records: BaseRecords) -> None:
        """Take a clean export of the base with its own files."""
        self.bed = bed
        self._base = base
        self._records = records
        self._made: list[Path] = []
        self._record = Once(self._found)
        self._tree = Once(self._copy)

    def known(self) -> BaseRecord | None:
        """Return the record if it is there without running anything. Raises what the environment raises."""
        return self._records.find(self._key())

    def record(self) -> BaseRecord:
        """Return the record; runs the tests unless it is known. Raises what the environment and the sandbox raise."""
        return self._record.get()

    def again(self, tests: Iterable[str]) -> Mapping[str, str]:
        """Run some tests once more on the base and return their outcomes by id."""
        wanted = tuple(sorted(tests))
        files = existing_files(self._base, wanted)
        if not files:
            return {}
        wish = Wish(self.bed.seconds, strict=self.record().strict, only=wanted, arguments=files)
        return self.bed.pytest(self._tree.get()).alone(wish).outcomes()

    def remove(self) -> None:
        """Delete what the runs left behind."""
        for folder in self._made:
            remove_folder(folder)

    def _copy(self) -> JudgedTree:
        tree = self.bed.copy(self._base)
        self._made.append(tree.parent)
        return tree

    def _found(self) -> BaseRecord:
        key = self._key()
        known = self._records.find(key)
        if known is None:
            known = self._run()
            self._records.keep(key, known)
        return known

    def _run(self) -> BaseRecord:
        outcome = self._outcome(strict=True)
        if not is_about_strictness(outcome):
            return _summary(outcome, strict=True)
        return _summary(self._outcome(strict=False), strict=False)

    def _outcome(self, *, strict: bool) -> RunOutcome:
        run = self.bed.pytest(self._tree.get())
        return run_with_canaries(run, Wish(self.bed.seconds, strict=strict), self._made)

    def _key(self) -> str:
        bed, environment = self.bed, self.bed.environment.get()
        parts = [
            FORMAT, coordinator.__version__, content_digest(self._base), str(environment.python), environment.version,
            sorted(environment.distributions.items()), bed.args, bed.network, bed.sandbox.description, os.geteuid(),
            bed.minutes,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _summary(outcome: RunOutcome, *, strict: bool) -> BaseRecord:
    code = outcome.result.exit_code
    if outcome.report is None or code not in FINISHED:
        where = f" during {outcome.last_test}" if outcome.last_test else ""
        return BaseRecord(outcomes={}, strict=strict, fault=one_line(f"pytest {ended(outcome.result)}{where}"))
    return BaseRecord.model_validate(
        {
            "outcomes": dict(list(outcome.outcomes().items())[:MOST_TESTS]),
            "strict": strict,
            "doubt": outcome.doubt.fault.value if outcome.doubt is not None else "",
            "seconds": round(outcome.result.seconds, 3),
        }
    )


def content_digest(folder: Path) -> str:
    """Return a digest of all files and links of an export that nothing else writes to: names, content, executable."""
    digest = hashlib.sha256()
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted((*names, *(each for each in folders if Path(parent, each).is_symlink()))):
            path = Path(parent, name)
            executable = not path.is_symlink() and bool(path.stat().st_mode & 0o100)
            digest.update(f"{path.relative_to(folder)}\0{executable}\0".encode(errors="surrogateescape"))
            digest.update(_content_digest(path))
    return digest.hexdigest()


def _content_digest(path: Path) -> bytes:
    if path.is_symlink():
        return hashlib.sha256(b"link " + os.fsencode(path.readlink())).digest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
