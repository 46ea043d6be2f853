"""What the tests of the static checks share: changes made of two sets of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.change import change_between
from coordinator.gates.target.packages import find_sources
from coordinator.gates.tree import JudgedTree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.gates.change import Change


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def a_tree(folder: Path, base: Mapping[str, str | bytes], head: Mapping[str, str | bytes]) -> JudgedTree:
    """Return a judged tree of a change from these files to those."""
    before, after = write(folder / "base", base), write(folder / "head", head)
    change = change_between(before, after)
    return JudgedTree(after, after, folder, find_sources(after), (), has_python=True, base=before, change=change)


def a_change(folder: Path, base: Mapping[str, str | bytes], head: Mapping[str, str | bytes]) -> Change:
    """Return the change from these files to those."""
    return a_tree(folder, base, head).change
