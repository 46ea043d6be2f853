from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.python.test_layout import FILES, TestLayout, layout_of, words
from tests.support import write_files

if TYPE_CHECKING:
    from pathlib import Path


def test_defaults_are_pytest_s_own(tmp_path: Path) -> None:
    assert layout_of(tmp_path) == TestLayout()


def test_the_configuration_decides(tmp_path: Path) -> None:
    ini = (
        "[pytest]\npython_files = check_*.py tests.py\npython_functions = check spec_*\ntestpaths = checks spec* none\n"
        "norecursedirs = data\naddopts = -m 'not slow' -k fast\n"
    )
    write_files(tmp_path, {"pytest.ini": ini, "checks/check_a.py": "", "spec1/tests.py": "", "fast/x": "", "src/a": ""})
    layout = layout_of(tmp_path, ("-x",))
    assert layout.files == ("check_*.py", "tests.py")
    assert layout.functions == ("check", "spec_*")
    assert layout.places == ("checks", "spec1")
    assert not layout.arguments
    assert layout.options == ("-m", "not slow", "-k", "fast", "-x")
    assert list(layout.test_files(tmp_path)) == ["checks/check_a.py", "spec1/tests.py"]


def test_arguments_win_over_testpaths(tmp_path: Path) -> None:
    toml = '[tool.pytest.ini_options]\ntestpaths = ["tests"]\naddopts = ["unit/test_a.py::test_b"]\n'
    write_files(tmp_path, {"pyproject.toml": toml, "tests/test_c.py": "", "unit/test_a.py": ""})
    layout = layout_of(tmp_path, ("--ignore", "tests", "no/such", "../tests"))
    assert layout.places == ("unit/test_a.py",)
    assert layout.arguments


def test_test_files_are_found_where_pytest_would_go(tmp_path: Path) -> None:
    names = ("tests/test_a.py", "b_test.py", "build/test_b.py", ".tox/test_c.py", "node_modules/x/test_d.py", "a.py")
    write_files(tmp_path, dict.fromkeys(names, ""))
    assert list(TestLayout().test_files(tmp_path)) == ["b_test.py", "tests/test_a.py"]


def test_patterns_with_folders_look_at_the_whole_path() -> None:
    layout = TestLayout(files=("unit/*.py",))
    assert layout.is_test_file("pkg/unit/a.py")
    assert layout.is_test_file("unit/a.py")
    assert not layout.is_test_file("pkg/a.py")


@pytest.mark.parametrize(
    ("path", "places", "expected"),
    [
        ("conftest.py", (), True),
        ("pkg/test_a.py", (), True),
        ("pkg/tests/helper.py", (), True),
        ("test/data.json", (), True),
        ("checks/helper.py", ("checks",), True),
        ("pkg/a.py", ("pkg",), False),
        ("src/pkg/a.py", ("src",), False),
        ("src/pkg/checks/a.py", ("src/pkg/checks",), True),
        ("pkg/a.py", (".",), False),
        ("pkg/testing.py", (), False),
    ],
)
def test_what_serves_the_tests_is_told_from_what_is_tested(
    path: str, places: tuple[str, ...], *, expected: bool
) -> None:
    assert TestLayout(places=places).is_on_test_side(path, ("pkg", "src/pkg")) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pkg/a.py", True),
        ("pkg/tests/a.py", True),
        ("one.py", True),
        ("pkg/tests/test_a.py", False),
        ("pkg/conftest.py", False),
        ("pkgs/a.py", False),
        ("tests/a.py", False),
    ],
)
def test_a_source_is_one_whatever_its_folder_is_called(path: str, *, expected: bool) -> None:
    assert TestLayout().is_source(path, ("pkg", "one.py")) is expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("test_a", True),
        ("TestA.helper", True),
        ("A.test_b", True),
        ("spec_it", True),
        ("divide", False),
        ("A.run", False),
        ("a_test", False),
    ],
)
def test_what_is_a_test_is_told_by_its_name(function: str, *, expected: bool) -> None:
    assert TestLayout(functions=("test", "spec_*")).is_test(function) is expected


def test_options_are_texts_or_lists() -> None:
    assert words("a 'b c' # no") == ("a", "b c")
    assert words(["a b", 1]) == ("a b",)
    assert words("'open") == ()
    assert words(3) == ()


def test_places_outside_of_the_tree_do_not_count(tmp_path: Path) -> None:
    write_files(tmp_path, {"pytest.ini": "[pytest]\ntestpaths = ../x /etc .\n"})
    layout = layout_of(tmp_path)
    assert layout.places == (".",)
    assert layout.files == FILES
