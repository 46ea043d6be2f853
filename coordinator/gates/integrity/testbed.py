"""Where the checks of this room run tests: in copies of exports, each of its own, as the test gate does."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import files_below, read_below, remove_below, write_below
from coordinator.gates.python.pytest_run import PytestRun
from coordinator.gates.target.packages import find_sources
from coordinator.gates.tree import COMPILED, VERSION_FILE, JudgedTree, reachable_folder, remove_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from coordinator.gates.once import Once
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.sandbox.protocol import Network, Sandbox

BUILT_LIMIT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Testbed:
    """How the tests of one judged tree are run."""

    __test__ = False

    tree: JudgedTree
    environment: Once[TargetEnvironment]
    sandbox: Sandbox
    minutes: float
    """Wall time of one run."""
    args: tuple[str, ...]
    network: Network

    @property
    def seconds(self) -> float:
        """Wall time of one run."""
        return self.minutes * 60

    def pytest(self, tree: JudgedTree) -> PytestRun:
        """Return what runs pytest in a tree. Raises what preparing the environment raises."""
        return PytestRun(tree, self.environment.get(), self.sandbox, self.args, self.network)

    def copy(self, source: Path, overlay: Mapping[str, bytes | None] | None = None) -> JudgedTree:
        """Return a tree whose tests run in a copy of the export `source`; its `parent` is to be removed in the end.

        Files of `overlay` take the place of those in the copy, and None takes one away. What only a build makes comes
        from the export of the judged tree.
        """
        self.environment.get()  # puts it there
        parent = reachable_folder(self.sandbox, "copy")
        working = parent / "working"
        shutil.copytree(source, working, symlinks=True)
        working.chmod(0o755)
        for name in _built(self.tree):
            _add(self.tree.reading, working, name)
        for name, data in (overlay or {}).items():
            remove_below(working, name)
            if data is not None:
                write_below(working, name, data)
        self.sandbox.give(working)
        return replace(
            self.tree, reading=source, working=working, parent=parent, sources=find_sources(source), notes=()
        )

    @contextmanager
    def copied(self, source: Path, overlay: Mapping[str, bytes | None] | None = None) -> Iterator[JudgedTree]:
        """Make a copy as `copy` does, and remove it."""
        tree = self.copy(source, overlay)
        try:
            yield tree
        finally:
            remove_folder(tree.parent)


def existing_files(folder: Path, tests: Iterable[str]) -> tuple[str, ...]:
    """Return the files of tests that are there, sorted."""
    names = {test.partition("::")[0] for test in tests}
    return tuple(sorted(name for name in names if read_below(folder, name) is not None))


def _built(tree: JudgedTree) -> Iterator[str]:
    """Yield what was put into the export beside its own files, and may be theirs."""
    for name in files_below(tree.reading):
        path = PurePosixPath(name)
        is_built = path.suffix in COMPILED or VERSION_FILE.fullmatch(path.name)
        if is_built and name not in tree.change.files:
            yield name


def _add(source: Path, folder: Path, name: str) -> None:
    if os.path.lexists(folder / name) or not (folder / name).parent.is_dir():
        return
    data = read_below(source, name, BUILT_LIMIT)
    if data is not None:
        write_below(folder, name, data, 0o755 if name.endswith(COMPILED) else 0o644)
