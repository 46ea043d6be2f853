"""Telling from what a test runner prints whether a test passed at all: an exit code of 0 does not say so.

Sources of the lines: ``go help test`` and ``cmd/go/internal/test``; the Rust book, "How to Write Tests"; Node.js, "Test
runner", and the TAP specification for those that print their totals as comments; Mocha, "Spec reporter"; Jest, "CLI
options" (``--passWithNoTests``) and its summary reporter; Vitest, "Reporters". Coloured output is not expected here:
escape sequences are gone, and without a terminal these runners write none.

No pattern runs on from one line into the next, and none looks at a long line from many places in it: what it reads was
written by the judged tree.
"""

from __future__ import annotations

import re

GO_PASSED = re.compile(r"^ok[ \t]+\S{1,500}[ \t](?![^\n]{0,300}\[no tests to run\])", re.MULTILINE)
"""One per package that has tests; ``?`` stands in front of the others."""

RUST_PASSED = re.compile(r"^test result: ok\. (?P<passed>[0-9]{1,9}) passed", re.MULTILINE)

TOTALS = (
    re.compile(r"^[ \t]{0,8}[\u2139#] pass[ \t]{1,4}(?P<passed>[0-9]{1,9})[ \t]*$", re.MULTILINE),
    re.compile(r"^[ \t]{0,8}(?P<passed>[0-9]{1,9}) passing\b", re.MULTILINE),
    re.compile(
        r"^[ \t]{0,8}Tests:?[ \t]{1,12}(?:[0-9]{1,9} (?:failed|skipped|todo|pending|expected fail)[ ,|]{1,3}){0,4}"
        r"(?:(?P<passed>[0-9]{1,9}) passed\b|[^\n]{0,40}(?:total|\([0-9]{1,9}\))[ \t]*$)",
        re.MULTILINE,
    ),
)
"""The totals of ``node --test`` and of other writers of TAP, of Mocha, and of Jest and Vitest, which leave out what is
zero: ``Tests:  1 skipped, 2 passed, 3 total`` and ``Tests  2 passed | 1 skipped (3)``."""

NOTHING = re.compile(
    r"^[ \t]{0,8}(?:No test(?: file)?s found, exiting with code 0|[\u2139#] tests[ \t]{1,4}0[ \t]*$)", re.MULTILINE
)
"""What Jest and Vitest say when they are told to pass without tests, and TAP without a total of those that passed."""


def go_ran(output: str) -> bool:
    """Say whether a package with tests passed. ``go test`` does not tell those that skipped all of them."""
    return GO_PASSED.search(output) is not None


def rust_ran(output: str) -> bool:
    """Say whether a test of any crate passed."""
    return any(int(match["passed"]) for match in RUST_PASSED.finditer(output))


def node_ran(output: str) -> bool:
    """Say whether a test passed, by the runners that are known here; what another one prints is taken for a pass."""
    totals = [int(match["passed"] or 0) for pattern in TOTALS for match in pattern.finditer(output)]
    return any(totals) if totals else NOTHING.search(output) is None
