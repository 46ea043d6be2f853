"""What the tests of the dynamic checks share: one small project, and changes to it that are judged with its base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.configuration import (
    CoverageGateSection,
    GateSection,
    GatesSection,
    IntegrityGateSection,
)
from tests.gates.support import judge, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from coordinator.gates.protocol import GateResult, Verdict

CALC = '''"""Calc."""


def divide(a: int, b: int) -> int:
    """Divide."""
    return a // b


def is_small(n: int) -> bool:
    """Say whether it is small."""
    return n < 10
'''

TEST = """import pytest

from calc import divide, is_small


def test_divide() -> None:
    assert divide(6, 3) == 2


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small(n: int) -> None:
    assert is_small(n)


def test_big() -> None:
    assert not is_small(10)
"""

PYPROJECT = '[project]\nname = "calc"\nversion = "1"\n'
BASE = {"pyproject.toml": PYPROJECT, "calc.py": CALC, "tests/test_calc.py": TEST}
BROKEN = CALC.replace("a // b", "a * b")
OFF = GateSection(enabled=False)
NO_MUTANTS = GatesSection(
    build=OFF, lint=OFF, coverage=CoverageGateSection(enabled=False), integrity=IntegrityGateSection(mutants=0)
)


def judge_change(
    folder: Path,
    changes: Mapping[str, str],
    section: GatesSection = NO_MUTANTS,
    *,
    base: Mapping[str, str] | None = None,
    remove: Sequence[str] = (),
) -> Verdict:
    """Judge a change to a project with the project as it was as the base."""
    repository = make_repository(folder / "repository", BASE if base is None else base)
    start = git(repository, "rev-parse", "HEAD")
    for name in remove:
        (repository / name).unlink()
    commit_files(repository, changes)
    return judge(repository, folder / "home", section, base=start)


def kinds(verdict: Verdict) -> list[tuple[object, object]]:
    """Return kind and subject of the integrity gate's findings."""
    findings = result_of(verdict, "integrity").details["findings"]
    assert isinstance(findings, list)
    return [(each["kind"], each["what"]) for each in findings if isinstance(each, dict)]


def notes(verdict: Verdict, gate: str) -> str:
    """Return the notes of a gate, one per line."""
    found = result_of(verdict, gate).details["notes"]
    assert isinstance(found, list)
    return "\n".join(map(str, found))


def state(result: GateResult) -> object:
    """Return the state of a result."""
    return result.details["state"]
