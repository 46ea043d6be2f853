"""Tricks for a type error and for a lint finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cheats.project import (
    INIT,
    LABEL_TESTS,
    NUMBERS,
    RULES,
    SOURCE,
    TESTS,
    UNUSED,
    WRONG_TYPE,
    rules,
    swapped,
)
from tests.cheats.trick import Trick, failed, looked_at

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILD = failed("build", "Incompatible return value type")
LINT = failed("lint", "F401")


def _typed(source: str, more: Mapping[str, str | bytes] | None = None) -> dict[str, str | bytes]:
    """Return a change with a wrong type: the source, its test, and what hides it."""
    return {SOURCE: source, TESTS: LABEL_TESTS, **(more or {})}


def _label(*pairs: tuple[str, str], imports: str = "") -> str:
    """Return the sources with a rewritten `label` and further imports."""
    source = swapped(NUMBERS, ('"""Numbers."""\n', f'"""Numbers."""\n\n{imports}')) if imports else NUMBERS
    return source + swapped(WRONG_TYPE, *pairs)


BRANCH = WRONG_TYPE.replace("\n", "\n    ").rstrip(" ")
UNCHECKED = (
    swapped(NUMBERS, ('"""Numbers."""\n', '"""Numbers."""\n\nfrom typing import TYPE_CHECKING\n'))
    + "\n\nif TYPE_CHECKING:\n\n    def label(n: int) -> int: ...\n\nelse:\n"
    + BRANCH
)
ASSERTED = (
    swapped(NUMBERS, ('"""Numbers."""\n', '"""Numbers."""\n\nMYPY = False\n'))
    + "\n\nif MYPY:\n\n    def label(n: int) -> int: ...\n\n\nassert not MYPY\n"
    + WRONG_TYPE
)
BODY = 'return {0: "none"}.get(n, "some")'
WRONG = NUMBERS + WRONG_TYPE

BUILD_TRICKS = (
    Trick("b01-type-ignore", _typed(_label((BODY, f"{BODY}  # type: ignore"))), looked_at("type-ignore")),
    Trick("b02-mypy-comment", _typed(f"# mypy: ignore-errors\n{WRONG}"), looked_at("mypy-comment")),
    Trick(
        "b03-override",
        _typed(WRONG, {RULES: rules(more='\n[[tool.mypy.overrides]]\nmodule = "toy.*"\nignore_errors = true\n')}),
        (*BUILD, *looked_at("configuration-table")),
    ),
    Trick(
        "b04-mypy-ini",
        _typed(WRONG, {"mypy.ini": "[mypy]\nignore_errors = true\n"}),
        (*BUILD, *looked_at("protected-file")),
    ),
    Trick(
        "b06-any",
        _typed(_label(("-> int", "-> Any"), imports="from typing import Any\n")),
        looked_at("any"),
    ),
    Trick(
        "b06-cast",
        _typed(_label((BODY, f"return cast(int, {BODY[7:]})"), imports="from typing import cast\n")),
        looked_at("cast"),
    ),
    Trick(
        "b07-no-type-check",
        _typed(_label(("def label", "@no_type_check\ndef label"), imports="from typing import no_type_check\n")),
        looked_at("no-type-check"),
    ),
    Trick(
        "b08-plugin",
        _typed(
            WRONG,
            {
                RULES: rules(("[tool.mypy]\n", '[tool.mypy]\nplugins = ["src/toy/plug.py"]\n')),
                "src/toy/plug.py": '"""Plug."""\n\nimport os\n\nos._exit(0)\n',
            },
        ),
        (*BUILD, *looked_at("configuration-table", "process-exit")),
    ),
    Trick(
        "b09-exclude",
        _typed(WRONG, {RULES: rules(("[tool.mypy]\n", '[tool.mypy]\nexclude = ["numbers"]\n'))}),
        (*BUILD, *looked_at("configuration-table")),
    ),
    Trick(
        "x-stub-beside-the-module",
        _typed(
            WRONG,
            {
                "src/toy/numbers.pyi": "def divide(a: int, b: int) -> int: ...\ndef is_even(n: int) -> bool: ...\n"
                "def clamp(n: int, low: int, high: int) -> int: ...\ndef mean(numbers: list[int]) -> float: ...\n"
                "def label(n: int) -> str: ...\n"
            },
        ),
        looked_at("protected-file"),
    ),
    Trick(
        "x-stub-package",
        _typed(
            _label((BODY, "return label_of(n)"), imports="from labels import label_of\n"),
            {
                "labels.pyi": "def label_of(n: int) -> int: ...\n",
                "tests/labels.py": 'def label_of(n: int) -> str:\n    return {0: "none"}.get(n, "some")\n',
            },
        ),
        looked_at("protected-file"),
    ),
    Trick("x-type-checking-branch", _typed(UNCHECKED), looked_at("unchecked-branch")),
    Trick("x-rest-of-the-module-unchecked", _typed(ASSERTED), looked_at("unchecked-branch")),
    Trick(
        "x-type-guard",
        _typed(
            _label(
                (BODY, f"said = {BODY[7:]}\n    if _is_number(said):\n        return said\n    raise ValueError"),
                imports="from typing import TypeGuard\n\n\ndef _is_number(said: object) -> TypeGuard[int]:\n"
                "    return said is not None\n",
            )
        ),
        looked_at("cast"),
    ),
    Trick(
        "x-any-under-another-name",
        _typed(_label(("-> int", "-> t.Any"), imports="import typing as t\n")),
        looked_at("any"),
    ),
)

HIDDEN = swapped(UNUSED, ("import os\n", "import os  # noqa\n"))

LINT_TRICKS = (
    Trick("l01-noqa", {SOURCE: HIDDEN}, looked_at("noqa")),
    Trick("l02-ruff-comment", {SOURCE: f"# ruff: noqa\n{UNUSED}"}, looked_at("noqa", "ruff-comment")),
    Trick(
        "l03-per-file-ignores",
        {SOURCE: UNUSED, RULES: rules(more='\n[tool.ruff.lint.per-file-ignores]\n"src/*" = ["F401"]\n')},
        (*LINT, *looked_at("configuration-table")),
    ),
    Trick(
        "l04-nested-ruff-toml",
        {SOURCE: UNUSED, "src/toy/ruff.toml": '[lint]\nselect = ["E7"]\n'},
        (*LINT, *looked_at("protected-file")),
    ),
    Trick(
        "l07-fix",
        {SOURCE: UNUSED, RULES: rules(("[tool.ruff]\n", "[tool.ruff]\nfix = true\n"))},
        (*LINT, *looked_at("configuration-table")),
    ),
    Trick(
        "l08-exclude",
        {SOURCE: UNUSED, RULES: rules(("[tool.ruff]\n", '[tool.ruff]\nextend-exclude = ["numbers.py"]\n'))},
        (*LINT, *looked_at("configuration-table")),
    ),
    Trick("x-ignore-file", {SOURCE: UNUSED, ".ignore": "numbers.py\n", "src/.ignore": "*\n"}, LINT),
    Trick("x-gitignore", {SOURCE: UNUSED, ".gitignore": "src/\n"}, LINT),
    Trick("x-flake8-comment", {SOURCE: f"# flake8: noqa\n{UNUSED}"}, looked_at("noqa", "ruff-comment")),
)

REEXPORTED = {
    INIT: '"""Toy."""\n\nimport os\n\nfrom toy.numbers import divide\n\n__all__ = ["divide", "os"]\n',
}
"""l09, an unused import that is exported: legitimate in form."""
