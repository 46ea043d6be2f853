"""The lines about a pull request that stand beside its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.flows.pull_request_notes import about_changes, about_rejection, about_tree
from coordinator.gates.protocol import GateResult, Verdict

if TYPE_CHECKING:
    from pydantic import JsonValue


def verdict(*gates: tuple[str, bool, JsonValue]) -> Verdict:
    """A verdict of gates with their notes."""
    results = tuple(
        GateResult(gate=name, passed=passed, message="", details={"notes": notes}, seconds=0.1)
        for name, passed, notes in gates
    )
    return Verdict(passed=all(result.passed for result in results), tree="t", gates=results)


@pytest.mark.parametrize(
    "path",
    [
        ".coordinator.yml",
        ".Coordinator.yml",
        ".gitea/workflows/ci.yml",
        ".GitHub/workflows/ci.yml",
        ".forgejo/actions/x/action.yml",
    ],
)
def test_changed_rules_are_named(path: str) -> None:
    (note,) = about_changes(["a.py", path], ".coordinator.yml")
    assert note == f"Judged by the rules of the base branch; this changes them: {path}"


@pytest.mark.parametrize("path", ["a.py", ".coordinator.yml.bak", "docs/.gitea.md", "x/.coordinator.yml", ".git-x"])
def test_other_files_are_no_rules(path: str) -> None:
    assert about_changes([path], ".coordinator.yml") == ()


def test_the_configuration_may_have_another_name() -> None:
    assert about_changes(["ci/agent.yml"], "ci/agent.yml")
    assert not about_changes([".coordinator.yml"], "ci/agent.yml")


def test_many_paths_are_cut_and_what_does_not_print_is_escaped() -> None:
    (note,) = about_changes([f".github/{number}" for number in range(7)], "c")
    assert note.endswith(".github/3, .github/4 and 2 others")
    (note,) = about_tree({f"vendored\n{number}" for number in range(6)})
    assert "vendored\\n0, " in note
    assert note.endswith("vendored\\n4 and 1 other")


def test_a_whole_tree_needs_no_note() -> None:
    assert about_tree(set()) == ()


@pytest.mark.parametrize(
    ("changed", "gate", "passed", "said"),
    [
        ("pyproject.toml", "test", False, True),
        ("requirements.txt", "build", False, True),
        ("pyproject.toml", "lint", False, False),
        ("pyproject.toml", "test", True, False),
        ("docs/pyproject.toml", "test", False, False),
    ],
)
def test_a_rejection_that_may_come_from_the_environment(changed: str, gate: str, *, passed: bool, said: bool) -> None:
    assert bool(about_rejection(verdict((gate, passed, [])), [changed, "a.py"])) is said
