"""The judged tree on disk: clean exports, with the base's rules and with what only a build makes."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.change import NO_CHANGE, Change, change_between
from coordinator.gates.files import files_below, read_below, take_back, write_below
from coordinator.gates.rules import use_base_rules
from coordinator.gates.target.packages import Sources, find_sources
from coordinator.sandbox.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coordinator.sandbox.protocol import Sandbox

    Export = Callable[[str, Path], object]
    """Writes the files of a commit or tree into an empty folder; what it returns is not looked at."""

VERSION_FILE = re.compile(r"_?version[a-z_]*\.py", re.IGNORECASE)
"""Modules that version plugins (setuptools-scm, hatch-vcs …) write when they build."""

COMPILED = (".so", ".pyd")
BUILT_LIMIT = 256 * 1024 * 1024

RUFF_DEFAULTS = b'src = ["reading", "reading/src", "base", "base/src"]\n'
"""What ruff does without a configuration, said of the exports (Ruff, "Settings": `src` is ``.`` and ``src``)."""


@dataclass(frozen=True, slots=True)
class JudgedTree:
    """The exports of one tree for one judgement."""

    reading: Path
    """For the tools that only read: nobody but the coordinator can write here."""
    working: Path
    """For the tests, which may write; there when `copy_for_tests` has made it."""
    parent: Path
    """Holds both exports."""
    sources: Sources
    notes: tuple[str, ...]
    """One line per file whose rules were taken from the base."""
    has_python: bool
    base: Path | None = None
    """A clean export of the base with its own files, for reading; None without a base."""
    change: Change = NO_CHANGE
    """What differs between base and head as committed; empty without a base."""

    def add_built_files(self, installed: Iterable[Path]) -> None:
        """Add compiled and version modules that the tree's packages lack and an installed copy of them has.

        `installed` are folders that may hold the packages: a ``site-packages``, a source root of a checkout. A module
        that the tree deleted does not come back by this: only compiled and version modules are taken.
        """
        for name, data, executable in self._built_files(tuple(installed)):
            for folder in (self.reading, self.working):
                write_below(folder, name, data, 0o755 if executable else 0o644)

    def _built_files(self, installed: tuple[Path, ...]) -> Iterable[tuple[str, bytes, bool]]:
        for root in self.sources.roots:
            for place in self.sources.places:
                if root != "." and not place.startswith(f"{root}/"):
                    continue
                inside = place.removeprefix(f"{root}/")
                for folder in installed:
                    yield from self._built_below(root, folder, inside)

    def _built_below(self, root: str, installed: Path, inside: str) -> Iterable[tuple[str, bytes, bool]]:
        if not (installed / inside).is_dir() or (installed / inside).is_symlink():
            return
        for found in files_below(installed / inside):
            path = PurePosixPath(found)
            name = str(PurePosixPath(root, inside, found))
            built = path.suffix in COMPILED or VERSION_FILE.fullmatch(path.name)
            if built and not (self.reading / name).exists() and (self.reading / name).parent.is_dir():
                data = read_below(installed / inside, found, BUILT_LIMIT)
                if data is not None:
                    yield name, data, path.suffix in COMPILED

    def remove(self) -> None:
        """Delete the exports."""
        remove_folder(self.parent)


def export_tree(export: Export, tree: str, base: str | None, sandbox: Sandbox) -> JudgedTree:
    """Export a commit or tree, and put the base's rules for the gates into it where a base is given.

    The base is exported beside them, and what the change is about is found before any rule is put in.

    Raises what `export` raises.
    """
    parent = reachable_folder(sandbox, "judged")
    reading = parent / "reading"
    reading.mkdir(mode=0o755)
    export(tree, reading)
    notes: tuple[str, ...] = ()
    origin, change = None, NO_CHANGE
    if base is not None:
        origin = parent / "base"
        origin.mkdir(mode=0o755)
        export(base, origin)
        change = change_between(origin, reading)
        notes = use_base_rules(reading, origin)
    _end_search(parent, reading)
    python = any(name.endswith((".py", ".pyi")) for name in files_below(reading))
    return JudgedTree(reading, parent / "working", parent, find_sources(reading), notes, python, origin, change)


def copy_for_tests(tree: JudgedTree, sandbox: Sandbox) -> None:
    """Make the export that the tests may write to, before anything is added to the other one.

    Raises `OSError`, and what `sandbox.give` raises.
    """
    shutil.copytree(tree.reading, tree.working, symlinks=True)
    sandbox.give(tree.working)


def _end_search(parent: Path, reading: Path) -> None:
    """Let ruff find a configuration above the exports that says nothing, and not look in folders that others can write.

    Where a tree has none, ruff looks in every folder above it, and then in the user's own (Ruff, "Configuring Ruff"):
    the exports may lie below ``/tmp``. The metadata beside it are the tree's: ruff takes the oldest Python from there,
    and the modules of the project from what would be its root.
    """
    write_below(parent, "ruff.toml", RUFF_DEFAULTS)
    write_below(parent, "pyproject.toml", read_below(reading, "pyproject.toml") or b"")


def reachable_folder(sandbox: Sandbox, prefix: str) -> Path:
    """Make a folder that confined commands can reach and read but, where they are another uid, not write."""
    folder = sandbox.make_folder(prefix)
    take_back(folder)
    return folder


def remove_folder(folder: Path) -> None:
    """Delete a folder that confined commands may have written, if it is there."""
    if folder.is_dir():
        remove_tree(folder)
