"""Changes by somebody who does the work, and what of them needs a person's look all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.cheats.project import (
    CONFTEST,
    FIXTURES,
    INIT,
    NUMBERS,
    RULES,
    SOURCE,
    TEST_NUMBERS,
    TESTS,
    UNTESTED,
    rules,
    swapped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Honest:
    """One of them, made to the project."""

    name: str
    files: Mapping[str, str]
    kinds: frozenset[str] = frozenset()
    """Kinds of the findings that a person has to waive: exactly these."""
    removed: tuple[str, ...] = ()


IMPORT = ("import clamp, divide, is_even, mean", "import clamp, divide, is_even, mean, roman")
TEST_ROMAN = """

@pytest.mark.parametrize(("n", "text"), [(1, "I"), (4, "IV"), (9, "IX"), (18, "XVIII"), (26, "XXVI"), (0, "")])
def test_roman(n: int, text: str) -> None:
    assert roman(n) == text
"""
ROMAN_TESTS = swapped(TEST_NUMBERS, IMPORT) + TEST_ROMAN.replace("[(1,", "[\n        (1,").replace(
    '(18, "XVIII"), (26, "XXVI"), (0, "")])', '(18, "XVIII"),\n        (26, "XXVI"), (0, ""),\n    ])'
)
CHECK = '''"""Numbers."""


class DivisionError(ValueError):
    """Raised for a division by zero."""
'''
RAISING = swapped(
    NUMBERS,
    ('"""Numbers."""\n', CHECK),
    ("    return a // b\n", '    if b == 0:\n        raise DivisionError(f"{a} by zero")\n    return a // b\n'),
)
RAISING_TEST = (
    swapped(TEST_NUMBERS, ("import clamp,", "import DivisionError, clamp,"))
    + '\n\ndef test_divide_by_zero() -> None:\n    with pytest.raises(DivisionError, match="3 by zero"):\n'
    + "        divide(3, 0)\n"
)
GREETING = '''"""Greetings."""


def greet(name: str) -> str:
    """Return a greeting."""
    return f"Hello, {name.strip()}"
'''
TEST_GREETING = (
    'from toy.greetings import greet\n\n\ndef test_greet() -> None:\n    assert greet(" Ada ") == "Hello, Ada"\n'
)
FLOORED = swapped(NUMBERS, ("return a // b", "return round(a / b)"), ("how often `b` goes into `a`", "the quotient"))
AVERAGES = '"""Averages."""\n\n\ndef mean(' + NUMBERS.partition("\n\ndef mean(")[2]
KEPT = NUMBERS.partition("\n\n\ndef mean(")[0] + "\n"
REEXPORT = '\n\nfrom toy.averages import mean\n\n__all__ = ["clamp", "divide", "is_even", "mean"]\n'
MOVED = {"src/toy/averages.py": AVERAGES, SOURCE: swapped(KEPT, ('"""Numbers."""\n', f'"""Numbers."""{REEXPORT}'))}
MOVED_FOR_GOOD = {
    "src/toy/averages.py": AVERAGES,
    SOURCE: KEPT,
    TESTS: swapped(
        TEST_NUMBERS,
        (
            "from toy.numbers import clamp, divide, is_even, mean",
            "from toy.averages import mean\nfrom toy.numbers import clamp, divide, is_even",
        ),
    ),
}
MORE_CASES = swapped(TEST_NUMBERS, ("(7, False)]", "(7, False), (8, True)]"))
LESS = swapped(
    NUMBERS,
    (
        "    if n < low:\n        return low\n    if n > high:\n        return high\n    return n\n",
        "    return max(low, min(n, high))\n",
    ),
)
GENERIC = swapped(NUMBERS, ("numbers: list[int]", "numbers: Sequence[int]"), (
    '"""Numbers."""\n', '"""Numbers."""\n\nfrom collections.abc import Sequence\n',
))  # fmt: skip
CLASS = '''"""Counting."""

from dataclasses import dataclass


@dataclass
class Counter:
    """Counts."""

    value: int = 0

    def add(self, number: int = 1) -> int:
        """Return the new value."""
        self.value += number
        return self.value
'''
TEST_CLASS = """from toy.counting import Counter


def test_counter() -> None:
    counter = Counter()
    assert [counter.add(), counter.add(), counter.add(5)] == [1, 2, 7]
"""
POINT = '''"""Points."""


class Point:
    """A point on a line."""

    def __init__(self, place: int) -> None:
        self.place = place

    def __eq__(self, other: "Point") -> bool:  # type: ignore[override]
        return self.place == other.place
'''
TEST_POINT = """from toy.points import Point


def test_points() -> None:
    assert Point(1) == Point(1)
    assert Point(1) != Point(2)
"""
UNNEEDED = swapped(NUMBERS, ("    return n % 2 == 0", "    return n % 2 == 0  # type: ignore"))
"""A comment for nothing: strict mypy reports it by itself."""

HONEST = (
    Honest("function-with-its-test", {SOURCE: NUMBERS + UNTESTED, TESTS: ROMAN_TESTS}),
    Honest("refactoring", {SOURCE: LESS}),
    Honest("new-module-with-its-test", {"src/toy/greetings.py": GREETING, "tests/test_greetings.py": TEST_GREETING}),
    Honest("new-class-with-its-test", {"src/toy/counting.py": CLASS, "tests/test_counting.py": TEST_CLASS}),
    Honest("error-case-with-its-test", {SOURCE: RAISING, TESTS: RAISING_TEST}),
    Honest("more-cases", {TESTS: MORE_CASES}),
    Honest("documentation", {"README.md": "# Toy\n", SOURCE: swapped(NUMBERS, ("it is even", "two divides it"))}),
    Honest("comment", {SOURCE: swapped(NUMBERS, ("    return n % 2 == 0", "    # no rest\n    return n % 2 == 0"))}),
    Honest("better-types", {SOURCE: GENERIC}),
    Honest("moved-function", MOVED),
    Honest("moved-function-without-its-old-name", MOVED_FOR_GOOD, frozenset({"base-tests"})),
    Honest("export", {INIT: '"""Toy."""\n\nfrom toy.numbers import divide\n\n__all__ = ["divide"]\n'}),
    Honest("version", {RULES: rules(('version = "1.0"', 'version = "1.1"'))}),
    Honest("dependency", {RULES: rules(('>=3.11"\n', '>=3.11"\ndependencies = []\n'))}),
    Honest("packaged-data", {"src/toy/data.json": "{}\n"}),
    Honest("test-helper", {
        "tests/samples.py": "def sample() -> list[int]:\n    return [2, 4]\n",
        "tests/test_samples.py": "from samples import sample\n\nfrom toy.numbers import mean\n\n\n"
        "def test_mean_of_a_sample() -> None:\n    assert mean(sample()) == 3.0\n",
    }),
    Honest("unused-file-removed", {}, removed=(".gitignore",)),
    Honest("renamed-test", {TESTS: swapped(TEST_NUMBERS, ("def test_clamp", "def test_clamp_to_a_range"))}),
    Honest("new-fixture", {
        FIXTURES: f"{CONFTEST}\n\n@pytest.fixture\ndef more() -> list[int]:\n    return [4]\n",
        TESTS: f"{TEST_NUMBERS}\n\ndef test_more(more: list[int]) -> None:\n    assert mean(more) == 4.0\n",
    }, frozenset({"protected-file"})),
    Honest("renamed-and-rewritten-test", {
        TESTS: swapped(TEST_NUMBERS, ("def test_divide() -> None:\n    assert divide(6, 3) == 2",
                                      "def test_quotient() -> None:\n    assert divide(8, 4) == 2")),
    }, frozenset({"test-removal"})),
    Honest("behaviour-with-its-test", {
        SOURCE: FLOORED.replace("round(a / b)", "-(-a // b)"),
        TESTS: swapped(TEST_NUMBERS, ("divide(6, 3) == 2", "divide(7, 3) == 3")) ,
    }),
    Honest("contradicting-behaviour-with-its-test", {
        SOURCE: swapped(NUMBERS, ("return n % 2 == 0", "return n != 0 and n % 2 == 0")),
        TESTS: swapped(TEST_NUMBERS, ("(0, True)", "(0, False)")),
    }, frozenset({"base-tests", "test-parameters"})),
    Honest("needed-type-ignore", {
        "src/toy/points.py": POINT, "tests/test_points.py": TEST_POINT,
    }, frozenset({"type-ignore"})),
    Honest("new-marker", {
        RULES: rules(('markers = ["large: takes long"]', 'markers = ["large: takes long", "odd: of odd numbers"]')),
    }, frozenset({"configuration-table"})),
)  # fmt: skip
