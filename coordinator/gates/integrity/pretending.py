"""What a source does for the sake of its tests: asking for them, importing from them, being equal to everything.

It is looked for in the packages only: tests themselves may ask, and compare with ``unittest.mock.ANY``.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from coordinator.gates.integrity.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Resolve = Callable[[ast.expr], str]
    """Returns the full name that an expression spells, whatever it was imported as."""

OF_SOURCES = frozenset({Kind.UNDER_TEST, Kind.IMPORTS_TESTS, Kind.EQUAL_TO_ALL})
"""Kinds that count in the packages only."""

PRETENDING: Mapping[str, Kind] = {
    **dict.fromkeys(("inspect.stack", "inspect.currentframe", "inspect.getouterframes"), Kind.UNDER_TEST),
    **dict.fromkeys(("sys._getframe", "sys._current_frames"), Kind.UNDER_TEST),
    "unittest.mock.ANY": Kind.EQUAL_TO_ALL,
}
"""By full name: what shows who calls, and what equals everything."""

VARIABLE = re.compile(r"PYTEST_[A-Z_]+|COVERAGE_(?:RUN|PROCESS_START|PROCESS_CONFIG)")
"""Environment variables by which pytest ("Environment variables" in its reference), pytest-xdist and coverage
("Measuring sub-processes") can be known."""

RUNNERS = frozenset({"pytest", "_pytest", "py.test", "unittest", "xdist"})
LISTS = frozenset({"sys.modules", "sys.argv", "sys.orig_argv"})
"""Where one looks for them. ``coverage`` is a word that a program may have its own use for."""

OF_TESTS = frozenset({"tests", "test", "conftest"})
"""Modules at the top that hold tests, as projects call them, beside those that pytest collects by itself."""

COMPARISONS = frozenset({"__eq__", "__ne__"})


def pretending(tree: ast.Module, resolve: Resolve) -> Iterator[tuple[Kind, int]]:
    """Yield every question, every import from the tests and every such equality, with its line."""
    named: list[int] = []
    looks = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if VARIABLE.fullmatch(node.value):
                yield Kind.UNDER_TEST, node.lineno
            elif node.value in RUNNERS or node.value.startswith(("pytest.", "_pytest.")):
                named.append(node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            if any(map(_holds_tests, imported_modules(node))):
                yield Kind.IMPORTS_TESTS, node.lineno
        elif isinstance(node, ast.Name | ast.Attribute):
            looks = looks or resolve(node) in LISTS
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign) and _is_equal_to_all(node):
            yield Kind.EQUAL_TO_ALL, node.lineno
    if looks:
        yield from ((Kind.UNDER_TEST, number) for number in named)


def imported_modules(node: ast.Import | ast.ImportFrom) -> tuple[str, ...]:
    """Return the full names of the modules of an import; none for a relative one."""
    if isinstance(node, ast.ImportFrom):
        return () if node.level else (node.module or "",)
    return tuple(name.name for name in node.names)


def _holds_tests(module: str) -> bool:
    top = module.partition(".")[0]
    return top in OF_TESTS or top.startswith("test_")


def _is_equal_to_all(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign) -> bool:
    """Say whether it defines a comparison that gives one answer to everything, or never looks at the other side."""
    if not isinstance(node, ast.Assign):
        return node.name in COMPARISONS and _is_blind(node, _answers(node))
    names = {target.id for target in node.targets if isinstance(target, ast.Name)}
    function = node.value
    return (
        not COMPARISONS.isdisjoint(names) and isinstance(function, ast.Lambda) and _is_blind(function, [function.body])
    )


def _answers(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    return [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value is not None]


def _is_blind(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, answers: Sequence[ast.expr]) -> bool:
    given = [each for each in answers if not (isinstance(each, ast.Name) and each.id == "NotImplemented")]
    if not given:
        return False
    parameters = [*function.args.posonlyargs, *function.args.args][1:2]
    other = parameters[0] if parameters else function.args.vararg
    read = {each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
    same = {each.value if isinstance(each, ast.Constant) else None for each in given}
    return other is None or other.arg not in read or (len(same) == 1 and same != {None})
