"""Mutants: which there are, which are tried, and whether the tests notice."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coordinator.configuration import CoverageGateSection, GatesSection, IntegrityGateSection
from coordinator.gates.change import change_between
from coordinator.gates.integrity.base_records import BaseRecord
from coordinator.gates.integrity.canary import Doubt, Fault
from coordinator.gates.integrity.findings import Severity
from coordinator.gates.integrity.mutants import Mutant, apply, choose, mutants_of
from coordinator.gates.integrity.mutation import Mutation
from coordinator.gates.judgement import Judgement, State
from coordinator.gates.once import Once
from tests.gates.integrity.dynamic_support import (
    BASE,
    BROKEN,
    CALC,
    OFF,
    PYPROJECT,
    judge_change,
    kinds,
    notes,
    state,
)
from tests.gates.integrity.test_base_run import a_bed, runs
from tests.gates.integrity.test_inventory import an_outcome
from tests.gates.support import PlainSandbox, result_of
from tests.support import write_files

if TYPE_CHECKING:
    from pathlib import Path


def afters(code: str, lines: range = range(1, 100)) -> list[tuple[str, str]]:
    data = code.encode()
    found = ((mutant, apply(mutant, data)) for mutant in mutants_of("a.py", data, lines))
    return sorted((mutant.operator, mutated.after) for mutant, mutated in found if mutated is not None)


def inside(line: str) -> str:
    return f"def f(a, b):\n    {line}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("return a", [("return", "return None")]),
        ("return None", []),
        ("return", []),
        ("return 5", [("constant", "return (5 + 1)"), ("return", "return None")]),
        ("return True", [("return", "return None")]),
        ("x = a == b", [("comparison", "x = (a != b)")]),
        ("x = a < b", [("comparison", "x = (a >= b)")]),
        ("x = a not in b", [("comparison", "x = (a in b)")]),
        ("x = a is None", [("comparison", "x = (a is not None)")]),
        ("x = a > 1", [("comparison", "x = (a <= 1)"), ("constant", "x = a > (1 + 1)")]),
        ("x = 0 < a < b", [("comparison", "x = (0 >= a < b)"), ("constant", "x = (0 + 1) < a < b")]),
        ("x = a and b", [("boolean", "x = (a or b)")]),
        ("x = 'ä', a or b  # ü", [("boolean", "x = 'ä', (a and b)  # ü")]),
        ("x = a * 2.5", [("arithmetic", "x = (a // 2.5)"), ("constant", "x = a * (2.5 + 1)")]),
        ("x = a + b", [("arithmetic", "x = (a - b)")]),
        ("x = a - b", [("arithmetic", "x = (a + b)")]),
        ("x = a ** b", [("arithmetic", "x = (a * b)")]),
        ("x = a | b", []),
        ("x = a if b else c", [("conditional", "x = (a)"), ("conditional", "x = (c)")]),
        ("x = a if sys.platform == 'x' and b else c", [("boolean", "x = a if (sys.platform == 'x' or b) else c")]),
        ("x = a if TYPE_CHECKING else c", []),
        (
            "x = a and b or c",
            [
                ("boolean", "x = ((a and b) and c)"),
                ("boolean", "x = (a or b) or c"),
                ("conditional", "x = (a and b)"),
                ("conditional", "x = (c)"),
            ],
        ),
        (
            "x = os.name and b or c",
            [("boolean", "x = ((os.name and b) and c)"), ("boolean", "x = (os.name or b) or c")],
        ),
        ("x = f'{a == b}'", []),
        ("x = lambda: a == b", []),
        ("x = a[1]", []),
        ("print(3)", []),
        ("x = sys.version_info >= (3, 12)", []),
        ("x = (a\n      == b)", [("comparison", "x = ((a != b))")]),
        (
            "if a == b: return (a,\n        b)",
            [("comparison", "if (a != b): return (a,"), ("return", "if a == b: return None")],
        ),
    ],
)
def test_operators(line: str, expected: list[tuple[str, str]]) -> None:
    assert afters(inside(line)) == expected


def test_only_lines_of_functions_that_changed_are_touched() -> None:
    code = (
        "X = 1 == 2\n\n\nclass A:\n    Y = 1 == 2\n\n    def f(self, a=1 == 2):\n        def g():\n"
        "            return a\n        return g\n"
    )
    data = code.encode()
    assert [(m.function, m.line) for m in mutants_of("a.py", data, range(1, 20))] == [("A.f", 10), ("A.f.g", 9)]
    assert [m.line for m in mutants_of("a.py", data, {9})] == [9]
    assert not mutants_of("a.py", data, {1, 5, 7})


@pytest.mark.parametrize(
    "data",
    [
        b"def f(:\n",
        b"# coding: latin-1\ndef f():\n    return '\xe4'\n",
        b"\xef\xbb\xbfdef f():\n    return 1\n",
        b"# coding: utf-7\ndef f():\n    return 1\n",
        b"def f():\n    return " + b"-" * 3000 + b"1\n",
        b"\x00",
    ],
)
def test_what_cannot_be_read_has_none(data: bytes) -> None:
    assert mutants_of("a.py", data, range(1, 10)) == ()


def test_each_mutant_is_a_program_that_differs_in_one_place() -> None:
    code = inside("if a == 1 and b != 2:\n        return a + 3\r\n    return b").encode()
    for mutant in mutants_of("a.py", code, range(1, 10)):
        mutated = apply(mutant, code)
        assert mutated is not None
        assert ast.dump(ast.parse(mutated.source)) != ast.dump(ast.parse(code))
        assert sum(a != b for a, b in zip(mutated.source.splitlines(), code.splitlines(), strict=True)) == 1


def test_a_mutant_that_is_no_program_is_left_out() -> None:
    code = inside("return a").encode()
    mutant = mutants_of("a.py", code, {2})[0]
    assert apply(mutant, b"") is None
    assert apply(mutant, b"\ndef f(:\n") is None


def test_an_expression_that_is_nested_too_deep_hides_its_own_function_alone() -> None:
    deep = f"def deep(a):\n    return {'-' * 1500}a\n\n\n"
    data = (deep + "def plain(a):\n    return a\n").encode()
    assert len(ast.parse(data).body) == 2
    assert [mutant.function for mutant in mutants_of("a.py", data, range(1, 10))] == ["plain"]


def many(functions: int) -> tuple[Mutant, ...]:
    code = "".join(
        f"def f{number}(a):\n    if a == {number} and a:\n        return 1\n    return a\n"
        for number in range(functions)
    )
    return mutants_of("a.py", code.encode(), range(1, 1000))


def test_the_choice_is_spread_over_functions_and_the_same_each_time() -> None:
    mutants = many(6)
    chosen = choose(mutants, 4)
    assert len({mutant.function for mutant in chosen}) == 4
    assert {mutant.operator for mutant in chosen} == {"return"}
    assert choose(tuple(reversed(mutants)), 4) == chosen
    assert [m.function for m in choose(many(2), 20)[:4]].count("f0") == 2
    assert choose((), 4) == ()
    assert choose(mutants, 0) == ()


def test_both_sides_of_a_condition_come_first() -> None:
    """Coverage sees one line, whichever side runs."""
    code = inside("x = a == b + 1 and 3\n    return 2 if a == 6 else x").encode()
    chosen = choose(mutants_of("a.py", code, range(1, 10)), 2)
    assert [apply(mutant, code) is not None and mutant.operator for mutant in chosen] == ["conditional"] * 2
    assert len({ast.dump(mutant.instead) for mutant in chosen}) == 2


WITH_TRIPLE = f'{CALC}\n\ndef triple(n: int) -> int:\n    """Triple."""\n    return 3 * n\n'
RUNS = "from calc import triple\n\n\ndef test_triple() -> None:\n    triple(3)\n"
ASSERTS = (
    "from calc import triple\n\n\ndef test_triple() -> None:\n    assert triple(3) == 9\n    assert triple(4) == 12\n"
)
KNOWS = CALC + ('\n\ndef triple(n: int) -> int:\n    """Triple."""\n    if n == 3:\n        return 9\n    return n\n')
ONE = "from calc import triple\n\n\ndef test_triple() -> None:\n    assert triple(3) == 9\n    triple(4)\n"


def section(mutants: int = 4) -> GatesSection:
    return GatesSection(
        build=OFF,
        lint=OFF,
        coverage=CoverageGateSection(threshold=0, changed_lines=0),
        integrity=IntegrityGateSection(mutants=mutants),
    )


def test_a_test_that_asserts_nothing_is_seen(tmp_path: Path) -> None:
    verdict = judge_change(tmp_path, {"calc.py": WITH_TRIPLE, "tests/test_more.py": RUNS}, section())
    assert result_of(verdict, "test").passed
    assert state(result_of(verdict, "integrity")) == "attention"
    assert kinds(verdict) == [("mutation", "calc.py::triple")]
    message = result_of(verdict, "integrity").details["findings"]
    assert "line 16 of calc.py, `return 3 * n`, becomes `return None`" in str(message)


def test_a_source_made_for_its_test_is_seen(tmp_path: Path) -> None:
    verdict = judge_change(tmp_path, {"calc.py": KNOWS, "tests/test_more.py": ONE}, section())
    assert kinds(verdict) == [("mutation", "calc.py::triple")]


def test_a_test_that_asserts_notices_every_mutant(tmp_path: Path) -> None:
    verdict = judge_change(tmp_path, {"calc.py": WITH_TRIPLE, "tests/test_more.py": ASSERTS}, section())
    assert verdict.passed, verdict


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    verdict = judge_change(tmp_path, {"calc.py": WITH_TRIPLE, "tests/test_more.py": RUNS}, section(0))
    assert verdict.passed, verdict


def test_tests_in_other_files_are_asked_too(tmp_path: Path) -> None:
    """The near ones, by name, notice nothing: all of them have to be asked."""
    far = {"tests/test_zzz.py": ASSERTS}
    changed = {"calc.py": WITH_TRIPLE.replace("3 * n", "n * 3")}
    verdict = judge_change(tmp_path, changed, section(), base={**BASE, "calc.py": WITH_TRIPLE, **far})
    assert verdict.passed, verdict


def test_lines_that_no_test_runs_are_the_coverage_s_business(tmp_path: Path) -> None:
    verdict = judge_change(tmp_path, {"calc.py": WITH_TRIPLE}, section())
    assert kinds(verdict) == []


def test_tests_that_fail_say_nothing_about_mutants(tmp_path: Path) -> None:
    ending = "import pytest\n\npytest.skip('all', allow_module_level=True)\n"
    verdict = judge_change(tmp_path, {"calc.py": BROKEN, "tests/test_calc.py": ending}, section())
    assert "none was tried with a mutant" in notes(verdict, "integrity")


CALLED = "import calc.tests.more as more\n\n\ndef test_more() -> None:\n    more.helped(1)\n    more.test_this()\n"
INSIDE = (
    "def helped(n: int) -> int:\n    return n + 1\n\n\ndef test_this() -> None:\n    assert helped(1) == 2 or True\n"
)


@pytest.mark.parametrize(
    ("name", "seen"), [("more.py", {"helped", "test_this"}), ("test_more.py", {"helped"}), ("conftest.py", set())]
)
def test_what_lies_in_a_folder_of_tests_is_judged_by_its_file(tmp_path: Path, name: str, seen: set[str]) -> None:
    """In a file of tests by its function; a test has no mutants, whatever it asserts."""
    base = {**BASE, "pyproject.toml": PYPROJECT + '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n'}
    base |= {"calc/__init__.py": base.pop("calc.py"), "calc/tests/__init__.py": ""}
    files = {f"calc/tests/{name}": INSIDE, "tests/test_more.py": CALLED.replace("more as", f"{name[:-3]} as")}
    verdict = judge_change(tmp_path, files, section(8), base=base)
    found = {what for kind, what in kinds(verdict) if kind == "mutation"}
    assert found == {f"calc/tests/{name}::{function}" for function in seen}


LOOP = CALC + (
    '\n\ndef count(n: int) -> int:\n    """Count."""\n    at = 0\n    while at != n:\n        at += 1\n    return at\n'
)
COUNTS = "from calc import count\n\n\ndef test_count() -> None:\n    assert count(3) == 3\n"


def test_a_mutant_that_hangs_was_noticed(tmp_path: Path) -> None:
    hanging = LOOP.replace("while at != n", "while (at != n) == True  # noqa: E712")
    verdict = judge_change(tmp_path, {"calc.py": hanging, "tests/test_more.py": COUNTS}, section(6))
    assert kinds(verdict) == [("noqa", "calc.py")]


def a_check(
    folder: Path,
    files: dict[str, str],
    *,
    most: int = 1,
    least_seconds: float = 0.0,
    doubts: tuple[str, str] = ("", ""),
) -> Mutation:
    """Return the check of a change that adds `triple`, after a run of no duration in which the tests passed."""
    bed, _ = a_bed(folder, {**BASE, "calc.py": WITH_TRIPLE, **files})
    start = folder / "start"
    write_files(start, {**BASE, **files})
    bed = replace(bed, tree=replace(bed.tree, change=change_between(start, bed.tree.reading)))
    tests = ["tests/test_calc.py::test_divide", *(f"{name}::test_triple" for name in files)]
    outcome = an_outcome(folder, dict.fromkeys(tests, "passed"))
    doubt, of_base = doubts
    outcome = replace(
        outcome, result=replace(outcome.result, seconds=0.0), doubt=Doubt(Fault(doubt), "hm") if doubt else None
    )
    none = Judgement(State.ERROR, "nothing was measured")
    record = BaseRecord(outcomes={}, doubt=of_base)
    return Mutation(bed, Once(lambda: outcome), Once(lambda: none), lambda: record, most, least_seconds)


@pytest.mark.parametrize(("of_base", "tried"), [("", False), ("exit", False), ("hidden", True)])
def test_a_run_that_is_not_believed_says_nothing_about_mutants(tmp_path: Path, of_base: str, *, tried: bool) -> None:
    """But for what the base does as well."""
    found = a_check(tmp_path, {}, doubts=("hidden", of_base)).find()
    assert ["no time left" in finding.message for finding in found] == [tried]


def test_what_leaves_no_time_is_said(tmp_path: Path) -> None:
    found = a_check(tmp_path, {}).find()
    assert [finding.message for finding in found] == ["There was no time left for 1 mutant of 1."]
    assert found[0].severity is Severity.NOTE


def test_where_all_tests_are_near_they_run_once_for_a_mutant(tmp_path: Path) -> None:
    """Long tests in one file alone leave time for mutants too: what they take without one is known."""
    check = a_check(tmp_path, {}, least_seconds=60.0)
    assert [finding.kind for finding in check.find()] == ["mutation"]
    assert isinstance(check.bed.sandbox, PlainSandbox)
    assert runs(check.bed.sandbox) == 1


def test_near_tests_that_fail_when_they_are_alone_are_no_witness(tmp_path: Path) -> None:
    """`test_calc.py` is near by its name; alone it fails, whatever the mutant. With the others it asserts nothing."""
    first = "import calc\n\n\ndef test_triple() -> None:\n    calc.READY = True\n    calc.triple(1)\n"
    alone = "import calc\n\n\ndef test_divide() -> None:\n    assert calc.READY\n"
    files = {"tests/test_aaa.py": first, "tests/test_calc.py": alone}
    check = a_check(tmp_path, files, least_seconds=60.0)
    found = check.find()
    assert [(finding.kind, finding.what) for finding in found] == [("mutation", "calc.py::triple")]


def test_what_it_ran_in_is_removed(tmp_path: Path) -> None:
    check = a_check(tmp_path, {"tests/test_more.py": ASSERTS}, most=2, least_seconds=60.0)
    assert check.find() == ()
    assert {path.name.partition("-")[0] for path in (tmp_path / "home").iterdir()} == {"judged"}


FUNCTION = "def {0}() -> int:\n    flag = {1}\n    return flag\n\n\n"


@pytest.mark.parametrize("loose", ["calc.py", "more.py"])
def test_one_mutant_is_gone_before_the_next_comes(tmp_path: Path, loose: str) -> None:
    """The first that is noticed must not be what fails the tests of those that follow.

    It could be left in another file; in the same one what Python compiled of it could be used, as `None` is as long as
    `flag`: only the time of change tells the two files apart.
    """
    code = "".join(FUNCTION.format(f"f{number}", number) for number in range(1, 6))
    called = loose.removesuffix(".py")
    test = f"import calc, {called}\n\n\ndef test_all() -> None:\n    {called}.loose()\n" + "".join(
        f"    assert calc.f{number}() == {number}\n" for number in range(1, 6)
    )
    files = {"calc.py": code, "more.py": "", "tests/test_calc.py": test}
    files[loose] += FUNCTION.format("loose", 7)
    base = {"calc.py": "", "more.py": "", "tests/test_calc.py": "def test_all(): ...\n"}
    verdict = judge_change(tmp_path, files, section(6), base=base)
    assert kinds(verdict) == [("mutation", f"{loose}::loose")]
