"""Reading TOML and INI files of a judged tree: whatever is wrong with one counts as empty."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from coordinator.gates.files import text_below

if TYPE_CHECKING:
    from pathlib import Path

Table = Mapping[str, object]
"""A TOML table; what is in it is checked where it is used."""


def parse_toml(content: str) -> Table | None:
    """Return the document, None when it is no TOML."""
    try:
        return tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def parse_ini(content: str) -> dict[str, dict[str, str]] | None:
    """Return the sections with their options, None when it is no INI file."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(content)
        return {section: dict(parser.items(section)) for section in parser.sections()}
    except configparser.Error:
        return None


def read_toml(folder: Path, name: str) -> Table:
    """Return a TOML file of a tree, empty when it is absent or broken."""
    return parse_toml(text_below(folder, name) or "") or {}


def read_ini(folder: Path, name: str) -> dict[str, dict[str, str]]:
    """Return an INI file of a tree, empty when it is absent or broken."""
    return parse_ini(text_below(folder, name) or "") or {}


def subtable(document: Table, *keys: str) -> Table:
    """Return the table at a path of keys, empty when it is absent or something else."""
    table: object = document
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def text(value: object) -> str:
    """Return a string as it is and anything else as the empty string."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """Return the strings of a list, or a single string as a list of one; anything else is dropped."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
