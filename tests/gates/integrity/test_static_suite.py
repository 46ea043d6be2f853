"""The gate in the suite: when it is there, and honest and dishonest changes through all real gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import (
    CoverageGateSection,
    GateSection,
    GatesSection,
    IntegrityGateSection,
    TestGateSection,
)
from coordinator.gates.integrity.kinds import Kind
from coordinator.gates.suite import NO_BASE
from tests.gates.support import judge, judge_files, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.gates.protocol import Verdict

PROJECT = '[project]\nname = "toy"\nversion = "1.0"\n'
CODE = '"""Toy."""\n\n\ndef double(number: int) -> int:\n    return 2 * number\n'
TEST = "from toy import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n"
GREEN = {"pyproject.toml": PROJECT, "toy/__init__.py": CODE, "tests/test_toy.py": TEST}
OFF = GateSection(enabled=False)
LINT = GatesSection(build=OFF, test=TestGateSection(enabled=False), coverage=CoverageGateSection(enabled=False))
UNUSED = CODE.replace("\n\n\n", "\n\nimport os  # noqa: F401\n\n\n", 1)
BARE = UNUSED.replace("  # noqa: F401", "")


def changed(folder: Path, files: Mapping[str, str], section: GatesSection = LINT) -> Verdict:
    repository = make_repository(folder / "repository", GREEN)
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, files)
    return judge(repository, folder / "home", section, base=base)


def test_without_a_base_the_gate_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    verdict = judge_files(tmp_path, GREEN, LINT)
    assert [result.gate for result in verdict.gates] == ["lint"]
    assert result_of(verdict, "lint").details["notes"] == [NO_BASE]


def test_a_gate_that_is_switched_off_is_not_there_and_not_missed(tmp_path: Path) -> None:
    section = LINT.model_copy(update={"integrity": IntegrityGateSection(enabled=False)})
    verdict = changed(tmp_path, {"toy/__init__.py": UNUSED}, section)
    assert [result.gate for result in verdict.gates] == ["lint"]
    assert result_of(judge_files(tmp_path / "none", GREEN, section), "lint").details["notes"] == []


def test_every_static_check_has_its_say(tmp_path: Path) -> None:
    files = {"toy/__init__.py": UNUSED, "conftest.py": "", "pyproject.toml": f"{PROJECT}[tool.ruff]\nfix = true\n"}
    result = result_of(changed(tmp_path, files), "integrity")
    assert result.details["state"] == "attention"
    listed = result.details["findings"]
    assert isinstance(listed, list)
    findings = [entry for entry in listed if isinstance(entry, dict)]
    assert {(entry["kind"], entry["what"]) for entry in findings} >= {
        ("noqa", "toy/__init__.py"),
        ("protected-file", "conftest.py"),
        ("configuration-table", "pyproject.toml:tool.ruff"),
    }
    assert any("ruff finds 1 more of F401" in str(entry["message"]) for entry in findings)


def test_the_budget_of_the_configuration_counts(tmp_path: Path) -> None:
    section = LINT.model_copy(update={"integrity": IntegrityGateSection(allow={Kind.NOQA: 1})})
    result = result_of(changed(tmp_path, {"toy/__init__.py": UNUSED}, section), "integrity")
    assert "F401" in str(result.details["notes"])
    assert "1 more of noqa" in str(result.details["notes"])


def test_without_lint_nobody_counts_silenced_violations(tmp_path: Path) -> None:
    section = LINT.model_copy(update={"lint": OFF, "test": TestGateSection()})
    result = result_of(changed(tmp_path, {"toy/__init__.py": UNUSED}, section), "integrity")
    assert "1 more of noqa" in str(result.details["findings"])
    assert "ruff finds" not in str(result.details["findings"])


@pytest.mark.parametrize("name", [".ignore", "toy/.ignore"])
def test_no_file_hides_another_from_the_linter(tmp_path: Path, name: str) -> None:
    files = {**GREEN, "toy/__init__.py": BARE, name: "__init__.py\n*\n"}
    result = result_of(judge_files(tmp_path, files, LINT), "lint")
    assert result.details["state"] == "failed"
    assert "F401" in result.message


def test_a_file_above_the_export_hides_nothing_either(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".cache").mkdir()
    (tmp_path / ".ignore").write_text("*\n", encoding="utf-8")
    files = {**GREEN, "toy/__init__.py": BARE}
    assert result_of(judge_files(tmp_path, files, LINT), "lint").details["state"] == "failed"
