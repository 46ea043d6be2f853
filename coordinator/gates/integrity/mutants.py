"""Mutants: small changes to changed lines that a test which asserts something has to notice.

Few operators, those that are hardly ever without effect: one side of ``x if c else y`` whatever the condition, a return
of None, a comparison turned round, ``and`` for ``or``, another operation, one more. Which mutants of a change are tried
follows from its content alone.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.integrity.sources import Unreadable, read_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    Offer = tuple[ast.expr, ast.expr, str]
    """An expression, what is to stand in its place, and the operator."""

OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip

OTHER_OPERATION: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
"""Those that seldom come to the same: only for an operand of 0, of 1 or 2. What is no number takes few of them, and
then the tests notice that."""

STRONGEST_FIRST = ("conditional", "return", "comparison", "boolean", "arithmetic", "constant")
"""Both sides of a conditional expression come first: coverage sees one line, whichever side runs, and that is where a
source can know its test. The later ones may more easily be without effect, so they are for functions that offer nothing
else."""

PLATFORM = frozenset({"sys.version_info", "sys.platform", "os.name", "TYPE_CHECKING", "typing.TYPE_CHECKING"})
"""What the same machine always answers alike: the other branch cannot be tested there."""

LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
"""One line with its end, as Python counts them."""

NOT_ENTERED = (ast.JoinedStr, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
"""What stands inside of these is not changed: positions in f-strings are right only from Python 3.12 on, and
functions within are looked at by themselves."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change to one source. It is light: a large change offers thousands."""

    path: str
    line: int
    """1-based; where the change is."""
    function: str
    operator: str
    draw: str
    """Looks like a random number, and is the same for the same change."""
    node: ast.expr
    instead: ast.expr


@dataclass(frozen=True, slots=True)
class Mutated:
    """A source with a mutant in it."""

    source: bytes
    before: str
    """The line as it is, without its indentation."""
    after: str
    """As it is in the mutant."""


def mutants_of(path: str, data: bytes, lines: Collection[int]) -> tuple[Mutant, ...]:
    """Return the mutants on these lines of one source; none where it cannot be read, or is not in UTF-8."""
    try:
        source = read_source(data)
        if source.tree is None or source.text.encode() != data:
            return ()
        return tuple(_drawn(source.tree, path, hashlib.sha256(data).hexdigest(), frozenset(lines)))
    except Unreadable:
        return ()


def apply(mutant: Mutant, data: bytes) -> Mutated | None:
    """Return the source with the mutant in it; None when that does not come out as a program."""
    lines = LINE.findall(data)
    node, first = mutant.node, mutant.line - 1
    last = (node.end_lineno or 0) - 1
    try:
        instead = ast.unparse(mutant.instead)
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        middle = head + (instead if mutant.operator == "return" else f"({instead})").encode() + tail
        source = b"".join((*lines[:first], middle, *lines[last + 1 :]))
        ast.parse(source)
        return Mutated(source, lines[first].decode().strip(), middle.decode().strip())
    except (IndexError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def choose(mutants: Sequence[Mutant], most: int) -> tuple[Mutant, ...]:
    """Return at most so many: one of each function before a second of any, the strongest operators first."""
    by_function: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in sorted(mutants, key=lambda each: (STRONGEST_FIRST.index(each.operator), each.draw)):
        by_function.setdefault((mutant.path, mutant.function), []).append(mutant)
    order = sorted(by_function.values(), key=lambda each: each[0].draw)
    rounds = max((len(each) for each in order), default=0)
    return tuple(each[turn] for turn in range(rounds) for each in order if turn < len(each))[:most]


def _drawn(tree: ast.Module, path: str, digest: str, lines: frozenset[int]) -> Iterator[Mutant]:
    for name, function in _functions(tree):
        for number, (node, instead, operator) in enumerate(_inside(function, lines)):
            said = f"{path} {digest} {name} {number} {operator}"
            draw = hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()
            yield Mutant(path, node.lineno, name, operator, draw, node, instead)


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, prefix = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            prefix = f"{prefix}{node.name}."
        waiting += ((child, prefix) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))


def _inside(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: frozenset[int]) -> list[Offer]:
    """Return the changes in one function; none when an expression in it is nested too deep to be gone through."""
    try:
        return [offer for statement in function.body for offer in _within(statement, lines)]
    except RecursionError:
        return []


def _within(node: ast.AST, lines: frozenset[int]) -> Iterator[Offer]:
    """Yield the changes in a statement or expression, of those that begin on one of the lines."""
    if isinstance(node, NOT_ENTERED):
        return
    yield from (offer for offer in _offers(node) if offer[0].lineno in lines)
    for child in ast.iter_child_nodes(node):
        yield from _within(child, lines)


def _offers(node: ast.AST) -> Iterator[Offer]:
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield node.value, ast.Constant(None), "return"
        yield from _plus_one(node.value)
    elif isinstance(node, ast.IfExp) and not _is_of_platform(node.test):
        yield from ((node, side, "conditional") for side in (node.body, node.orelse))
    elif isinstance(node, ast.Compare) and not _is_of_platform(node.left):
        yield node, _turned(node), "comparison"
        yield from _plus_one(node.left, *node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield from _of_logic(node)
    elif isinstance(node, ast.BinOp):
        yield from _of_arithmetic(node)


def _of_logic(node: ast.BoolOp) -> Iterator[Offer]:
    first = node.values[0]
    if isinstance(node.op, ast.Or) and isinstance(first, ast.BoolOp) and not _is_of_platform(first):
        yield from ((node, side, "conditional") for side in (first, node.values[-1]))  # c and x or y
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield node, ast.BoolOp(other, node.values), "boolean"


def _of_arithmetic(node: ast.BinOp) -> Iterator[Offer]:
    operation = OTHER_OPERATION.get(type(node.op))
    if operation is not None:
        yield node, ast.BinOp(node.left, operation(), node.right), "arithmetic"
    yield from _plus_one(node.left, node.right)


def _is_of_platform(test: ast.expr) -> bool:
    names = (each for each in ast.walk(test) if isinstance(each, ast.Name | ast.Attribute))
    return any(ast.unparse(each) in PLATFORM for each in names)


def _plus_one(*nodes: ast.expr) -> Iterator[Offer]:
    for node in nodes:
        if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
            yield node, ast.BinOp(node, ast.Add(), ast.Constant(1)), "constant"


def _turned(node: ast.Compare) -> ast.Compare:
    turned = copy.copy(node)
    turned.ops = [OPPOSITES[type(node.ops[0])](), *node.ops[1:]]
    return turned


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
