"""What each gate of a tree runs, where its configuration comes from, and why: without running any of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.choice import PYTHON_GATES, choose
from coordinator.gates.files import text_below
from coordinator.gates.rules import rules_of
from coordinator.gates.tables import parse_toml, subtable
from coordinator.gates.target.packages import find_sources
from coordinator.gates.tooling import as_typed
from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from coordinator.configuration import GatesSection
    from coordinator.gates.choice import Choice, ChosenCommand
    from coordinator.gates.target.packages import Sources

SCOPE_OPTIONS = ("files", "packages", "modules")
"""Options of mypy's configuration by which it is told what to check."""


class ExplainedGate(Frozen):
    """One gate that the tree gets."""

    gate: str
    command: str
    """As a person would type it; empty for a gate that compares instead of running something."""
    configuration: str
    """Where the rules come from."""
    why: str


class OmittedGate(Frozen):
    """One gate that the tree does not get."""

    gate: str
    why: str


class Explanation(Frozen):
    """All gates of one tree."""

    tree: str
    base: str | None
    gates: tuple[ExplainedGate, ...]
    left_out: tuple[OmittedGate, ...]
    setup: tuple[str, ...]
    """What prepares a project that is not in Python, before its commands run."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the explanation of one gate is made from."""

    section: GatesSection
    tree: Path
    sources: Sources
    whose: str
    """Whose rules count, in words."""
    why: str


def explain(
    section: GatesSection,
    tree: Path,
    base: Path | None,
    *,
    setup: Sequence[str] | None = None,
    names: tuple[str, str | None],
    notes: Sequence[str] = (),
) -> Explanation:
    """Explain the gates of the export `tree`, which holds the base's rules already, by the export `base`.

    `names` are the ids of the tree and of the base commit. Raises `Misconfigured` when no gate is left.
    """
    choice = choose(section, tree, base, None if setup is None else tuple(setup))
    whose = f"of the base {names[1][:12]}" if names[1] else "of this commit"
    why = f"{choice.why}, so Python's gates judge it"
    subject = _Subject(section, tree, find_sources(tree), whose, why)
    integrity = _integrity(section, names[1])
    return Explanation(
        tree=names[0],
        base=names[1],
        gates=(*_python(subject, choice), *(_command(each) for each in choice.commands), *integrity[0]),
        left_out=(*(OmittedGate(gate=each.name, why=each.why) for each in choice.left_out), *integrity[1]),
        setup=choice.setup,
        notes=tuple(notes),
    )


def _python(subject: _Subject, choice: Choice) -> tuple[ExplainedGate, ...]:
    if not choice.python:
        return ()
    return tuple(EXPLAINED[name](subject) for name in PYTHON_GATES if getattr(subject.section, name).enabled)


def _build(subject: _Subject) -> ExplainedGate:
    rules = rules_of(subject.tree, "mypy")
    scoped = rules is not None and any(option in rules.options for option in SCOPE_OPTIONS)
    places = () if scoped else subject.sources.places
    command = as_typed("mypy", "--strict", *subject.section.build.args, *places)
    scope = "the packages are those that the configuration names" if scoped else "the packages were found by the layout"
    return _gate("build", command, _file(subject, "mypy"), f"{subject.why}; {scope}")


def _lint(subject: _Subject) -> ExplainedGate:
    command = as_typed("ruff", "check", *subject.section.lint.args, "--no-fix", ".")
    return _gate("lint", command, _ruff_file(subject), subject.why)


def _test(subject: _Subject) -> ExplainedGate:
    command = as_typed("python", "-m", "pytest", *subject.section.test.args)
    why = f"{subject.why}; at most {subject.section.test.minutes:g} minutes"
    return _gate("test", command, _file(subject, "pytest"), why)


def _coverage(subject: _Subject) -> ExplainedGate:
    command = as_typed("coverage", "run", f"--source={','.join(subject.sources.places)}", "-m", "pytest")
    why = f"at least {subject.section.coverage.threshold:g} % of the packages, from the run of the test gate"
    return _gate("coverage", command, _file(subject, "coverage"), why)


EXPLAINED: Mapping[str, Callable[[_Subject], ExplainedGate]] = {
    "build": _build,
    "lint": _lint,
    "test": _test,
    "coverage": _coverage,
}


def _command(chosen: ChosenCommand) -> ExplainedGate:
    reads = f"its exit status and {chosen.report}" if chosen.report else "its exit status"
    return _gate(chosen.name, chosen.line, reads, f"{chosen.why}; at most {chosen.minutes:g} minutes")


def _integrity(section: GatesSection, base: str | None) -> tuple[tuple[ExplainedGate, ...], tuple[OmittedGate, ...]]:
    if not section.integrity.enabled:
        return (), (OmittedGate(gate="integrity", why="gates.integrity.enabled is false in .coordinator.yml"),)
    if base is None:
        return (), (OmittedGate(gate="integrity", why="no base to compare with: add --base REF"),)
    why = f"compares the change with the base {base[:12]}: was a check weakened, skipped or taken away?"
    return (_gate("integrity", "", "gates.integrity of .coordinator.yml", why),), ()


def _gate(gate: str, command: str, configuration: str, why: str) -> ExplainedGate:
    return ExplainedGate(gate=gate, command=command, configuration=configuration, why=why)


def _file(subject: _Subject, tool: str) -> str:
    rules = rules_of(subject.tree, tool)
    return f"{rules.file} {subject.whose}" if rules is not None else f"none {subject.whose}: the tool's own defaults"


def _ruff_file(subject: _Subject) -> str:
    """Name ruff's file: where it looks in one folder, first match wins (Ruff, "Configuring Ruff")."""
    for name in (".ruff.toml", "ruff.toml"):
        if text_below(subject.tree, name) is not None:
            return f"{name} {subject.whose}"
    project = parse_toml(text_below(subject.tree, "pyproject.toml") or "") or {}
    if "ruff" in subtable(project, "tool"):
        return f"pyproject.toml {subject.whose}"
    return f"none {subject.whose}: the tool's own defaults"
