"""A `.coordinator.yml` in which every key stands with its default and one line of explanation, all commented out.

It is made from the models, so that it has the keys that there are. Taking ``# `` off the lines makes the keys real and
leaves the explanations (``##``) comments.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from coordinator.configuration import Configuration
from coordinator.configuration_help import explanation

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
## Configuration of the coordinator. It is read from the base branch only, and checked: an unknown key is an error.
## Every key stands here with its default; an empty file does the same. To change one, take the `# ` off its line and
## off the lines of the keys above it.
"""


def commented_configuration() -> str:
    """Return the whole file."""
    lines = [line for name in Configuration.model_fields for line in ("", *_key(Configuration, name, ""))]
    return HEAD + "\n".join(lines) + "\n"


def _key(section: type[BaseModel], name: str, indent: str) -> Iterator[str]:
    """Give a key, its explanation above it, what is below it."""
    yield f"## {indent}{_explanation(section, name)}"
    field = section.model_fields[name]
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        yield f"# {indent}{name}:"
        for inner in type(default).model_fields:
            yield from _key(type(default), inner, f"{indent}  ")
        return
    yield f"# {indent}{name}: {_value(default)}"
    if entry := _section_in(field.annotation):
        yield f"## {indent}  Keys of an entry:"
        yield from _entry_keys(entry, f"{indent}    ")


def _entry_keys(entry: type[BaseModel], indent: str) -> Iterator[str]:
    """Explain the keys that an entry of a list or mapping may have: by default there is no entry."""
    for name, field in entry.model_fields.items():
        default = "" if field.is_required() or field.default is None else f" (default: {_value(field.default)})"
        yield f"## {indent}{name}{default}: {_explanation(entry, name)}"
        if inner := _section_in(field.annotation):
            yield from _entry_keys(inner, f"{indent}  ")


def _section_in(annotation: object) -> type[BaseModel] | None:
    """Return the model of the entries that a list or mapping holds; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section_in(inner))), None)


def _explanation(section: type[BaseModel], name: str) -> str:
    return " ".join(explanation(section.__name__, name).replace("``", "`").split())


def _value(default: object) -> str:
    """Write a default as JSON, which YAML reads as well; flow style keeps it on one line."""
    return json.dumps(default, ensure_ascii=False)
