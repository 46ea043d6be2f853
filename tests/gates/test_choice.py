"""Which gates a tree gets, and that a change does not choose them for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import (
    CommandGateSection,
    CoverageGateSection,
    GateSection,
    GatesSection,
    TestGateSection,
)
from coordinator.errors import Misconfigured
from coordinator.gates.choice import Choice, choose, gate_names
from tests.support import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GO = {"go.mod": "module x\n", "x.go": "package x\n"}
NODE = {"package.json": '{"scripts": {"lint": "x"}}'}
PYTHON = {"pyproject.toml": "", "toy.py": ""}
OFF = GateSection(enabled=False)
NOTHING = GatesSection(
    build=OFF, lint=OFF, test=TestGateSection(enabled=False), coverage=CoverageGateSection(enabled=False)
)
VET = CommandGateSection(name="vet", run="make vet", minutes=3, report="r.xml", threshold=70)
OWN = GatesSection(commands=(VET,))


def chosen(
    folder: Path,
    tree: Mapping[str, str],
    base: Mapping[str, str] | None = None,
    section: GatesSection | None = None,
    setup: tuple[str, ...] | None = None,
) -> Choice:
    (folder / "tree").mkdir()
    write_files(folder / "tree", tree)
    if base is not None:
        (folder / "base").mkdir()
        write_files(folder / "base", base)
    return choose(section or GatesSection(), folder / "tree", None if base is None else folder / "base", setup)


def names(choice: Choice) -> list[str]:
    return [command.name for command in choice.commands]


@pytest.mark.parametrize(
    ("files", "python"),
    [
        (PYTHON, True),
        ({"toy.py": ""}, True),
        ({"README.md": ""}, True),
        ({}, True),
        (GO, False),
        ({**GO, "tools/generate.py": ""}, False),
        ({**GO, **PYTHON}, True),
        ({"setup.py": "", **NODE}, True),
    ],
)
def test_what_is_a_python_project(tmp_path: Path, files: dict[str, str], python: bool) -> None:
    choice = chosen(tmp_path, files)
    assert choice.python is python
    assert bool(choice.commands) is not python


def test_a_link_to_a_file_makes_no_python_project(tmp_path: Path) -> None:
    write_files(tmp_path, GO)
    (tmp_path / "setup.py").symlink_to("x.go")
    assert not choose(GatesSection(), tmp_path, None).python


@pytest.mark.parametrize(
    ("base", "tree", "python", "commands"),
    [
        (PYTHON, GO, True, []),
        (GO, PYTHON, False, ["build", "lint", "test"]),
        (GO, {"x.go": ""}, False, ["build", "lint", "test"]),
        ({"x.txt": ""}, PYTHON, True, []),
        ({}, GO, False, ["build", "lint", "test"]),
    ],
)
def test_the_base_decides_where_it_holds_anything(
    tmp_path: Path,
    base: dict[str, str],
    tree: dict[str, str],
    python: bool,
    commands: list[str],
) -> None:
    """A change can neither leave the gates of its project behind nor bring gates of its own."""
    choice = chosen(tmp_path, tree, base)
    assert (choice.python, names(choice)) == (python, commands)


def test_own_commands_alone_judge_a_project_without_python(tmp_path: Path) -> None:
    choice = chosen(tmp_path, GO, section=OWN)
    assert not choice.python
    (command,) = choice.commands
    assert (command.name, command.line, command.minutes) == ("vet", "make vet", 3)
    assert (command.report, command.threshold) == ("r.xml", 70)
    assert choice.setup == ("go mod download", "go vet ./... || true")
    assert [each.name for each in choice.left_out] == ["build", "lint", "test", "coverage"]


def test_own_commands_come_beside_the_gates_of_a_python_project(tmp_path: Path) -> None:
    choice = chosen(tmp_path, {**PYTHON, **NODE}, section=OWN, setup=("make deps",))
    assert choice.python
    assert names(choice) == ["vet"]
    assert choice.setup == ()
    assert [(each.name, "package.json is there" in each.why) for each in choice.left_out] == [("node", True)]


def test_another_language_in_a_python_project_is_set_up_for_its_commands(tmp_path: Path) -> None:
    """The configuration's own set-up prepares the environment for Python, where no `node_modules` is kept."""
    tree = {**PYTHON, "package.json": '{"devDependencies": {"x": "1"}}', "package-lock.json": "{}"}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    assert chosen(tmp_path / "one", tree, section=OWN, setup=("make deps",)).setup == ("npm ci",)
    assert chosen(tmp_path / "two", tree).setup == ()


def test_a_tree_without_anything_known_is_judged_by_its_commands(tmp_path: Path) -> None:
    choice = chosen(tmp_path, {"Makefile": ""}, section=OWN)
    assert (choice.python, names(choice), choice.setup) == (False, ["vet"], ())


@pytest.mark.parametrize("section", [GatesSection(), OWN])
def test_the_configured_set_up_stands_for_that_of_the_preset(tmp_path: Path, section: GatesSection) -> None:
    assert chosen(tmp_path, GO, section=section, setup=("make deps",)).setup == ("make deps",)


def test_an_empty_set_up_is_one(tmp_path: Path) -> None:
    assert chosen(tmp_path, GO, setup=()).setup == ()


def test_gates_of_a_preset_are_switched_off_and_limited_by_their_keys(tmp_path: Path) -> None:
    section = GatesSection(lint=OFF, test=TestGateSection(minutes=7))
    choice = chosen(tmp_path, GO, section=section)
    assert [(command.name, command.minutes) for command in choice.commands] == [("build", 7), ("test", 7)]
    assert [each.name for each in choice.left_out] == ["lint", "coverage"]


def test_gates_of_several_languages_are_told_apart(tmp_path: Path) -> None:
    choice = chosen(tmp_path, {**GO, **NODE})
    assert names(choice) == ["go-build", "go-lint", "go-test", "node-lint", "node-test"]
    assert choice.setup == ("go mod download", "go vet ./... || true")
    assert {"GOTOOLCHAIN", "npm_config_audit"} <= choice.variables.keys()


@pytest.mark.parametrize("files", [PYTHON, GO])
def test_no_gate_at_all_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="All quality gates are disabled"):
        chosen(tmp_path, files, section=NOTHING)


def test_commands_alone_are_enough(tmp_path: Path) -> None:
    choice = chosen(tmp_path, PYTHON, section=NOTHING.model_copy(update={"commands": (VET,)}))
    assert names(choice) == ["vet"]
    assert len(choice.left_out) == 4


def test_the_names_by_the_configuration_alone() -> None:
    assert gate_names(OWN) == ("build", "lint", "test", "coverage", "vet")
    assert gate_names(NOTHING) == ()
