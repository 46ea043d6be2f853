"""Coverage of the changed lines: with the real pytest and coverage, and each rule by itself."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import (
    CoverageGateSection,
    GateSection,
    GatesSection,
)
from coordinator.errors import Unreachable
from coordinator.gates.integrity.changed_lines import ChangedLines
from coordinator.gates.integrity.findings import Severity
from coordinator.gates.judgement import Judgement, State
from coordinator.gates.once import Once
from coordinator.gates.python.coverage_report import CoverageReport, MeasuredFile, Summary
from coordinator.gates.rules import omitted_from_coverage
from tests.gates.integrity.support import a_tree, write
from tests.gates.support import judge, result_of
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from coordinator.gates.integrity.findings import PolicyFinding
    from coordinator.gates.protocol import GateResult

SUMMARY = Summary(covered_lines=1, num_statements=1, percent_covered=100)
OFF = GateSection(enabled=False)
ONLY_TESTS = GatesSection(build=OFF, lint=OFF, coverage=CoverageGateSection(threshold=0))
PROJECT = '[project]\nname = "toy"\nversion = "1.0"\n'
CODE = '"""Toy."""\n\n\ndef double(number: int) -> int:\n    return 2 * number\n'
TEST = "from toy import double\n\n\ndef test_double() -> None:\n    assert double(2) == 4\n"
GREEN = {"pyproject.toml": PROJECT, "toy/__init__.py": CODE, "tests/test_toy.py": TEST}


def measured(executed: Sequence[int], missing: Sequence[int] = (), excluded: Sequence[int] = ()) -> MeasuredFile:
    return MeasuredFile(
        executed_lines=list(executed), missing_lines=list(missing), excluded_lines=list(excluded), summary=SUMMARY
    )


def found(
    folder: Path,
    head: Mapping[str, str],
    report: Mapping[str, MeasuredFile],
    *,
    base: Mapping[str, str] | None = None,
    threshold: float = 85,
    omitted: tuple[str, ...] = (),
) -> list[PolicyFinding]:
    tree = a_tree(folder, {**GREEN, **(base or {})}, {**GREEN, **head})
    made = CoverageReport(files=dict(report), totals=SUMMARY)
    return list(ChangedLines(tree, Once(lambda: made), threshold, omitted).find())


def integrity(folder: Path, head: Mapping[str, str], base: Mapping[str, str] | None = None) -> GateResult:
    repository = make_repository(folder / "repository", {**GREEN, **(base or {})})
    commit = git(repository, "rev-parse", "HEAD")
    commit_files(repository, head)
    return result_of(judge(repository, folder / "home", ONLY_TESTS, base=commit), "integrity")


def kinds(result: GateResult) -> list[tuple[object, object, object]]:
    findings = result.details["findings"]
    assert isinstance(findings, list)
    listed = [entry for entry in findings if isinstance(entry, dict)]
    return [(entry["kind"], entry["path"], entry["line"]) for entry in listed]


def test_new_lines_that_no_test_runs_through_fail(tmp_path: Path) -> None:
    result = integrity(
        tmp_path, {"toy/__init__.py": f"{CODE}\n\ndef triple(number: int) -> int:\n    return 3 * number\n"}
    )
    assert result.details["state"] == "failed"
    assert kinds(result) == [("changed-lines", "toy/__init__.py", 9)]
    assert "run through 1 of 2 changed lines, 85 % are needed; not through line 9 of toy/__init__.py" in str(
        result.details["findings"]
    )


def test_new_lines_with_a_test_pass(tmp_path: Path) -> None:
    test = "from toy import triple\n\n\ndef test_triple() -> None:\n    assert triple(2) == 6\n"
    code = f"{CODE}\n\ndef triple(number: int) -> int:\n    return 3 * number\n"
    result = integrity(tmp_path, {"toy/__init__.py": code, "tests/test_triple.py": test})
    assert result.passed, result.message


def test_a_module_that_nothing_imports_is_missed(tmp_path: Path) -> None:
    result = integrity(tmp_path, {"toy/more.py": "a = 1\nb = 2\n"})
    assert ("changed-lines", "toy/more.py", 1) in kinds(result)


def test_a_pragma_does_not_help(tmp_path: Path) -> None:
    code = f"{CODE}\n\ndef triple(number: int) -> int:  # pragma: no cover\n    return 3 * number\n"
    result = integrity(tmp_path, {"toy/__init__.py": code})
    assert result.details["state"] == "failed"
    assert ("changed-lines", "toy/__init__.py", 8) in kinds(result)
    assert ("pragma", "toy/__init__.py", 8) in kinds(result)


def test_what_the_rules_of_the_base_leave_out_is_no_fault(tmp_path: Path) -> None:
    rules = f"{PROJECT}[tool.coverage.report]\nexclude_also = ['if TYPE_CHECKING:']\n"
    code = (
        '"""Toy."""\n\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import os\n    import sys\n\n\n'
        'def double(number: "int | os.PathLike[str] | sys.float_info") -> "int":\n    return 2 * number\n'
    )
    result = integrity(tmp_path, {"toy/__init__.py": code}, {"pyproject.toml": rules})
    assert result.passed, result.message


def test_without_a_coverage_report_it_cannot_be_done(tmp_path: Path) -> None:
    tree = a_tree(tmp_path, GREEN, {**GREEN, "toy/more.py": "a = 1\n"})
    check = ChangedLines(tree, Once(lambda: Judgement(State.ERROR, "nothing was measured: why")), 85)
    with pytest.raises(Unreachable, match="nothing was measured: why"):
        check.find()


def test_a_change_of_tests_and_texts_needs_no_report(tmp_path: Path) -> None:
    def refuse() -> CoverageReport:
        raise AssertionError

    head = {"tests/test_more.py": "x = 1\n", "README.md": "# Toy\n", "toy/data.json": "{}", "script.py": "x = 1\n"}
    base = {"toy/gone.py": "x = 1\n", "toy/less.py": "a = 1\nb = 2\n"}
    tree = a_tree(tmp_path, {**GREEN, **base}, {**GREEN, **head, "toy/less.py": "a = 1\n"})
    assert ChangedLines(tree, Once(refuse), 85).find() == ()


def test_all_files_count_together(tmp_path: Path) -> None:
    head = {"toy/a.py": "a = 1\nb = 2\nc = 3\n", "toy/b.py": "d = 4\n"}
    report = {"toy/a.py": measured([1, 2, 3]), "toy/b.py": measured([], [1])}
    assert found(tmp_path / "1", head, report, threshold=75) == []
    (finding,) = found(tmp_path / "2", head, report, threshold=76)
    assert (finding.path, finding.what, finding.line) == ("toy/b.py", "toy/b.py", 1)
    assert (finding.kind, finding.severity) == ("changed-lines", Severity.FAILED)
    assert "3 of 4 changed lines" in finding.message


def test_only_added_lines_count(tmp_path: Path) -> None:
    base = {"toy/a.py": "a = 1\nb = 2\nc = 3\n"}
    head = {"toy/a.py": "a = 1\nb = 20\nc = 3\n"}
    assert found(tmp_path / "1", head, {"toy/a.py": measured([2], [1, 3])}, base=base) == []
    (finding,) = found(tmp_path / "2", head, {"toy/a.py": measured([1, 3], [2])}, base=base)
    assert "0 of 1 changed line," in finding.message


def test_a_module_that_was_moved_is_not_new(tmp_path: Path) -> None:
    tree = a_tree(tmp_path, {**GREEN, "toy/old.py": "a = 1\nb = 2\n"}, {**GREEN, "toy/new.py": "a = 1\nb = 2\n"})
    report = CoverageReport(files={"toy/new.py": measured([], [1, 2])}, totals=SUMMARY)
    assert ChangedLines(tree, Once(lambda: report), 85).find() == ()


def test_files_that_the_base_omits_do_not_count(tmp_path: Path) -> None:
    head = {"toy/migrations/one.py": "a = 1\n"}
    assert found(tmp_path / "1", head, {}, omitted=("*/migrations/*",)) == []
    assert found(tmp_path / "2", head, {}, omitted=("toy/migrations/*",)) == []
    assert len(found(tmp_path / "3", head, {}, omitted=("toy/other/*",))) == 1


def test_a_file_that_the_report_does_not_know_counts_by_its_statements(tmp_path: Path) -> None:
    code = 'def f(\n    x: int,\n) -> int:\n    """Text."""\n    y = [\n        x,\n    ]\n    return y\n'
    counted = found(tmp_path / "1", {"toy/a.py": code}, {})
    assert ["0 of 3 changed lines" in finding.message for finding in counted] == [True]
    counted = found(tmp_path / "2", {"toy/a.py": "type = = 1\n\nx = 1\n"}, {})
    assert ["0 of 2 changed lines" in finding.message for finding in counted] == [True]


EXCLUDED = {
    "a head with a comment": ("def f():  # nocov\n    x = 1\n    return x\n", [1, 2, 3], 3),
    "a head without one": ("if TYPE_CHECKING:\n    import os\n", [1, 2], 0),
    "a comment further in": ("if TYPE_CHECKING:\n    import os  # for types\n", [1, 2], 0),
    "a decorator with one": ("@decorated  # nothing to see\ndef f():\n    return 1\n", [1, 2, 3], 3),
    "one simple line": ("raise NotImplementedError  # why\n", [1], 1),
    "a function within": ("class A:\n    def __repr__(self):\n        return ''\n", [2, 3], 0),
    "a pragma anywhere": ("x = '# pragma'\nif TYPE_CHECKING:\n    import os\n", [2, 3], 2),
    "no syntax tree": ("if TYPE_CHECKING:\n    import = os\n", [1, 2], 2),
}


@pytest.mark.parametrize(("code", "excluded", "missed"), EXCLUDED.values(), ids=list(EXCLUDED))
def test_what_a_comment_takes_out_is_missed(tmp_path: Path, code: str, excluded: list[int], missed: int) -> None:
    findings = found(tmp_path, {"toy/a.py": code}, {"toy/a.py": measured([], [], excluded)})
    assert [finding.message.partition(";")[0] for finding in findings] == (
        [f"The tests run through 0 of {missed} changed line{'s' * (missed > 1)}, 85 % are needed"] if missed else []
    )


def test_lines_put_into_a_part_that_a_comment_took_out_before_are_missed(tmp_path: Path) -> None:
    before = "def f():  # pragma: no cover\n    x = 1\n"
    head = {"toy/a.py": f"{before}    y = 2\n"}
    (finding,) = found(tmp_path, head, {"toy/a.py": measured([], [], [1, 2, 3])}, base={"toy/a.py": before})
    assert finding.line == 3


def test_a_source_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"toy/a\.py cannot be looked into: it is in utf-7"):
        found(tmp_path, {"toy/a.py": "# coding: utf-7\nx = 1\n"}, {})


def test_a_link_in_the_place_of_a_module_is_left_to_the_census(tmp_path: Path) -> None:
    (write(tmp_path / "head", {"toy/__init__.py": ""}) / "toy" / "link.py").symlink_to("__init__.py")
    assert "toy/link.py" in a_tree(tmp_path, GREEN, GREEN).change.files
    assert found(tmp_path, {}, {}) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pyproject.toml", "[tool.coverage.run]\nomit = ['a/*', 'b/*']\n[tool.coverage.report]\nomit = ['c/*']\n"),
        (".coveragerc", "[run]\nomit =\n    a/*\n    b/*\n[report]\nomit = c/*\n"),
        (".coveragerc.toml", "[run]\nomit = ['a/*', 'b/*']\n[report]\nomit = 'c/*'\n"),
        ("setup.cfg", "[coverage:run]\nomit = a/*, b/*\n[coverage:report]\nomit = c/*\n"),
    ],
)
def test_omitted_files_are_read_where_coverage_reads_them(tmp_path: Path, name: str, content: str) -> None:
    assert omitted_from_coverage(write(tmp_path, {name: textwrap.dedent(content)})) == ("a/*", "b/*", "c/*")
    assert omitted_from_coverage(write(tmp_path / "none", {})) == ()
