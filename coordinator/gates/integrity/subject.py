"""What the checks of the integrity gate look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.configuration import GatesSection
    from coordinator.gates.integrity.base_run import BaseRun
    from coordinator.gates.judgement import Judgement
    from coordinator.gates.once import Once
    from coordinator.gates.python.coverage_report import CoverageReport
    from coordinator.gates.python.pytest_run import RunOutcome
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.gates.tooling import Tool
    from coordinator.gates.tree import JudgedTree
    from coordinator.sandbox.protocol import Network, Sandbox


@dataclass(frozen=True, slots=True)
class Subject:
    """What the checks look at: one tree with its base, and what the other gates find out about it."""

    tree: JudgedTree
    base: Path
    """`tree.base`: the export of the base with its own files."""
    section: GatesSection
    sandbox: Sandbox
    environment: Once[TargetEnvironment]
    run: Once[RunOutcome]
    """The covered pytest run that the test and the coverage gate share."""
    coverage: Once[CoverageReport | Judgement]
    """The coverage gate's report on that run, or why there is none."""
    reading: Tool
    """For the coordinator's own tools, in the export that only the coordinator can write to."""
    network: Network
    python: bool = True
    """Whether Python's gates judge the tree: without them there is no report of theirs to look at."""
    base_run: BaseRun | None = None
    """The base's own tests; None where tests are not judged."""
