"""Commit statuses."""

from __future__ import annotations

import pytest

from coordinator.forge.models import StatusState
from coordinator.gates.protocol import Verdict
from coordinator.report.statuses import failed_statuses, pending_statuses, verdict_statuses
from tests.report.scenarios import ACCEPTING, REJECTING, gate

URL = "https://forge.example/acme/app/actions/runs/1187"


def states(verdict: Verdict) -> dict[str, tuple[StatusState, str]]:
    return {status.context: (status.state, status.description) for status in verdict_statuses(verdict, redact=str)}


def test_pending() -> None:
    found = pending_statuses(["build", "test"], target_url=URL)
    assert [status.context for status in found] == ["coordinator", "coordinator/build", "coordinator/test"]
    assert {status.state for status in found} == {StatusState.PENDING}
    assert {status.target_url for status in found} == {URL}


def test_accepted() -> None:
    found = states(ACCEPTING)
    assert found["coordinator"] == (StatusState.SUCCESS, "accepted by 4 gates")
    assert found["coordinator/test"] == (StatusState.SUCCESS, "311 tests passed")


def test_rejected() -> None:
    found = states(REJECTING)
    assert found["coordinator"] == (StatusState.FAILURE, "rejected by test")
    assert found["coordinator/test"][0] is StatusState.FAILURE
    assert found["coordinator/lint"][0] is StatusState.SUCCESS


def test_a_check_that_could_not_be_done_is_an_error() -> None:
    broken = gate("test", "pytest did not start", passed=False).model_copy(update={"details": {"state": "error"}})
    found = states(Verdict(passed=False, tree="t", gates=(broken,)))
    assert found["coordinator/test"][0] is StatusState.ERROR
    assert found["coordinator"][0] is StatusState.FAILURE


@pytest.mark.parametrize("passed", [True, False])
def test_never_a_success_when_nothing_was_checked(*, passed: bool) -> None:
    assert states(Verdict(passed=passed, tree="t", gates=())) == {
        "coordinator": (StatusState.ERROR, "nothing was checked")
    }


def test_a_verdict_that_contradicts_its_gates_is_no_success() -> None:
    wrong = REJECTING.model_copy(update={"passed": True})
    assert states(wrong)["coordinator"] == (StatusState.FAILURE, "rejected by test")
    other = ACCEPTING.model_copy(update={"passed": False})
    assert states(other)["coordinator"] == (StatusState.FAILURE, "rejected by the verdict")


def test_descriptions_are_one_short_line() -> None:
    result = gate("test", "a\nb " * 500, passed=False)
    found = states(Verdict(passed=False, tree="t", gates=(result,)))
    description = found["coordinator/test"][1]
    assert len(description) == 140
    assert "\n" not in description


def test_an_address_that_is_none_is_left_out() -> None:
    found = pending_statuses([], target_url="javascript:alert(1)")
    assert found[0].target_url == ""


def test_a_run_without_a_verdict_leaves_nothing_pending() -> None:
    found = failed_statuses(["build"], "the model does not answer")
    assert [(status.context, status.state) for status in found] == [
        ("coordinator", StatusState.ERROR),
        ("coordinator/build", StatusState.ERROR),
    ]
