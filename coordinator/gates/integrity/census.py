"""The census: what the change silences or takes out of the checks, counted against the base."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.integrity.calls import reached, worded
from coordinator.gates.integrity.comments import silenced
from coordinator.gates.integrity.findings import PolicyFinding, Severity, attention
from coordinator.gates.integrity.growth import Growth, Occurrence, growth
from coordinator.gates.integrity.kinds import Kind
from coordinator.gates.integrity.pretending import OF_SOURCES
from coordinator.gates.integrity.sources import Source, Unreadable, python_files, read_source
from coordinator.gates.integrity.unchecked import unchecked, worded_unchecked

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from coordinator.gates.change import Change, FileChange

UNREADABLE = "unreadable-source"
LINES_SHOWN = 8

EFFECTS: Mapping[Kind, str] = {
    Kind.TYPE_IGNORE: "a type error is silenced: give the code the types that it really has",
    Kind.MYPY_COMMENT: "it changes mypy's rules for the whole file: take it out",
    Kind.NOQA: "a lint finding is silenced: change the code so that the rule is kept",
    Kind.RUFF_COMMENT: "it changes the linter's rules for many lines: take it out",
    Kind.PRAGMA: "lines are taken out of the coverage: write a test that runs through them",
    Kind.SKIP: "a test does not run: mend its cause and let it run",
    Kind.XFAIL: "a test may fail: mend its cause and let it pass",
    Kind.CAST: "mypy believes it without looking: give the value the type that it really has",
    Kind.ANY: "mypy looks at nothing behind it: name the type that it really has",
    Kind.NO_TYPE_CHECK: "mypy does not look at the function: take it out",
    Kind.UNCHECKED_BRANCH: "mypy leaves it out and Python runs it: put it where mypy looks at it too",
    Kind.EXEC: "no tool sees the code that it runs: write the code out",
    Kind.PROCESS_EXIT: "it can end the test run before its time: return or raise in its place",
    Kind.ATEXIT: "it can change what the test run says after the tests: release things where they are used",
    Kind.RUNNER_INTERNALS: "it can change what the tests or their coverage say: do without it",
    Kind.PYTEST_HOOK: "it can change which tests run and what they say: use a fixture in its place",
    Kind.UNDER_TEST: "it lets the code do something else under test: let it do the same everywhere",
    Kind.IMPORTS_TESTS: "what stands among the tests is not measured: put it into the packages",
    Kind.EQUAL_TO_ALL: "a test that compares with it always passes: compare what makes two of them equal",
}
"""Why each kind matters, and how it is mended."""


@dataclass(frozen=True, slots=True)
class Census:
    """Counts every kind in the changed Python files, before and after."""

    name: ClassVar[str] = "census"
    change: Change
    allow: Mapping[Kind, int]
    """How many new ones of a kind need no person; 0 for those that are not named."""
    is_source: Callable[[str], bool]
    """Says of a path whether it belongs to the packages; some kinds count only there."""

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding per file and kind of which there is more than before."""
        before: dict[str, tuple[Occurrence, ...]] = {}
        after: dict[str, tuple[Occurrence, ...]] = {}
        found: list[PolicyFinding] = []
        for file in python_files(self.change):
            try:
                before[file.path], after[file.path] = (self._of_place(file.path, side) for side in _counts(file))
            except Unreadable as error:
                found.append(_unreadable(file.path, str(error)))
        return [*found, *self._judged(_merged(growth(before, after)))]

    def _of_place(self, path: str, occurrences: Iterable[Occurrence]) -> tuple[Occurrence, ...]:
        is_source = self.is_source(path)
        return tuple(each for each in occurrences if is_source or each.kind not in OF_SOURCES)

    def _judged(self, grown: Sequence[Growth]) -> list[PolicyFinding]:
        totals: Counter[str] = Counter()
        for each in grown:
            totals[each.kind] += each.number
        over = {kind for kind, total in totals.items() if total > self.allow.get(Kind(kind), 0)}
        return [_finding(each, Kind(each.kind), needs_person=each.kind in over) for each in grown]


def _counts(file: FileChange) -> tuple[tuple[Occurrence, ...], tuple[Occurrence, ...]]:
    """Return what a file had and has. Raises `Unreadable` for a head that cannot be looked into."""
    if file.is_link:
        raise Unreadable("it is a symbolic link")
    if not file.is_complete:
        raise Unreadable("it is too large")
    new = read_source(file.after or b"")
    try:
        old = read_source(file.before or b"")
    except Unreadable:
        old = Source("")
    if old.tree is None or new.tree is None:
        return _by_words(old), _by_words(new)
    return _by_tree(old, old.tree), _by_tree(new, new.tree)


def _by_tree(source: Source, tree: ast.Module) -> tuple[Occurrence, ...]:
    return (*silenced(source), *reached(source, tree), *unchecked(source, tree))


def _by_words(source: Source) -> tuple[Occurrence, ...]:
    return (*silenced(source), *worded(source), *worded_unchecked(source))


def _merged(grown: Sequence[Growth]) -> list[Growth]:
    """Return one entry per file and kind: a comment that became bare counts as one of its kind."""
    merged: dict[tuple[str, str], Growth] = {}
    for each in grown:
        key = (each.path, each.kind.partition(":")[0])
        known = merged.get(key)
        if known is None or each.number > known.number:
            merged[key] = Growth(each.path, key[1], each.number, each.lines)
    return list(merged.values())


def _finding(grown: Growth, kind: Kind, *, needs_person: bool) -> PolicyFinding:
    lines = ", ".join(str(line) for line in grown.lines[:LINES_SHOWN]) + (", …" if grown.lines[LINES_SHOWN:] else "")
    message = f"{grown.number} more of {kind} than before (line {lines}): {EFFECTS[kind]}."
    if not needs_person:
        return PolicyFinding(
            kind=kind,
            what=grown.path,
            path=grown.path,
            line=grown.lines[0],
            message=f"{grown.path}: {message} The configuration allows that many.",
            severity=Severity.NOTE,
        )
    return attention(kind, grown.path, message, path=grown.path, line=grown.lines[0])


def _unreadable(path: str, why: str) -> PolicyFinding:
    return attention(UNREADABLE, path, f"This source cannot be looked into, as {why}. Change that.", path=path)
