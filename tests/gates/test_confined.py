"""The gates behind the real sandbox."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GatesSection
from coordinator.gates.suite import build_suite
from coordinator.gates.target.preparing import EnvironmentKeeper
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from tests.gates.support import exporter
from tests.support import git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.protocol import Verdict

PYPROJECT = '[project]\nname = "toy"\nversion = "1"\n'


def judged(tmp_path: Path, files: dict[str, str]) -> Verdict:
    """Judge files in the real sandbox, with an environment that is prepared below a folder only we can enter."""
    repository = make_repository(tmp_path / "repository", files)
    with open_sandbox(visible=interpreter_paths()) as sandbox:
        keeper = EnvironmentKeeper(sandbox, tmp_path / "cache", reach=sandbox.check_reachable)
        return build_suite(
            export=exporter(repository),
            tree=git(repository, "rev-parse", "HEAD^{tree}"),
            base=None,
            section=GatesSection(),
            sandbox=sandbox,
            environment=keeper.environment_for,
        ).judge()


def test_a_green_tree_passes_confined(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "toy/__init__.py": "ONE: int = 1\n",
        "tests/test_toy.py": "from toy import ONE\n\n\ndef test_one() -> None:\n    assert ONE == 1\n",
    }
    verdict = judged(tmp_path, files)
    assert verdict.passed, verdict


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give the tests another uid")
def test_tests_can_change_neither_the_judged_tree_nor_the_environment(tmp_path: Path) -> None:
    test = (
        "import os\nimport sys\nfrom pathlib import Path\n\nimport pytest\n\nimport toy\n\n\n"
        "def test_closed() -> None:\n"
        "    own = Path(toy.__file__).parents[1]\n"
        "    assert os.access(own, os.W_OK)\n"
        "    for closed in (own.parent / 'reading' / 'toy', own.parent, Path(sys.prefix), Path(pytest.__file__)):\n"
        "        assert not os.access(closed, os.W_OK), closed\n"
    )
    files = {"pyproject.toml": PYPROJECT, "toy/__init__.py": "ONE: int = 1\n", "tests/test_toy.py": test}
    verdict = judged(tmp_path, files)
    assert verdict.passed, verdict


def test_rules_that_a_test_rewrites_do_not_count(tmp_path: Path) -> None:
    """The report of coverage takes its configuration from the export that the tests could not write to."""
    test = (
        "from pathlib import Path\n\nfrom toy import used\n\n\ndef test_used() -> None:\n    used()\n"
        "    Path('pyproject.toml').write_text('[tool.coverage.report]\\nexclude_also = [\".\"]\\n')\n"
    )
    code = "def used() -> None:\n    pass\n\n\ndef unused() -> None:\n    print(1)\n    print(2)\n"
    files = {
        "pyproject.toml": f"{PYPROJECT}[tool.coverage.report]\nprecision = 2\n",
        "toy/__init__.py": code,
        "tests/test_toy.py": test,
    }
    coverage = judged(tmp_path, files).gates[3]
    assert coverage.details["percent"] == pytest.approx(60.0)
