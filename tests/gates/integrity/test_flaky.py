"""The second look at failures: chance, the base, or this change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import CoverageGateSection, GatesSection, IntegrityGateSection
from coordinator.gates.integrity.base_records import BaseRecords
from coordinator.gates.integrity.flaky import Mercy, SecondLook
from coordinator.gates.integrity.testbed import Testbed
from coordinator.gates.once import Once
from coordinator.gates.python.test_gate import TestGate
from coordinator.gates.python.test_run import TestRun
from coordinator.gates.tree import copy_for_tests, export_tree
from coordinator.sandbox.protocol import Network
from tests.gates.integrity.dynamic_support import BASE, BROKEN, NO_MUTANTS, OFF, TEST, judge_change, notes, state
from tests.gates.integrity.test_base_run import a_bed, a_run
from tests.gates.integrity.test_inventory import an_outcome
from tests.gates.support import PlainSandbox, exporter, own_environment, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

COUNTING = GatesSection(
    build=OFF,
    lint=OFF,
    coverage=CoverageGateSection(enabled=False),
    integrity=IntegrityGateSection(mutants=0, flaky_counts=True),
)
DIVIDE = "tests/test_calc.py::test_divide"


def flaky(count: Path, fails: str) -> str:
    """Return a test that fails at the times that an expression of `times` says, over all runs."""
    return (
        f"from pathlib import Path\n\n\ndef test_chance() -> None:\n    path = Path({str(count)!r})\n"
        "    times = len(path.read_text()) if path.exists() else 0\n    path.write_text('x' * (times + 1))\n"
        f"    assert not ({fails})\n"
    )


def test_what_fails_on_the_base_is_not_this_change_s_doing(tmp_path: Path) -> None:
    base = {**BASE, "tests/test_red.py": "def test_red() -> None:\n    assert 1 == 2\n"}
    verdict = judge_change(tmp_path, {"README.md": "More.\n"}, base=base)
    result = result_of(verdict, "test")
    assert verdict.passed, verdict
    assert result.message == "5 tests passed, 1 failed that did so on the base or by chance"
    assert result.details["base_failures"] == ["tests/test_red.py::test_red"]
    assert result.details["failed"] == 1
    assert "tests/test_red.py::test_red fails on the base too" in notes(verdict, "test")


def test_the_configuration_can_count_it(tmp_path: Path) -> None:
    base = {**BASE, "tests/test_red.py": "def test_red() -> None:\n    assert 1 == 2\n"}
    verdict = judge_change(tmp_path, {"README.md": "More.\n"}, COUNTING, base=base)
    assert state(result_of(verdict, "test")) == "failed"
    assert result_of(verdict, "test").message == "1 of 6 tests failed: tests/test_red.py::test_red"
    assert "fails on the base too" in notes(verdict, "test")


def test_what_this_change_broke_stays_broken_beside_it(tmp_path: Path) -> None:
    base = {**BASE, "tests/test_red.py": "def test_red() -> None:\n    assert 1 == 2\n"}
    verdict = judge_change(tmp_path, {"calc.py": BROKEN}, base=base)
    result = result_of(verdict, "test")
    assert state(result) == "failed"
    assert result.message == f"1 of 6 tests failed: {DIVIDE}"


def test_a_new_test_gets_no_second_look(tmp_path: Path) -> None:
    new = flaky(tmp_path / "count", "times == 0")
    verdict = judge_change(tmp_path, {"tests/test_new.py": new})
    result = result_of(verdict, "test")
    assert state(result) == "failed"
    assert result.details["flaky"] == []


def test_chance_is_told_from_fault_by_one_more_try(tmp_path: Path) -> None:
    """It fails once, in the head's run: it ran on the base before."""
    bed, sandbox = a_bed(tmp_path, {**BASE, "tests/test_chance.py": flaky(tmp_path / "count", "times == 1")})
    base_run = a_run(bed, BaseRecords())
    assert base_run.record().outcomes["tests/test_chance.py::test_chance"] == "passed"
    (tmp_path / "count").write_text("xx")
    outcome = an_outcome(tmp_path, {"tests/test_chance.py::test_chance": "failure", DIVIDE: "passed"}, code=1)
    mercy = SecondLook(bed, base_run)(outcome)
    assert mercy == Mercy(
        flaky=("tests/test_chance.py::test_chance",),
        notes=("tests/test_chance.py::test_chance failed, and passed when it was tried again: it is flaky",),
    )
    base_run.remove()
    assert {path.name.partition("-")[0] for path in sandbox.home.iterdir()} == {"judged"}


def test_what_fails_on_the_base_when_it_is_tried_again_is_not_ours(tmp_path: Path) -> None:
    bed, _ = a_bed(tmp_path, {**BASE, "tests/test_chance.py": flaky(tmp_path / "count", "times > 0")})
    base_run = a_run(bed, BaseRecords())
    assert base_run.record().outcomes["tests/test_chance.py::test_chance"] == "passed"
    outcome = an_outcome(tmp_path, {"tests/test_chance.py::test_chance": "failure"}, code=1)
    assert SecondLook(bed, base_run)(outcome).not_ours == ("tests/test_chance.py::test_chance",)
    assert (tmp_path / "count").read_text() == "xxx"


def test_a_real_fault_fails_again(tmp_path: Path) -> None:
    bed, sandbox = a_bed(tmp_path, BASE)
    base_run = a_run(bed, BaseRecords())
    base_run.record()
    (bed.tree.reading / "calc.py").write_text(BROKEN)
    before = len(sandbox.commands)
    assert SecondLook(bed, base_run)(an_outcome(tmp_path, {DIVIDE: "failure"}, code=1)) == Mercy()
    assert len(sandbox.commands) == before + 2


def test_many_failures_are_no_chance(tmp_path: Path) -> None:
    many = TEST.replace("[1, 2, 3]", "range(12)").replace("assert is_small(n)", "assert is_small(n % 10)")
    bed, sandbox = a_bed(tmp_path, {**BASE, "tests/test_calc.py": many})
    base_run = a_run(bed, BaseRecords())
    failing = {f"tests/test_calc.py::test_small[{number}]": "failure" for number in range(12)}
    base_run.record()
    before = len(sandbox.commands)
    mercy = SecondLook(bed, base_run)(an_outcome(tmp_path, failing, code=1))
    assert mercy.notes == ("12 failing tests pass on the base: too many to try them again",)
    assert not mercy.forgiven
    assert len(sandbox.commands) == before


def test_a_green_run_asks_nobody(tmp_path: Path) -> None:
    bed, sandbox = a_bed(tmp_path, BASE)
    assert SecondLook(bed, a_run(bed, BaseRecords()))(an_outcome(tmp_path, {DIVIDE: "passed"})) == Mercy()
    assert sandbox.commands == []


def test_a_failure_whose_file_is_gone_is_not_tried_again(tmp_path: Path) -> None:
    bed, _ = a_bed(tmp_path, BASE)
    base_run = a_run(bed, BaseRecords())
    (bed.tree.reading / "tests" / "test_calc.py").unlink()
    mercy = SecondLook(bed, base_run)(an_outcome(tmp_path, {DIVIDE: "failure"}, code=1))
    assert mercy == Mercy()


@pytest.mark.parametrize("hidden", [True, False])
def test_a_forgiven_failure_hides_no_early_end(tmp_path: Path, *, hidden: bool) -> None:
    """The one failure is the base's own, but after it the session is ended before the canary."""
    base = {**BASE, "tests/test_aaa.py": "def test_red() -> None:\n    assert 1 == 2\n"}
    ending = (
        "import pytest\n\n\ndef pytest_runtest_setup(item):\n    if item.name == 'test_big':\n"
        "        pytest.exit('enough', returncode=1)\n"
    )
    changes = {"tests/test_zzz.py": "def test_last() -> None:\n    assert 1 == 1\n"}
    verdict = judge_change(tmp_path, changes | ({"conftest.py": ending} if hidden else {}), NO_MUTANTS, base=base)
    result = result_of(verdict, "test")
    assert state(result) == ("failed" if hidden else "passed"), result
    assert ("pytest never ran it" in result.message) is hidden


@pytest.mark.parametrize("is_red", [True, False])
def test_a_changed_test_that_is_red_on_the_base_does_not_cut_the_run_short(tmp_path: Path, *, is_red: bool) -> None:
    """Changed tests go first, and one that this change broke ends the run; one that was red before does not."""
    red = "def test_red() -> None:\n    assert 1 == 2\n"
    repository = make_repository(tmp_path / "repository", {**BASE, **({"tests/test_red.py": red} if is_red else {})})
    base = git(repository, "rev-parse", "HEAD")
    commit_files(repository, {"tests/test_red.py": f"{red}\n\ndef test_green() -> None:\n    assert 1 == 1\n"})
    (tmp_path / "home").mkdir()
    sandbox = PlainSandbox(tmp_path / "home")
    tree = export_tree(exporter(repository), "HEAD", base, sandbox)
    copy_for_tests(tree, sandbox)
    environment = Once(lambda: own_environment(sandbox, tmp_path / "cache"))
    bed = Testbed(tree, environment, sandbox, 1.0, (), Network.NONE)
    outcome = TestRun(bed, ("tests/test_red.py",), a_run(bed, BaseRecords()))()
    assert outcome.cut is not is_red
    assert len(outcome.outcomes()) == (7 if is_red else 2)
    judged = TestGate(tree, Once(lambda: outcome)).check()
    assert state(judged) == "failed"
    assert "must fail" not in str(judged)


def test_a_run_that_was_cut_short_is_not_forgiven(tmp_path: Path) -> None:
    """The tests that were left out may fail as well."""
    outcome = an_outcome(tmp_path, {DIVIDE: "failure", "tests/test_calc.py::test_big": "passed"}, code=1, cut=True)
    bed, _ = a_bed(tmp_path, BASE)
    gate = TestGate(bed.tree, Once(lambda: outcome), second_look=lambda _outcome: Mercy(flaky=(DIVIDE,)))
    assert state(gate.check()) == "failed"
    whole = TestGate(
        bed.tree, Once(lambda: replace(outcome, cut=False)), second_look=lambda _outcome: Mercy(flaky=(DIVIDE,))
    )
    assert state(whole.check()) == "passed"
