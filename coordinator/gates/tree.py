"""The judged tree on disk: clean exports, with the base's rules and with what only a build makes."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from coordinator.gates.files import files_below, read_below, take_back, write_below
from coordinator.gates.packages import Sources, find_sources
from coordinator.gates.rules import use_base_rules
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


@dataclass(frozen=True, slots=True)
class JudgedTree:
    """The exports of one tree for one judgement."""

    reading: Path
    """For the tools that only read: nobody but the coordinator can write here."""
    working: Path
    """For the tests, which may write."""
    parent: Path
    """Holds both exports."""
    sources: Sources
    notes: tuple[str, ...]
    """One line per file whose rules were taken from the base."""
    has_python: bool

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
    """Export a commit or tree twice and, where a base is given, put the base's rules for the gates into both.

    Raises what `export` raises.
    """
    parent = reachable_folder(sandbox, "judged")
    reading, working = parent / "reading", parent / "working"
    for folder in (reading, working):
        folder.mkdir(mode=0o755)
        export(tree, folder)
    notes: tuple[str, ...] = ()
    if base is not None:
        rules = parent / "base"
        rules.mkdir(mode=0o700)
        export(base, rules)
        notes = use_base_rules(reading, rules)
        use_base_rules(working, rules)
        shutil.rmtree(rules)
    sandbox.give(working)
    python = any(name.endswith((".py", ".pyi")) for name in files_below(reading))
    return JudgedTree(reading, working, parent, find_sources(reading), notes, python)


def reachable_folder(sandbox: Sandbox, prefix: str) -> Path:
    """Make a folder that confined commands can reach and read but, where they are another uid, not write."""
    folder = sandbox.make_folder(prefix)
    take_back(folder)
    return folder


def remove_folder(folder: Path) -> None:
    """Delete a folder that confined commands may have written, if it is there."""
    if folder.is_dir():
        remove_tree(folder)
