"""A `.coordinator.yml` in which every key stands with its default and one line of explanation, all commented out.

It is made from the models, so that it has the keys that there are. Taking ``# `` off the lines makes the keys real and
leaves the explanations (``##``) comments.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from coordinator.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

HEAD = """\
## Configuration of the coordinator. It is read from the base branch only, and checked: an unknown key is an error.
## Every key stands here with its default; an empty file does the same. To change one, take the `# ` off its line and
## off the lines of the keys above it.
"""


def commented_configuration() -> str:
    """Return the whole file."""
    lines = [line for name, field in Configuration.model_fields.items() for line in ("", *_key(name, field, ""))]
    return HEAD + "\n".join(lines) + "\n"


def _key(name: str, field: FieldInfo, indent: str) -> Iterator[str]:
    """Give a key, its explanation above it, what is below it."""
    yield f"## {indent}{_explanation(field)}"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        yield f"# {indent}{name}:"
        for inner, inner_field in type(default).model_fields.items():
            yield from _key(inner, inner_field, f"{indent}  ")
        return
    yield f"# {indent}{name}: {_value(default)}"
    if entry := _section_in(field.annotation):
        yield f"## {indent}  Keys of an entry:"
        yield from _entry_keys(entry, f"{indent}    ")


def _entry_keys(entry: type[BaseModel], indent: str) -> Iterator[str]:
    """Explain the keys that an entry of a list or mapping may have: by default there is no entry."""
    for name, field in entry.model_fields.items():
        default = "" if field.is_required() or field.default is None else f" (default: {_value(field.default)})"
        yield f"## {indent}{name}{default}: {_explanation(field)}"
        if inner := _section_in(field.annotation):
            yield from _entry_keys(inner, f"{indent}  ")


def _section_in(annotation: object) -> type[BaseModel] | None:
    """Return the model of the entries that a list or mapping holds; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section_in(inner))), None)


def _explanation(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "`").split())


def _value(default: object) -> str:
    """Write a default as JSON, which YAML reads as well; flow style keeps it on one line."""
    return json.dumps(default, ensure_ascii=False)
