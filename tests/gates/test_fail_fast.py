from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import GatesSection
from coordinator.gates.judgement import Judgement, State, timed
from coordinator.gates.orchestrator import FailFast, QualityOrchestrator
from coordinator.gates.suite import build_suite
from coordinator.sandbox.environment import interpreter_paths
from coordinator.sandbox.interrupt import Interrupt
from coordinator.sandbox.opening import open_sandbox
from tests.gates.support import exporter, own_environment, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.gates.protocol import GateResult, Verdict


@dataclass
class Gate:
    """Ends after some seconds, or when it is interrupted."""

    name: str
    state: State
    seconds: float = 0.0
    interrupt: Interrupt = field(default_factory=Interrupt)
    finished: bool = False

    def check(self) -> GateResult:
        return timed(self.name, self.judge)

    def judge(self) -> Judgement:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if self.interrupt.is_set:
                return Judgement(State.ERROR, "killed")
            time.sleep(0.005)
        self.finished = True
        return Judgement(self.state, "said")


def judged(*gates: Gate, grace: float = 0.0, fast: bool = True) -> Verdict:
    interrupt = Interrupt()
    for gate in gates:
        gate.interrupt = interrupt
    rule = FailFast(interrupt, grace) if fast else None
    return QualityOrchestrator(gates, "tree", fail_fast=rule).judge()


def states(verdict: Verdict) -> list[object]:
    return ["unfinished" if result.details.get("unfinished") else result.details["state"] for result in verdict.gates]


@pytest.mark.parametrize("state", [State.FAILED, State.ERROR])
def test_the_first_gate_that_fails_ends_the_others_and_that_is_said(state: State) -> None:
    slow, lint = Gate("test", State.PASSED, 60), Gate("lint", state)
    verdict = judged(slow, lint)
    assert not verdict.passed
    assert states(verdict) == ["unfinished", state.value]
    assert verdict.gates[0].message == "not finished: stopped after lint failed"
    assert (verdict.gates[0].passed, verdict.gates[0].details["state"]) == (False, "error")
    assert not slow.finished


@pytest.mark.parametrize("state", [State.PASSED, State.ATTENTION])
def test_what_passes_or_a_person_may_waive_ends_nothing(state: State) -> None:
    verdict = judged(Gate("integrity", state), Gate("test", State.PASSED, 0.3))
    assert states(verdict) == [state.value, "passed"]


def test_gates_that_end_soon_after_are_heard() -> None:
    verdict = judged(
        Gate("lint", State.FAILED), Gate("build", State.FAILED, 0.2), Gate("test", State.PASSED, 60), grace=3.0
    )
    assert states(verdict) == ["failed", "failed", "unfinished"]


def test_a_gate_that_passes_in_the_last_moment_has_passed() -> None:
    deaf = Gate("test", State.PASSED, 0.3)
    lint = Gate("lint", State.FAILED)
    verdict = QualityOrchestrator((deaf, lint), "tree", fail_fast=FailFast(Interrupt(), 0.0)).judge()
    assert states(verdict) == ["passed", "failed"]


def test_nothing_is_ended_when_all_is_done_or_it_is_not_wanted() -> None:
    assert states(judged(Gate("lint", State.FAILED), Gate("test", State.PASSED, 0.2), fast=False)) == [
        "failed", "passed",
    ]  # fmt: skip
    assert states(judged(Gate("lint", State.PASSED), Gate("test", State.FAILED, 0.2))) == ["passed", "failed"]


def test_the_verdict_is_told_before_the_clean_up() -> None:
    told: list[object] = []
    verdict = QualityOrchestrator(
        (Gate("lint", State.PASSED),), "tree", lambda: told.append("clean"), concluded=told.append
    ).judge()
    assert told == [verdict, "clean"]


LIBRARY = {
    "toy/__init__.py": "def double(x: int) -> int:\n    return 2 * x\n",
    "tests/test_double.py": "from toy import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n",
    "tests/test_slow.py": "import time\n\n\ndef test_slow() -> None:\n    time.sleep(1)\n",
}
HANGING = "import time\n\n\ndef test_slow() -> None:\n    time.sleep(300)\n"


def suite_on(
    tmp_path: Path, change: dict[str, str], *, fail_fast: bool = True, slow: str = LIBRARY["tests/test_slow.py"]
) -> tuple[Verdict, float]:
    """Judge a change of the library, confined as in a run."""
    repository = make_repository(tmp_path / "repository", {**LIBRARY, "tests/test_slow.py": slow})
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, change)
    section = GatesSection.model_validate({"integrity": {"enabled": False}})
    with open_sandbox(visible=interpreter_paths()) as sandbox:
        suite = build_suite(
            export=exporter(repository),
            tree=git(repository, "rev-parse", "HEAD^{tree}"),
            base=base,
            section=section,
            sandbox=sandbox,
            environment=lambda _source: own_environment(sandbox, tmp_path / "cache"),
            fail_fast=fail_fast,
        )
        started = time.monotonic()
        return suite.judge(), time.monotonic() - started


def test_a_lint_finding_ends_tests_that_would_take_long(tmp_path: Path) -> None:
    change = {"toy/__init__.py": "import os\n" + LIBRARY["toy/__init__.py"], "tests/test_slow.py": HANGING}
    verdict, seconds = suite_on(tmp_path, change)
    assert result_of(verdict, "lint").details["state"] == "failed"
    assert result_of(verdict, "test").details["unfinished"] is True
    assert result_of(verdict, "coverage").details["unfinished"] is True
    assert seconds < 60


def test_a_changed_test_that_fails_comes_first_and_the_rest_is_left_out(tmp_path: Path) -> None:
    """It stands last in the project's order, behind a test that would take five minutes."""
    verdict, _ = suite_on(tmp_path, {"tests/test_z.py": "def test_z() -> None:\n    assert 1 == 2\n"}, slow=HANGING)
    test = result_of(verdict, "test")
    assert test.details["state"] == "failed"
    assert (test.details["tests"], test.details["failed"]) == (1, 1)
    assert result_of(verdict, "coverage").details["unfinished"] is True


def test_without_fail_fast_every_test_is_run_in_the_project_s_order(tmp_path: Path) -> None:
    verdict, _ = suite_on(tmp_path, {"tests/test_z.py": "def test_z() -> None:\n    assert 1 == 2\n"}, fail_fast=False)
    test = result_of(verdict, "test")
    assert (test.details["tests"], test.details["failed"]) == (3, 1)
    assert result_of(verdict, "coverage").passed


def test_what_passes_with_fail_fast_has_run_everything(tmp_path: Path) -> None:
    verdict, _ = suite_on(tmp_path, {"tests/test_z.py": LIBRARY["tests/test_double.py"]})
    assert verdict.passed
    assert result_of(verdict, "test").details["passed"] == 3
