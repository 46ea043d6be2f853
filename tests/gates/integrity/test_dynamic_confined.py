"""The dynamic checks behind the real sandbox, with records that outlive the judgement."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import CoverageGateSection, GatesSection
from coordinator.gates.cache.kept_files import KeptFiles
from coordinator.gates.integrity.base_records import BaseRecords
from coordinator.gates.suite import build_suite
from coordinator.gates.target.preparing import EnvironmentKeeper
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.opening import open_sandbox
from tests.gates.integrity.dynamic_support import BASE, OFF, TEST, kinds, state
from tests.gates.integrity.test_mutation import ASSERTS, RUNS, WITH_TRIPLE
from tests.gates.support import exporter, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.protocol import Verdict

SECTION = GatesSection(build=OFF, lint=OFF, coverage=CoverageGateSection(threshold=0))
LOOKING = (
    "import os\nfrom pathlib import Path\n\n\ndef test_apart() -> None:\n"
    f"    assert os.geteuid() != {os.geteuid()} or os.geteuid() != 0\n"
)


def judged(tmp_path: Path, changes: dict[str, str]) -> Verdict:
    repository = make_repository(tmp_path / "repository", {**BASE, "tests/test_looking.py": LOOKING})
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, changes)
    with open_sandbox(visible=interpreter_paths()) as sandbox:
        keeper = EnvironmentKeeper(sandbox, tmp_path / "cache", reach=sandbox.check_reachable)
        environment = keeper.environment_for(repository)
        before = set(sandbox.root.iterdir())
        verdict = build_suite(
            export=exporter(repository),
            tree=git(repository, "rev-parse", "HEAD^{tree}"),
            base=base,
            section=SECTION,
            sandbox=sandbox,
            environment=lambda _source: environment,
            base_records=BaseRecords(KeptFiles(tmp_path / "kept")),
        ).judge()
        assert set(sandbox.root.iterdir()) == before
    return verdict


@pytest.mark.parametrize(("test", "expected"), [(ASSERTS, "passed"), (RUNS, "attention")])
def test_a_change_is_judged_confined_and_leaves_nothing(tmp_path: Path, test: str, expected: str) -> None:
    changed = f"{TEST}\n\ndef test_more() -> None:\n    assert divide(4, 2) == 2\n"
    verdict = judged(tmp_path, {"calc.py": WITH_TRIPLE, "tests/test_more.py": test, "tests/test_calc.py": changed})
    assert result_of(verdict, "test").passed
    assert state(result_of(verdict, "integrity")) == expected, verdict
    assert kinds(verdict) == ([] if expected == "passed" else [("mutation", "calc.py::triple")])
    kept = list((tmp_path / "kept").iterdir())
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]
