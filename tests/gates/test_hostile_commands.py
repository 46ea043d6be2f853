"""Hostile commands, reports and output of projects in any language: judged in the real sandbox, none is accepted."""

from __future__ import annotations

import io
import json
import os
import re
import time
import xml.parsers.expat
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GatesSection
from coordinator.gates.commands.command_gate import CommandGate
from coordinator.gates.commands.ran import go_ran, node_ran, rust_ran
from coordinator.gates.commands.workshop import Workshop
from coordinator.gates.tree import export_tree
from coordinator.report.console import Console, LogSyntax, harmless_json
from coordinator.report.redaction import Redactor
from coordinator.report.verdict_junit import verdict_junit
from coordinator.report.verdict_text import verdict_annotations, verdict_text
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from tests.gates.hostile import COMMANDS, Arena, by_name, states
from tests.gates.support import exporter
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coordinator.gates.protocol import Verdict

ROOT = os.geteuid() == 0
JUNIT = "<testsuite><testcase name='a'/></testsuite>"
SARIF = '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}, "results": []}]}'
LCOV = "SF:a.py\nDA:1,1\nend_of_record\n"
PREPARED = {"README.md": "# Toy\n", "junit": JUNIT, "sarif": SARIF, "lcov": LCOV}


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("arena")
    with open_sandbox(folder=folder, visible=interpreter_paths()) as sandbox:
        yield Arena(sandbox, folder)


def commands(lines: Mapping[str, str], report: str | None = None, minutes: float = 1.0) -> GatesSection:
    """Return the configuration with one command for each line, by name; each writes the same report or none."""
    own = [{"name": name, "run": line, "report": report, "minutes": minutes} for name, line in lines.items()]
    return GatesSection.model_validate({**COMMANDS.model_dump(exclude={"commands"}), "commands": own})


def python(program: str) -> str:
    """Return a line for the shell that runs a Python program, which uses no double quotes."""
    return f'python3 -c "{program}"'


REPORTS = {
    "fifo": "mkfifo report",
    "folder": "mkdir report",
    "device": "ln -s /dev/zero report",
    "link": "ln -s junit report",
    "passwd": "ln -s /etc/passwd report",
    "huge": "truncate -s 33M report",
    "bomb": python("print('<!DOCTYPE a [<!ENTITY a \\'b\\'>]><testsuite><testcase name=\\'&a;\\'/></testsuite>')")
    + "> report",
    "deep-xml": python("print('<a>' * 1_000_000)") + "> report",
    "many-xml": python("print('<testsuite>' + '<testcase/>' * 600_000 + '</testsuite>')") + "> report",
    "deep-json": python("print('{' + chr(34) + 'runs' + chr(34) + ':' + '[' * 1_000_000)") + "> report",
    "deep-object": python("print('{\\'a\\':'.replace(chr(39), chr(34)) * 100_000)") + "> report",
    "many-json": python("print(open('sarif').read().replace('[]', '[' + '{},' * 600_000 + '{}]'))") + "> report",
    "large-json": python("print(open('sarif').read() + ' ' * (17 << 20))") + "> report",
    "digits": python("print(open('sarif').read().replace(': []', ': ' + '1' * 1_000_000))") + "> report",
    "line": python(
        "r = {'locations': [{'physicalLocation': {'region': {'startLine': 10 ** 30}}}]};"
        "print(open('sarif').read().replace('[]', str([r]).replace(chr(39), chr(34))))"
    )
    + "> report",
    "hits": "printf 'SF:a\\nDA:1,%0100d\\nend_of_record\\n' 1 > report",
    "cut": "head -c 20 lcov > report",
    "noise": "head -c 100000 /dev/urandom > report",
    "empty": ": > report",
    "zeros": "truncate -s 1M report",
}


def test_no_report_that_is_made_up_is_believed(arena: Arena) -> None:
    results = arena.judge(PREPARED, commands(REPORTS, "report"))
    assert states(results) == dict.fromkeys(REPORTS, "error")
    for name, result in results.items():
        assert "ended with exit code 0, but" in result.message, name
    messages = {name: result.message for name, result in results.items()}
    assert "declares a document type" in messages["bomb"]
    assert "within each other" in messages["deep-xml"]
    assert "holds more than 500000 tests" in messages["many-xml"]
    assert "recursion limit" in messages["deep-json"]
    assert "recursion limit" in messages["deep-object"]
    assert "more than 500000 objects" in messages["many-json"]
    assert "larger than 16 MB" in messages["large-json"]
    assert "less than or equal to" in messages["line"]
    assert "number out of range" in messages["digits"]


def test_a_report_behind_a_link_is_none(arena: Arena) -> None:
    results = arena.judge(PREPARED, commands({"way": "mkdir real; cp junit real/report; ln -s real way"}, "way/report"))
    assert results["way"].details["state"] == "error"
    assert "there is no report at way/report" in results["way"].message


FLOODS = (
    "\n", "ok \n", "ok a" + " " * 1000, "target/", "pytest-of-", "thread '", "1.", "0x0", "\x1b[;", "report:1: ", "a: ",
    "AError", "\u2139 pass ", "Tests: 1 failed, ", "Tests: ", "test result: ok. ", " 1 ",
)  # fmt: skip
"""What suits one of the patterns that look at output best, over and over."""

BYTES = 1 << 20
GENEROUS = 60.0
"""Seconds, for what takes two; a pattern that looks at the rest of the text from each place in it takes minutes."""


def floods() -> Iterator[str]:
    """Yield each flood without an end in between, and with lines."""
    for flood in FLOODS:
        yield flood * (BYTES // len(flood))
        yield f"{flood * 9}\n" * (BYTES // len(flood) // 9)


def test_what_suits_a_pattern_best_is_looked_at_in_time(arena: Arena) -> None:
    """As what a command says that fails, and as what is searched for the totals of a preset's tests."""
    texts = {f"flood-{number}": text for number, text in enumerate(floods())}
    started = time.monotonic()
    results = arena.judge(
        {**PREPARED, "report": "", **texts}, commands({name: f"cat {name}; exit 1" for name in texts})
    )
    assert states(results) == dict.fromkeys(texts, "failed")
    for text in texts.values():
        go_ran(text)
        rust_ran(text)
        node_ran(text)
    assert time.monotonic() - started < GENEROUS


def test_gigabytes_of_output_are_read_and_dropped(arena: Arena) -> None:
    results = arena.judge(PREPARED, commands({"flood": "head -c 3G /dev/zero | tr '\\\\0' x; exit 1"}))
    assert states(results) == {"flood": "failed"}
    assert results["flood"].details["notes"] == ["its output was cut after 8 MB"]
    assert len(results["flood"].model_dump_json()) < 10_000


def test_output_that_was_cut_says_nothing_about_the_tests_of_a_preset(arena: Arena) -> None:
    repository = make_repository(arena.folder / "cut", PREPARED)
    tree = export_tree(exporter(repository), git(repository, "rev-parse", "HEAD^{tree}"), None, arena.sandbox)
    workshop = Workshop(tree, arena.sandbox)
    line = "head -c 9000000 /dev/zero; printf '\\nok  \\ttoy\\t0.1s\\n'"
    result = CommandGate("test", line, workshop, lambda _: {}, 1.0, ran=go_ran).check()
    workshop.remove()
    tree.remove()
    assert result.details["state"] == "error"
    assert result.message.endswith("nobody can tell whether a test ran: its output was cut after 8 MB")


LIVE = (
    "::set-output name=passed::true\n::stop-commands::x\n##[error]x\n::error file=a::b\r::add-mask::a\n"
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b31m \u202eevil\u202c \u2066x\u2069 \x00 \u200b\ufeff\n"
    "a.txt:1: ::warning::hidden \u202e \x1b[2J\x07 ]]> <b>&amp;\n"
)
OBEYED = re.compile(r"(?m)^\s*(?:::|##\[)")
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\ufeff\u202a-\u202e\u2066-\u2069]")


def shown(verdict: Verdict) -> dict[str, str]:
    """Return a verdict in every format of ``coordinator gate``."""
    stream = io.StringIO()
    verdict_annotations(verdict, Console(stream, syntax=LogSyntax.GITHUB, redact=Redactor(())))
    return {
        "text": verdict_text(verdict),
        "github": stream.getvalue(),
        "json": harmless_json(verdict.model_dump(mode="json"), indent=2),
        "junit": verdict_junit(verdict),
    }


@pytest.mark.parametrize("report", [None, "report"])
def test_what_a_log_or_a_terminal_would_obey_is_shown_harmlessly(arena: Arena, report: str | None) -> None:
    """In output, names of tests, paths and messages: nothing starts a command, and nothing is hidden."""
    junit = (
        '<testsuite><testcase name="&#10;::set-output name=a::b \u202e" file="\u202ea.py&#10;::x">'
        '<failure message="LIVE"/>'
    )
    live = LIVE.replace("\x00", "").replace("\x1b", "").replace("\x07", "").replace("]]>", "")
    broken = junit.replace("LIVE", live.replace("&", "&amp;").replace("<", "&lt;")) + "</testcase></testsuite>"
    repository = make_repository(arena.folder / f"live-{report}", {"a.txt": "a\n", "broken": broken})
    (repository / "said").write_bytes(LIVE.encode() + b"\xff\xfe\xc3(\xed\xa0\x80\n")
    commit_files(repository, {})
    verdict = arena.verdict(repository, commands({"live": "cat said; cp broken report; exit 1"}, report))
    assert states(by_name(verdict)) == {"live": "failed"}
    for style, text in shown(verdict).items():
        text.encode()
        assert not HIDDEN.search(text), style
        obeyed = [line for line in text.splitlines() if OBEYED.match(line) and not line.startswith("::error ")]
        assert obeyed == [], style
        assert "hidden" in text, style
    json.loads(shown(verdict)["json"])
    xml.parsers.expat.ParserCreate().Parse(shown(verdict)["junit"].encode(), True)


def test_what_one_command_leaves_behind_is_not_there_for_another(arena: Arena) -> None:
    """HOME and TMPDIR hold settings that Go, Cargo, npm and ruff obey; installed packages are what is run."""
    section = commands(
        {
            "first": "test ! -e $HOME/kept && test ! -e $TMPDIR/kept && touch $HOME/kept $TMPDIR/kept && test -w .",
            "second": "test ! -e $HOME/kept && test ! -e $TMPDIR/kept && touch $HOME/kept $TMPDIR/kept && test -w .",
        }
    )
    for _ in range(2):
        assert states(arena.judge(PREPARED, section)) == {"first": "passed", "second": "passed"}


@pytest.mark.skipif(not ROOT, reason="only another uid can be kept from changing a file that it can read")
def test_no_command_can_change_what_the_set_up_made_for_another(arena: Arena) -> None:
    """Packages and caches are shared: what runs in one gate must not get into the tools of the next."""
    setup = (
        "mkdir -p node_modules/tool $HOME/cache dist && echo good | tee node_modules/tool/run $HOME/cache/a > dist/out",
    )
    spoil = (
        "for file in node_modules/tool/run $HOME/cache/a; do ! echo bad >> $file || exit 1; chmod 666 $file && exit 1; "
        "grep -q good $file && rm $file && echo bad > $file || exit 1; done; echo more >> dist/out"
    )
    section = commands({"first": spoil, "second": spoil})
    for _ in range(2):
        repository = make_repository(arena.folder / f"shared-{arena.judged}", PREPARED)
        arena.judged += 1
        results = by_name(arena.verdict(repository, section, setup=setup))
        assert states(results) == {"first": "passed", "second": "passed"}, results
