"""Published projects, from their source distributions: each gate has to agree with the raw tool run by hand.

They take minutes and need the package index that this machine is configured for, so they are skipped unless
COORDINATOR_PUBLISHED_PROJECTS is set.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GatesSection
from coordinator.gates.preparing import EnvironmentKeeper
from coordinator.gates.suite import build_suite
from coordinator.sandbox.environment import interpreter_paths, select_passthrough
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Command, Limits
from tests.gates.support import exporter, result_of
from tests.support import git

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.environment import TargetEnvironment
    from coordinator.gates.protocol import GateResult
    from coordinator.sandbox.protocol import Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "COORDINATOR_PUBLISHED_PROJECTS" not in os.environ, reason="COORDINATOR_PUBLISHED_PROJECTS is not set"
    ),
]


@dataclass(frozen=True)
class Published:
    name: str
    requirement: str
    mypy: tuple[str, ...]
    """What a person gives to `mypy --strict`: nothing where the configuration says it."""
    packages: tuple[str, ...]
    root: str


PROJECTS = (
    Published("click", "click==8.5.1", (), ("src/click",), "src"),
    Published("starlette", "starlette==1.10.0", ("starlette",), ("starlette",), "."),
    Published("attrs", "attrs==26.1.0", ("src/attr", "src/attrs"), ("src/attr", "src/attrs"), "src"),
)


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


def unpacked(project: Published, folder: Path) -> Path:
    """Download a source distribution and return it as a repository with one commit."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", project.name]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), project.requirement],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer")
    if done.returncode:
        pytest.skip(f"{project.requirement} cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
    (folder / "unpacked").mkdir()
    subprocess.run(["/bin/tar", "-xzf", str(next(folder.glob("*.tar.gz"))), "-C", str(folder / "unpacked")], check=True)
    repository = next((folder / "unpacked").iterdir())
    git(repository, "init", "--quiet")
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "--message", "Published")
    return repository


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_gates_agree_with_the_raw_tools(tmp_path: Path, project: Published) -> None:
    repository = unpacked(project, tmp_path)
    with open_sandbox(visible=interpreter_paths(), passthrough=select_passthrough(os.environ)) as sandbox:
        keeper = EnvironmentKeeper(sandbox, tmp_path / "cache", reach=sandbox.check_reachable)
        verdict = build_suite(
            export=exporter(repository),
            tree=git(repository, "rev-parse", "HEAD^{tree}"),
            base=git(repository, "rev-parse", "HEAD"),
            section=GatesSection(),
            sandbox=sandbox,
            environment=keeper.environment_for,
        ).judge()
        checkout = sandbox.make_folder("by-hand") / "checkout"
        checkout.mkdir()
        exporter(repository)("HEAD", checkout)
        sandbox.give(checkout.parent)
        by_hand = ByHand(project, checkout, keeper.environment_for(checkout), sandbox)
        build, lint, test, coverage = (result_of(verdict, name) for name in ("build", "lint", "test", "coverage"))
        assert total(build) == by_hand.type_errors()
        assert total(lint) == by_hand.lint_findings()
        tests = by_hand.tests()
        assert test.details["passed"] == tests["passed"]
        assert test.details["failed"] == tests["failed"]
        assert test.details["skipped"] == tests["skipped"] + tests["xfailed"]
        assert coverage.details["percent"] == pytest.approx(by_hand.percent(), abs=0.05)
        assert test.passed == (tests["failed"] == 0)
    assert build.passed == (total(build) == 0)
    assert lint.passed == (total(lint) == 0)
    assert coverage.passed


def total(result: GateResult) -> object:
    return result.details["findings_total"]
