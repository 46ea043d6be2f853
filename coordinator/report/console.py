"""Log lines that a runner, or a terminal, cannot take for commands.

GitHub's runner obeys a line that begins with ``::`` after spaces, and ``##[`` anywhere in a line (actions/runner
``ActionCommand.cs``); Gitea's and Forgejo's obey both at the beginning of a line only (``act/runner/command.go``).
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from coordinator.report.inert import HIDDEN, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import JsonValue

_LINE_START = re.compile(r"^( *)(?:(:)(?=:)|(#)(?=#\[))", re.MULTILINE)


class LogSyntax(StrEnum):
    """Who reads the log."""

    PLAIN = "plain"
    """A person or a file: no commands."""
    GITEA = "gitea"
    """The runner of Gitea or Forgejo, and `act`."""
    GITHUB = "github"


def harmless(text: str, syntax: LogSyntax) -> str:
    """Return the text, of one or more lines, so that none of it is a command. Carriage returns and controls go."""
    text = visible(text).replace("\t", "    ")
    if syntax is LogSyntax.GITHUB:
        return text.replace("##[", "# #[").replace("::", ": :").replace("::", ": :")
    if syntax is LogSyntax.GITEA:
        return _LINE_START.sub(lambda found: f"{found[1]}{found[2] or found[3]} ", text)
    return text


def harmless_anywhere(text: str) -> str:
    """Return the text so that none of it is a command, whoever reads the log."""
    return harmless(text, LogSyntax.GITEA).replace("##[", "# #[")


def harmless_json(document: JsonValue, *, indent: int | None = None) -> str:
    """Return the document as JSON of which no runner obeys a line, and no terminal a character.

    Whoever parses it reads what was there.
    """
    text = json.dumps(document, indent=indent, ensure_ascii=False).replace("##[", "#\\u0023[")
    return HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


class Console:
    """Writes the log. Everything is redacted and made harmless on the way; a message is one line."""

    def __init__(
        self,
        stream: TextIO,
        *,
        syntax: LogSyntax = LogSyntax.PLAIN,
        redact: Callable[[str], str],
    ) -> None:
        """Take the stream, who reads it, and what takes secrets out."""
        self._stream = stream
        self._syntax = syntax
        self._redact = redact

    def mask(self, values: Iterable[str]) -> None:
        """Tell the runner to mask values in what others print. Does nothing outside a runner."""
        if self._syntax is LogSyntax.PLAIN:
            return
        for line in (line for value in values for line in value.splitlines() if line.strip()):
            self._write(f"::add-mask::{_escaped(line)}")

    def say(self, text: str) -> None:
        """Write one message as one line."""
        self._write(self._clean(" ".join(text.split())))

    def warn(self, text: str) -> None:
        """Write a warning; runners that can mark it do."""
        self._annotated("warning", text)

    def fail(self, text: str) -> None:
        """Write an error; runners that can mark it do."""
        self._annotated("error", text)

    def annotate(self, text: str, *, path: str, line: int, title: str) -> None:
        """Write an error that belongs to a line of a file; runners that can mark it there do."""
        if self._syntax is not LogSyntax.GITHUB:
            self.fail(f"{path}:{line}: {text}" if line else f"{path}: {text}")
            return
        fields = {"file": path, **({"line": str(line)} if line else {}), "title": title}
        properties = ",".join(f"{name}={_escaped_property(self._clean(value))}" for name, value in fields.items())
        self._write(f"::error {properties}::{_escaped(self._clean(' '.join(text.split())))}")

    def block(self, title: str, text: str) -> None:
        """Write a text of many lines under a title; runners fold it."""
        lines = [self._clean(line) for line in visible(text).splitlines()]
        heading = self._clean(" ".join(title.split()))
        if self._syntax is LogSyntax.PLAIN:
            self._write("\n".join([heading, *(f"  {line}" for line in lines)]))
        else:
            self._write("\n".join([f"::group::{_escaped(heading)}", *lines, "::endgroup::"]))

    def _annotated(self, kind: str, text: str) -> None:
        line = self._clean(" ".join(text.split()))
        if self._syntax is LogSyntax.GITHUB:
            self._write(f"::{kind}::{_escaped(line)}")
        else:
            self._write(f"{kind}: {line}")

    def _clean(self, text: str) -> str:
        return harmless(self._redact(visible(text)), self._syntax)

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


def _escaped_property(text: str) -> str:
    """Escape a property of a workflow command (actions/toolkit ``packages/core/src/command.ts``, escapeProperty)."""
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _escaped(text: str) -> str:
    """Escape the value of a workflow command (actions/toolkit ``packages/core/src/command.ts``, escapeData)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
