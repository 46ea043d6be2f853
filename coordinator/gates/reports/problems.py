"""Finding places in the output of any compiler, linter or test runner.

Most tools name a place as ``path:line:column: message`` (GCC, Go, ESLint's unix format, mypy …), some as
``path(line,column): message`` (TypeScript), Rust as ``--> path:line:column`` below the message and as ``thread 'name'
panicked at path:line:column:`` above it. A place counts
when the tree has such a file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coordinator.gates.evidence import Finding
from coordinator.gates.files import place_below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = re.compile(
    r"^\s*(?P<arrow>--> |thread .{1,200} panicked at )?(?P<path>[\w.@+/-]{1,300})"
    r"(?::(?P<line>[0-9]{1,7})(?::(?P<column>[0-9]{1,7}))?|\((?P<row>[0-9]{1,7}),(?P<place>[0-9]{1,7})\))"
    r":?(?:\s+(?P<message>\S.*))?$"
)
LINE_LIMIT = 2000
"""Characters of a line that is looked at; a longer one is data."""

MOST_PROBLEMS = 1000
MOST_PLACES = 20_000
"""Lines that look like one and may name no file of the tree; a run that fails in more is read up to there."""


def problems(output: str, root: Path) -> list[Finding]:
    """Return the first places that an output names, in its order, each once. Paths are relative to `root`."""
    found: dict[tuple[str, int, int, str], Finding] = {}
    for finding in _places(output, root):
        found.setdefault((finding.path, finding.line, finding.column, finding.message), finding)
        if len(found) >= MOST_PROBLEMS:
            break
    return list(found.values())


def _places(output: str, root: Path) -> Iterator[Finding]:
    lines = [line for line in output.splitlines() if line.strip()]
    looked_at = 0
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        match = PLACE.match(line) if len(line) <= LINE_LIMIT else None
        if match is None:
            continue
        looked_at += 1
        if looked_at > MOST_PLACES:
            return
        beside = {None: "", "--> ": before}.get(match["arrow"], after)
        message = match["message"] or beside[:LINE_LIMIT]
        if message and _is_file(root, match["path"]):
            yield _finding(match, message)


def _finding(match: re.Match[str], message: str) -> Finding:
    return Finding(
        path=match["path"].removeprefix("./"),
        line=int(match["line"] or match["row"]),
        column=int(match["column"] or match["place"] or 0),
        code="",
        message=message.strip(),
    )


def _is_file(root: Path, name: str) -> bool:
    path = place_below(root, name)
    return path is not None and path.is_file() and not path.is_symlink()
