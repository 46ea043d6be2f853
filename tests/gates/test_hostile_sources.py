"""Hostile trees: huge, deep, oddly named. What reads them ends in time, and says what it did not look into."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from coordinator.configuration import GatesSection, IntegrityGateSection, TestGateSection
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.report.console import harmless_json
from coordinator.report.verdict_junit import verdict_junit
from coordinator.report.verdict_text import verdict_text
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from tests.gates.hostile import PROJECT, Arena, by_name, states
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coordinator.gates.protocol import GateResult

SECTION = GatesSection(integrity=IntegrityGateSection(mutants=2), test=TestGateSection(minutes=2))


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("arena")
    with open_sandbox(folder=folder, visible=interpreter_paths()) as sandbox:
        arena = Arena(sandbox, folder)
        yield arena
        arena.assert_unharmed()


def changed(arena: Arena, name: str, files: Mapping[str, str]) -> dict[str, GateResult]:
    """Judge a change that adds files to the green project."""
    repository = make_repository(arena.folder / name, PROJECT)
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, files)
    return by_name(arena.verdict(repository, SECTION, base))


def kinds(results: Mapping[str, GateResult]) -> set[object]:
    found = cast("list[dict[str, object]]", results["integrity"].details["findings"])
    return {finding["kind"] for finding in found}


DEPTH = 10_000
DEEP = {
    "brackets": "X = " + "(" * DEPTH + "1" + ")" * DEPTH + "\n",
    "minus": "X = " + "-" * DEPTH + "1\n",
    "sum": "X = " + "1 + " * DEPTH + "1\n",
    "chain": "X = str" + ".a" * DEPTH + "\n",
    "calls": "X = str" + "()" * DEPTH + "\n",
    "else": "def f(x: int) -> int:\n    if x == 0:\n        return 0\n"
    + "".join(f"    elif x == {n}:\n        return {n}\n" for n in range(1, DEPTH))
    + "    return 1\n",
    "lists": "X = " + "[" * DEPTH + "]" * DEPTH + "\n",
    "lambda": "X = " + "lambda: " * DEPTH + "1\n",
    "quoted": "x: '" + "list[" * DEPTH + "int" + "]" * DEPTH + "'\n",
}


@pytest.mark.parametrize("name", DEEP)
def test_an_expression_of_ten_thousand_levels_breaks_a_tool_and_not_the_coordinator(arena: Arena, name: str) -> None:
    """Compilers have limits, and end with a signal or with words of their own: each is seen, and none is green."""
    results = changed(arena, f"deep-{name}", {"toy/deep.py": DEEP[name]})
    assert results["test"].passed
    assert results["integrity"].details["state"] == "error"
    assert not any(str(result.message).startswith("the gate itself failed") for result in results.values())
    assert "the check itself failed" not in results["integrity"].message


LONG = 1_000_000
MEMORY = 1_500_000
"""KiB more than before, of the coordinator itself; a syntax tree of a megabyte takes some 200 MB."""

EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
"""The id that git gives to an empty file."""

ODD_NAMES = (
    b"toy/new\nline.py", b"toy/\xff\xfe.py", b"tests/test_\xe9.py", b"toy/\x1b[31m.py", "toy/\u202egnp.py".encode(),
)  # fmt: skip
ODD = "import os  # type: ignore\nX: int = ''\n\n\ndef test_a() -> None:\n    assert False\n"
LINES = {
    "hashes": "# " * (LONG // 2) + "\n",
    "type": "# type: " * (LONG // 8) + "\n",
    "ignore": "# type: ignore[" * (LONG // 15) + "\n",
    "noqa": "# noqa: E501, " * (LONG // 14) + "\n",
    "pragma": "# pragma " * (LONG // 9) + "\n",
    "blanks": "#" + " " * LONG + "\n",
    "string": "X = '" + "# pragma: no cover " * (LONG // 19) + "'\n",
    "names": "X = [" + "a.xfail, " * (LONG // 80) + "]\n",
    "lines": "# \n" * (LONG // 30),
}


COUNTED = {"ignore": "type-ignore", "noqa": "noqa", "pragma": "pragma", "string": "pragma", "names": "xfail"}


@pytest.mark.parametrize("name", LINES)
def test_a_line_of_a_megabyte_is_counted_in_time_and_in_little_memory(arena: Arena, name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = changed(arena, f"line-{name}", {"toy/line.py": LINES[name]})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY
    found = kinds(results)
    assert found >= ({COUNTED[name]} if name in COUNTED else set())
    assert results["integrity"].passed == (name in {"hashes", "type", "blanks", "lines"})


def test_a_source_of_two_hundred_megabytes_is_not_looked_into(arena: Arena) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = changed(arena, "huge", {"toy/huge.py": ("#" * 99_999 + "\n") * 2000})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY
    assert results["integrity"].details["state"] == "error"
    assert "toy/huge.py cannot be looked into: it is over 1 MiB" in results["integrity"].message
    assert "unreadable-source" in kinds(results)


def test_fifty_thousand_files_are_judged(arena: Arena) -> None:
    repository = make_repository(arena.folder / "many", PROJECT)
    base = git(repository, "rev-parse", "HEAD")
    names = "".join(f"M 644 {EMPTY} toy/d{n // 500}/f{n}.txt\n" for n in range(50_000))
    text = f"commit refs/heads/main\ncommitter Dev <dev@example.invalid> 1767323045 +0000\ndata 4\nMany\nfrom {base}\n"
    git(repository, "hash-object", "-w", "/dev/null")
    stream = repository.with_suffix(".stream")
    stream.write_text(f"{text}{names}\n", encoding="utf-8")
    with stream.open("rb") as file:
        subprocess.run(["/usr/bin/env", "git", "fast-import", "--quiet"], cwd=repository, stdin=file, check=True)
    assert arena.verdict(repository, SECTION, base).passed


def test_names_that_are_no_text_or_more_than_one_line_are_shown(arena: Arena) -> None:
    repository = make_repository(arena.folder / "odd", PROJECT)
    base = git(repository, "rev-parse", "HEAD")
    for name in ODD_NAMES:
        Path(repository, os.fsdecode(name)).write_text(ODD, encoding="utf-8")
    commit_files(repository, {})
    verdict = arena.verdict(repository, SECTION, base)
    assert states(by_name(verdict)) == {
        "build": "error", "lint": "failed", "test": "error", "coverage": "error", "integrity": "error",
    }  # fmt: skip
    assert json.loads(verdict.model_dump_json())["gates"]
    for text in (verdict_text(verdict), verdict_junit(verdict), harmless_json(verdict.model_dump(mode="json"))):
        text.encode()
        assert not {"\x1b", "\u202e"} & set(text)


def test_links_that_go_round_in_circles_are_not_followed(arena: Arena) -> None:
    repository = make_repository(arena.folder / "loops", {n: t for n, t in PROJECT.items() if "tests" not in n})
    base = git(repository, "rev-parse", "HEAD")
    (repository / "tests").symlink_to("tests")
    (repository / "toy/again").symlink_to("../toy")
    (repository / "toy/self.py").symlink_to("self.py")
    commit_files(repository, {})
    results = by_name(arena.verdict(repository, SECTION, base))
    assert results["test"].message == "no tests in the target: pytest found none to run"
    assert results["integrity"].details["state"] in {"error", "attention"}


def test_what_a_gate_says_can_always_be_written_down() -> None:
    odd = os.fsdecode(b"a\xff")
    result = timed("any", lambda: Judgement(State.FAILED, odd, {"findings": [{"path": odd, "line": 1}], "output": odd}))
    assert result.message == "a\ufffd"
    assert result.details["findings"] == [{"path": "a\ufffd", "line": 1}]
    assert json.loads(result.model_dump_json())["details"]["output"] == "a\ufffd"
