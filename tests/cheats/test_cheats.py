"""Every trick is applied to a real repository, committed and judged by the whole suite: none of them is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cheats.build_and_lint import BUILD_TRICKS, LINT_TRICKS, REEXPORTED
from tests.cheats.coverage import COVERAGE_TRICKS
from tests.cheats.judging import finding_kinds, told
from tests.cheats.project import BROKEN, LABEL_TESTS, NUMBERS, SOURCE, TESTS, UNTESTED, UNUSED, WRONG_TYPE
from tests.cheats.testing import TEST_TRICKS
from tests.gates.support import result_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.gates.protocol import Verdict
    from tests.cheats.judging import Bench
    from tests.cheats.trick import Caught, Trick

pytestmark = pytest.mark.slow

TRICKS = (*BUILD_TRICKS, *LINT_TRICKS, *COVERAGE_TRICKS, *TEST_TRICKS)
FAULTS: dict[str, Mapping[str, str | bytes]] = {
    "build": {SOURCE: NUMBERS + WRONG_TYPE, TESTS: LABEL_TESTS},
    "lint": {SOURCE: UNUSED},
    "test": {SOURCE: BROKEN},
    "coverage": {SOURCE: NUMBERS + UNTESTED},
}


def is_said(verdict: Verdict, caught: Caught) -> bool:
    """Say whether the gate names the trick."""
    result = result_of(verdict, caught.gate)
    if caught.gate == "integrity":
        return "findings" in result.details and (caught.state, caught.word) in finding_kinds(result)
    return result.details["state"] == caught.state and caught.word in f"{result.message} {result.details}"


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.name)
def test_a_trick_is_caught_and_named(trick: Trick, bench: Bench) -> None:
    verdict = bench.judge(trick.files, trick.removed)
    assert not verdict.passed, told(verdict)
    missing = [each for each in trick.caught if not is_said(verdict, each)]
    assert not missing, f"{missing}\n{told(verdict)}"


@pytest.mark.parametrize("gate", FAULTS)
def test_what_the_tricks_hide_fails_its_gate_and_no_other(gate: str, bench: Bench) -> None:
    verdict = bench.judge(FAULTS[gate])
    states = {result.gate: result.details["state"] for result in verdict.gates if result.gate != "integrity"}
    assert states == dict.fromkeys(("build", "lint", "test", "coverage"), "passed") | {gate: "failed"}, told(verdict)


def test_every_trick_has_a_name_of_its_own() -> None:
    assert len({trick.name for trick in TRICKS}) == len(TRICKS)


def test_what_is_legitimate_in_form_is_left_to_the_review(bench: Bench) -> None:
    """l09, an unused import that is exported, cannot be told from an honest one."""
    verdict = bench.judge(REEXPORTED)
    assert verdict.passed, told(verdict)
