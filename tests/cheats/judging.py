"""One repository, one environment and one run of the base's tests for all changes that are judged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.configuration import GatesSection
from coordinator.gates.integrity.base_records import BaseRecords
from coordinator.gates.suite import build_suite
from tests.cheats.project import BASE
from tests.gates.support import PlainSandbox, exporter, own_environment
from tests.support import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from coordinator.gates.protocol import GateResult, Verdict


@dataclass
class Bench:
    """Judges changes to the project, one after another."""

    folder: Path
    records: BaseRecords = field(default_factory=BaseRecords)

    def __post_init__(self) -> None:
        """Make the base."""
        self.origin = make_repository(self.folder / "origin", BASE)
        self.base = git(self.origin, "rev-parse", "HEAD")
        self.home = self.folder / "home"
        self.home.mkdir()

    def judge(self, files: Mapping[str, str | bytes], removed: Sequence[str] = ()) -> Verdict:
        """Commit a change on top of the base and judge it with the whole suite."""
        head = self.folder / "head"
        shutil.copytree(self.origin, head)
        try:
            for name in removed:
                (head / name).unlink()
            _write(head, files)
            git(head, "add", "--all", "--force")
            git(head, "commit", "--quiet", "--allow-empty", "--message", "Change")
            return self._judged(head)
        finally:
            shutil.rmtree(head)

    def _judged(self, head: Path) -> Verdict:
        sandbox = PlainSandbox(self.home)
        suite = build_suite(
            export=exporter(head),
            tree=git(head, "rev-parse", "HEAD^{tree}"),
            base=self.base,
            section=GatesSection(),
            sandbox=sandbox,
            environment=lambda _source: own_environment(sandbox, self.home / "cache"),
            mypy_cache=self.folder / "mypy",
            base_records=self.records,
        )
        return suite.judge()


def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def finding_kinds(result: GateResult) -> set[tuple[str, str]]:
    """Return severity and kind of what the integrity gate found."""
    findings = result.details["findings"]
    assert isinstance(findings, list)
    return {(str(each["severity"]), str(each["kind"])) for each in findings if isinstance(each, dict)}


def told(verdict: Verdict) -> str:
    """Return what each gate said, one line each, with the findings of the integrity gate."""
    lines = [f"{each.gate} {each.details['state']}: {each.message}" for each in verdict.gates]
    integrity = next((each for each in verdict.gates if "findings" in each.details and each.gate == "integrity"), None)
    lines += [f"  {severity} {kind}" for severity, kind in sorted(finding_kinds(integrity))] if integrity else []
    return "\n".join(lines)
