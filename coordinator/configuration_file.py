"""From the bytes of `.coordinator.yml` to a `Configuration`, or to one line that says what is wrong where."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, JsonValue, ValidationError

from coordinator.configuration import Configuration
from coordinator.errors import Misconfigured
from coordinator.planning.models import AgentName
from coordinator.yaml_lines import Document, Path, YamlProblem, read_yaml, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_PROBLEMS = 5
"""How many problems one message lists."""

_EXPECTATIONS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a name of up to 32 small letters, digits and hyphens that starts with a letter",
    "tuple_type": "a list",
    "too_short": "a list that is not empty",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number from {ge:g} up",
    "less_than_equal": "a number up to {le:g}",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "value_error": "{error}",
}
"""What would be valid, by pydantic's type of error (docs.pydantic.dev, "Validation Errors")."""

_NEVER_SHOWN = frozenset({"api_key_env", "base_url"})
"""Keys under which somebody may have pasted a key or an address with a password."""


@dataclass(frozen=True, slots=True)
class _Problem:
    line: int
    what: str
    mend: str


def load_configuration(text: bytes | None, *, file: str) -> Configuration:
    """Read the configuration; None and an empty file are all defaults.

    `file` is its name for messages. Raises `Misconfigured` with ``file:line`` and the path of every wrong key, up to
    `MOST_PROBLEMS`, and with what would be valid.
    """
    try:
        document = read_yaml(text or b"")
    except YamlProblem as problem:
        raise _misconfigured(file, [_Problem(problem.line, problem.problem, "Correct that line")]) from None
    data = {} if document.data is None else _without_empty(document.data, Configuration)
    try:
        configuration = Configuration.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise _misconfigured(file, _problems(document, error)) from None
    half_profiles = _half_profiles(document, configuration)
    if half_profiles:
        raise _misconfigured(file, half_profiles)
    return configuration


def _without_empty(data: JsonValue, section: type[BaseModel]) -> JsonValue:
    """Take a known key without a value as not written: what is left when all keys below it are commented out."""
    if isinstance(data, list):
        return [_without_empty(item, section) for item in data]
    if not isinstance(data, dict):
        return data
    filled = {key: value for key, value in data.items() if value is not None or key not in section.model_fields}
    return {key: _without_empty(value, _section_below(section, key)) for key, value in filled.items()}


def _misconfigured(file: str, problems: list[_Problem]) -> Misconfigured:
    problems = sorted(problems, key=lambda problem: problem.line)
    first = problems[:MOST_PROBLEMS]
    what = "; ".join(f"{file}:{problem.line}: {problem.what}" for problem in first)
    if len(problems) > len(first):
        what += f"; and {len(problems) - len(first)} more"
    if len(first) == 1:
        return Misconfigured(what, mend=first[0].mend)
    return Misconfigured(what, mend="; ".join(f"Line {problem.line}: {problem.mend}" for problem in first))


def _problems(document: Document, error: ValidationError) -> list[_Problem]:
    """Turn pydantic's errors into ours.

    The branches of a union give one error each: they become one problem. A list whose only item is wrong gives
    another for being empty: that one is left out.
    """
    all_errors = error.errors(include_url=False)
    placed = [(_place(document, one), one) for one in all_errors if one["type"] != "too_short" or one["input"] == []]
    return [_problem(document, place, [one for _, one in group]) for place, group in groupby(placed, lambda p: p[0])]


def _place(document: Document, details: ErrorDetails) -> Path:
    """Return the path in the file, without what pydantic adds to it (``[key]``, the names of union branches)."""
    path: Path = ()
    for part in details["loc"]:
        if (*path, part) not in document.lines:
            return (*path, part) if details["type"] == "missing" else path
        path = (*path, part)
    return path


def _problem(document: Document, path: Path, errors: list[ErrorDetails]) -> _Problem:
    line = document.line(path)
    kind = errors[0]["type"]
    if kind == "extra_forbidden":
        return _Problem(line, f"{_dotted(path)}: unknown key", _valid_keys(path))
    if kind == "missing":
        return _Problem(line, f"{_dotted(path)}: missing", f"Add the key {path[-1]} with its value")
    expected = " or ".join(dict.fromkeys(_expectation(one) for one in errors))
    value: JsonValue = errors[0]["input"]
    given = "" if _NEVER_SHOWN.intersection(path) or kind == "value_error" else f", not {_show(value)}"
    what = f"{_dotted(path)}: should be {expected}{given}"
    quotable = "string_type" in {one["type"] for one in errors} and isinstance(value, bool | int | float)
    return _Problem(line, what, "Put the value in quotes" if quotable else f"Write {expected}")


def _expectation(details: ErrorDetails) -> str:
    template = _EXPECTATIONS.get(details["type"])
    return template.format(**details.get("ctx", {})) if template else details["msg"]


def _show(value: JsonValue) -> str:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return "nothing" if value is None else json.dumps(value)[:60]


def _dotted(path: Path) -> str:
    """Write a path as people do: ``gates.commands[0].run``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_printable(part)}" for part in path)
    return text.removeprefix(".") or "the file"


def _printable(key: str) -> str:
    return key if key.isprintable() and len(key) <= 60 else shown(key)  # noqa: PLR2004  (the bound of `shown`)


def _valid_keys(path: Path) -> str:
    keys = _keys_at(path[:-1])
    near = difflib.get_close_matches(str(path[-1]), keys, n=1)
    hint = f"Write {near[0]} instead; valid" if near else "Valid"
    return f"{hint} here are {', '.join(keys)}"


def _keys_at(path: Path) -> list[str]:
    """Return the keys that may stand in the mapping at the path."""
    section: type[BaseModel] = Configuration
    for part in path:
        section = _section_below(section, part)
    return list(section.model_fields)


def _section_below(section: type[BaseModel], key: str | int) -> type[BaseModel]:
    """Return the section that a key of a section holds; the same section for a list's index or a profile's name."""
    field = section.model_fields.get(key) if isinstance(key, str) else None
    return (_section_in(field.annotation) if field else None) or section


def _section_in(annotation: object) -> type[BaseModel] | None:
    """Return the section that a field holds, also within ``| None``, a tuple or a dict."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section_in(inner))), None)


def _half_profiles(document: Document, configuration: Configuration) -> list[_Problem]:
    """Return the agents that are neither built in nor complete: most often a built-in name with a slip."""
    built_in = [name.value for name in AgentName]
    problems = []
    for name, section in configuration.agents.items():
        if name not in built_in and not (section.model and section.base_url):
            near = difflib.get_close_matches(name, built_in, n=1, cutoff=0.75)
            hint = f"Write {near[0]} instead" if near else f"Use one of {', '.join(built_in)}"
            what = f"agents.{name}: no built-in profile, and one of your own needs model and base_url"
            problems.append(_Problem(document.line(("agents", name)), what, f"{hint}, or add both keys"))
    return problems
