"""Published projects, from their source distributions: each gate has to agree with the raw tool run by hand.

They take minutes and need the package index that this machine is configured for, so they are skipped unless
COORDINATOR_PUBLISHED_PROJECTS is set.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GateSection, GatesSection
from coordinator.gates.suite import build_suite
from coordinator.gates.target.preparing import EnvironmentKeeper
from coordinator.sandbox.environment import interpreter_paths, select_passthrough
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Command, Limits
from tests.gates.published import PROJECTS, NotAvailable, Published, unpacked
from tests.gates.support import exporter, result_of
from tests.support import commit_files, git

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.sandbox.protocol import Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "COORDINATOR_PUBLISHED_PROJECTS" not in os.environ, reason="COORDINATOR_PUBLISHED_PROJECTS is not set"
    ),
]


@dataclass(frozen=True)
class ByHand:
    """The raw tools on a checkout, run by the same uid, in the same environment."""

    project: Published
    checkout: Path
    environment: TargetEnvironment
    sandbox: Sandbox

    def run(self, *argv: str, **env: str) -> str:
        """Return what a tool prints, whatever its exit code."""
        command = Command(argv, self.checkout, Limits(1200), env=self.environment.variables() | env, merge_stderr=True)
        return self.sandbox.run(command).stdout.decode()

    def type_errors(self) -> int:
        cache = f"--cache-dir={self.checkout.parent / 'cache'}"
        python = f"--python-executable={self.environment.python}"
        output = self.run(sys.executable, "-m", "mypy", "--strict", cache, python, *self.project.mypy)
        return number(r"Found (\d+) error", output)

    def lint_findings(self) -> int:
        return number(r"Found (\d+) error", self.run(sys.executable, "-m", "ruff", "check", "--no-fix", "--no-cache"))

    def tests(self) -> dict[str, int]:
        source = ",".join(self.project.packages)
        one = ("-n0",) if "pytest-xdist" in self.environment.distributions else ()
        python = (str(self.environment.python), "-m", "coverage", "run", f"--source={source}")
        output = self.run(*python, "-m", "pytest", "-q", *one, PYTHONPATH=str(self.checkout / self.project.root))
        last = output.splitlines()[-1]
        return {word: number(rf"(\d+) {word}", last) for word in ("passed", "failed", "skipped", "xfailed")}

    def percent(self) -> float:
        python = str(self.environment.python)
        if list(self.checkout.glob(".coverage.*")):
            self.run(python, "-m", "coverage", "combine")
        include = ",".join(f"{package}/*" for package in self.project.packages)
        self.run(python, "-m", "coverage", "json", f"--include={include}", "-o", "by-hand.json")
        return float(json.loads((self.checkout / "by-hand.json").read_text())["totals"]["percent_covered"])


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


FAULTS = {
    "seeded_type.py": "NUMBER: int = ''\n",
    "seeded_name.py": "def nothing() -> None:\n    print(nowhere)\n",
    "seeded_gap.py": "".join(f"A{number} = {number}\n" for number in range(6000)),
}
"""Modules of a package, each with a fault for one gate: build, lint (which mypy sees as well), coverage."""

FAILING = "def test_seeded() -> None:\n    assert sorted([2, 1]) == [2, 1]\n"


def published(project: Published, folder: Path) -> Path:
    """Return the release as a repository with one commit."""
    try:
        return unpacked(project, folder)
    except NotAvailable as error:
        pytest.skip(str(error))


@dataclass(frozen=True)
class Compared:
    """What the gates say of the head of a repository, and what the raw tools do."""

    verdict: Verdict
    type_errors: int
    lint_findings: int
    tests: dict[str, int]
    percent: float

    def check(self) -> None:
        """All numbers are the same."""
        build, lint, test, coverage = (result_of(self.verdict, name) for name in ("build", "lint", "test", "coverage"))
        assert total(build) == self.type_errors
        assert build.passed == (self.type_errors == 0)
        assert total(lint) == self.lint_findings
        assert lint.passed == (self.lint_findings == 0)
        assert test.details["passed"] == self.tests["passed"]
        assert test.details["failed"] == self.tests["failed"]
        assert test.details["skipped"] == self.tests["skipped"] + self.tests["xfailed"]
        forgiven = test.details.get("base_failures")
        assert isinstance(forgiven, list)
        assert test.passed == (self.tests["failed"] == len(forgiven))
        assert coverage.details["percent"] == pytest.approx(self.percent, abs=0.05)
        assert coverage.passed == (self.percent >= GatesSection().coverage.threshold)


def compared(project: Published, repository: Path, tmp_path: Path, section: GatesSection) -> Compared:
    """Judge the head, and run the raw tools on it, confined alike and in the same environment."""
    section = section.model_copy(update={"build": GateSection(args=project.build_args)})
    with open_sandbox(visible=interpreter_paths(), passthrough=select_passthrough(os.environ)) as sandbox:
        keeper = EnvironmentKeeper(sandbox, tmp_path / "cache", reach=sandbox.check_reachable)
        verdict = build_suite(
            export=exporter(repository),
            tree=git(repository, "rev-parse", "HEAD^{tree}"),
            base=git(repository, "rev-list", "--max-parents=0", "HEAD"),
            section=section,
            sandbox=sandbox,
            environment=keeper.environment_for,
        ).judge()
        checkout = sandbox.make_folder("by-hand") / "checkout"
        checkout.mkdir()
        exporter(repository)("HEAD", checkout)
        sandbox.give(checkout.parent)
        by_hand = ByHand(project, checkout, keeper.environment_for(checkout), sandbox)
        return Compared(verdict, by_hand.type_errors(), by_hand.lint_findings(), by_hand.tests(), by_hand.percent())


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_gates_agree_with_the_raw_tools(tmp_path: Path, project: Published) -> None:
    repository = published(project, tmp_path)
    found = compared(project, repository, tmp_path, GatesSection())
    found.check()
    assert result_of(found.verdict, "coverage").passed
    assert result_of(found.verdict, "test").passed, "what fails fails on the base as well"
    assert result_of(found.verdict, "integrity").passed, "nothing has changed"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_one_fault_for_each_gate_is_found_as_the_raw_tools_find_it(tmp_path: Path, project: Published) -> None:
    repository = published(project, tmp_path)
    package = project.packages[-1]
    faults = {f"{package}/{name}": text for name, text in FAULTS.items()}
    commit_files(repository, {**faults, "tests/test_seeded.py": FAILING})
    section = GatesSection.model_validate({"integrity": {"enabled": False}})
    found = compared(project, repository, tmp_path, section)
    found.check()
    assert [result.gate for result in found.verdict.failed_gates()] == ["build", "lint", "test", "coverage"]
    named = {
        "build": f"{package}/seeded_type.py",
        "lint": f"{package}/seeded_name.py",
        "test": "tests/test_seeded.py",
        "coverage": f"{package}/seeded_gap.py",
    }
    for gate, path in named.items():
        result = result_of(found.verdict, gate)
        listed = result.details["missing" if gate == "coverage" else "findings"]
        assert isinstance(listed, list)
        assert path in {entry["path"] for entry in listed if isinstance(entry, dict)}, gate


def total(result: GateResult) -> object:
    return result.details["findings_total"]
