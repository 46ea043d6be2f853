from __future__ import annotations

import io
import os
import pty
from typing import TYPE_CHECKING

import pytest

from coordinator.doctor.models import Check, Group, State
from coordinator.doctor.show import LONGEST, PlainDisplay, clean_check, document, open_display, passed
from coordinator.report.console import LogSyntax
from coordinator.report.redaction import Redactor
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Sequence


def check(state: State = State.OK, message: str = "fine", mend: str = "") -> Check:
    return Check(group=Group.SERVER, name="version", state=state, message=message, mend=mend)


THREE = (check(), check(State.WARNING, "old", "Update it"), check(State.ERROR, "gone", "Start it"))


def plain(checks: Sequence[Check], syntax: LogSyntax = LogSyntax.PLAIN) -> list[str]:
    stream = io.StringIO()
    display = PlainDisplay(stream, syntax)
    for one in checks:
        display.show(one)
    display.end(checks)
    return stream.getvalue().splitlines()


def test_one_line_per_check_and_the_counts() -> None:
    assert plain(THREE) == [
        "ok       server         version: fine",
        "warning  server         version: old → Update it",
        "error    server         version: gone → Start it",
        "3 checks: 1 ok, 1 warning, 1 error",
    ]
    assert plain([*THREE, *THREE])[-1] == "6 checks: 2 ok, 2 warnings, 2 errors"


def test_the_document() -> None:
    assert document(THREE[:2]) == {
        "passed": True,
        "counts": {"ok": 1, "warning": 1, "error": 0},
        "checks": [
            {"group": "server", "name": "version", "state": "ok", "message": "fine", "mend": ""},
            {"group": "server", "name": "version", "state": "warning", "message": "old", "mend": "Update it"},
        ],
    }
    assert not passed(THREE)


def test_texts_of_others_are_one_line_without_secrets_and_sequences() -> None:
    hidden = f"{FORGE_CANARY[:9]}\u200b{FORGE_CANARY[9:]}"
    said = f"a\nb\x1b[31m {FORGE_CANARY} {hidden}"
    clean = clean_check(check(State.ERROR, said, f"use {FORGE_CANARY}\r\nnow"), Redactor([FORGE_CANARY]))
    assert (clean.message, clean.mend) == ("a b *** ***", "use *** now")
    assert len(clean_check(check(message="x" * 9999), Redactor(())).message) == LONGEST


def test_no_line_is_a_command_of_a_runner() -> None:
    assert "::" not in plain([check(message="::error::x ##[group]y")], LogSyntax.GITHUB)[0]
    assert "##[" not in plain([check(message="::error::x ##[group]y")], LogSyntax.GITHUB)[0]


@pytest.mark.parametrize("syntax", list(LogSyntax))
def test_what_is_no_terminal_gets_plain_lines(syntax: LogSyntax) -> None:
    assert isinstance(open_display(io.StringIO(), syntax), PlainDisplay)


def test_a_terminal_gets_colours_and_the_mend_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        display = open_display(stream, LogSyntax.PLAIN)
        for one in (*THREE, check(State.WARNING, "[bold]long[/bold] " + "word " * 60, "m")):
            display.show(one)
        display.end(THREE)
        stream.flush()
        raw = b""
        while b" checks: " not in raw or not raw.endswith(b"\n"):
            raw += os.read(ours, 65536)
    os.close(ours)
    seen = raw.decode()
    assert "\x1b[33mwarning\x1b[0m" in seen
    assert "\x1b[1;31merror\x1b[0m" in seen
    lines = seen.replace("\r\n", "\n").splitlines()
    assert any("→ Update it" in line and "old" not in line for line in lines)
    assert any("[bold]long[/bold]" in line and line.count("word") == 60 for line in lines)
    assert "3 checks: 1 ok, 1 warning, 1 error" in lines[-1]
