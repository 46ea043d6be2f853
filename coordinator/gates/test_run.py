"""The one run of pytest, under coverage, that serves the test gate and the coverage gate."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from coordinator.gates import pytest_runner
from coordinator.gates.files import read_regular
from coordinator.gates.junit import TestReport, UnusableReport, read_report
from coordinator.gates.rules import rules_of
from coordinator.gates.tree import reachable_folder, remove_folder
from coordinator.sandbox.protocol import Command, CommandResult, Limits, Network, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coordinator.gates.environment import TargetEnvironment
    from coordinator.gates.once import Once
    from coordinator.gates.tree import JudgedTree

RUNNER = "coordinator_pytest"
NO_SYSMON = ("branch", "plugins", "dynamic_context", "concurrency")
"""Options of coverage's ``[run]`` with which ``sys.monitoring`` cannot be its core before Python 3.14, or at all."""

SYSMON_SINCE = (3, 12)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a finished run left behind."""

    result: CommandResult
    report: TestReport | None
    """None when there is no usable one; `report_fault` says why."""
    report_fault: str
    data_file: Path
    """Of coverage; it may be absent, or have siblings with a suffix when the project measures in parallel."""
    last_test: str
    """Id of the test that started last."""
    folders: tuple[Path, ...]
    """Folders of this run, to be taken out of messages."""
    notes: tuple[str, ...]
    """What was not as usual with the environment."""


@dataclass(frozen=True)
class TestRun:
    """Runs the project's tests once, in its own environment, on the export that may be written to.

    The project's configuration of pytest and coverage works as it does by hand, but for this: pytest-xdist runs in one
    process (``-n0``), because a worker would not be measured, and pytest-cov does not measure a second time
    (``--no-cov``). Hashes of strings and the names of temporary folders are the same in each run, so that the same tree
    gives the same messages.
    """

    __test__: ClassVar[bool] = False
    tree: JudgedTree
    environment: Once[TargetEnvironment]
    sandbox: Sandbox
    minutes: float
    args: tuple[str, ...] = ()
    network: Network = Network.NONE
    made: list[Path] = field(default_factory=list)
    """Folders to delete in the end."""

    def __call__(self) -> RunOutcome:
        """Run the tests. Raises what preparing the environment raises."""
        environment = self.environment.get()
        support = self._support()
        reports = self.sandbox.make_folder("reports")
        self.made.extend((support, reports))
        result = self.sandbox.run(
            Command(
                self._argv(environment, support, reports),
                cwd=self.tree.working,
                limits=Limits(self.minutes * 60),
                env=self._variables(environment, support, reports),
                merge_stderr=True,
                network=self.network,
            )
        )
        return _outcome(result, reports, (self.tree.working, reports, support), environment.notes)

    def remove(self) -> None:
        """Delete what the run left behind."""
        for folder in self.made:
            remove_folder(folder)

    def _support(self) -> Path:
        """Make the folder with the runner and with a configuration for projects that have none."""
        folder = reachable_folder(self.sandbox, "support")
        (folder / f"{RUNNER}.py").write_bytes(Path(pytest_runner.__file__).read_bytes())
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        return folder

    def _argv(self, environment: TargetEnvironment, support: Path, reports: Path) -> tuple[str, ...]:
        unconfigured = rules_of(self.tree.reading, "pytest") is None
        return (
            str(environment.python), *environment.isolation, "-m", "coverage", "run",
            f"--data-file={reports / 'coverage.data'}", f"--source={','.join(measured(self.tree))}", "-m", RUNNER,
            f"--rootdir={self.tree.working}", f"--confcutdir={self.tree.working}",
            f"--basetemp={reports / 't'}",
            *(("-c", str(support / "pytest.ini")) if unconfigured else ()), *_tamed(environment.distributions),
            *self.args, "-o", "junit_family=xunit1", f"--junitxml={reports / 'junit.xml'}",
        )  # fmt: skip

    def _variables(self, environment: TargetEnvironment, support: Path, reports: Path) -> dict[str, str]:
        roots = [str(self.tree.working / root) for root in self.tree.sources.roots]
        inherited = environment.variables()
        path = inherited.pop("PYTHONPATH", "")
        settings = {
            "roots": [os.path.normpath(root) for root in roots],
            "names": list(self.tree.sources.names),
            "path": os.pathsep.join(part for part in (*(os.path.normpath(root) for root in roots), path) if part),
            "progress": str(reports / "progress"),
        }
        own = {
            "PYTHONPATH": os.pathsep.join(part for part in (str(support), path) if part),
            pytest_runner.VARIABLE: json.dumps(settings),
            "PYTHONHASHSEED": "0",
        }
        return inherited | own | ({"COVERAGE_CORE": "sysmon"} if self._fast_core(environment) else {})

    def _fast_core(self, environment: TargetEnvironment) -> bool:
        rules = rules_of(self.tree.reading, "coverage")
        options = rules.options if rules is not None else {}
        return environment.version >= SYSMON_SINCE and not any(options.get(name) for name in NO_SYSMON)


def _outcome(result: CommandResult, reports: Path, folders: tuple[Path, ...], notes: tuple[str, ...]) -> RunOutcome:
    report, fault = None, ""
    try:
        report = read_report(reports / "junit.xml")
    except UnusableReport as error:
        fault = str(error)
    last = (read_regular(reports / "progress", 4096) or b"").decode("utf-8", errors="replace")
    return RunOutcome(result, report, fault, reports / "coverage.data", last, folders, notes)


def measured(tree: JudgedTree) -> tuple[str, ...]:
    """Return the folders that coverage measures: the packages, or the roots where a module is not in a package."""
    loose = any(place.endswith(".py") for place in tree.sources.places)
    return (tree.sources.roots if loose else tree.sources.places) or (".",)


def _tamed(installed: Iterable[str]) -> tuple[str, ...]:
    """Return the options that keep the plugins in `installed` from measuring or spreading the tests on their own."""
    options: tuple[str, ...] = ()
    if "pytest-xdist" in installed:
        options += ("-n0",)
    if "pytest-cov" in installed:
        options += ("--no-cov", "-W", "ignore:Coverage disabled via --no-cov switch!")
    return options
