"""The census: every kind in every spelling, and what is none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.change import Change, FileChange
from coordinator.gates.files import TEXT_LIMIT
from coordinator.gates.integrity.census import EFFECTS, UNREADABLE, Census
from coordinator.gates.integrity.findings import Severity
from coordinator.gates.integrity.kinds import Kind
from coordinator.gates.integrity.pretending import OF_SOURCES
from coordinator.gates.integrity.sources import SOURCE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.gates.integrity.findings import PolicyFinding

BASE = '"""Toy."""\n\n\ndef double(number: int) -> int:\n    return 2 * number\n'


def in_toy(path: str) -> bool:
    return path.startswith("toy/")


def census(
    before: Mapping[str, str], after: Mapping[str, str], allow: Mapping[Kind, int] | None = None
) -> list[PolicyFinding]:
    files = {
        path: FileChange(
            path,
            before[path].encode() if path in before else None,
            after[path].encode() if path in after else None,
        )
        for path in (*before, *after)
    }
    return list(Census(Change(files), allow or {}, in_toy).find())


def kinds(added: str, path: str = "toy/a.py") -> list[tuple[str, int]]:
    """Return kind and line of what an addition to the base brings."""
    return [(finding.kind, finding.line - 5) for finding in census({path: BASE}, {path: BASE + added})]


@pytest.mark.parametrize(
    ("added", "kind", "line"),
    [
        ("x: int = double('a')  # type: ignore\n", "type-ignore", 1),
        ("x: int = double('a')  #type:ignore[arg-type]\n", "type-ignore", 1),
        ("x: int = (\n    double('a')  # noqa: E1 # type: ignore[arg-type]\n)\n", "type-ignore", 2),
        ("# mypy: ignore-errors\n", "mypy-comment", 1),
        ('TEXT = """\n# mypy: ignore-errors\n"""\n', "mypy-comment", 2),
        ("import os  # noqa\n", "noqa", 1),
        ("import os  # NOQA:F401 because\n", "noqa", 1),
        ("# ruff: noqa\n", "ruff-comment", 1),
        ("# ruff: noqa: F401\n", "ruff-comment", 1),
        ("# flake8: noqa\n", "ruff-comment", 1),
        ("# isort: skip_file\n", "ruff-comment", 1),
        ("# ruff: disable[F401]\n", "ruff-comment", 1),
        ("if double(1):  # pragma: no cover\n    pass\n", "pragma", 1),
        ("if double(1):  # PRAGMA NO BRANCH\n    pass\n", "pragma", 1),
        ("if double(1):\n    x = '# pragma: no cover'\n", "pragma", 2),
        ("import pytest\n\n\n@pytest.mark.skip\ndef test_a(): ...\n", "skip", 4),
        ("import pytest\n\n\n@pytest.mark.skipif(True, reason='')\ndef test_a(): ...\n", "skip", 4),
        ("from pytest import mark as m\n\n\n@m.skip(reason='')\ndef test_a(): ...\n", "skip", 4),
        ("import pytest\n\npytest.importorskip('nothing')\n", "skip", 3),
        ("import pytest\n\npytest.skip('', allow_module_level=True)\n", "skip", 3),
        ("from pytest import skip as go\n\ngo('')\n", "skip", 3),
        ("import unittest\n\n\n@unittest.skipUnless(False, '')\nclass A: ...\n", "skip", 4),
        ("from unittest import SkipTest\n\nraise SkipTest\n", "skip", 3),
        ("class A:\n    def test_a(self):\n        self.skipTest('')\n", "skip", 3),
        ("import pytest\n\nmark = getattr(pytest.mark, 'skip')\n", "skip", 3),
        ("def test_a(request):\n    request.node.add_marker('xfail')\n", "xfail", 2),
        ("import pytest\n\n\n@pytest.mark.xfail(strict=False)\ndef test_a(): ...\n", "xfail", 4),
        ("import unittest\n\n\n@unittest.expectedFailure\ndef test_a(): ...\n", "xfail", 4),
        ("from typing import cast\n\nx = cast(int, 'a')\n", "cast", 3),
        ("import typing as t\n\nx = t.cast(int, 'a')\n", "cast", 3),
        ("from typing import *\n\nx = cast(int, 'a')\n", "cast", 3),
        ("from typing_extensions import cast as force\n\nx = force(int, 'a')\n", "cast", 3),
        ("from .compat import cast\n\nx = cast(int, 'a')\n", "cast", 3),
        ("from typing import TypeGuard\n\n\ndef f(x: object) -> TypeGuard[int]: ...\n", "cast", 4),
        ("import typing_extensions as t\n\n\ndef f(x: object) -> 't.TypeIs[int]': ...\n", "cast", 4),
        ("from typing import Any\n\n\ndef f() -> Any: ...\n", "any", 4),
        ("from typing import Any\n\n\ndef f() -> 'Any': ...\n", "any", 4),
        ("import typing\n\n\ndef f(x: 'dict[str, typing.Any]') -> None: ...\n", "any", 4),
        ("import typing\n\nx: typing.Any = 1\n", "any", 3),
        ("from typing import Any\n\nx: 'Any' = 1\n", "any", 3),
        ("def f(x):\n    # type: (Any) -> int\n    return x\n", "any", 2),
        ("import typing\n\n\n@typing.no_type_check\ndef f(): ...\n", "no-type-check", 4),
        ("exec('x = 1')\n", "exec", 1),
        ("x = eval('1')\n", "exec", 1),
        ("import builtins as b\n\nb.exec('x = 1')\n", "exec", 3),
        ("__builtins__['exec']('x = 1')\n", "exec", 1),
        ("import os\n\nos._exit(0)\n", "process-exit", 3),
        ("from os import _exit as leave\n\nleave(0)\n", "process-exit", 3),
        ("import os\n\nos.execv('/bin/true', ['true'])\n", "process-exit", 3),
        ("import pytest\n\npytest.exit('done', returncode=0)\n", "process-exit", 3),
        ("import atexit\n", "atexit", 1),
        ("from atexit import register\n", "atexit", 1),
        ("import importlib\n\nimportlib.import_module('atexit')\n", "atexit", 3),
        ("import _pytest.runner\n", "runner-internals", 1),
        ("from _pytest import runner\n", "runner-internals", 1),
        ("import coverage\n", "runner-internals", 1),
        ("import sys\n\nsys.settrace(None)\n", "runner-internals", 3),
        ("x = __import__('_pytest.runner')\n", "runner-internals", 1),
        ("import sys\n\nTESTED = 'pytest' in sys.modules\n", "under-test", 3),
        ("from sys import modules as known\n\nx = known.get('_pytest.runner')\n", "under-test", 3),
        ("import sys\n\nx = any(each == 'unittest' for each in sys.argv)\n", "under-test", 3),
        ("import os\n\nx = os.environ.get('PYTEST_CURRENT_TEST')\n", "under-test", 3),
        ("import os\n\nx = 'COVERAGE_RUN' in os.environ\n", "under-test", 3),
        ("import inspect\n\nx = inspect.stack()[1].filename\n", "under-test", 3),
        ("from sys import _getframe as caller\n\nx = caller(1)\n", "under-test", 3),
        ("from tests.impl import solve\n", "imports-tests", 1),
        ("def run():\n    import conftest\n", "imports-tests", 2),
        ("import test_support.impl as impl\n", "imports-tests", 1),
        ("class A:\n    def __eq__(self, other):\n        return True\n", "equal-to-all", 2),
        ("class A:\n    def __ne__(self, other, /):\n        return not self\n", "equal-to-all", 2),
        ("class A:\n    def __eq__(*_):\n        return True\n", "equal-to-all", 2),
        ("class A:\n    def __eq__(self):\n        return self.same\n", "equal-to-all", 2),
        ("class A:\n    __eq__ = lambda self, other: True\n", "equal-to-all", 2),
        (
            "class A:\n def __eq__(self, x):\n  if x is int:\n   return True\n  return NotImplemented\n",
            "equal-to-all",
            2,
        ),
        ("class A:\n def __eq__(self, x):\n  if x is int:\n   return\n  return True\n", "equal-to-all", 2),
        ("class A:\n def __eq__(self, x):\n  same = True\n  return same\n", "equal-to-all", 2),
        ("class A:\n def __eq__(self, x):\n  x = 1\n  return bool(self)\n", "equal-to-all", 2),
        ("from unittest import mock\n\nx: int = mock.ANY\n", "equal-to-all", 3),
        ("def pytest_runtest_makereport(item, call): ...\n", "pytest-hook", 1),
        ("async def pytest_sessionfinish(): ...\n", "pytest-hook", 1),
        ("pytest_plugins = ['evil']\n", "pytest-hook", 1),
    ],
)
def test_each_kind_is_found_where_it_stands(added: str, kind: str, line: int) -> None:
    found = kinds(added)
    assert (kind, line) in found
    assert [each for each, _ in found if each not in {kind, "noqa"}] == []


@pytest.mark.parametrize(
    "added",
    [
        "def triple(number: int) -> int:\n    return 3 * number\n",
        "TEXT = 'x = 1  # type: ignore'\nOTHER = '# noqa'\n",
        "class Parser:\n    def skip(self) -> None: ...\n\n\nParser().skip()\n",
        "def run(cursor: object) -> None:\n    cursor.exec('select')\n",
        "from sqlalchemy import cast\n\nx = cast('a', 'b')\n",
        "import ctypes\n\nx = ctypes.cast(0, ctypes.c_void_p)\n",
        "import sys\n\nsys.exit(1)\n",
        "# type: int is what it returns, and a noqa is not needed\n",
        "from coordinator.coverage import report\n\nreport.show()\n",
        "import pytest\n\n\n@pytest.mark.slow\ndef test_a(): ...\n",
        "x: 'not a ( type' = 1\n",
        "x = getattr(Parser, 'skip_all')\n",
        "class A:\n    def __eq__(self, other):\n        return isinstance(other, A) and self.x == other.x\n",
        "class A:\n def __eq__(self, other):\n  if self.x == other.x:\n   return True\n  return False\n",
        "class A:\n    def __eq__(self, other):\n        return NotImplemented\n",
        "class A:\n    def __eq__(self, *others):\n        return all(self.x == each.x for each in others)\n",
        "class A:\n    __eq__ = lambda self, other: self.x == other.x\n    __ne__ = object.__ne__\n    z = 1\n",
        "class A:\n    def equal(self, other):\n        return True\n\n    key = lambda self, other: True\n",
        "from .tests import data\nfrom app.tests import other\nimport testing\n",
        "COMMAND = ['python', '-m', 'pytest']\n",
        "import sys\n\nsys.modules[__name__].__class__ = Lazy\nNAME = 'pytest-like'\n",
        "import os\n\nx = os.environ.get('PYTHONPATH')\n",
        "import sys\n\nx = 'coverage' in sys.argv\n",
    ],
)
def test_what_is_none(added: str) -> None:
    assert kinds(added) == []


@pytest.mark.parametrize(
    "added",
    [
        "import os\n\nx = os.environ.get('PYTEST_XDIST_WORKER')\n",
        "from unittest.mock import ANY\n\n\ndef test_a(run):\n    run.assert_called_with(ANY)\n",
        "class Anything:\n    def __eq__(self, other):\n        return True\n",
        "from tests.support import helper\n",
    ],
)
def test_tests_may_ask_and_compare_with_anything(added: str) -> None:
    assert kinds(added, "tests/test_a.py") == []
    assert len(kinds(added, "toy/a.py")) == 1


def test_every_kind_of_sources_counts_there_alone() -> None:
    asks = "import os\n\nimport tests.b\n\nx = os.environ.get('PYTEST_VERSION')\n\n"
    code = f"{BASE}{asks}class A:\n    __eq__ = lambda *_: True\n"
    found = census({}, {"toy/a.py": code, "tests/a.py": code})
    assert {(finding.path, finding.kind) for finding in found} == {("toy/a.py", kind) for kind in OF_SOURCES}


def test_a_finding_says_what_where_why_and_how_to_waive() -> None:
    (finding,) = census({"toy/a.py": BASE}, {"toy/a.py": f"{BASE}x = 1  # type: ignore\ny = 2  # type: ignore\n"})
    assert (finding.kind, finding.what, finding.path, finding.line) == ("type-ignore", "toy/a.py", "toy/a.py", 6)
    assert finding.severity is Severity.ATTENTION
    assert finding.message == (
        "2 more of type-ignore than before (line 6, 7): a type error is silenced: give the code the types that it "
        "really has."
    )


def test_every_kind_says_why_it_matters() -> None:
    assert set(EFFECTS) == set(Kind)


def test_a_line_that_is_there_once_more_counts() -> None:
    line = "x = double('a')  # type: ignore[arg-type]\n"
    (finding,) = census({"toy/a.py": BASE + line}, {"toy/a.py": BASE + line + line})
    assert finding.message.startswith("1 more of type-ignore ")


def test_a_reason_is_no_code() -> None:
    assert census({"a.py": "import os  # noqa: F401\n"}, {"a.py": "import os  # noqa: F401 for all\n"}) == []


def test_only_what_is_more_than_before_counts() -> None:
    before = f"{BASE}x = double('a')  # type: ignore[arg-type]\n"
    reworded = f"{BASE}other = double('a')  # type: ignore[arg-type]\n"
    assert census({"toy/a.py": before}, {"toy/a.py": reworded}) == []
    assert census({"toy/a.py": before}, {"toy/a.py": BASE}) == []


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("# type: ignore[arg-type]", "# type: ignore", "type-ignore"),
        ("# type: ignore[arg-type]", "# type: ignore[arg-type, misc]", "type-ignore"),
        ("# noqa: F401", "# noqa", "noqa"),
        ("# noqa: F401", "# noqa: F401, E501", "noqa"),
        ("# ruff: noqa: F401", "# ruff: noqa", "ruff-comment"),
    ],
)
def test_a_comment_that_silences_more_than_before_counts(old: str, new: str, kind: str) -> None:
    found = census({"a.py": f"import os  {old}\n"}, {"a.py": f"import os  {new}\n"})
    assert [(finding.kind, finding.line) for finding in found] == [(kind, 1)]
    assert found[0].message.startswith(f"1 more of {kind} ")


def test_a_module_that_was_imported_before_counts_by_what_it_is_used_for() -> None:
    found = census({"a.py": "import atexit\n"}, {"a.py": "import atexit\n\natexit.register(print)\n"})
    assert [(finding.kind, finding.line) for finding in found] == [("atexit", 3)]


def test_what_was_moved_to_another_file_is_no_new_one() -> None:
    silenced = "x = double('a')  # type: ignore[arg-type]\n"
    assert census({"toy/a.py": BASE + silenced}, {"toy/b.py": silenced + BASE}) == []
    twice = census({"toy/a.py": BASE + silenced}, {"toy/b.py": silenced + BASE + silenced})
    assert [(finding.path, finding.message[:6]) for finding in twice] == [("toy/b.py", "1 more")]
    fresh = census({"toy/a.py": BASE + silenced}, {"toy/a.py": BASE, "toy/b.py": "y = 1  # type: ignore[misc]\n"})
    assert [finding.path for finding in fresh] == ["toy/b.py"]


def test_a_budget_is_for_the_whole_change() -> None:
    after = {"a.py": "x = 1  # noqa: A1\n", "b.py": "x = 1  # noqa: A1\n"}
    assert {finding.severity for finding in census({}, after, {Kind.NOQA: 2})} == {Severity.NOTE}
    over = census({}, after, {Kind.NOQA: 1})
    assert [(finding.path, finding.severity) for finding in over] == [
        ("a.py", Severity.ATTENTION), ("b.py", Severity.ATTENTION),
    ]  # fmt: skip
    other = census({}, after, {Kind.CAST: 9})
    assert {finding.severity for finding in other} == {Severity.ATTENTION}
    assert "The configuration allows that many." in census({}, after, {Kind.NOQA: 2})[0].message


def test_syntax_of_a_newer_python_is_searched_by_words() -> None:
    newer = (
        "def first[T](x: T) -> T:\n    exec('a')  # eval\n    return x\n\n\ntype = = 1\ndef pytest_configure(): ...\n"
    )
    found = census({"a.py": "exec('b')\n"}, {"a.py": newer + "exec('c')\n"})
    assert [(finding.kind, finding.line) for finding in found] == [("exec", 2), ("pytest-hook", 7)]
    asks = census({}, {"toy/a.py": "type = = 1\nx = 'PYTEST_VERSION' in sys._getframe(1)  # PYTEST_VERSION\n"})
    assert [(finding.kind, finding.message[:6], finding.line) for finding in asks] == [("under-test", "2 more", 2)]
    assert found[0].message.startswith("1 more of exec ")


def test_what_cannot_be_cut_into_tokens_is_searched_line_by_line() -> None:
    found = census({}, {"a.py": "x = 1  # type: ignore\ny = '''\n"})
    assert [(finding.kind, finding.line) for finding in found] == [("type-ignore", 1)]


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (FileChange("a.py", None, b"# coding: utf-7\n+ACM- x\n"), "it is in utf-7"),
        (FileChange("a.py", None, b"# coding: nonsense\n"), "its encoding is not known"),
        (FileChange("a.py", None, b"\n\nx = '\xff'\n"), "it is no utf-8"),
        (FileChange("a.py", b"", b"#" * (SOURCE_LIMIT + 1)), "it is over 1 MiB"),
        (FileChange("a.py", b"", b"#" * TEXT_LIMIT, is_complete=False), "it is too large"),
        (FileChange("a.py", None, b"evil.txt", is_link=True), "it is a symbolic link"),
    ],
)
def test_what_cannot_be_read_needs_a_person(file: FileChange, why: str) -> None:
    found = Census(Change({"a.py": file}), {}, in_toy).find()
    assert [(each.kind, each.what, each.severity) for each in found] == [(UNREADABLE, "a.py", Severity.ATTENTION)]
    assert why in found[0].message


def test_an_unreadable_base_is_an_empty_one() -> None:
    file = FileChange("a.py", b"# coding: utf-7\n", b"x = 1  # noqa\n")
    assert [finding.kind for finding in Census(Change({"a.py": file}), {}, in_toy).find()] == ["noqa"]


def test_other_files_and_deleted_ones_have_nothing() -> None:
    assert census({}, {"notes.md": "# type: ignore\nexec('x')\n"}) == []
    assert census({"a.py": "x = 1  # noqa\n"}, {}) == []


@pytest.mark.parametrize(
    "text",
    [
        "#" + " " * 900_000,
        "# type: " * 110_000,
        "# type: ignore[" * 60_000,
        "#noqa: A1" + " " * 900_000,
        "[" * 100_000,
        "-" * 500_000 + "1",
        "a" + ".b" * 400_000,
        "1" + "+1" * 400_000,
    ],
    ids=["blanks", "types", "ignores", "codes", "brackets", "minus", "attributes", "sums"],
)
def test_a_hostile_source_takes_seconds_at_most(text: str) -> None:
    started = time.monotonic()
    census({}, {"a.py": text})
    assert time.monotonic() - started < 30
