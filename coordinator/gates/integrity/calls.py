"""What a source calls, names or imports that takes it, or the tests, out of the checks: found in the syntax tree."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from coordinator.gates.integrity.growth import Occurrence
from coordinator.gates.integrity.kinds import Kind
from coordinator.gates.integrity.pretending import PRETENDING, VARIABLE, imported_modules, pretending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coordinator.gates.integrity.sources import Source

TYPING: Mapping[str, Kind] = {
    **dict.fromkeys(("cast", "TypeGuard", "TypeIs"), Kind.CAST),
    "Any": Kind.ANY,
    "no_type_check": Kind.NO_TYPE_CHECK,
    "no_type_check_decorator": Kind.NO_TYPE_CHECK,
}
NAMES: Mapping[str, Kind] = {
    **PRETENDING,
    **{f"{module}.{name}": kind for module in ("typing", "typing_extensions") for name, kind in TYPING.items()},
    **dict.fromkeys(("exec", "eval", "builtins.exec", "builtins.eval", "__builtins__"), Kind.EXEC),
    **{f"os.exec{end}": Kind.PROCESS_EXIT for end in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    **dict.fromkeys(("os.abort", "pytest.exit"), Kind.PROCESS_EXIT),
    **dict.fromkeys(("pytest.skip", "unittest.skip"), Kind.SKIP),
    **dict.fromkeys(("sys.settrace", "sys.setprofile", "sys.monitoring", "threading.settrace"), Kind.RUNNER_INTERNALS),
}
"""By full name, whatever it was imported as."""

ATTRIBUTES: Mapping[str, Kind] = {
    **dict.fromkeys(("skipif", "importorskip", "skipIf", "skipUnless", "skipTest", "SkipTest"), Kind.SKIP),
    **dict.fromkeys(("xfail", "expectedFailure"), Kind.XFAIL),
    "_exit": Kind.PROCESS_EXIT,
}
"""By their last part, as nothing else is called so."""

MODULES: Mapping[str, Kind] = {
    "atexit": Kind.ATEXIT,
    **dict.fromkeys(("_pytest", "pluggy", "coverage"), Kind.RUNNER_INTERNALS),
}
"""By their first part."""

MARKS = {"skip": Kind.SKIP, "skipif": Kind.SKIP, "xfail": Kind.XFAIL}
BY_STRING = frozenset({"getattr", "add_marker", "import_module", "__import__"})
"""Calls that reach a thing by a string."""

HOOK = "pytest_"
LONGEST = 8
"""Names in a chain that are looked at: nothing that matters is deeper, and a chain can have ten thousand."""

WORDS = re.compile(
    r"\b(?P<word>cast|TypeGuard|TypeIs|Any|no_type_check|exec|eval|_exit|atexit|_pytest|pluggy|skip|skipif|skipIf|skipUnless|skipTest|"
    r"SkipTest|importorskip|xfail|expectedFailure|PYTEST_[A-Z_]+|_getframe|def\s+pytest_\w+)\b"
)
WORD_KINDS: Mapping[str, Kind] = {
    **TYPING, **ATTRIBUTES, **MODULES, **MARKS, "exec": Kind.EXEC, "eval": Kind.EXEC,
    "_getframe": Kind.UNDER_TEST,
}  # fmt: skip


def reached(source: Source, tree: ast.Module) -> Iterator[Occurrence]:
    """Yield what the syntax tree of a source reaches for."""
    for kind, number in _Finder(tree).find():
        yield Occurrence(kind, source.line(number), number)


def worded(source: Source) -> Iterator[Occurrence]:
    """Yield the words for the same things, for a source that this Python cannot parse."""
    for number, line in enumerate(source.lines, 1):
        for match in WORDS.finditer(line.partition("#")[0]):
            other = Kind.UNDER_TEST if VARIABLE.fullmatch(match["word"]) else Kind.PYTEST_HOOK
            kind = WORD_KINDS.get(match["word"], other)
            yield Occurrence(kind, source.line(number), number)


class _Finder:
    """Goes through one tree once for the imports, and once for what they are used for."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._imported: dict[str, str] = {}
        for node in ast.walk(tree):
            self._learn(node)

    def find(self) -> Iterator[tuple[Kind, int]]:
        """Yield every kind that is reached for, with its line."""
        for node in ast.walk(self._tree):
            yield from self._of(node)
            for annotation in _annotations(node):
                yield from self._in_strings(annotation)
        yield from pretending(self._tree, self._full)

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for name in node.names:
                self._imported[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for name in node.names:
                self._imported[name.asname or name.name] = f"{module}.{name.name}"
                if name.name == "*":
                    self._imported |= {each: f"{module}.{each}" for each in TYPING}

    def _of(self, node: ast.AST) -> Iterator[tuple[Kind, int]]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _of_import(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            kind = self._of_name(node)
            if kind is not None:
                yield kind, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(HOOK):
            yield Kind.PYTEST_HOOK, node.lineno
        elif isinstance(node, ast.Call):
            yield from _of_strings(node)

    def _of_name(self, node: ast.Name | ast.Attribute) -> Kind | None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            return Kind.PYTEST_HOOK if node.id.startswith(HOOK) else None
        head, _, rest = _dotted(node).partition(".")
        full = self._full(node)
        if full in NAMES:
            return NAMES[full]
        last = full.rpartition(".")[2]
        if full.startswith(".") and head in self._imported and not rest:
            return TYPING.get(last)
        if isinstance(node, ast.Attribute) or head in self._imported:
            return _of_last(full, last)
        return None

    def _full(self, node: ast.expr) -> str:
        """Return a dotted name with what it was imported as spelled out."""
        head, dot, rest = _dotted(node).partition(".")
        return f"{self._imported.get(head, head)}{dot}{rest}"

    def _in_strings(self, annotation: ast.expr) -> Iterator[tuple[Kind, int]]:
        """Yield what annotations in quotes name."""
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for inner in ast.walk(_parsed(node.value)):
                    kind = self._of_name(inner) if isinstance(inner, ast.Name | ast.Attribute) else None
                    if kind is not None:
                        yield kind, node.lineno


def _of_last(full: str, last: str) -> Kind | None:
    """Judge a dotted name by its parts."""
    parts = full.split(".")
    if "mark" in parts[:-1] and last in MARKS:
        return MARKS[last]
    if len(parts) > 1 and parts[0] in MODULES:
        return MODULES[parts[0]]
    return ATTRIBUTES.get(last)


def _of_import(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[Kind, int]]:
    for module in imported_modules(node):
        kind = MODULES.get(module.partition(".")[0])
        if kind is not None:
            yield kind, node.lineno


def _of_strings(call: ast.Call) -> Iterator[tuple[Kind, int]]:
    """Yield what a call reaches by a string: ``getattr(pytest.mark, "skip")``, ``import_module("_pytest")``."""
    if _dotted(call.func).rpartition(".")[2] not in BY_STRING:
        return
    for argument in call.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            first, last = argument.value.partition(".")[0], argument.value.rpartition(".")[2]
            kind = MODULES.get(first) or MARKS.get(last) or ATTRIBUTES.get(last) or TYPING.get(last)
            if kind is not None:
                yield kind, call.lineno


def _dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` as it is written, of a long chain the end; what is no name becomes ``?``."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < LONGEST:
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    found: tuple[ast.expr | None, ...] = ()
    if isinstance(node, ast.arg | ast.AnnAssign):
        found = (node.annotation,)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        found = (node.returns,)
    yield from (each for each in found if each is not None)


def _parsed(annotation: str) -> ast.AST:
    try:
        return ast.parse(annotation.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])
