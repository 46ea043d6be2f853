"""Silenced violations, counted by the real ruff on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Unreachable
from coordinator.gates.evidence import Cleaner
from coordinator.gates.integrity.findings import Severity
from coordinator.gates.integrity.suppressed import SuppressedViolations
from coordinator.gates.tooling import Tool
from coordinator.sandbox.protocol import Command, CommandResult
from tests.gates.integrity.support import a_tree
from tests.gates.support import PlainSandbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.gates.integrity.findings import PolicyFinding

CODE = "def double(number: int) -> int:\n    return 2 * number\n"


def suppressed(
    folder: Path,
    base: Mapping[str, str],
    head: Mapping[str, str],
    *,
    allow: int = 0,
    args: tuple[str, ...] = (),
    sandbox: PlainSandbox | None = None,
) -> list[PolicyFinding]:
    tree = a_tree(folder, base, head)
    (folder / "home").mkdir()
    tool = Tool(sandbox or PlainSandbox(folder / "home"), tree.reading, Cleaner((tree.reading,)))
    assert tree.base is not None
    return list(SuppressedViolations(tree, tree.base, tool, args, allow).find())


@pytest.mark.parametrize(
    "head",
    [
        f"import os  # noqa\n\n{CODE}",
        f"import os  # noqa: F401\n\n{CODE}",
        f"# ruff: noqa\nimport os\n\n{CODE}",
        f"# ruff: noqa: F401\nimport os\n\n{CODE}",
        f"# flake8: noqa\nimport os\n\n{CODE}",
    ],
)
def test_a_silenced_violation_is_found_however_it_is_silenced(tmp_path: Path, head: str) -> None:
    found = suppressed(tmp_path, {"a.py": CODE}, {"a.py": head})
    assert {(each.kind, each.what, each.severity) for each in found} == {("noqa", "a.py", Severity.ATTENTION)}
    line = 1 + head.splitlines().index(next(line for line in head.splitlines() if line.startswith("import")))
    assert f"1 more of F401 than before (line {line})" in found[0].message


def test_what_was_silenced_before_or_is_not_silenced_does_not_count(tmp_path: Path) -> None:
    before = {"a.py": f"import os  # noqa: F401\n\n{CODE}", "b.py": CODE}
    after = {"a.py": f"\nimport os  # noqa: F401\n\n{CODE}\n", "b.py": f"import sys\n\n{CODE}"}
    assert suppressed(tmp_path, before, after) == []


def test_what_was_moved_does_not_count(tmp_path: Path) -> None:
    silenced = f"import os  # noqa: F401\n\n{CODE}"
    assert suppressed(tmp_path, {"a.py": silenced, "b.py": ""}, {"b.py": silenced}) == []


def test_files_that_the_change_leaves_alone_do_not_count(tmp_path: Path) -> None:
    kept = {"kept.py": "import os  # noqa: F401\n"}
    assert suppressed(tmp_path, {**kept, "a.py": CODE}, {**kept, "a.py": f"{CODE}\n"}) == []


def test_a_budget_makes_a_note_of_it(tmp_path: Path) -> None:
    (finding,) = suppressed(tmp_path, {}, {"a.py": "import os  # noqa: F401\n"}, allow=1)
    assert finding.severity is Severity.NOTE
    assert finding.message.startswith("a.py: ruff finds 1 more of F401")


def test_the_arguments_of_the_lint_gate_count(tmp_path: Path) -> None:
    head = {"a.py": "x = 'a'  # noqa: Q000\n"}
    assert suppressed(tmp_path / "1", {}, head) == []
    (finding,) = suppressed(tmp_path / "2", {}, head, args=("--select=Q",))
    assert "Q000" in finding.message


def test_a_change_without_python_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    sandbox = PlainSandbox(tmp_path / "own")
    assert suppressed(tmp_path, {"a.py": CODE}, {"README.md": "x"}, sandbox=sandbox) == []
    assert sandbox.commands == []


class Answering(PlainSandbox):
    """Says that ruff ended so."""

    answer = CommandResult(
        exit_code=2, signal=None, timed_out=False, stdout=b"", stderr=b"broken\n", truncated=False, seconds=0.1
    )

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        return self.answer


def test_a_ruff_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(Unreachable, match="ruff ended with exit code 2: broken"):
        suppressed(tmp_path, {}, {"a.py": CODE}, sandbox=Answering(tmp_path / "own"))


@pytest.mark.parametrize(("output", "truncated"), [(b"no json", False), (b"[]", True)])
def test_a_report_that_is_none_is_an_error(tmp_path: Path, output: bytes, truncated: bool) -> None:
    (tmp_path / "own").mkdir()
    sandbox = Answering(tmp_path / "own")
    sandbox.answer = CommandResult(
        exit_code=0, signal=None, timed_out=False, stdout=output, stderr=b"", truncated=truncated, seconds=0.1
    )
    with pytest.raises(Unreachable, match="silenced violations could not be counted"):
        suppressed(tmp_path, {}, {"a.py": CODE}, sandbox=sandbox)


def test_a_hidden_file_is_looked_at_all_the_same(tmp_path: Path) -> None:
    head = {"a.py": "import os  # noqa: F401\n", ".ignore": "a.py\n", ".gitignore": "a.py\n"}
    assert len(suppressed(tmp_path, {}, head)) == 1
