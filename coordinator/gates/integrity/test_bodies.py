"""What stands in a test function, to know it again under another name."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.gates.files import read_below
from coordinator.gates.integrity.sources import Unreadable, read_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Body:
    """One function."""

    line: int
    """1-based; where it is named."""
    content: str
    """Everything but its name: decorators, parameters, statements; without positions and comments."""


def bodies_of(folder: Path, path: str) -> dict[str, Body]:
    """Return the functions of a file by ``Class::function``; none when it is absent or cannot be read."""
    data = read_below(folder, path)
    try:
        tree = read_source(data).tree if data is not None else None
        return dict(_functions(tree.body, "")) if tree is not None else {}
    except (Unreadable, RecursionError):
        return {}


def _functions(nodes: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Body]]:
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [node.args, node.returns, *node.decorator_list, *node.body]
            content = type(node).__name__ + "".join(ast.dump(part) for part in parts if part is not None)
            yield prefix + node.name, Body(node.lineno, content)
