"""What mypy leaves out: the census counts it, and mypy itself is asked whether it does leave it out."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.integrity.kinds import Kind
from coordinator.gates.integrity.sources import Source
from coordinator.gates.integrity.unchecked import unchecked, worded_unchecked
from tests.gates.integrity.test_census import census

if TYPE_CHECKING:
    from pathlib import Path

WRONG = 'wrong: int = "1"'
HEAD = "import sys\nimport typing\nfrom typing import TYPE_CHECKING\n\nMYPY = PY3 = False\nPY2 = True\n\n"


def lines(code: str) -> list[int]:
    """Return the lines that are counted, of code that follows the head."""
    source = Source(HEAD + code)
    assert source.tree is not None
    found = list(unchecked(source, source.tree))
    assert {each.kind for each in found} <= {Kind.UNCHECKED_BRANCH}
    assert all(each.text == source.line(each.line) for each in found)
    return sorted(each.line - HEAD.count("\n") for each in found)


LEFT_OUT = {
    "else": (f"if TYPE_CHECKING:\n    pass\nelse:\n    {WRONG}\n    other = 1\n", [4, 5]),
    "not": (f"if not typing.TYPE_CHECKING:\n    {WRONG}\n", [2]),
    "twice-not": (f"if not not MYPY:\n    pass\nelse:\n    {WRONG}\n", [4]),
    "old-python": (f"if PY2:\n    {WRONG}\n", [2]),
    "new-python": (f"if PY3:\n    pass\nelse:\n    {WRONG}\n", [4]),
    "or": (f"if MYPY or sys.argv:\n    pass\nelse:\n    {WRONG}\n", [1, 4]),
    "and": (f"if sys.argv and not TYPE_CHECKING:\n    {WRONG}\n", [2]),
    "all-false": (f"if not TYPE_CHECKING or PY2:\n    {WRONG}\n", [2]),
    "elif": (f"if sys.argv:\n    pass\nelif TYPE_CHECKING:\n    pass\nelif sys.path:\n    {WRONG}\n", [5, 6]),
    "inner": (f"if TYPE_CHECKING:\n    pass\nelse:\n    if sys.argv:\n        {WRONG}\n", [4, 5]),
    "operand": ('def f() -> int:\n    return TYPE_CHECKING or "1"\n', [2]),
    "last-operand": ('def f() -> bool:\n    return bool(sys.argv) and not MYPY and "1"\n', [2]),
    "guard": (f"match sys.argv:\n    case [] if not TYPE_CHECKING:\n        {WRONG}\n", [3]),
    "behind-a-guard": (
        f"match PY2:\n    case _ if MYPY:\n        pass\n    case []:\n        pass\n    case _:\n        {WRONG}\n",
        [5, 7],
    ),
    "module": (f"assert not TYPE_CHECKING\n{WRONG}\n", [2]),
}

LOOKED_AT = {
    "plain": f"if TYPE_CHECKING:\n    import os\n{WRONG}\n",
    "unknown": f"if sys.argv:\n    pass\nelse:\n    {WRONG}\n",
    "either": f"if sys.argv or not TYPE_CHECKING:\n    {WRONG}\n",
    "conditional": 'x = "2" if not TYPE_CHECKING else 1\nx = "1"\nwrong: int = x\n',
    "while": f"def f() -> None:\n    while not TYPE_CHECKING:\n        {WRONG}\n        break\n",
    "inner-assert": f"def f() -> None:\n    assert not TYPE_CHECKING\n    {WRONG}\n",
    "assert": f"assert TYPE_CHECKING\n{WRONG}\n",
    "minus": f"if -MYPY:\n    {WRONG}\n",
    "unknown-guard": f"match sys.argv:\n    case _ if sys.path:\n        pass\n    case []:\n        {WRONG}\n",
    "named-guard": f"match sys.argv:\n    case [] as x if MYPY:\n        pass\n    case _:\n        {WRONG}\n",
    "some-guard": f"match sys.argv:\n    case [] if TYPE_CHECKING:\n        pass\n    case _:\n        {WRONG}\n",
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_mypy_leaves_out_is_counted(name: str) -> None:
    code, expected = LEFT_OUT[name]
    assert lines(code) == expected


@pytest.mark.parametrize("name", LOOKED_AT)
def test_what_mypy_looks_at_is_not(name: str) -> None:
    assert lines(LOOKED_AT[name]) == []


def test_mypy_itself_says_the_same(tmp_path: Path) -> None:
    for name, (code, _) in LEFT_OUT.items():
        (tmp_path / f"left_{name.replace('-', '_')}.py").write_text(HEAD + code)
    for name, code in LOOKED_AT.items():
        (tmp_path / f"looked_{name.replace('-', '_')}.py").write_text(HEAD + code)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    wrong = {line.partition(".py:")[0] for line in done.stdout.splitlines() if ": error:" in line}
    assert wrong == {f"looked_{name.replace('-', '_')}" for name in LOOKED_AT}, done.stdout


def test_more_in_a_branch_that_was_there_counts() -> None:
    before = f"{HEAD}if TYPE_CHECKING:\n    x = 1\nelse:\n    x = 2\n"
    found = census({"a.py": before}, {"a.py": f"{before}    y = 3\n    z = 4\n"})
    assert [(each.kind, each.line, each.message[:6]) for each in found] == [("unchecked-branch", 12, "2 more")]
    assert census({"a.py": before}, {"a.py": before.replace("x = 2", "x = 3")}) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("if TYPE_CHECKING:\n    a\n\nelse:\n    b\n\n    c\nd\n", [5, 7]),
        ("  if typing.TYPE_CHECKING:\n    a\n  elif x:\n    b\n  else:\n    c\n", [4, 6]),
        ("if not TYPE_CHECKING:\n    a\nelse:\n    b\n", [2]),
        ("if PY2:\n    a\n", [2]),
        ("if x:\n    a\nelif MYPY:\n    b\nelse:\n    c\n", [6]),
        ("if x:\n    a\nelse:\n    b  # if MYPY\n", []),
        ("if MYPY:\n    a\nfor x in y:\n    b\n", []),
    ],
)
def test_without_a_tree_indentation_has_to_do(code: str, expected: list[int]) -> None:
    found = list(worded_unchecked(Source(code)))
    assert [each.line for each in found] == expected
    broken = f"{code}type = = 1\n"
    counted = census({}, {"a.py": broken})
    assert [finding.line for finding in counted] == expected[:1]
