"""Honest changes are not held up: none fails, and a person is asked for those kinds alone that need one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cheats.honest import HONEST, UNNEEDED
from tests.cheats.judging import finding_kinds, told
from tests.cheats.project import SOURCE
from tests.gates.support import result_of

if TYPE_CHECKING:
    from tests.cheats.honest import Honest
    from tests.cheats.judging import Bench

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("honest", HONEST, ids=lambda honest: honest.name)
def test_an_honest_change_is_not_held_up(honest: Honest, bench: Bench) -> None:
    verdict = bench.judge(honest.files, honest.removed)
    states = {result.gate: result.details["state"] for result in verdict.gates}
    expected = dict.fromkeys(("build", "lint", "test", "coverage"), "passed")
    assert states == expected | {"integrity": "attention" if honest.kinds else "passed"}, told(verdict)
    assert finding_kinds(result_of(verdict, "integrity")) == {("attention", kind) for kind in honest.kinds}


def test_an_unneeded_type_ignore_is_refused_by_mypy_itself_and_needs_a_person_too(bench: Bench) -> None:
    verdict = bench.judge({SOURCE: UNNEEDED})
    states = {result.gate: result.details["state"] for result in verdict.gates}
    assert states["build"] == "failed"
    assert "unused-ignore" in f"{result_of(verdict, 'build').details}"
    assert finding_kinds(result_of(verdict, "integrity")) == {("attention", "type-ignore")}
