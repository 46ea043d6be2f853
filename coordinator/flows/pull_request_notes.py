"""What the author of a pull request should know besides the verdict, each as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.gates.target.needs import DEFINING
from coordinator.report.words import plural
from coordinator.workspace.paths import is_protected, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from coordinator.gates.protocol import Verdict

WORKFLOWS = (".gitea/", ".forgejo/", ".github/")
_NAMED = 5
"""Paths in one line."""
_NEEDS_PACKAGES = frozenset({"build", "test", "coverage"})


def about_changes(changed: Iterable[str], configuration_path: str) -> tuple[str, ...]:
    """Say so where a pull request changes by what it is judged: that counts once it is merged."""
    touched = [path for path in changed if is_protected(path, (configuration_path, *WORKFLOWS))]
    if not touched:
        return ()
    return (f"Judged by the rules of the base branch; this changes them: {_listed(touched)}",)


def about_tree(left_out: Collection[str]) -> tuple[str, ...]:
    """Say what of the commit the gates do not see."""
    if not left_out:
        return ()
    return (f"Not there for the gates, as it is a submodule or leads out of the tree: {_listed(sorted(left_out))}",)


def about_rejection(verdict: Verdict, changed: Iterable[str]) -> tuple[str, ...]:
    """Say what a rejection may come from where the pull request changes what its environment is made from."""
    touched = [path for path in changed if path in DEFINING]
    if not touched or _NEEDS_PACKAGES.isdisjoint(gate.gate for gate in verdict.failed_gates()):
        return ()
    return (f"What it adds to {_listed(touched)} is not installed: the environment is that of the base branch",)


def _listed(paths: Iterable[str]) -> str:
    names = [shown(path) for path in paths]
    more = f" and {plural(len(names) - _NAMED, 'other')}" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
