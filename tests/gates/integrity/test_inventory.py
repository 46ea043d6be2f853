"""The inventory of tests against the base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Unreachable
from coordinator.gates.integrity.base_records import BaseRecord
from coordinator.gates.integrity.findings import Severity
from coordinator.gates.integrity.inventory import Inventory
from coordinator.gates.integrity.test_ids import file_of, function_of, grouped
from coordinator.gates.judgement import NotFinished
from coordinator.gates.once import Once
from coordinator.gates.python.pytest_run import RunOutcome
from coordinator.gates.reports.junit import TestCase, TestReport
from coordinator.sandbox.protocol import CommandResult
from tests.gates.integrity.dynamic_support import BASE, TEST, judge_change, kinds, notes, state
from tests.gates.integrity.support import a_tree
from tests.gates.support import result_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from coordinator.gates.integrity.findings import PolicyFinding

WORDS = {"xfailed": "skipped"}


def an_outcome(folder: Path, now: Mapping[str, str], *, code: int | None = 0, cut: bool = False) -> RunOutcome:
    cases = [
        TestCase(
            exact_id=test, outcome=WORDS.get(word, word), kind="pytest.xfail" if word == "xfailed" else "pytest.skip"
        )
        for test, word in now.items()
    ]
    said = CommandResult(code, None, timed_out=False, stdout=b"", stderr=b"", truncated=False, seconds=1.0)
    return RunOutcome(said, TestReport(cases), "", folder / "data", "", (), (), cut)


def compare(
    folder: Path,
    before: Mapping[str, str],
    now: Mapping[str, str],
    *,
    old: Mapping[str, str] | None = None,
    new: Mapping[str, str] | None = None,
) -> list[PolicyFinding]:
    tree = a_tree(folder, old or {}, new or {})
    assert tree.base is not None
    record = BaseRecord.model_validate({"outcomes": dict(before)})
    outcome = an_outcome(folder, now)
    return list(Inventory(tree, tree.base, Once(lambda: outcome), lambda: record).find())


def subjects(findings: list[PolicyFinding]) -> list[tuple[str, str]]:
    return sorted((finding.kind, finding.what) for finding in findings)


A, B, C = "t/test_a.py::test_a", "t/test_a.py::TestX::test_b", "t/test_c.py::test_c"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({A: "passed"}, {A: "passed", C: "failure"}, []),
        ({A: "passed"}, {A: "failure"}, []),
        ({A: "failure", B: "skipped", C: "xfailed"}, {}, []),
        ({A: "passed", B: "passed"}, {A: "passed"}, [("test-removal", B)]),
        ({A: "passed", B: "passed"}, {}, [("test-removal", "t/test_a.py")]),
        ({A: "passed"}, {}, [("test-removal", A)]),
        ({A: "passed", C: "passed"}, {A: "skipped", C: "xfailed"}, [("test-skip", A), ("test-xfail", C)]),
        ({f"{A}[1]": "passed", f"{A}[2]": "passed"}, {f"{A}[1]": "passed"}, [("test-parameters", A)]),
        ({f"{A}[1]": "passed", f"{A}[2]": "passed"}, {}, [("test-removal", A)]),
        ({f"{A}[a::b]": "passed", C: "passed"}, {C: "passed"}, [("test-removal", A)]),
    ],
)
def test_what_passed_has_to_pass(
    tmp_path: Path, before: dict[str, str], now: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    found = compare(tmp_path, before, now)
    assert subjects(found) == expected
    assert all(finding.severity is Severity.ATTENTION for finding in found)
    assert all(finding.path == file_of(finding.what) for finding in found)
    assert all(f"Gate-Allow: {finding.kind} {finding.what}" == finding.waiver_line for finding in found)


def test_the_worst_of_several_with_one_id_counts(tmp_path: Path) -> None:
    outcome = an_outcome(tmp_path, {A: "passed"})
    assert outcome.report is not None
    outcome.report.cases.append(TestCase(exact_id=A, outcome="skipped"))
    assert outcome.outcomes() == {A: "skipped"}


def test_a_skipped_test_is_shown_at_its_line(tmp_path: Path) -> None:
    new = {"t/test_a.py": "\nclass TestX:\n    def test_b(self): ...\n"}
    found = compare(tmp_path, {B: "passed"}, {B: "skipped"}, new=new)
    assert [(finding.path, finding.line) for finding in found] == [("t/test_a.py", 3)]


BODY = "@mark\ndef {name}(x: int) -> None:\n    assert {asserted}\n"


@pytest.mark.parametrize(
    ("new", "now", "expected"),
    [
        ({"t/test_a.py": BODY.format(name="test_z", asserted="x == 1  # same")}, ["t/test_a.py::test_z"], "note"),
        ({"u/test_z.py": BODY.format(name="test_a", asserted="x == 1")}, ["u/test_z.py::test_a"], "note"),
        ({"t/test_a.py": BODY.format(name="test_z", asserted="True")}, ["t/test_a.py::test_z"], "attention"),
        ({"t/test_a.py": BODY.format(name="test_z", asserted="x == 1").replace("@mark", "@skip")}, [], "attention"),
        ({"t/test_a.py": "async " + BODY[6:].format(name="test_z", asserted="x == 1")}, [], "attention"),
        ({"t/test_a.py": "broken ("}, ["t/test_a.py::test_z"], "attention"),
        ({"t/test_a.py": "# coding: utf-7\n"}, ["t/test_a.py::test_z"], "attention"),
    ],
)
def test_a_renamed_test_is_known_by_its_body(
    tmp_path: Path, new: dict[str, str], now: list[str], expected: str
) -> None:
    old = {"t/test_a.py": BODY.format(name="test_a", asserted="x == 1")}
    found = compare(tmp_path, {A: "passed"}, dict.fromkeys(now or ["t/test_a.py::test_z"], "passed"), old=old, new=new)
    assert [finding.severity.value for finding in found] == [expected]


def test_one_new_test_is_the_new_name_of_one_old_test(tmp_path: Path) -> None:
    body = BODY.format(name="test_a", asserted="x")
    old = {"t/test_a.py": body + body.replace("test_a", "test_b")}
    now = {"t/test_a.py::test_z": "passed"}
    before = {A: "passed", "t/test_a.py::test_b": "passed"}
    found = compare(tmp_path, before, now, old=old, new={"t/test_a.py": body.replace("test_a", "test_z")})
    assert subjects(found) == [("test-removal", "t/test_a.py::test_b"), ("test-renamed", A)]


@pytest.mark.parametrize("now", [{"t/test_a.py::test_z": "passed"}, {"t/test_a.py::test_z[1]": "skipped"}])
def test_a_new_name_with_fewer_cases_is_no_rename(tmp_path: Path, now: dict[str, str]) -> None:
    old = {"t/test_a.py": BODY.format(name="test_a", asserted="x")}
    new = {"t/test_a.py": BODY.format(name="test_z", asserted="x")}
    found = compare(tmp_path, {f"{A}[1]": "passed", f"{A}[2]": "passed"}, now, old=old, new=new)
    assert subjects(found) == [("test-removal", A)]


def test_a_base_whose_tests_do_not_end_is_a_note(tmp_path: Path) -> None:
    tree = a_tree(tmp_path, {}, {})
    assert tree.base is not None
    record = BaseRecord(outcomes={}, fault="pytest reached its time limit")
    outcome = an_outcome(tmp_path, {})
    found = Inventory(tree, tree.base, Once(lambda: outcome), lambda: record).find()
    assert [(each.severity, "reached its time limit" in each.message) for each in found] == [(Severity.NOTE, True)]


@pytest.mark.parametrize(
    ("code", "cut", "fault"),
    [(2, False, Unreachable), (3, False, Unreachable), (None, False, Unreachable), (1, True, NotFinished)],
)
def test_a_head_whose_tests_do_not_end_cannot_be_compared(
    tmp_path: Path, code: int | None, fault: type[Unreachable], *, cut: bool
) -> None:
    tree = a_tree(tmp_path, {}, {})
    assert tree.base is not None
    outcome = an_outcome(tmp_path, {A: "passed"}, code=code, cut=cut)
    with pytest.raises(Unreachable, match="cannot be compared with the base's") as found:
        Inventory(tree, tree.base, Once(lambda: outcome), lambda: BaseRecord(outcomes={A: "passed"})).find()
    assert found.type is fault


def test_many_tests_are_named_in_short() -> None:
    tests = [f"{A}[{number}]" for number in range(9)]
    group = next(grouped(tests, tests))
    assert (group.what, group.whole, len(group.tests)) == (A, True, 9)
    assert group.named().endswith("and 6 more")
    assert function_of(f"{A}[x[y]::z]") == A


def test_a_removed_test_needs_a_person(tmp_path: Path) -> None:
    gone = TEST.replace("def test_divide() -> None:\n    assert divide(6, 3) == 2\n\n\n", "")
    verdict = judge_change(tmp_path, {"tests/test_calc.py": gone})
    assert state(result_of(verdict, "integrity")) == "attention"
    assert kinds(verdict) == [("test-removal", "tests/test_calc.py::test_divide")]


def test_a_test_that_a_hook_leaves_out_of_two_files_needs_a_person(tmp_path: Path) -> None:
    """What the canary does not see: a hook that knows the name of the one test that it leaves out."""
    hook = "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if i.name != 'test_divide']\n"
    verdict = judge_change(tmp_path, {"tests/conftest.py": hook})
    assert result_of(verdict, "test").passed
    assert ("test-removal", "tests/test_calc.py::test_divide") in kinds(verdict)


def test_a_renamed_test_is_a_note(tmp_path: Path) -> None:
    verdict = judge_change(tmp_path, {"tests/test_calc.py": TEST.replace("test_divide", "test_division")})
    assert verdict.passed, verdict
    assert "test_divide is tests/test_calc.py::test_division now" in notes(verdict, "integrity")


def test_inherited_tests_have_ids_of_their_own(tmp_path: Path) -> None:
    """In pytest's own report both stand under the file of the class that they inherit from."""
    shared = "class Shared:\n    def test_a(self) -> None:\n        assert True\n"
    child = "from tests.shared import Shared\n\n\nclass Test{name}(Shared): ...\n"
    files = {
        **BASE,
        "tests/__init__.py": "",
        "tests/shared.py": shared,
        "tests/test_one.py": child.format(name="One"),
        "tests/test_two.py": child.format(name="Two"),
    }
    verdict = judge_change(tmp_path, {"tests/test_two.py": ""}, base=files)
    assert ("test-removal", "tests/test_two.py::TestTwo::test_a") in kinds(verdict)
