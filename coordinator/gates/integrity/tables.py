"""Tables of shared files that configure the tools of the gates: ``pyproject.toml``, ``package.json`` and their like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates.integrity.findings import attention
from coordinator.gates.rules import gate_tables, is_shared_file
from coordinator.gates.tables import parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coordinator.gates.change import Change, FileChange
    from coordinator.gates.integrity.findings import PolicyFinding

TABLE = "configuration-table"

PACKAGE, CARGO = "package.json", "Cargo.toml"
SCRIPTS = "scripts"

PARTS: Mapping[str, tuple[str, ...]] = {
    PACKAGE: (
        SCRIPTS, "jest", "mocha", "ava", "tap", "nyc", "c8", "eslintConfig", "eslintIgnore", "xo",
    ),
    CARGO: (
        "lints", "workspace.lints", "workspace.exclude", "test", "package.autotests", "lib.test", "lib.harness",
        "lib.doctest",
    ),
}  # fmt: skip
"""What of these files, in any folder, the tools read that the commands of the gates run: npm, "scripts"; the
configuration pages of Jest, Mocha, AVA, node-tap, nyc, c8, ESLint and XO; the Cargo book, "The manifest format"."""


@dataclass(frozen=True, slots=True)
class ConfigurationTables:
    """Names the tables that the change touches. The tree was judged with the base's."""

    name: ClassVar[str] = "configuration tables"
    change: Change

    def find(self) -> Sequence[PolicyFinding]:
        """Return one finding per table that is new, gone or different."""
        shared = (file for path, file in sorted(self.change.files.items()) if is_shared_file(path) or _parts(path))
        return [_finding(file, table) for file in shared for table in _changed(file)]


def _changed(file: FileChange) -> list[str]:
    """Return the names of the tables; empty text for a whole file that cannot be parsed."""
    old, new = (_tables(file.path, data) for data in (file.before, file.after))
    if old == new and not file.is_link:
        return []
    if not isinstance(old, Mapping) or not isinstance(new, Mapping) or file.is_link:
        return [""]
    return sorted(str(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _parts(path: str) -> tuple[str, ...]:
    return PARTS.get(PurePosixPath(path).name, ())


def _tables(path: str, data: bytes | None) -> object:
    """Return what a tool reads in a file, by name; the content itself when it cannot be read."""
    try:
        content = (data or b"").decode("utf-8-sig")
    except UnicodeDecodeError:
        return data
    if not _parts(path):
        return gate_tables(path, content)
    parse: Callable[[str], object] = parse_toml if path.endswith(".toml") else _parse_json
    document = parse(content) if content else {}
    if not isinstance(document, Mapping):
        return content
    found = {name: _at(document, name) for name in _parts(path)}
    return {name: value for name, value in found.items() if value is not None}


def _parse_json(content: str) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _at(document: object, name: str) -> object:
    """Return what stands in a document under dotted keys."""
    for key in name.split("."):
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def _finding(file: FileChange, table: str) -> PolicyFinding:
    path = file.path
    what = f"{path}:{table}" if table else path
    named = f"[{table}]" if is_shared_file(path) else f"`{table}`"
    change = f"{named} of {path} is changed" if table else f"{path} is changed so that it cannot be read as what it was"
    base_counts = is_shared_file(path) or (table == SCRIPTS and file.before is not None)
    rules = "the base's" if base_counts else "it as it is now"
    message = f"{change}: it configures a gate tool. The tree was judged with {rules}; put it back."
    return attention(TABLE, what, message, path=path)
