"""No line of foreign text is a command, whoever reads the log."""

from __future__ import annotations

import io
import json
import re

import pytest

from coordinator.report.console import Console, LogSyntax, harmless, harmless_anywhere, harmless_json
from coordinator.report.redaction import Redactor
from tests.support import FORGE_CANARY

ATTACKS = [
    "::set-output name=outcome::completed",
    "  ::add-mask::a",
    "\t::warning::x",
    "text ::stop-commands::x",
    "##[add-mask]a",
    "text ##[set-output name=a;]b",
    ":::error::x",
    "::::group::x",
    "a\r::error::x",
    "a\n::error::x",
    "a\u2028::error::x",
    "a\x0b::error::x",
    "a\x85##[error]x",
    "\u200b::error::x",
    ":\u200b:error::x",
    "#\u200b#[error]x",
    "\x1b[31m::error::x",
    "\x1b]0;x\x07::error::x",
    "\ufeff::error::x",
]
GITEA_COMMAND = re.compile(r"^(?:::[^ ]+(?: .+)?::|##\[[^ ]+(?: .+)?\])")


def obeys(line: str, syntax: LogSyntax) -> bool:
    """What the runners do with a line: GitHub's `ActionCommand.cs`, Gitea's `command.go`."""
    if syntax is LogSyntax.GITHUB:
        return line.strip().startswith("::") or "##[" in line
    return GITEA_COMMAND.match(line) is not None


def split(text: str) -> list[str]:
    return re.split(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", text)


@pytest.mark.parametrize("syntax", [LogSyntax.GITEA, LogSyntax.GITHUB])
@pytest.mark.parametrize("attack", ATTACKS)
def test_foreign_text_is_no_command(attack: str, syntax: LogSyntax) -> None:
    assert not any(obeys(line, syntax) for line in split(harmless(attack, syntax)))


@pytest.mark.parametrize("syntax", [LogSyntax.GITEA, LogSyntax.GITHUB])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_for_an_unknown_reader_is_no_command_for_any(attack: str, syntax: LogSyntax) -> None:
    assert not any(obeys(line, syntax) for line in split(harmless_anywhere(attack)))


@pytest.mark.parametrize("syntax", [LogSyntax.GITEA, LogSyntax.GITHUB])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_document_is_no_command_and_loses_nothing(attack: str, syntax: LogSyntax) -> None:
    text = harmless_json({attack: [attack, "a::b"]}, indent=2)
    assert not any(obeys(line, syntax) for line in text.split("\n"))
    assert json.loads(text) == {attack: [attack, "a::b"]}


@pytest.mark.parametrize("syntax", [LogSyntax.GITEA, LogSyntax.GITHUB])
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_the_console_writes_carries_a_foreign_command(attack: str, syntax: LogSyntax) -> None:
    stream = io.StringIO()
    console = Console(stream, syntax=syntax, redact=str)
    console.say(attack)
    console.warn(attack)
    console.fail(attack)
    console.block(attack, attack)
    own = re.compile(r"::(?:group::|endgroup::|warning::|error::)")
    lines = [own.sub("", line, count=1) for line in stream.getvalue().splitlines()]
    assert lines
    assert not any(obeys(line, syntax) for line in lines)


def test_gitea_keeps_what_stands_inside_a_line() -> None:
    assert harmless("see std::vector ##[x]", LogSyntax.GITEA) == "see std::vector ##[x]"
    assert harmless("see std::vector", LogSyntax.GITHUB) == "see std: :vector"
    assert harmless(":::::", LogSyntax.GITHUB) == ": : : : :"
    assert harmless("::error::x", LogSyntax.PLAIN) == "::error::x"


def write(syntax: LogSyntax) -> str:
    stream = io.StringIO()
    console = Console(stream, syntax=syntax, redact=Redactor([FORGE_CANARY]))
    console.say(f"token {FORGE_CANARY}\nis here")
    console.warn("50 % done")
    console.fail("it broke")
    console.block("Output of\ntests", "one\n  two\x07")
    return stream.getvalue()


def test_plain_lines() -> None:
    assert write(LogSyntax.PLAIN) == (
        "token *** is here\nwarning: 50 % done\nerror: it broke\nOutput of tests\n  one\n    two\n"
    )


def test_lines_for_gitea() -> None:
    assert write(LogSyntax.GITEA) == (
        "token *** is here\nwarning: 50 % done\nerror: it broke\n::group::Output of tests\none\n  two\n::endgroup::\n"
    )


def test_lines_for_github() -> None:
    assert write(LogSyntax.GITHUB) == (
        "token *** is here\n::warning::50 %25 done\n::error::it broke\n"
        "::group::Output of tests\none\n  two\n::endgroup::\n"
    )


def test_a_secret_that_hidden_characters_split_is_redacted() -> None:
    stream = io.StringIO()
    Console(stream, redact=Redactor([FORGE_CANARY])).say("\u200b".join(FORGE_CANARY))
    assert stream.getvalue() == "***\n"


def test_masks_go_to_runners_only_one_per_line() -> None:
    stream = io.StringIO()
    Console(stream, syntax=LogSyntax.GITEA, redact=str).mask(["50%", "a\n\nb"])
    assert stream.getvalue() == "::add-mask::50%25\n::add-mask::a\n::add-mask::b\n"
    plain = io.StringIO()
    Console(plain, redact=str).mask(["x"])
    assert plain.getvalue() == ""
