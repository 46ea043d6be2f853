from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.rules import gate_tables, merge_rules, rules_of, use_base_rules
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEAD = """# mine
[project]
name = "new"

[tool.mypy]
strict = false
[[tool.mypy.overrides]]
module = "x"

[tool.hatch]
a = 1
"""
BASE = '[project]\nname = "old"\n[tool.mypy]\nstrict = true\n[tool."ruff".lint]\nselect = ["E"]\n'


def test_the_tables_of_the_gates_are_the_base_s_and_the_rest_is_the_head_s() -> None:
    merged = merge_rules("pyproject.toml", judged=HEAD, base=BASE)
    assert merged is not None
    assert tomllib.loads(merged) == {
        "project": {"name": "new"},
        "tool": {"hatch": {"a": 1}, "mypy": {"strict": True}, "ruff": {"lint": {"select": ["E"]}}},
    }


@pytest.mark.parametrize(
    "head",
    [
        "[tool]\nmypy.strict = false\n",
        'tool.mypy.strict = false\n[project]\nname = "a"\n',
        '[project]\ntext = """\n[tool.mypy]\n"""\n',
        "broken [",
    ],
)
def test_a_file_that_cannot_be_cut_safely_is_not_merged(head: str) -> None:
    assert merge_rules("pyproject.toml", judged=head, base=BASE) is None


def test_sections_of_ini_files_are_merged_alike() -> None:
    head = (
        "[metadata]\nname = new\n[mypy]\nstrict = false\n[mypy-x.*]\nignore_errors = 1\n[tool:pytest]\naddopts = -x\n"
    )
    merged = merge_rules("setup.cfg", judged=head, base="[coverage:run]\nbranch = true")
    assert merged == "[metadata]\nname = new\n[coverage:run]\nbranch = true\n"
    assert merge_rules("tox.ini", judged="no section\n", base="") is None


def settle(tmp_path: Path, head: Mapping[str, str], base: Mapping[str, str]) -> tuple[str, ...]:
    for name, files in (("head", head), ("base", base)):
        (tmp_path / name).mkdir()
        write_files(tmp_path / name, files)
    return use_base_rules(tmp_path / "head", tmp_path / "base")


def test_equal_rules_leave_the_head_alone(tmp_path: Path) -> None:
    head = {"pyproject.toml": "[project]\nversion = '2'\n[tool.ruff]\nfix = true\n", "ruff.toml": "fix = true\n"}
    base = {"pyproject.toml": "[project]\nversion = '1'\n[tool.ruff]\nfix = true\n", "ruff.toml": "fix = true\n"}
    assert settle(tmp_path, head, base) == ()
    assert (tmp_path / "head" / "pyproject.toml").read_text() == head["pyproject.toml"]


def test_removed_and_added_rules(tmp_path: Path) -> None:
    head = {"sub/ruff.toml": "exclude = ['*']\n", "a/pyproject.toml": "[tool.ruff]\nexclude = ['*']\n"}
    base = {"pytest.ini": "[pytest]\naddopts = -x\n", "pyproject.toml": BASE}
    notes = settle(tmp_path, head, base)
    assert notes == (
        "a/pyproject.toml: its rules for the gates differ from the base; the base's were used",
        "pyproject.toml: its rules for the gates differ from the base; the base's were used",
        "pytest.ini: its rules for the gates differ from the base; the base's were used",
        "sub/ruff.toml: not in the base, so its rules for the gates do not count",
    )
    assert not (tmp_path / "head" / "sub" / "ruff.toml").exists()
    assert (tmp_path / "head" / "a" / "pyproject.toml").read_text() == ""
    assert (tmp_path / "head" / "pytest.ini").read_text() == base["pytest.ini"]


def test_a_head_that_cannot_be_read_gets_the_base_s_file(tmp_path: Path) -> None:
    assert len(settle(tmp_path, {"pyproject.toml": "[tool.mypy\n"}, {"pyproject.toml": BASE})) == 1
    assert (tmp_path / "head" / "pyproject.toml").read_text() == BASE


def test_bytes_that_are_no_text_get_the_base_s_rules(tmp_path: Path) -> None:
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "pyproject.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "base").mkdir()
    write_files(tmp_path / "base", {"pyproject.toml": "[tool.mypy]\nstrict = true\n"})
    assert len(use_base_rules(tmp_path / "head", tmp_path / "base")) == 1
    assert (tmp_path / "head" / "pyproject.toml").read_text() == "[tool.mypy]\nstrict = true\n"


def test_no_link_of_the_head_is_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    write_files(victim, {"pyproject.toml": "keep", "ruff.toml": "keep"})
    (tmp_path / "head").mkdir()
    (tmp_path / "head" / "pyproject.toml").symlink_to(victim / "pyproject.toml")
    (tmp_path / "head" / "sub").symlink_to(victim)
    (tmp_path / "base").mkdir()
    write_files(tmp_path / "base", {"pyproject.toml": BASE, "sub/ruff.toml": "fix = true\n"})
    notes = use_base_rules(tmp_path / "head", tmp_path / "base")
    assert (victim / "pyproject.toml").read_text() == "keep"
    assert (victim / "ruff.toml").read_text() == "keep"
    assert not (tmp_path / "head" / "pyproject.toml").is_symlink()
    assert "sub/ruff.toml: the rules of the base could not be put in place" in notes


@pytest.mark.parametrize(
    ("tool", "files", "file", "options"),
    [
        ("mypy", {}, None, {}),
        ("mypy", {"pyproject.toml": "[project]\n", "setup.cfg": "[metadata]\n"}, None, {}),
        ("mypy", {"pyproject.toml": "[tool.mypy]\nfiles = ['a']\n"}, "pyproject.toml", {"files": ["a"]}),
        ("mypy", {"mypy.ini": "[mypy]\nfiles = a\n", "pyproject.toml": "[tool.mypy]\n"}, "mypy.ini", {"files": "a"}),
        ("mypy", {"setup.cfg": "[mypy]\nfiles = a\n"}, "setup.cfg", {"files": "a"}),
        ("coverage", {".coveragerc": "broken"}, ".coveragerc", {}),
        ("coverage", {"tox.ini": "[coverage:run]\nbranch = true\n"}, "tox.ini", {"branch": "true"}),
        ("coverage", {"pyproject.toml": "[tool.coverage.run]\nbranch = true\n"}, "pyproject.toml", {"branch": True}),
        ("coverage", {"pyproject.toml": "[tool.coverage.report]\nx = 1\n"}, "pyproject.toml", {}),
        ("coverage", {".coveragerc.toml": "[run]\nbranch = true\n"}, ".coveragerc.toml", {"branch": True}),
        ("pytest", {"pytest.ini": ""}, "pytest.ini", {}),
        ("pytest", {"pyproject.toml": "[tool.pytest.ini_options]\na = 1\n"}, "pyproject.toml", {"a": 1}),
        ("pytest", {"pyproject.toml": "[tool.pytest]\na = 1\n"}, "pyproject.toml", {"a": 1}),
        ("pytest", {"setup.cfg": "[tool:pytest]\na = 1\n"}, "setup.cfg", {"a": "1"}),
    ],
)
def test_where_a_tool_finds_its_rules(
    tmp_path: Path, tool: str, files: Mapping[str, str], file: str | None, options: Mapping[str, object]
) -> None:
    write_files(tmp_path, files)
    rules = rules_of(tmp_path, tool)
    assert (rules.file if rules else None) == file
    assert (rules.options if rules else {}) == options


def test_a_broken_file_is_compared_as_it_stands() -> None:
    assert gate_tables("pyproject.toml", "a [") == "a ["
    assert gate_tables("setup.cfg", "[mypy]\na = 1\n") == {"mypy": {"a": "1"}}
