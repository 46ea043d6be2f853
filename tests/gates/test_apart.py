"""Which commands of a judgement are kept apart from the tests: those that run nothing of the repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.configuration import GatesSection
from coordinator.gates.suite import build_suite
from tests.gates.support import PlainSandbox, exporter, own_environment
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYPROJECT = '[project]\nname = "toy"\nversion = "1"\n'
FILES = {
    "pyproject.toml": PYPROJECT,
    "toy/__init__.py": "ONE: int = 1\n",
    "tests/test_toy.py": "from toy import ONE\n\n\ndef test_one() -> None:\n    assert ONE == 1\n",
}
TOOLS = ("mypy", "ruff", "pytest", "coverage")


@dataclass
class TwoSandboxes(PlainSandbox):
    beside: TwoSandboxes | None = None

    def aside(self) -> TwoSandboxes:
        if self.beside is None:
            self.beside = TwoSandboxes(self.home)
        return self.beside


def tools_of(sandbox: PlainSandbox | None) -> set[str]:
    assert sandbox is not None
    argvs = [" ".join(command.argv) for command in sandbox.commands]
    return {tool for argv in argvs for tool in TOOLS if f"-m {tool} " in f"{argv} "}


def judged(tmp_path: Path, files: Mapping[str, str], *, against_base: bool) -> TwoSandboxes:
    repository = make_repository(tmp_path / "repository", FILES)
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, files)
    home = tmp_path / "home"
    home.mkdir()
    sandbox = TwoSandboxes(home)
    verdict = build_suite(
        export=exporter(repository),
        tree=git(repository, "rev-parse", "HEAD^{tree}"),
        base=base if against_base else None,
        section=GatesSection(),
        sandbox=sandbox,
        environment=lambda _source: own_environment(sandbox, home / "cache"),
    ).judge()
    assert [result.gate for result in verdict.gates if result.details["state"] == "error"] == [], verdict
    return sandbox


def test_mypy_and_ruff_are_out_of_reach_of_the_tests(tmp_path: Path) -> None:
    sandbox = judged(tmp_path, {"toy/two.py": "TWO: int = 2\n"}, against_base=True)
    assert tools_of(sandbox.beside) == {"mypy", "ruff"}
    assert tools_of(sandbox) == {"coverage"}


def test_a_mypy_with_plugins_runs_where_code_of_the_project_does(tmp_path: Path) -> None:
    rules = f"{PYPROJECT}\n[tool.mypy]\nplugins = ['own_plugin.py']\n"
    plugin = "from mypy.plugin import Plugin\n\n\ndef plugin(version: str) -> type[Plugin]:\n    return Plugin\n"
    sandbox = judged(tmp_path, {"pyproject.toml": rules, "own_plugin.py": plugin}, against_base=False)
    assert tools_of(sandbox.beside) == {"ruff"}
    assert tools_of(sandbox) == {"mypy", "coverage"}
