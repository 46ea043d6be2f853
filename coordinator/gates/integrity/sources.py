"""Python sources of a change, read the way the tools read them, and bounded: text, comments, syntax tree."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.gates.change import Change, FileChange

PYTHON = (".py", ".pyi", ".pyw")
SOURCE_LIMIT = 1024 * 1024
"""Bytes of one source that are looked into; a syntax tree takes some two hundred times as much memory."""

LINE_LIMIT = 1000
"""Characters by which a line is known again: one of a megabyte can hold ten thousands of what is counted."""

ENCODINGS = frozenset({"utf-8", "utf-8-sig", "ascii", "iso-8859-1"})
"""Others can spell code so that no reader sees it (``utf-7``), or take minutes to decode (``punycode``)."""

_LINE_END = re.compile(r"\r\n|\r|\n")


class Unreadable(Exception):
    """A source that cannot be looked into."""


@dataclass(frozen=True)
class Source:
    """One Python source."""

    text: str

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines as Python counts them, without their ends."""
        return tuple(_LINE_END.split(self.text))

    @cached_property
    def comments(self) -> tuple[tuple[int, str], ...]:
        """Every comment with its line, 1-based. Where the text cannot be cut into tokens, all behind a ``#`` is one."""
        try:
            return tuple(self._tokenized())
        except (tokenize.TokenError, SyntaxError, ValueError):
            parts = ((number, line.partition("#")) for number, line in enumerate(self.lines, 1))
            return tuple((number, f"#{rest}") for number, (_, mark, rest) in parts if mark)

    @cached_property
    def tree(self) -> ast.Module | None:
        """The syntax tree; None when this Python cannot parse the text, which may be one for a newer Python."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def line(self, number: int) -> str:
        """Return a line without its indentation, cut at `LINE_LIMIT`; empty when there is none of this number."""
        return self.lines[number - 1][:LINE_LIMIT].strip() if 0 < number <= len(self.lines) else ""

    def _tokenized(self) -> Iterator[tuple[int, str]]:
        for token in tokenize.generate_tokens(io.StringIO(self.text, newline=None).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def read_source(data: bytes) -> Source:
    """Return a source. Raises `Unreadable` when it is too large or in an encoding that hides what it says."""
    if len(data) > SOURCE_LIMIT:
        raise Unreadable("it is over 1 MiB")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        raise Unreadable("its encoding is not known") from error
    if encoding not in ENCODINGS:
        raise Unreadable(f"it is in {encoding}")
    try:
        return Source(data.decode(encoding))
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is no {encoding}") from error


def python_files(change: Change) -> tuple[FileChange, ...]:
    """Return the changed files that tools take for Python, by name."""
    return tuple(file for path, file in sorted(change.files.items()) if path.endswith(PYTHON))
