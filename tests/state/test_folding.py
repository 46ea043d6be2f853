from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings

from coordinator.state.folding import KEPT_RUNS, fold
from coordinator.state.records import ClaimRecord, DayRecord, IssueRecord, State, Totals
from tests.state.parts import NOON, run_record
from tests.state.test_files import STATES


def all_runs(state: State) -> int:
    return state.folded.runs + sum(issue.totals.runs for issue in state.issues.values())


@settings(max_examples=50)
@given(STATES)
def test_what_was_folded_stays_as_it_is_and_no_run_is_lost(state: State) -> None:
    once = fold(state, NOON)
    assert fold(once, NOON) == once
    assert all_runs(once) == all_runs(state)


def test_older_runs_of_an_issue_become_totals() -> None:
    runs = tuple(run_record(f"{number}/work", cost=1.0) for number in range(KEPT_RUNS + 3))
    issue = IssueRecord(number=1, runs=runs, folded=Totals(runs=1, cost_usd=0.5), touched_at=NOON)
    after = fold(State(issues={1: issue}), NOON).issues[1]
    assert after.runs == runs[3:]
    assert (after.folded.runs, after.folded.cost_usd) == (4, 3.5)
    assert after.totals.runs == issue.totals.runs


def test_issues_that_nobody_has_touched_for_long_become_totals() -> None:
    old = NOON - timedelta(days=91)
    claim = ClaimRecord(run="1", taken_at=old, renewed_at=old, lease_seconds=1)
    runs = (run_record(cost=2.0, at=old),)
    issues = {
        1: IssueRecord(number=1, runs=runs, touched_at=old),
        2: IssueRecord(number=2, runs=runs, touched_at=old, claim=claim),
        3: IssueRecord(number=3, runs=runs, touched_at=old, waiting=True),
        4: IssueRecord(number=4, runs=runs, touched_at=NOON - timedelta(days=89)),
        5: IssueRecord(number=5, runs=runs),
    }
    after = fold(State(issues=issues, folded=Totals(runs=5, cost_usd=1.0)), NOON)
    assert after.issues.keys() == {2, 3, 4, 5}
    assert (after.folded.runs, after.folded.cost_usd) == (6, 3.0)


@pytest.mark.parametrize(("age", "kept"), [(0, True), (60, True), (61, False)])
def test_old_days_are_dropped(age: int, kept: bool) -> None:
    day = (NOON - timedelta(days=age)).date()
    after = fold(State(days={day: DayRecord(day=day, runs=1, cost_usd=1.0)}), NOON)
    assert bool(after.days) is kept
    assert after.folded == Totals()
