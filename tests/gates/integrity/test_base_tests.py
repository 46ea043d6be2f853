"""The base's versions of changed tests on the head's sources."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coordinator.gates.change import Change, FileChange
from coordinator.gates.integrity.base_records import BaseRecord
from coordinator.gates.integrity.base_tests import BaseTests
from coordinator.gates.once import Once
from tests.gates.integrity.dynamic_support import BASE, BROKEN, CALC, TEST, judge_change, kinds, state
from tests.gates.integrity.test_base_run import a_bed
from tests.gates.integrity.test_flaky import flaky
from tests.gates.integrity.test_inventory import an_outcome
from tests.gates.support import result_of

if TYPE_CHECKING:
    from pathlib import Path

DIVIDE = "tests/test_calc.py::test_divide"
FITTED = TEST.replace("divide(6, 3) == 2", "divide(6, 3) == 18")
EMPTY = TEST.replace("assert divide(6, 3) == 2", "assert True")
HELPED = {
    **BASE,
    "tests/__init__.py": "",
    "tests/helper.py": "def same(a: int, b: int) -> None:\n    assert a == b\n",
    "tests/test_calc.py": TEST.replace("assert divide(6, 3) == 2", "same(divide(6, 3), 2)").replace(
        "from calc", "from tests.helper import same\nfrom calc"
    ),
}
FAKED = (
    "import pytest\n\nimport calc\nimport tests.test_calc\n\n\n@pytest.fixture(autouse=True)\ndef fake(monkeypatch):\n\
    monkeypatch.setattr(tests.test_calc, 'divide', lambda a, b: a // b)\n"
)


@pytest.mark.parametrize("changed", [FITTED, EMPTY])
def test_an_assertion_that_was_changed_to_fit_needs_a_person(tmp_path: Path, changed: str) -> None:
    verdict = judge_change(tmp_path, {"calc.py": BROKEN, "tests/test_calc.py": changed})
    assert result_of(verdict, "test").passed
    assert state(result_of(verdict, "integrity")) == "attention"
    assert kinds(verdict) == [("base-tests", DIVIDE)]


def test_a_removed_file_is_put_back_for_it(tmp_path: Path) -> None:
    changes = {
        "calc.py": BROKEN,
        "tests/test_other.py": "from calc import divide\n\n\ndef test_a() -> None:\n    divide(1, 1)\n",
    }
    verdict = judge_change(tmp_path, changes, remove=["tests/test_calc.py"])
    assert kinds(verdict) == [("base-tests", DIVIDE), ("test-removal", "tests/test_calc.py")]


def test_a_helper_that_asserts_less_is_put_back_for_it(tmp_path: Path) -> None:
    changes = {"calc.py": BROKEN, "tests/helper.py": "def same(a: int, b: int) -> None:\n    assert True\n"}
    verdict = judge_change(tmp_path, changes, base=HELPED)
    assert result_of(verdict, "test").passed
    assert kinds(verdict) == [("base-tests", DIVIDE)]


def test_a_conftest_that_is_new_is_taken_away_for_it(tmp_path: Path) -> None:
    verdict = judge_change(tmp_path, {"calc.py": BROKEN, "conftest.py": FAKED}, base=HELPED)
    assert result_of(verdict, "test").passed
    assert ("base-tests", DIVIDE) in kinds(verdict)


def test_a_module_that_cannot_be_imported_any_more_does_not_stop_the_others(tmp_path: Path) -> None:
    fine = "from calc import divide\n\n\ndef test_fine() -> None:\n    assert divide(1, 1) == 1\n"
    base = {
        **BASE,
        "tests/test_fine.py": fine,
        "tests/test_more.py": "from calc import is_small\n\n\ndef test_more() -> None:\n    assert is_small(3)\n",
    }
    changes = {
        "calc.py": CALC.replace("is_small", "is_little"),
        "tests/test_calc.py": TEST.replace("is_small", "is_little"),
        "tests/test_more.py": "from calc import divide\n\n\ndef test_more() -> None:\n    assert divide(1, 1) == 1\n",
        "tests/test_fine.py": f"{fine}    assert divide(2, 1) == 2\n",
    }
    verdict = judge_change(tmp_path, changes, base=base)
    assert kinds(verdict) == [("base-tests", "tests/test_calc.py"), ("base-tests", "tests/test_more.py::test_more")]
    findings = str(result_of(verdict, "integrity").details["findings"])
    assert "these tests do not run with the new sources" in findings


def test_a_base_test_that_fails_by_chance_is_tried_once_more(tmp_path: Path) -> None:
    """It runs on the base, on the head, and then as it was on the base: there it fails the first time."""
    bed, _ = a_bed(tmp_path, {**BASE, "tests/test_chance.py": flaky(tmp_path / "count", "times == 0")})
    change = FileChange("tests/test_chance.py", b"", b"# changed\n")
    bed = replace(bed, tree=replace(bed.tree, change=Change({change.path: change})))
    test = "tests/test_chance.py::test_chance"
    run, record = an_outcome(tmp_path, {test: "passed"}), BaseRecord(outcomes={test: "passed"})
    assert bed.tree.base is not None
    assert BaseTests(bed, bed.tree.base, Once(lambda: run), lambda: record).find() == []
    assert (tmp_path / "count").read_text() == "xx"


@pytest.mark.parametrize(
    "changes",
    [
        {"tests/test_calc.py": f"{TEST}\n\ndef test_more() -> None:\n    assert divide(4, 2) == 2\n"},
        {"tests/test_new.py": "from calc import divide\n\n\ndef test_new() -> None:\n    assert divide(4, 2) == 2\n"},
        {"tests/helper.py": "NUMBER = 1\n"},
        {"calc.py": CALC.replace("a // b", "int(a / b)")},
        {"tests/data.json": "{}"},
    ],
)
def test_honest_changes_are_not_held_up(tmp_path: Path, changes: dict[str, str]) -> None:
    verdict = judge_change(tmp_path, changes)
    assert verdict.passed, verdict


def test_a_new_marker_in_a_changed_test_is_judged_by_the_base_alone(tmp_path: Path) -> None:
    """A base without strictness stays without it here, too."""
    marked = TEST.replace("def test_big", "@pytest.mark.odd\ndef test_big")
    changed = f"{marked}\n\ndef test_more() -> None:\n    assert divide(4, 2) == 2\n"
    verdict = judge_change(tmp_path, {"tests/test_calc.py": changed}, base={**BASE, "tests/test_calc.py": marked})
    assert verdict.passed, verdict
