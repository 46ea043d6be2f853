"""An arena: one real sandbox in which hostile trees are judged one after another, and what must hold after each."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.configuration import CoverageGateSection, GateSection, GatesSection, TestGateSection
from coordinator.gates.suite import build_suite
from coordinator.gates.target.preparing import EnvironmentKeeper
from tests.gates.support import exporter
from tests.support import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.sandbox.confined import ConfinedSandbox

OFF = GateSection(enabled=False)
NO_TEST = TestGateSection(enabled=False)
NO_COVERAGE = CoverageGateSection(enabled=False)
COMMANDS = GatesSection(build=OFF, lint=OFF, test=NO_TEST, coverage=NO_COVERAGE)
"""With `commands`: these alone."""

CODE = (
    '"""Toy."""\n\n\ndef double(number: int) -> int:\n    return 2 * number\n\n\ndef unused() -> int:\n    return 1\n'
)
TEST = "from toy import double, unused\n\n\ndef test_both() -> None:\n    assert double(2) == 4 * unused()\n"
PROJECT = {
    "pyproject.toml": '[project]\nname = "toy"\nversion = "1.0"\n',
    "toy/__init__.py": CODE,
    "tests/test_toy.py": TEST,
}
"""Green in all gates."""


def within(minutes: float, *args: str) -> GatesSection:
    """Return the test and the coverage gate with a time limit."""
    return GatesSection(build=OFF, lint=OFF, test=TestGateSection(minutes=minutes, args=args))


@dataclass
class Arena:
    """The sandbox, and a folder for repositories and caches."""

    sandbox: ConfinedSandbox
    folder: Path
    judged: int = 0

    def judge(self, files: Mapping[str, str], section: GatesSection) -> dict[str, GateResult]:
        """Judge a new repository with these files, and see to it that nothing is left of it."""
        self.judged += 1
        repository = make_repository(self.folder / f"repository-{self.judged}", files)
        return by_name(self.verdict(repository, section))

    def verdict(
        self, repository: Path, section: GatesSection, base: str | None = None, setup: tuple[str, ...] | None = None
    ) -> Verdict:
        """Judge the head of a repository, by a base where one is given."""
        keeper = EnvironmentKeeper(
            self.sandbox, self.folder / "cache", active=Path(sys.prefix), reach=self.sandbox.check_reachable
        )
        verdict = build_suite(
            export=exporter(repository),
            tree=git(repository, "rev-parse", "HEAD^{tree}"),
            base=base,
            section=section,
            sandbox=self.sandbox,
            environment=keeper.environment_for,
            setup=setup,
        ).judge()
        assert survivors(self.sandbox) == []
        assert self.left() == []
        return verdict

    def left(self) -> list[str]:
        """Name what the judgement left in the sandbox's folder: HOME and TMPDIR of the sandbox stay, empty."""
        return [
            str(path.relative_to(self.sandbox.root))
            for path in self.sandbox.root.rglob("*")
            if path.parent != self.sandbox.root or path.name.partition("-")[0] not in {"home", "tmp"}
        ]

    def assert_unharmed(self) -> None:
        """Judge an honest tree."""
        results = self.judge(PROJECT, within(5))
        assert all(result.passed for result in results.values()), results


def survivors(sandbox: ConfinedSandbox) -> list[str]:
    """Return the command lines of processes that are still there: those of the leased uid, else our descendants."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = dict(line.split(":\t", 1) for line in (entry / "status").read_text().splitlines() if ":\t" in line)
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        uid = sandbox.means.uid
        ours = int(fields["PPid"]) == os.getpid() if uid is None else int(fields["Uid"].split()[0]) == uid
        if ours and not fields["State"].startswith("Z"):
            found.append(line)
    return found


def by_name(verdict: Verdict) -> dict[str, GateResult]:
    """Return the results by gate."""
    assert verdict.passed == all(result.passed for result in verdict.gates)
    return {result.gate: result for result in verdict.gates}


def states(results: Mapping[str, GateResult]) -> dict[str, object]:
    """Return the state of each gate."""
    return {name: result.details["state"] for name, result in results.items()}
