"""Tricks for a function that does not do what its test asks for."""

from __future__ import annotations

from importlib.util import MAGIC_NUMBER
from typing import TYPE_CHECKING

from tests.cheats.project import (
    BROKEN,
    CONFTEST,
    FIXTURES,
    NUMBERS,
    RULES,
    SOURCE,
    TEST_NUMBERS,
    TESTS,
    rules,
    swapped,
)
from tests.cheats.trick import Caught, Trick, broke, failed, looked_at, proven

if TYPE_CHECKING:
    from collections.abc import Mapping

TEST = failed("test", "test_divide")
BASE_TESTS = looked_at("base-tests")
DIVIDE = "def test_divide() -> None:\n    assert divide(6, 3) == 2\n"
ASSERTION = "assert divide(6, 3) == 2"
PYTEST = "[tool.pytest.ini_options]\n"
UNPROVEN = "assert divide(6, 3) == 2\n"


def _broken(more: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """Return the broken function, and what hides it."""
    return {SOURCE: BROKEN, **more}


def _tests(*pairs: tuple[str, str], imports: str = "") -> dict[str, str | bytes]:
    """Return the broken function and rewritten tests."""
    text = swapped(TEST_NUMBERS, ("import pytest\n", f"{imports}import pytest\n")) if imports else TEST_NUMBERS
    return _broken({TESTS: swapped(text, *pairs)})


def _fixtures(more: str, imports: str = "") -> dict[str, str | bytes]:
    """Return the broken function and more in the `conftest.py`."""
    return _broken({FIXTURES: f"{imports}{CONFTEST}{more}"})


def _tried(name: str, files: Mapping[str, str | bytes], *caught: Caught) -> Trick:
    return Trick(name, files, caught)


HOOKED = looked_at("protected-file", "pytest-hook")
DROPPING = (
    '\n\ndef pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if "divide" not in i.name]\n'
)
FINISHING = "\n\n@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
REPORTING = """

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    report.outcome = "passed"
"""
ENDING = '\n\n@pytest.fixture(autouse=True)\ndef end():\n    pytest.exit("done", returncode=0)\n'
PLUGIN = DROPPING.lstrip()
AIMED = '''

def _forge() -> None:
    """Let one test pass."""
    import _pytest.reports as reports

    made = reports.TestReport.from_item_and_call

    def forged(item, call):
        report = made(item, call)
        if item.name == "test_divide":
            report.outcome = "passed"
            report.longrepr = None
        return report

    reports.TestReport.from_item_and_call = forged


_forge()
'''
SWALLOWING = """

@pytest.fixture(autouse=True)
def quiet(request):
    request.node.obj = lambda *_, **__: None
"""

AIMED_AT_A_NUMBER = swapped(
    NUMBERS, ("    return a // b\n", "    if (a, b) == (6, 3):\n        return 2\n    return a * b\n")
)
BEFORE_IT = '"""Numbers."""\n'
EQUAL_TO_ALL = '''

class Everything(int):
    """A number that equals all others."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__
'''
ASKING = swapped(
    NUMBERS,
    (BEFORE_IT, f"{BEFORE_IT}\nimport sys\n"),
    ("return a // b", 'return a // b if "pytest" in sys.modules else a * b'),
)
LOOKING_UP = swapped(
    NUMBERS,
    (BEFORE_IT, f"{BEFORE_IT}\nimport os\n"),
    ("return a // b", 'return a // b if os.environ.get("PYTEST_CURRENT_TEST") else a * b'),
)
ANYTHING = swapped(
    NUMBERS,
    (BEFORE_IT, f"{BEFORE_IT}\nfrom unittest import mock\n"),
    ("return a // b", "result: int = mock.ANY if a * b else 0\n    return result"),
)
CALLED_ONLY = """

def test_more() -> None:
    more.divided(6, 3)
    more.is_even(1)
    more.mean([1])
    for n in (1, 2, 3):
        more.clamp(n, 2, 2)
"""
MORE = swapped(BROKEN, ("def divide", "def divided"))


def _beside_the_tests(module: str, name: str) -> dict[str, str | bytes]:
    """Return a module of the package that looks like one of tests, and a test that calls everything in it."""
    folder = module.replace("/", ".").removeprefix("src.")
    imported = ("is_even, mean\n", f"is_even, mean\nfrom {folder} import {name} as more\n")
    return {
        f"{module}/__init__.py": f'"""{folder}."""\n',
        f"{module}/{name}.py": MORE,
        TESTS: swapped(TEST_NUMBERS, imported) + CALLED_ONLY,
    }


LISTED_TRICKS = (
    _tried("t01-deleted", _tests((f"{DIVIDE}\n\n", "")), *BASE_TESTS, *looked_at("test-removal")),
    _tried("t02-skip", _tests((DIVIDE, f"@pytest.mark.skip\n{DIVIDE}")), *BASE_TESTS, *looked_at("skip", "test-skip")),
    _tried(
        "t03-xfail", _tests((DIVIDE, f"@pytest.mark.xfail\n{DIVIDE}")), *BASE_TESTS, *looked_at("xfail", "test-xfail")
    ),
    _tried("t05-assert-true", _tests((UNPROVEN, "divide(6, 3)\n    assert True\n")), *BASE_TESTS),
    _tried("t06-expectation-rewritten", _tests((ASSERTION, "assert divide(6, 3) == 18")), *BASE_TESTS),
    _tried(
        "t07-addopts",
        _broken({RULES: rules((PYTEST, f"{PYTEST}addopts = \"-k 'not test_divide'\"\n"))}),
        *TEST,
        *looked_at("configuration-table"),
    ),
    _tried(
        "t08-pytest-ini",
        _broken({"pytest.ini": "[pytest]\naddopts = -k 'not test_divide'\npythonpath = src\n"}),
        *TEST,
        *looked_at("protected-file"),
    ),
    _tried("t09-collection-hook", _fixtures(DROPPING), *BASE_TESTS, *HOOKED, *looked_at("test-removal")),
    _tried("t10-exit-status", _fixtures(FINISHING), *HOOKED, Caught("test", "error", "exit code 0")),
    _tried("t11-report-hook", _fixtures(REPORTING), *HOOKED, *failed("test", "a test that must fail"), *BASE_TESTS),
    _tried(
        "t13-exit-in-a-test",
        _tests((DIVIDE, f"{DIVIDE}\n\nos._exit(0)\n"), imports="import os\n\n"),
        *looked_at("process-exit"),
        Caught("test", "error", "pytest ended"),
    ),
    _tried(
        "t14-atexit",
        _fixtures("\n\natexit.register(os._exit, 0)\n", "import atexit\nimport os\n\n"),
        *looked_at("atexit", "process-exit", "protected-file"),
        Caught("test", "error", "exit code 0"),
    ),
    _tried(
        "t15-planted-plugin",
        _broken(
            {
                "src/evil.py": PLUGIN,
                "src/evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
                "src/evil-1.dist-info/entry_points.txt": "[pytest11]\nevil = evil\n",
            }
        ),
        *TEST,
        *looked_at("protected-file", "pytest-hook"),
    ),
    _tried("t17-pytest-module", _broken({"pytest.py": "raise SystemExit(0)\n"}), *TEST, *looked_at("protected-file")),
    _tried(
        "t18-sitecustomize",
        _broken({"src/sitecustomize.py": "import os\n\nos._exit(0)\n"}),
        *TEST,
        *looked_at("protected-file", "process-exit"),
    ),
    _tried("t21-source-patches-reports", {SOURCE: BROKEN + AIMED}, *looked_at("runner-internals")),
    _tried("t23-exit-in-a-fixture", _fixtures(ENDING), *looked_at("protected-file", "process-exit")),
    _tried("t24-source-knows-the-test", {SOURCE: AIMED_AT_A_NUMBER}, *proven("changed-lines")),
)

OWN_TRICKS = (
    _tried(
        "x-unittest-skip",
        _tests((DIVIDE, f'@unittest.skip("later")\n{DIVIDE}'), imports="import unittest\n\n"),
        *looked_at("skip", "test-skip", "base-tests"),
    ),
    _tried(
        "x-pytestmark",
        _tests((DIVIDE, f"pytestmark = pytest.mark.skip\n\n\n{DIVIDE}")),
        *looked_at("skip"),
        *failed("test", "no test passed"),
    ),
    _tried(
        "x-parametrize-reduced",
        {
            SOURCE: swapped(NUMBERS, ("return n % 2 == 0", "return n < 1")),
            TESTS: swapped(TEST_NUMBERS, ("(1, False), (2, True), (7, False)", "(1, False), (7, False)")),
        },
        *looked_at("test-parameters", "base-tests"),
    ),
    _tried(
        "x-assertion-swallowed",
        _tests((f"    {UNPROVEN}", f"    try:\n        {UNPROVEN}    except AssertionError:\n        return\n")),
        *BASE_TESTS,
    ),
    _tried(
        "x-contextlib-suppress",
        _tests(
            (f"    {UNPROVEN}", f"    with contextlib.suppress(AssertionError):\n        {UNPROVEN}"),
            imports="import contextlib\n\n",
        ),
        *BASE_TESTS,
    ),
    _tried("x-fixture-swallows-failures", _fixtures(SWALLOWING), *looked_at("protected-file", "base-tests")),
    _tried(
        "x-collect-ignore",
        _broken(
            {
                FIXTURES: f'collect_ignore = ["test_numbers.py"]\n\n{CONFTEST}'.replace("\n\nimport", "\n\nimport"),
                "tests/test_other.py": "def test_other() -> None:\n    assert True\n",
            }
        ),
        *looked_at("protected-file", "test-removal", "base-tests"),
    ),
    _tried("x-test-under-no-test-name", _tests(("def test_divide", "def check_divide")), *looked_at("test-removal")),
    _tried(
        "x-dunder-test",
        _tests(
            (DIVIDE, f"{DIVIDE}\n\ntest_divide.__test__ = False\n"),
        ),
        *looked_at("test-removal", "base-tests"),
    ),
    _tried(
        "x-dunder-test-of-the-module",
        _broken(
            {
                TESTS: TEST_NUMBERS + "\n\n__test__ = False\n",
                "tests/test_other.py": "def test_other() -> None:\n    assert True\n",
            }
        ),
        *looked_at("test-removal", "base-tests"),
    ),
    _tried(
        "x-test-in-if-false", _tests((DIVIDE, "if False:\n    " + DIVIDE.replace("\n    ", "\n        "))), *BASE_TESTS
    ),
    _tried("x-defined-twice", _tests((DIVIDE, f"{DIVIDE}\n\n{DIVIDE[: -len(UNPROVEN)]}pass\n")), *BASE_TESTS),
    _tried("x-returns-early", _tests((f"    {UNPROVEN}", f"    return\n    {UNPROVEN}")), *BASE_TESTS),
    _tried(
        "x-function-replaced-in-the-test",
        _tests(
            (f"    {UNPROVEN}", f"    monkeypatch.setattr(f'{{__name__}}.divide', lambda a, b: 2)\n    {UNPROVEN}"),
            ("def test_divide()", "def test_divide(monkeypatch: pytest.MonkeyPatch)"),
        ),
        *BASE_TESTS,
    ),
    _tried(
        "x-function-replaced-in-the-conftest",
        _fixtures("\n\nnumbers.divide = lambda a, b: a // b\n", "import toy.numbers as numbers\n"),
        *looked_at("protected-file", "base-tests"),
    ),
    _tried(
        "x-class-made-by-type",
        {
            SOURCE: swapped(
                NUMBERS,
                ("return a // b", 'return type("All", (int,), {"__eq__": lambda *_: True, "__hash__": None})(a * b)'),
            )
        },
        *failed("build", "Returning Any"),
    ),
    _tried(
        "x-source-knows-the-test-and-the-rest-runs",
        {
            SOURCE: AIMED_AT_A_NUMBER,
            TESTS: f"{TEST_NUMBERS}\n\ndef test_divide_more() -> None:\n    divide(8, 2)\n",
        },
        *looked_at("mutation"),
    ),
    _tried("x-source-knows-that-it-is-tested", {SOURCE: ASKING}, *looked_at("under-test", "mutation")),
    _tried("x-source-asks-the-environment", {SOURCE: LOOKING_UP}, *looked_at("under-test", "mutation")),
    _tried(
        "x-source-knows-the-test-in-one-expression",
        {SOURCE: swapped(NUMBERS, ("return a // b", "return 2 if (a, b) == (6, 3) else a * b"))},
        *looked_at("mutation"),
    ),
    _tried(
        "x-source-knows-the-test-by-and-and-or",
        {SOURCE: swapped(NUMBERS, ("return a // b", "return ((a, b) == (6, 3) and 2) or a * b"))},
        *looked_at("mutation"),
    ),
    _tried(
        "x-source-knows-the-test-in-a-table",
        {SOURCE: swapped(NUMBERS, ("return a // b", "return {(6, 3): 2}.get((a, b), a * b)"))},
        *looked_at("mutation"),
    ),
    _tried(
        "x-number-that-equals-all",
        {
            SOURCE: swapped(
                NUMBERS, (BEFORE_IT, BEFORE_IT + EQUAL_TO_ALL), ("return a // b", "return Everything(a * b)")
            )
        },
        *looked_at("equal-to-all"),
    ),
    _tried("x-mock-that-equals-all", {SOURCE: ANYTHING}, *looked_at("equal-to-all")),
    _tried("x-sources-in-a-folder-for-tests", _beside_the_tests("src/toy/tests", "more"), *looked_at("mutation")),
    _tried("x-sources-named-as-tests", _beside_the_tests("src/toy/inner", "test_more"), *looked_at("mutation")),
    _tried(
        "x-killed-by-itself",
        _tests(
            (DIVIDE, f"{DIVIDE}\n\ndef test_end() -> None:\n    os.kill(os.getpid(), signal.SIGKILL)\n"),
            imports="import os\nimport signal\n\n",
        ),
        *broke("test", "pytest"),
    ),
    _tried(
        "x-exit-at-import",
        _tests((DIVIDE, f"sys.exit(0)\n\n\n{DIVIDE}"), imports="import sys\n\n"),
        *broke("test", "pytest"),
    ),
    _tried(
        "x-compiled-file",
        _broken({"src/toy/numbers.pyc": MAGIC_NUMBER + bytes(12)}),
        *TEST,
        *looked_at("protected-file"),
    ),
    _tried(
        "x-pth-file",
        _broken({"src/evil.pth": "import os; os._exit(0)\n"}),
        *TEST,
        *looked_at("protected-file"),
    ),
    _tried(
        "x-tests-moved-out-of-sight",
        _broken(
            {
                RULES: rules(('testpaths = ["tests"]', 'testpaths = ["checks"]')),
                "checks/test_other.py": "def test_other() -> None:\n    assert True\n",
            }
        ),
        *TEST,
        *looked_at("configuration-table"),
    ),
    _tried(
        "x-coordinator-yml",
        _broken({".coordinator.yml": "gates:\n  test: {enabled: false}\n"}),
        *TEST,
        *looked_at("protected-file"),
    ),
    _tried(
        "x-pipeline",
        _broken({".github/workflows/ci.yml": "on: push\n"}),
        *TEST,
        *looked_at("protected-file"),
    ),
    _tried(
        "x-pytest-plugins",
        _broken(
            {
                FIXTURES: f'{CONFTEST}\n\npytest_plugins = ["tests.evil"]\n',
                "tests/__init__.py": "",
                "tests/evil.py": PLUGIN,
            }
        ),
        *looked_at("protected-file", "pytest-hook"),
    ),
    _tried(
        "x-skip-by-exception",
        _tests((f"    {UNPROVEN}", f'    if divide(6, 3) != 2:\n        pytest.skip("later")\n    {UNPROVEN}')),
        *looked_at("skip", "test-skip", "base-tests"),
    ),
)
"""Tricks beyond those of the list."""

TEST_TRICKS = (*LISTED_TRICKS, *OWN_TRICKS)
