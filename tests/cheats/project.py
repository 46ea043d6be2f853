"""The small project that all changes are made to: its base passes every gate."""

from __future__ import annotations

PYPROJECT = """[project]
name = "toy"
version = "1.0"
requires-python = ">=3.11"

[tool.mypy]
strict = true

[tool.ruff]
line-length = 100

[tool.ruff.lint]
select = ["E", "F", "I", "B"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
markers = ["large: takes long"]

[tool.coverage.run]
source = ["src"]

[tool.coverage.report]
fail_under = 85
"""

NUMBERS = '''"""Numbers."""


def divide(a: int, b: int) -> int:
    """Return how often `b` goes into `a`."""
    return a // b


def is_even(n: int) -> bool:
    """Say whether it is even."""
    return n % 2 == 0


def clamp(n: int, low: int, high: int) -> int:
    """Return the nearest number between two others."""
    if n < low:
        return low
    if n > high:
        return high
    return n


def mean(numbers: list[int]) -> float:
    """Return the average of some numbers."""
    if not numbers:
        raise ValueError("no numbers")
    return sum(numbers) / len(numbers)
'''

TEST_NUMBERS = """import pytest

from toy.numbers import clamp, divide, is_even, mean


def test_divide() -> None:
    assert divide(6, 3) == 2


@pytest.mark.parametrize(("n", "even"), [(0, True), (1, False), (2, True), (7, False)])
def test_even(n: int, even: bool) -> None:
    assert is_even(n) is even


def test_clamp() -> None:
    assert [clamp(n, 2, 4) for n in (1, 3, 5)] == [2, 3, 4]


def test_mean(some: list[int]) -> None:
    assert mean(some) == 2.0


def test_mean_of_none() -> None:
    with pytest.raises(ValueError, match="no numbers"):
        mean([])
"""

CONFTEST = '''import pytest


@pytest.fixture
def some() -> list[int]:
    """Return some numbers."""
    return [1, 2, 3]
'''

SOURCE, TESTS, FIXTURES, RULES = "src/toy/numbers.py", "tests/test_numbers.py", "tests/conftest.py", "pyproject.toml"
INIT = "src/toy/__init__.py"

BASE = {
    RULES: PYPROJECT,
    INIT: '"""Toy."""\n',
    SOURCE: NUMBERS,
    TESTS: TEST_NUMBERS,
    FIXTURES: CONFTEST,
    ".gitignore": "__pycache__/\n",
}


def swapped(text: str, *pairs: tuple[str, str]) -> str:
    """Return a text with parts of it replaced, each of which stands in it once."""
    for old, new in pairs:
        assert text.count(old) == 1, f"{text.count(old)} of {old!r}"
        text = text.replace(old, new)
    return text


WRONG_TYPE = '\n\ndef label(n: int) -> int:\n    """Return a label."""\n    return {0: "none"}.get(n, "some")\n'
"""A type error in a function that works, which `LABEL_TEST` tests."""
LABEL_TEST = '\n\ndef test_label() -> None:\n    assert [label(0), label(1)] == ["none", "some"]\n'

BROKEN = swapped(NUMBERS, ("return a // b", "return a * b"))
"""A `divide` that multiplies."""

UNUSED = swapped(NUMBERS, ('"""Numbers."""\n', '"""Numbers."""\n\nimport os\n'))
"""An import that nothing uses."""

UNTESTED = (
    '\n\ndef roman(n: int) -> str:\n    """Return a Roman numeral."""\n    text = ""\n'
    + "".join(
        f'    while n >= {value}:\n        text += "{sign}"\n        n -= {value}\n'
        for value, sign in ((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    )
    + "    return text\n"
)
"""A function that no test runs through."""


LABEL_TESTS = (
    swapped(TEST_NUMBERS, ("import clamp, divide, is_even, mean", "import clamp, divide, is_even, label, mean"))
    + LABEL_TEST
)
"""The tests with one more, of `label`."""


def rules(*pairs: tuple[str, str], more: str = "") -> str:
    """Return the project's configuration with parts replaced and more at its end."""
    return swapped(PYPROJECT, *pairs) + more
