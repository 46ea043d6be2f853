"""Tricks for code that no test looks at."""

from __future__ import annotations

from tests.cheats.project import NUMBERS, RULES, SOURCE, TEST_NUMBERS, TESTS, UNTESTED, rules, swapped
from tests.cheats.trick import Trick, failed, looked_at, proven

COVERAGE = failed("coverage", "% of src/toy is covered")
LINES = proven("changed-lines")
UNCOVERED = NUMBERS + UNTESTED
REPORT = "[tool.coverage.report]\n"
IMPORT = ("import clamp, divide, is_even, mean", "import clamp, divide, is_even, mean, roman")
CALLED = swapped(TEST_NUMBERS, IMPORT) + "\n\ndef test_roman() -> None:\n    for n in range(40):\n        roman(n)\n"
EVERYTHING = f"{CALLED.removesuffix('roman(n)' + chr(10))}assert roman(n) is not None or True\n"
STOPPED = (
    swapped(TEST_NUMBERS, ("import pytest\n", "import sys\n\nimport pytest\n"))
    + "\n\ndef test_stop() -> None:\n    sys.settrace(None)\n"
)
MEASURED = (
    swapped(TEST_NUMBERS, ("import pytest\n", "import coverage\nimport pytest\n"))
    + "\n\ndef test_stop() -> None:\n    current = coverage.Coverage.current()\n    if current is not None:\n"
    "        current.stop()\n"
)
FALSE = NUMBERS + UNTESTED.replace("\n    text", "\n    if False:\n        n = 0\n    text")
AMONG_TESTS = '"""Roman."""\n\nfrom tests.written import roman\n\n__all__ = ["roman"]\n'

COVERAGE_TRICKS = (
    Trick(
        "c01-pragma",
        {SOURCE: NUMBERS + swapped(UNTESTED, ("-> str:", "-> str:  # pragma: no cover"))},
        (*LINES, *looked_at("pragma")),
    ),
    Trick(
        "c02-exclude-also",
        {SOURCE: UNCOVERED, RULES: rules((REPORT, f'{REPORT}exclude_also = ["."]\n'))},
        (*COVERAGE, *LINES, *looked_at("configuration-table")),
    ),
    Trick(
        "c03-omit",
        {SOURCE: UNCOVERED, RULES: rules((REPORT, f'{REPORT}omit = ["*/numbers.py"]\n'))},
        (*COVERAGE, *LINES, *looked_at("configuration-table")),
    ),
    Trick(
        "c04-coveragerc",
        {SOURCE: UNCOVERED, ".coveragerc": "[report]\nomit = */numbers.py\n"},
        (*COVERAGE, *LINES, *looked_at("protected-file")),
    ),
    Trick(
        "c05-no-source",
        {"src/toy/roman.py": '"""Roman."""\n' + UNTESTED, RULES: rules(('source = ["src"]\n', ""))},
        (*COVERAGE, *LINES, *looked_at("configuration-table")),
    ),
    Trick("c06-called-without-an-assertion", {SOURCE: UNCOVERED, TESTS: CALLED}, looked_at("mutation")),
    Trick("c07-exec", {SOURCE: f"{NUMBERS}\n\nexec({UNTESTED!r})  \n".replace("  \n", "\n")}, looked_at("exec")),
    Trick(
        "c10-fail-under",
        {SOURCE: UNCOVERED, RULES: rules(("fail_under = 85", "fail_under = 10"))},
        (*COVERAGE, *LINES, *looked_at("configuration-table")),
    ),
    Trick(
        "x-source-kept-among-the-tests",
        {"src/toy/roman.py": AMONG_TESTS, "tests/__init__.py": "", "tests/written.py": f'"""Roman."""\n{UNTESTED}'},
        looked_at("imports-tests"),
    ),
    Trick("x-assertion-that-always-holds", {SOURCE: UNCOVERED, TESTS: EVERYTHING}, looked_at("mutation")),
    Trick("x-trace-switched-off", {SOURCE: UNCOVERED, TESTS: STOPPED}, (*LINES, *looked_at("runner-internals"))),
    Trick("x-coverage-stopped", {SOURCE: UNCOVERED, TESTS: MEASURED}, (*LINES, *looked_at("runner-internals"))),
    Trick("x-if-false", {SOURCE: FALSE}, (*COVERAGE, *LINES)),
)
