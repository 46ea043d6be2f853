"""One run of pytest on one export: the command line, what is around it, and what it leaves behind."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.gates.files import read_regular
from coordinator.gates.python import pytest_order, pytest_runner
from coordinator.gates.python.coverage_core import core_variables
from coordinator.gates.python.test_layout import layout_of
from coordinator.gates.reports.junit import TestReport, UnusableReport, read_report
from coordinator.gates.rules import rules_of
from coordinator.gates.tree import reachable_folder, remove_folder
from coordinator.sandbox.protocol import Command, CommandResult, Limits, Network, Sandbox

if TYPE_CHECKING:
    from coordinator.gates.integrity.canary import Doubt
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.gates.tree import JudgedTree

RUNNER = "coordinator_pytest"
SESSION_FILE = Path(__file__).with_name("pytest_session.py")
"""Not imported here: it needs pytest, which takes its time."""

TEMPORARY = "t"
"""Folder among the reports with what the tests make for themselves (pytest's ``--basetemp``). Short, as the path
of a socket that a test puts there has at most 107 bytes (unix(7))."""

CUT = "cut"
"""File among the reports that is there when tests were left out."""

ONLY = "only.json"
"""File beside the runner: all ids of a large suite are too long for one variable."""

STRICT = ("-o", "xfail_strict=true", "--strict-markers", "--strict-config")
"""An expected failure that passes, a marker or an option that nobody declared: each is an error."""


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
    cut: bool = False
    """Whether tests were left out because a changed one had failed."""
    doubt: Doubt | None = None
    """Why the run is not believed."""
    canaries: tuple[str, ...] = ()
    """Files that were put beside the tests; they lie in the tree and in the data of coverage."""
    strict: bool = False
    """Whether pytest was strict."""

    def remove_temporary(self) -> None:
        """Delete what the tests made for themselves: nobody reads it, and there can be much of it."""
        remove_folder(self.data_file.with_name(TEMPORARY))

    @property
    def text(self) -> str:
        """What pytest printed, as it is."""
        return self.result.stdout.decode("utf-8", errors="replace")

    def outcomes(self) -> dict[str, str]:
        """Return what became of each test by its id: ``passed failure error skipped xfailed``; of several the worst."""
        found: dict[str, str] = {}
        for case in self.report.cases if self.report is not None else ():
            word = "xfailed" if case.kind == "pytest.xfail" and case.outcome == "skipped" else case.outcome
            before = found.get(case.node_id, word)
            found[case.node_id] = max(before, word, key=WORST_LAST.index)
        return found


WORST_LAST = ("passed", "xfailed", "skipped", "failure", "error")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is particular to one run."""

    seconds: float
    """Wall time."""
    covered: bool = False
    """Whether coverage is measured."""
    strict: bool = False
    first: tuple[str, ...] = ()
    """Files whose tests go first, and end the run when one of them fails; without any the order is the project's."""
    only: tuple[str, ...] | None = None
    """Ids of the tests to run; None for all."""
    stop: bool = False
    """End at the first failure."""
    canaries: tuple[str, ...] = ()
    """Files of canaries that lie in the tree."""
    arguments: tuple[str, ...] = ()
    """Files to collect beside those of the project's own arguments."""
    signal: int = 0
    """Exit code for "nothing but the canaries failed"."""


@dataclass(frozen=True, slots=True)
class PytestRun:
    """Runs the project's tests in its own environment, on the export that may be written to.

    The project's configuration of pytest and coverage works as it does by hand, but for a few plugins
    (`coordinator.gates.python.pytest_session.TAMED`). The cache of an earlier run, which the tree could bring along, is
    not used. Hashes of strings and the names of temporary folders are the same in each run, so that the same tree
    gives the same messages.
    """

    tree: JudgedTree
    environment: TargetEnvironment
    sandbox: Sandbox
    args: tuple[str, ...] = ()
    network: Network = Network.NONE

    def __call__(self, wish: Wish, made: list[Path]) -> RunOutcome:
        """Run the tests; the folders of the run are added to `made`."""
        support = self._support(wish)
        reports = self.sandbox.make_folder("reports")
        made.extend((support, reports))
        result = self.sandbox.run(
            Command(
                self._argv(wish, support, reports),
                cwd=self.tree.working,
                limits=Limits(wish.seconds),
                env=self._variables(wish, support, reports),
                merge_stderr=True,
                network=self.network,
            )
        )
        outcome = _outcome(result, reports, (self.tree.working, reports, support), self.environment.notes)
        return replace(outcome, strict=wish.strict)

    def alone(self, wish: Wish) -> RunOutcome:
        """Run the tests and delete the folders of the run."""
        made: list[Path] = []
        try:
            return self(wish, made)
        finally:
            for folder in made:
                remove_folder(folder)

    def _support(self, wish: Wish) -> Path:
        """Make the folder with the runner, a configuration for projects that have none, and the tests to choose."""
        folder = reachable_folder(self.sandbox, "support")
        (folder / f"{RUNNER}.py").write_bytes(Path(pytest_runner.__file__).read_bytes())
        (folder / f"{pytest_runner.SESSION}.py").write_bytes(SESSION_FILE.read_bytes())
        (folder / f"{pytest_order.NAME}.py").write_bytes(Path(pytest_order.__file__).read_bytes())
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        if wish.only is not None:
            (folder / ONLY).write_text(json.dumps(wish.only), encoding="utf-8")
        return folder

    def _argv(self, wish: Wish, support: Path, reports: Path) -> tuple[str, ...]:
        unconfigured = rules_of(self.tree.reading, "pytest") is None
        coverage = (
            "coverage", "run", f"--data-file={reports / 'coverage.data'}", f"--source={','.join(measured(self.tree))}",
            "-m",
        ) if wish.covered else ()  # fmt: skip
        return (
            str(self.environment.python), *self.environment.isolation, "-m", *coverage, RUNNER,
            f"--rootdir={self.tree.working}", f"--confcutdir={self.tree.working}",
            f"--basetemp={reports / TEMPORARY}",
            *(("-c", str(support / "pytest.ini")) if unconfigured else ()),
            *(("-p", pytest_order.NAME) if wish.first else ()), *self._own_cache(reports),
            *(STRICT if wish.strict else ()), *self.args, *wish.arguments, *(("--maxfail=1",) if wish.stop else ()),
            "-o", "junit_family=xunit1", f"--junitxml={reports / 'junit.xml'}",
        )  # fmt: skip

    def _own_cache(self, reports: Path) -> tuple[str, ...]:
        """Return the option for an empty cache, unless the project does without: then the option is not known."""
        given = layout_of(self.tree.reading, self.args).options
        return () if "no:cacheprovider" in " ".join(given) else ("-o", f"cache_dir={reports / 'cache'}")

    def _variables(self, wish: Wish, support: Path, reports: Path) -> dict[str, str]:
        roots = [str(self.tree.working / root) for root in self.tree.sources.roots]
        inherited = self.environment.variables()
        path = inherited.pop("PYTHONPATH", "")
        settings = {
            "roots": [os.path.normpath(root) for root in roots],
            "names": list(self.tree.sources.names),
            "path": os.pathsep.join(part for part in (*(os.path.normpath(root) for root in roots), path) if part),
            "progress": str(reports / "progress"),
            "session": {
                "canaries": wish.canaries,
                "only": str(support / ONLY) if wish.only is not None else None,
                "property": pytest_runner.PROPERTY,
                "signal": wish.signal,
                "tree": str(self.tree.working),
            },
        }
        own = {
            "PYTHONPATH": os.pathsep.join(part for part in (str(support), path) if part),
            pytest_runner.VARIABLE: json.dumps(settings),
            "PYTHONHASHSEED": "0",
        }
        if wish.first:
            own[pytest_order.VARIABLE] = json.dumps({"first": wish.first, "cut": str(reports / CUT)})
        return inherited | own | (self._measuring() if wish.covered else {})

    def _measuring(self) -> dict[str, str]:
        rules = rules_of(self.tree.reading, "coverage")
        options = rules.options if rules is not None else {}
        core = core_variables(self.environment.version, self.environment.distributions.get("coverage"), options)
        return {pytest_runner.ARENAS: "1", **core}


def _outcome(result: CommandResult, reports: Path, folders: tuple[Path, ...], notes: tuple[str, ...]) -> RunOutcome:
    report, fault = None, ""
    try:
        report = read_report(reports / "junit.xml")
    except UnusableReport as error:
        fault = str(error)
    last = read_regular(reports / "progress", pytest_runner.PROGRESS_BYTES) or b""
    cut = (reports / CUT).exists()
    test = last.rstrip(b"\0").decode("utf-8", errors="replace")
    return RunOutcome(result, report, fault, reports / "coverage.data", test, folders, notes, cut)


def measured(tree: JudgedTree) -> tuple[str, ...]:
    """Return the folders that coverage measures: the packages, or the roots where a module is not in a package."""
    loose = any(place.endswith(".py") for place in tree.sources.places)
    return (tree.sources.roots if loose else tree.sources.places) or (".",)
