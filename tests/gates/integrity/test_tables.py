"""Tables of shared files that configure the gate tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.gates.change import change_between
from coordinator.gates.integrity.findings import Severity
from coordinator.gates.integrity.tables import ConfigurationTables
from tests.gates.integrity.support import a_change, write

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.integrity.findings import PolicyFinding

PROJECT = "[project]\nname = 'toy'\nversion = '1'\n"
MYPY = "[tool.mypy]\nstrict = true\n"


def tables(folder: Path, path: str, before: str | bytes | None, after: str | bytes | None) -> list[str]:
    base, head = ({} if content is None else {path: content} for content in (before, after))
    return [finding.what for finding in found_in(folder, base, head)]


def found_in(folder: Path, base: dict[str, str | bytes], head: dict[str, str | bytes]) -> list[PolicyFinding]:
    found = list(ConfigurationTables(a_change(folder, base, head)).find())
    assert {(finding.kind, finding.severity) for finding in found} <= {("configuration-table", Severity.ATTENTION)}
    return found


@pytest.mark.parametrize("tool", ["mypy", "ruff", "pytest.ini_options", "coverage.run", "pydantic-mypy"])
def test_each_tool_table_is_named(tmp_path: Path, tool: str) -> None:
    table = f"tool.{tool.partition('.')[0]}"
    assert tables(tmp_path, "pyproject.toml", PROJECT, f"{PROJECT}[tool.{tool}]\nx = 1\n") == [
        f"pyproject.toml:{table}"
    ]


def test_changed_and_removed_tables_are_named(tmp_path: Path) -> None:
    after = "[tool.ruff]\nfix = true\n"
    assert tables(tmp_path, "pyproject.toml", MYPY, after) == ["pyproject.toml:tool.mypy", "pyproject.toml:tool.ruff"]
    assert tables(tmp_path / "gone", "pyproject.toml", MYPY, None) == ["pyproject.toml:tool.mypy"]
    assert tables(tmp_path / "inner", "lib/pyproject.toml", None, MYPY) == ["lib/pyproject.toml:tool.mypy"]


@pytest.mark.parametrize(
    ("path", "content", "what"),
    [
        ("setup.cfg", "[mypy]\nx = 1\n", ["setup.cfg:mypy"]),
        ("setup.cfg", "[tool:pytest]\naddopts = -k x\n", ["setup.cfg:tool:pytest"]),
        ("tox.ini", "[coverage:run]\nomit = x\n", ["tox.ini:coverage:run"]),
        ("setup.cfg", "[metadata]\nname = toy\n", []),
        ("tox.ini", "[testenv]\ncommands = pytest\n", []),
        ("lib/setup.cfg", "[mypy]\nx = 1\n", []),
    ],
)
def test_sections_of_ini_files(tmp_path: Path, path: str, content: str, what: list[str]) -> None:
    assert tables(tmp_path, path, None, content) == what


@pytest.mark.parametrize(
    ("path", "before", "after", "what"),
    [
        ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "true"}}', ["scripts"]),
        ("package.json", None, '{"jest": {"testMatch": []}, "mocha": {}}', ["jest", "mocha"]),
        ("web/package.json", '{"eslintConfig": {}}', '{"eslintConfig": null}', ["eslintConfig"]),
        ("package.json", '{"scripts": {}, "nyc": 1}', None, ["nyc", "scripts"]),
        ("package.json", '{"version": "1"}', '{"version": "2", "dependencies": {"jest": "1"}}', []),
        ("package.json", '{"scripts": {"a": "1", "b": "2"}}', '\ufeff{"scripts":{"b":"2","a":"1"}}', []),
        ("package.jsonc", None, '{"scripts": {}}', []),
        ("Cargo.toml", None, "[lints.rust]\nwarnings = 'allow'\n", ["lints"]),
        ("Cargo.toml", None, "[workspace]\nexclude = ['a']\n[workspace.lints.clippy]\nall = 'allow'\n",
         ["workspace.exclude", "workspace.lints"]),
        ("a/Cargo.toml", "[package]\nname = 'a'\n", "[package]\nname = 'a'\nautotests = false\n",
         ["package.autotests"]),
        ("Cargo.toml", "[lib]\nname = 'a'\n", "[lib]\nname = 'b'\ntest = false\n", ["lib.test"]),
        ("Cargo.toml", None, "[[test]]\nname = 'a'\nharness = false\n", ["test"]),
        ("Cargo.toml", "[package]\nversion = '1'\n", "[package]\nversion = '2'\n[dependencies]\na = '1'\n", []),
    ],
)  # fmt: skip
def test_parts_of_the_manifests_of_other_languages(
    tmp_path: Path, path: str, before: str | None, after: str | None, what: list[str]
) -> None:
    assert tables(tmp_path, path, before, after) == [f"{path}:{name}" for name in what]


def test_it_is_said_by_which_rules_the_tree_was_judged(tmp_path: Path) -> None:
    """Base's scripts are put in place (`use_base_scripts`), where the base has the file; nothing else of it is."""
    base: dict[str, str | bytes] = {"package.json": "{}"}
    head: dict[str, str | bytes] = {"package.json": '{"scripts": {}, "jest": {}}', "pyproject.toml": MYPY}
    head["web/package.json"] = '{"scripts": {}}'
    said = {finding.what: finding.message for finding in found_in(tmp_path, base, head)}
    assert len(said) == 4
    assert "`scripts` of package.json is changed" in said["package.json:scripts"]
    assert "[tool.mypy] of pyproject.toml is changed" in said["pyproject.toml:tool.mypy"]
    old, new = "judged with the base's; ", "judged with it as it is now; "
    assert {what: old in message for what, message in said.items()} == {
        "package.json:scripts": True,
        "package.json:jest": False,
        "web/package.json:scripts": False,
        "pyproject.toml:tool.mypy": True,
    }
    assert all((old in message) is not (new in message) for message in said.values())


def test_everything_else_in_pyproject_is_free(tmp_path: Path) -> None:
    after = PROJECT.replace("'1'", "'2'") + f"dependencies = ['httpx']\n[tool.hatch]\nx = 1\n{MYPY}"
    assert tables(tmp_path, "pyproject.toml", PROJECT + MYPY, after) == []


@pytest.mark.parametrize(
    ("path", "before", "broken"),
    [
        ("pyproject.toml", MYPY, "[tool.mypy\n"),
        ("pyproject.toml", MYPY, b"\xff\xfe"),
        ("package.json", "{}", '{"scripts": }'),
        ("package.json", "{}", "[1]"),
        ("package.json", "{}", "[" * 100_000),
        ("package.json", "{}", b"\xff"),
        ("Cargo.toml", "[lints]\n", "[lints\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_as_a_whole(
    tmp_path: Path, path: str, before: str, broken: str | bytes
) -> None:
    (finding,) = found_in(tmp_path, {path: before}, {path: broken})
    assert (finding.what, finding.path) == (path, path)
    assert "cannot be read" in finding.message


def test_a_link_in_its_place_is_named(tmp_path: Path) -> None:
    before, after = write(tmp_path / "base", {"pyproject.toml": ""}), write(tmp_path / "head", {})
    (after / "pyproject.toml").symlink_to("a=1")
    found = ConfigurationTables(change_between(before, after)).find()
    assert [finding.what for finding in found] == ["pyproject.toml"]
