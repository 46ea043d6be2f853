"""YAML as plain data, with the line of every key and item.

Stricter than YAML 1.1: one document, no duplicate keys, no anchors, aliases, merges or tags, dates are texts. What is
left cannot grow when it is read, and nothing in it is constructed but text, numbers, booleans, lists and mappings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pydantic import JsonValue

Path = tuple[str | int, ...]
"""Keys and indexes from the top, e.g. ``("gates", "commands", 0, "run")``."""

LARGEST_FILE = 256 * 1024
DEEPEST = 20
"""Levels of nesting. The configuration has 5."""

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null"))


class YamlProblem(Exception):
    """What is wrong with the file as YAML, and in which line (1-based)."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(line, problem)
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a file and where each part of it stands."""

    data: JsonValue
    lines: dict[Path, int] = field(default_factory=dict)
    """1-based line of every key and list item, by its path."""

    def line(self, path: Path) -> int:
        """Return the line of what is at the path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: bytes) -> Document:
    """Read one document; an empty one is None. Raises `YamlProblem`."""
    if len(text) > LARGEST_FILE:
        raise YamlProblem(1, f"the file has {len(text)} bytes, more than {LARGEST_FILE}")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlProblem(text.count(b"\n", 0, error.start) + 1, "the file is not UTF-8 text") from None
    try:
        return _read(decoded)
    except yaml.reader.ReaderError as error:
        line = decoded.count("\n", 0, error.position) + 1
        raise YamlProblem(line, "there is a control character in the file") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_problem(error) from None


def _read(text: str) -> Document:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        data = None if node is None else _plain(loader, node, (), lines)
        return Document(data=data, lines=lines)
    finally:
        loader.dispose()


def _syntax_problem(error: yaml.MarkedYAMLError) -> YamlProblem:
    mark = error.problem_mark or error.context_mark
    problem = " ".join((error.problem or error.context or "no valid YAML").split())
    return YamlProblem(mark.line + 1 if mark else 1, f"no valid YAML: {problem[:100]}")


class _Loader(yaml.SafeLoader):
    """Composes nodes; refuses aliases and deep nesting while it does, so that neither costs time or stack."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise YamlProblem(line, "aliases (*name) are not supported")
        if self.depth >= DEEPEST:
            raise YamlProblem(line, f"nested deeper than {DEEPEST} levels")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _plain(loader: _Loader, node: yaml.Node, path: Path, lines: dict[Path, int]) -> JsonValue:
    if node.tag == f"{_TAG}map" and isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines)
    if node.tag == f"{_TAG}seq" and isinstance(node, yaml.SequenceNode):
        return _sequence(loader, node, path, lines)
    if node.tag in _SCALARS and isinstance(node, yaml.ScalarNode):
        return _scalar(loader, node)
    raise YamlProblem(_line(node), "tags (!name) are not supported")


def _mapping(loader: _Loader, node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> JsonValue:
    data: dict[str, JsonValue] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlProblem(_line(key_node), "a key has to be a plain text")
        key: str = key_node.value
        if key in data:
            first = lines[(*path, key)]
            raise YamlProblem(_line(key_node), f"the key {shown(key)} stands here a second time, after line {first}")
        lines[(*path, key)] = _line(key_node)
        data[key] = _plain(loader, value_node, (*path, key), lines)
    return data


def _sequence(loader: _Loader, node: yaml.SequenceNode, path: Path, lines: dict[Path, int]) -> JsonValue:
    data: list[JsonValue] = []
    for index, item in enumerate(node.value):
        lines[(*path, index)] = _line(item)
        data.append(_plain(loader, item, (*path, index), lines))
    return data


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> JsonValue:
    try:
        value: JsonValue = loader.construct_object(node)
        str(value).encode()
    except ValueError:  # e.g. `!!int x`, a number of 5000 digits, half of a surrogate pair
        raise YamlProblem(_line(node), "a value that cannot be read") from None
    return value


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1


def shown(text: str, longest: int = 60) -> str:
    """Return a text of the file for a message: in quotes, on one line; only its length when it is long."""
    return repr(text) if len(text) <= longest else f"a text of {len(text)} characters"
