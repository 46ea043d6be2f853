"""What the keys of `.coordinator.yml` mean: the strings under the fields of its models.

They are read from the source, and only when somebody wants them. Pydantic can do it by itself
(`use_attribute_docstrings`), but does so at each start, where it takes a tenth of the time until the first tool runs.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from typing import TYPE_CHECKING

from coordinator import configuration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def explanation(section: str, key: str) -> str:
    """Return what a key means, without the indentation of the source. Raises `KeyError` when nothing says it.

    `section` is the name of a model of `coordinator.configuration`.
    """
    return _explanations()[section][key]


@cache
def _explanations() -> Mapping[str, Mapping[str, str]]:
    """Read them all, those of a model's bases too, by key by model."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(configuration)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = dict(_strings_below(node))
            for base in node.bases:
                inherited = found.get(base.id, {}) if isinstance(base, ast.Name) else {}
                found[node.name] = {**inherited, **found[node.name]}
    return found


def _strings_below(section: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield each field under which a string stands, and the string."""
    for field, below in zip(section.body, section.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(text))):
                yield key, inspect.cleandoc(text)
