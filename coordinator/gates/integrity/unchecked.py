"""What mypy leaves out because it takes a condition for decided: the ``else`` of ``if TYPE_CHECKING`` and its like.

mypy takes some names for true or false wherever they come from, and looks neither at the branch that then cannot be
reached nor at anything in it, while Python runs it. Source: ``mypy/reachability.py`` (``infer_condition_value``,
``infer_reachability_of_if_statement``, ``infer_reachability_of_match_statement``, ``assert_will_always_fail``) and
``SemanticAnalyzer.visit_op_expr``. Conditions on the version or the platform are decided there as well; the same
machine decides them alike when it runs the tests, so they are left alone.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from coordinator.gates.integrity.growth import Occurrence
from coordinator.gates.integrity.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coordinator.gates.integrity.sources import Source

DECIDED = {"TYPE_CHECKING": True, "MYPY": True, "PY3": True, "PY2": False}
"""Names, alone or at the end of a dotted one, that mypy takes for true or false."""

HEAD = re.compile(r"(?P<indent>\s*)(?:el)?if\b[^#]*\b(?:TYPE_CHECKING|MYPY|PY3|PY2)\b")
NEGATED = re.compile(r"\bnot\b|\bPY2\b")
OTHERWISE = re.compile(r"\s*(?:else|elif)\b")


def unchecked(source: Source, tree: ast.Module) -> Iterator[Occurrence]:
    """Yield each statement, and each operand of ``and`` and ``or``, that Python runs and mypy does not look at."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, skipped = waiting.pop()
        left_out = _left_out(node)
        if isinstance(node, ast.stmt) and skipped:
            yield Occurrence(Kind.UNCHECKED_BRANCH, source.line(node.lineno), node.lineno)
        for operand in left_out:
            if isinstance(operand, ast.expr):
                yield Occurrence(Kind.UNCHECKED_BRANCH, source.line(operand.lineno), operand.lineno)
        known = {id(each) for each in left_out}
        waiting += ((child, skipped or id(child) in known) for child in ast.iter_child_nodes(node))


def worded_unchecked(source: Source) -> Iterator[Occurrence]:
    """Yield the lines of such branches, for a source that this Python cannot parse, as far as indentation shows them.

    A condition with ``not`` in it counts as false.
    """
    head: re.Match[str] | None = None
    skipped = False
    for number, line in enumerate(source.lines, 1):
        if not line.strip():
            continue
        if head is not None and len(line) - len(line.lstrip()) > len(head["indent"]):
            if skipped:
                yield Occurrence(Kind.UNCHECKED_BRANCH, line.strip(), number)
        elif head is not None and OTHERWISE.match(line):
            skipped = not NEGATED.search(head.group())
        else:
            head = HEAD.match(line)
            skipped = head is not None and NEGATED.search(head.group()) is not None


def _left_out(node: ast.AST) -> Sequence[ast.AST]:
    """Return those children of a node that mypy does not look at."""
    if isinstance(node, ast.If):
        return {True: node.orelse, False: node.body, None: ()}[_value(node.test)]
    if isinstance(node, ast.BoolOp):
        return _behind(node.values, deciding=isinstance(node.op, ast.Or))
    if isinstance(node, ast.Match):
        return _cases(node.cases)
    if isinstance(node, ast.Module):
        failing = (place for place, each in enumerate(node.body) if _always_fails(each))
        return node.body[next(failing, len(node.body)) + 1 :]
    return ()


def _behind(operands: Sequence[ast.expr], *, deciding: bool) -> Sequence[ast.expr]:
    place = next((place for place, each in enumerate(operands) if _value(each) is deciding), len(operands))
    return operands[place + 1 :]


def _cases(cases: Sequence[ast.match_case]) -> list[ast.match_case]:
    """Return the cases whose guard is false, and those behind one that takes everything."""
    left: list[ast.match_case] = []
    taken = False
    for case in cases:
        value = None if case.guard is None else _value(case.guard)
        if taken or value is False:
            left.append(case)
        taken = taken or (value is True and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None)
    return left


def _always_fails(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assert) and _value(statement.test) is False


def _value(test: ast.expr) -> bool | None:
    """Return what mypy takes a condition for, None when it does not know."""
    turned = False
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, turned = test.operand, not turned
    value = None
    if isinstance(test, ast.Name):
        value = DECIDED.get(test.id)
    elif isinstance(test, ast.Attribute):
        value = DECIDED.get(test.attr)
    elif isinstance(test, ast.BoolOp):
        value = _value_of_all({_value(operand) for operand in test.values}, deciding=isinstance(test.op, ast.Or))
    return None if value is None else value is not turned


def _value_of_all(values: set[bool | None], *, deciding: bool) -> bool | None:
    if deciding in values:
        return deciding
    return None if None in values else not deciding
