"""Where the project's own commands run: a clean export for each, with what the set-up made put beside it.

Commands may write (a build does), and they run at the same time as the tests, so each gets a copy of its own: a
thousand files take about a quarter of a second. What the set-up makes (``node_modules``, generated files, the caches of
Go and Cargo below HOME) is made once, from the base's files where there is a base, with the network open and without
secrets. Then it is the coordinator's own, and each command gets its own copy of that as well: what one judged command
changes there is not there for another gate, nor for the next judgement. See `coordinator.gates.commands.products`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.errors import Misconfigured
from coordinator.gates.commands.products import Layer, products_of
from coordinator.gates.evidence import Cleaner, one_line, telling_lines
from coordinator.gates.files import take_back, text_below, write_below
from coordinator.gates.once import Once
from coordinator.gates.tooling import ended
from coordinator.gates.tree import reachable_folder, remove_folder
from coordinator.sandbox.protocol import Command, Limits, Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coordinator.gates.tree import JudgedTree
    from coordinator.sandbox.protocol import Sandbox

SETUP_MINUTES = 30.0
"""Wall time of one command of the set-up, as for the environment of a Python project."""

SETUP_LINES = 4
"""Lines that are shown of a failed set-up: npm says ``code ERESOLVE`` and an empty line before what it is about."""

SCRIPTS = "package.json"

MISSING = 127
"""Exit code of a shell that does not find a program (POSIX, Shell Command Language, 2.8.2)."""

TO_INSTALL = "Install it on the runner, in a folder of PATH that other accounts can read (a closed home is none)"
TO_NAME = "Run it in a clean checkout, and name what works as `setup` in .coordinator.yml"


@dataclass(frozen=True, slots=True)
class Bench:
    """One copy of the judged tree in which one command runs."""

    folder: Path
    home: Path
    """What the set-up left in its own HOME, and room for more."""
    notes: tuple[str, ...]
    """One line per rule that was taken from the base."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Where the set-up has run."""

    folder: Path
    home: Path


class Workshop:
    """Makes the copies, and the set-up's products once."""

    def __init__(
        self, tree: JudgedTree, sandbox: Sandbox, setup: Sequence[str] = (), variables: Mapping[str, str] | None = None
    ) -> None:
        """Take the tree, and the shell commands that prepare it, in order, with their environment."""
        self.tree = tree
        self.sandbox = sandbox
        self._setup = tuple(setup)
        self._variables = dict(variables or {})
        self._made: list[Path] = []
        self._prepared = Once(self._prepare)

    def bench(self) -> Bench:
        """Return a fresh copy that confined commands may write to. Raises `Misconfigured` when the set-up fails."""
        prepared = self._prepared.get()
        folder = self._copy(self.tree.reading, "bench")
        notes = use_base_scripts(folder, self.tree.base) if self.tree.base is not None else ()
        home = folder.with_name("home")
        home.mkdir(mode=0o755)
        layers = self._layers(prepared, folder, home) if prepared is not None else ()
        for layer in layers:
            layer.copy()
        for given in (folder, home):
            self.sandbox.give(given)
        for layer in layers:
            layer.link()
        return Bench(folder, home, notes)

    def remove(self) -> None:
        """Delete what was made."""
        for folder in self._made:
            remove_folder(folder)

    @property
    def _setup_source(self) -> Path:
        return self.tree.base or self.tree.reading

    def _layers(self, prepared: _Prepared, folder: Path, home: Path) -> tuple[Layer, ...]:
        return (
            Layer(prepared.folder, folder, products_of(prepared.folder, self._setup_source)),
            Layer(prepared.home, home, products_of(prepared.home, home), shared=True),
        )

    def _copy(self, source: Path, prefix: str) -> Path:
        parent = reachable_folder(self.sandbox, prefix)
        self._made.append(parent)
        shutil.copytree(source, parent / "tree", symlinks=True)
        (parent / "tree").chmod(0o755)
        return parent / "tree"

    def _prepare(self) -> _Prepared | None:
        if not self._setup:
            return None
        folder = self._copy(self._setup_source, "prepared")
        home = folder.with_name("home")
        home.mkdir(mode=0o755)
        for given in (folder, home):
            self.sandbox.give(given)
        for line in self._setup:
            self._run(line, folder, home)
        take_back(folder.parent)
        return _Prepared(folder, home)

    def _run(self, line: str, folder: Path, home: Path) -> None:
        result = self.sandbox.run(
            Command(
                ("/bin/sh", "-c", line),
                cwd=folder,
                limits=Limits(SETUP_MINUTES * 60),
                env={**self._variables, "HOME": str(home)},
                merge_stderr=True,
                network=Network.OPEN,
            )
        )
        if not result.ok:
            output = Cleaner((folder,)).clean(result.stdout.decode("utf-8", errors="replace"))
            said = one_line(telling_lines(output, SETUP_LINES))
            raise Misconfigured(
                f"The project's set-up failed: `{one_line(line, 80)}` {ended(result)}" + (f": {said}" if said else ""),
                mend=TO_INSTALL if result.exit_code == MISSING else TO_NAME,
            )


def use_base_scripts(folder: Path, base: Path) -> tuple[str, ...]:
    """Put the base's ``scripts`` into each ``package.json`` of a copy: ``npm test`` is a rule of the base branch.

    A file that the base lacks keeps its own. Returns one line per file that was changed by this.
    """
    notes = []
    for path in sorted(base.rglob(SCRIPTS)):
        name = path.relative_to(base).as_posix()
        if "node_modules" in PurePosixPath(name).parts:
            continue
        ours, theirs = read_package(folder, name), read_package(base, name)
        if ours is None or theirs is None or ours.get("scripts") == theirs.get("scripts"):
            continue
        mixed = {**ours, "scripts": theirs.get("scripts", {})}
        if write_below(folder, name, json.dumps(mixed).encode()):
            notes.append(f"{name}: its scripts differ from the base; the base's were used")
    return tuple(notes)


def read_package(folder: Path, name: str = SCRIPTS) -> dict[str, object] | None:
    """Return a ``package.json`` of a tree; None when it is absent, broken or no object."""
    try:
        document = json.loads(text_below(folder, name) or "")
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
