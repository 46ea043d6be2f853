"""What `--explain` says is what the gates do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GateSection, GatesSection, IntegrityGateSection, TestGateSection
from coordinator.gates.explain import Explanation, explain
from tests.gates.support import judge
from tests.support import make_repository, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BASE = "0123456789abcdef0123456789abcdef01234567"
TOY = {"pyproject.toml": "", "toy/__init__.py": "ONE: int = 1\n", "tests/test_toy.py": "def test_one() -> None: ...\n"}


def explained(
    folder: Path, files: Mapping[str, str], section: GatesSection | None = None, base: str | None = None
) -> Explanation:
    write_files(folder, files)
    return explain(section or GatesSection(), folder, None, names=("tree", base), notes=("a note",))


@pytest.mark.parametrize("settings", ["", '[tool.mypy]\nfiles = ["toy", "tests"]\n'])
def test_the_commands_are_those_that_the_gates_give_as_theirs(tmp_path: Path, settings: str) -> None:
    files = {**TOY, "pyproject.toml": settings}
    section = GatesSection(
        build=GateSection(args=("--no-error-summary",)),
        lint=GateSection(args=("--extend-select", "E7")),
        test=TestGateSection(args=("-q",)),
        integrity=IntegrityGateSection(enabled=False),
    )
    told = explained(tmp_path / "tree", files, section)
    verdict = judge(make_repository(tmp_path / "repository", files), tmp_path / "home", section)
    assert {gate.gate: gate.command for gate in told.gates} == {
        result.gate: result.details["command"] for result in verdict.gates
    }


@pytest.mark.parametrize(
    ("files", "configurations"),
    [
        ({}, ["none", "none", "none", "none"]),
        ({"pyproject.toml": "[tool.mypy]\n[tool.ruff]\n"}, ["pyproject.toml", "pyproject.toml", "none", "none"]),
        ({"mypy.ini": "[mypy]\n", "ruff.toml": "", "pytest.ini": ""}, ["mypy.ini", "ruff.toml", "pytest.ini", "none"]),
        ({".ruff.toml": "", "ruff.toml": "", ".coveragerc": ""}, ["none", ".ruff.toml", "none", ".coveragerc"]),
        ({"pyproject.toml": "broken ["}, ["none", "none", "none", "none"]),
    ],
)
def test_the_file_that_rules_is_named(tmp_path: Path, files: dict[str, str], configurations: list[str]) -> None:
    told = explained(tmp_path, {**TOY, **files}, base=BASE)
    python = [gate for gate in told.gates if gate.gate != "integrity"]
    assert [gate.configuration.partition(" ")[0] for gate in python] == configurations
    assert all("of the base 0123456789ab" in gate.configuration for gate in python)


def test_without_a_base_the_commit_rules_itself_and_integrity_is_left_out(tmp_path: Path) -> None:
    told = explained(tmp_path, TOY)
    assert {gate.configuration for gate in told.gates} == {"none of this commit: the tool's own defaults"}
    assert [(each.gate, each.why) for each in told.left_out] == [
        ("integrity", "no base to compare with: add --base REF")
    ]
    assert (told.tree, told.base, told.notes) == ("tree", None, ("a note",))


def test_with_a_base_integrity_is_a_gate(tmp_path: Path) -> None:
    told = explained(tmp_path, TOY, base=BASE)
    assert [gate.gate for gate in told.gates] == ["build", "lint", "test", "coverage", "integrity"]
    assert "0123456789ab" in told.gates[-1].why
    off = explained(tmp_path, TOY, GatesSection(integrity=IntegrityGateSection(enabled=False)), base=BASE)
    assert [(each.gate, "gates.integrity.enabled" in each.why) for each in off.left_out] == [("integrity", True)]


def test_a_switched_off_gate_says_by_which_key(tmp_path: Path) -> None:
    told = explained(tmp_path, TOY, GatesSection(lint=GateSection(enabled=False)))
    assert [gate.gate for gate in told.gates] == ["build", "test", "coverage"]
    assert told.left_out[0].why == "gates.lint.enabled is false in .coordinator.yml"


def test_commands_say_what_counts_and_where_they_come_from(tmp_path: Path) -> None:
    commands = ({"name": "vet", "run": "go vet ./...", "report": "vet.sarif"}, {"name": "spell", "run": "spell"})
    told = explained(tmp_path, {"go.mod": ""}, GatesSection.model_validate({"commands": commands}))
    assert [(gate.gate, gate.command, gate.configuration) for gate in told.gates] == [
        ("vet", "go vet ./...", "its exit status and vet.sarif"),
        ("spell", "spell", "its exit status"),
    ]
    assert told.gates[0].why == "gates.commands of .coordinator.yml; at most 10 minutes"
    assert told.setup == ("go mod download", "go vet ./... || true")


def test_a_preset_says_by_which_file_it_was_found(tmp_path: Path) -> None:
    told = explained(tmp_path, {"go.mod": ""})
    assert [gate.why.partition(";")[0] for gate in told.gates] == ["preset for go, because of go.mod"] * 3
