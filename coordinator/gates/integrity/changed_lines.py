"""Coverage of the changed lines: of what the change adds, so much has to be run by the tests."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

from coordinator.errors import Unreachable
from coordinator.gates.evidence import counted
from coordinator.gates.integrity.comments import PRAGMA
from coordinator.gates.integrity.findings import PolicyFinding, Severity
from coordinator.gates.integrity.sources import Source, Unreadable, read_source
from coordinator.gates.judgement import UNFINISHED, Judgement, NotFinished
from coordinator.gates.python.coverage_gate import line_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coordinator.gates.change import FileChange
    from coordinator.gates.once import Once
    from coordinator.gates.python.coverage_report import CoverageReport, MeasuredFile
    from coordinator.gates.tree import JudgedTree

KIND = "changed-lines"


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """The new statements of one source, by the lines on which they begin."""

    path: str
    executed: frozenset[int]
    missed: frozenset[int]
    """Not executed, or taken out of the coverage by a comment."""


@dataclass(frozen=True, slots=True)
class ChangedLines:
    """Compares what the tests ran through with the lines that the change added to the packages."""

    name: ClassVar[str] = "changed lines"
    tree: JudgedTree
    coverage: Once[CoverageReport | Judgement]
    threshold: float
    """Per cent."""
    omitted: tuple[str, ...] = ()
    """Patterns of files that the base's configuration leaves out of the coverage."""

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding per file with missed lines when they are too many.

        Raises `Unreachable` when there is no coverage report, `NotFinished` when the tests ended early on purpose.
        """
        added = {file.path: self.tree.change.added_lines(file.path) for file in self._sources()}
        changed = [path for path, lines in added.items() if lines]
        if not changed:
            return ()
        report = self.coverage.get()
        if isinstance(report, Judgement):
            fault = NotFinished if report.details.get(UNFINISHED) else Unreachable
            raise fault(report.message, mend="Look at what the coverage gate says")
        files = [_measured(self.tree.change.files[path], added[path], report.files.get(path)) for path in changed]
        executed = sum(len(file.executed) for file in files)
        missed = sum(len(file.missed) for file in files)
        if not missed or 100 * executed >= self.threshold * (executed + missed):
            return ()
        share = f"{executed} of {counted(executed + missed, 'changed line')}, {self.threshold:g} % are needed"
        return [_finding(file, share) for file in files if file.missed]

    def _sources(self) -> Iterator[FileChange]:
        """Yield the changed sources of the packages that the head has."""
        for path, file in sorted(self.tree.change.files.items()):
            is_source = path.endswith(".py") and file.after is not None and not file.is_link
            if is_source and self._is_measured(path):
                yield file

    def _is_measured(self, path: str) -> bool:
        inside = any(path == place or path.startswith(f"{place}/") for place in self.tree.sources.places)
        return inside and not any(_matches(path, pattern) for pattern in self.omitted)


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(f"/{path}", pattern)


def _measured(file: FileChange, added: frozenset[int], report: MeasuredFile | None) -> ChangedFile:
    """Sort the added lines. What the report does not know at all has not been run."""
    source = _source(file)
    if report is None:
        return ChangedFile(file.path, frozenset(), _statements(source) & added)
    excluded = frozenset(report.excluded_lines) & added
    return ChangedFile(
        file.path,
        frozenset(report.executed_lines) & added,
        (frozenset(report.missing_lines) & added)
        | _by_comment(source, frozenset(report.excluded_lines), added, excluded),
    )


def _source(file: FileChange) -> Source:
    try:
        return read_source(file.after or b"")
    except Unreadable as error:
        raise Unreachable(f"{file.path} cannot be looked into: {error}", mend="Write it as plain UTF-8") from None


def _statements(source: Source) -> frozenset[int]:
    """Return the lines on which statements begin, without docstrings; every line when there is no syntax tree."""
    if source.tree is None:
        return frozenset(number for number, line in enumerate(source.lines, 1) if line.strip())
    return frozenset(
        node.lineno
        for node in ast.walk(source.tree)
        if isinstance(node, ast.stmt) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    )


def _by_comment(
    source: Source, excluded: frozenset[int], added: frozenset[int], wanted: frozenset[int]
) -> frozenset[int]:
    """Return the added lines that a comment takes out of the coverage.

    What the project's own rules leave out (``if TYPE_CHECKING:``) is nobody's fault; what a comment leaves out would be
    a way past the threshold. A comment takes part where the change adds a pragma, or where the statement with which the
    excluded part begins has a comment in its head.
    """
    if not wanted or source.tree is None or any(PRAGMA.search(source.lines[line - 1]) for line in added):
        return wanted
    commented = frozenset(line for line, _ in source.comments)
    taken: set[int] = set()
    for node in _outermost(source.tree, excluded):
        head = range(_first_line(node), _head_end(node) + 1)
        if not commented.isdisjoint(head):
            taken.update(range(_first_line(node), (node.end_lineno or node.lineno) + 1))
    return wanted & taken


def _outermost(tree: ast.Module, excluded: frozenset[int]) -> Iterator[ast.stmt]:
    """Yield the statements that begin on an excluded line and stand in none that does."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop()):
            if isinstance(child, ast.stmt) and _first_line(child) in excluded:
                yield child
            else:
                waiting.append(child)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _head_end(node: ast.stmt) -> int:
    """Return the last line before the body of a compound statement; of a simple one its own last line."""
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
        return max(node.lineno, _first_line(body[0]) - 1)
    return node.end_lineno or node.lineno


def _finding(file: ChangedFile, share: str) -> PolicyFinding:
    missed = sorted(file.missed)
    lines = ", ".join(line_ranges(missed))
    return PolicyFinding(
        kind=KIND,
        what=file.path,
        path=file.path,
        line=missed[0],
        message=f"The tests run through {share}; not through line {lines} of {file.path}. Lines that a comment takes "
        "out of the coverage count as not run. Write tests that check what these lines do.",
        severity=Severity.FAILED,
    )
