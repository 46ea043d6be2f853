"""Projects whose tests use the plugins that most projects use: each check judges them as it judges any other.

The plugins come from the package index that this machine is configured for, so these tests are skipped unless
COORDINATOR_PUBLISHED_PROJECTS is set.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import CoverageGateSection, GatesSection
from coordinator.gates.target.environment import describe_environment
from coordinator.sandbox.environment import SYSTEM_PATH
from tests.gates.integrity.dynamic_support import BASE, BROKEN, CALC, OFF, PYPROJECT, TEST, kinds
from tests.gates.support import PlainSandbox, judge, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.protocol import Verdict
    from coordinator.gates.target.environment import TargetEnvironment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "COORDINATOR_PUBLISHED_PROJECTS" not in os.environ, reason="COORDINATOR_PUBLISHED_PROJECTS is not set"
    ),
]

PLUGINS = ("pytest-xdist==3.8.0", "pytest-cov==7.1.0", "pytest-randomly==5.1.0", "pytest-rerunfailures==16.7")
SECTION = GatesSection(build=OFF, lint=OFF, coverage=CoverageGateSection(threshold=100))
ERRORS = '\nfilterwarnings = ["error"]'
USES = (
    "-n 2 --dist loadscope",
    "--dist=loadfile --tx 2*popen",
    "-p no:xdist -p no:cov -p no:randomly",
    "--disable-plugin-autoload -p xdist -n 2",
    "--cov=calc --cov-branch --cov-context=test --cov-fail-under=100 -n 2",
    "--randomly-seed=7",
    "--randomly-seed=last",
    "--reruns 2",
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment with the plugins."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    tools = ("pytest==9.2.0", "coverage==7.17.3")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *tools, *PLUGINS], check=True
    )
    return folder


def judged(folder: Path, environment: Path, addopts: str, changes: dict[str, str]) -> Verdict:
    rules = f'{PYPROJECT}[tool.pytest.ini_options]\naddopts = "{addopts}"{ERRORS}\n'
    repository = make_repository(folder / "repository", {**BASE, "pyproject.toml": rules})
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, changes)
    home = folder / "home"
    sandbox = PlainSandbox(home)

    def prepared(_: Path) -> TargetEnvironment:
        return describe_environment(environment, "VIRTUAL_ENV", sandbox, home / "cache", SYSTEM_PATH)

    return judge(repository, home, SECTION, base=base, environment=prepared)


@pytest.mark.parametrize("addopts", USES)
def test_an_honest_change_is_not_held_up(tmp_path: Path, environment: Path, addopts: str) -> None:
    verdict = judged(tmp_path, environment, addopts, {"calc.py": CALC.replace("a // b", "int(a // b)")})
    assert verdict.passed, verdict
    assert result_of(verdict, "test").message == "5 tests passed"
    assert all(result.details["notes"] == [] for result in verdict.gates)


@pytest.mark.parametrize("addopts", USES)
def test_a_test_that_was_fitted_is_seen(tmp_path: Path, environment: Path, addopts: str) -> None:
    fitted = {"calc.py": BROKEN, "tests/test_calc.py": TEST.replace("== 2", "== 18")}
    assert kinds(judged(tmp_path, environment, addopts, fitted)) == [("base-tests", "tests/test_calc.py::test_divide")]
