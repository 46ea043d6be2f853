"""The money of issues and days: who is granted what, and that nothing is forgotten or spent twice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator.agent.protocol import Usage
from coordinator.errors import BudgetExceeded, Unreachable
from coordinator.state.claims import Claims, Held
from coordinator.state.money import DaySpent, SpendLimits
from coordinator.state.records import State, Totals
from tests.state.parts import NOON, Clock, FolderPlace, claims_of, run_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coordinator.state.folder import FolderStateStore
    from tests.state.parts import Place

LIMITS = SpendLimits(issue_usd=20.0, day_usd=50.0)
TOMORROW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> FolderPlace:
    return FolderPlace(tmp_path / "state", clock)


def start(claims: Claims, number: int = 7, limits: SpendLimits | None = LIMITS) -> Claims:
    """Claim an issue that is free."""
    assert not isinstance(claims.take(number, request=None, most_runs=None, limits=limits), Held)
    return claims


def end(claims: Claims, number: int, cost: float) -> None:
    claims.finish(number, run_record(cost=cost))


def grant(claims: Claims, total: float, number: int = 7, *, limits: SpendLimits = LIMITS, spent: float = 0.0) -> float:
    return claims.purse(number, limits=limits, slice_usd=1.0).grant(total, spent)


def spent_by(place: FolderPlace, clock: Clock, *costs: float) -> None:
    """Let runs on issue 7 have ended, each at this cost."""
    for index, cost in enumerate(costs):
        end(start(claims_of(place, f"earlier/{index}", clock), limits=None), 7, cost)


# grants


def test_a_grant_is_a_slice_more_than_what_is_there_or_what_is_needed(folder: FolderPlace, clock: Clock) -> None:
    run = start(claims_of(folder, "1/work", clock))
    assert grant(run, 0.2) == 1.0
    assert grant(run, 0.9) == 1.0, "that is granted already"
    assert grant(run, 1.1) == 2.0
    assert grant(run, 7.5) == 7.5
    claim = run.record(7).claim
    assert claim is not None
    assert (claim.granted_usd, claim.held_usd) == (7.5, 7.5)


def test_no_run_takes_more_than_a_fourth_of_the_rest_beyond_its_need(folder: FolderPlace, clock: Clock) -> None:
    limits = SpendLimits(issue_usd=2.0, day_usd=50.0)
    run = start(claims_of(folder, "1/work", clock))
    assert grant(run, 0.1, limits=limits) == 0.5
    assert grant(run, 0.6, limits=limits) == pytest.approx(0.5 + 1.5 / 4)
    assert grant(run, 2.0, limits=limits) == 2.0


def test_the_issue_has_a_limit_for_all_its_runs(folder: FolderPlace, clock: Clock) -> None:
    spent_by(folder, clock, 15.0, 4.0)
    run = start(claims_of(folder, "2/work", clock))
    assert grant(run, 1.0) == 1.0
    with pytest.raises(BudgetExceeded, match=r"Issue #7 has cost 19\.00 of the 20\.00 dollars") as caught:
        grant(run, 1.01)
    assert not isinstance(caught.value, DaySpent)
    assert "needs 1.01" in caught.value.what
    assert "budget.issue.dollars" in caught.value.mend


def test_the_day_has_a_limit_for_all_issues(folder: FolderPlace, clock: Clock) -> None:
    spent_by(folder, clock, 3.0)
    other, run = start(claims_of(folder, "2/work", clock), 8), start(claims_of(folder, "3/work", clock))
    limits = SpendLimits(issue_usd=20.0, day_usd=5.0)
    assert grant(other, 1.5, 8, limits=limits) == 1.5
    purse = run.purse(7, limits=limits, slice_usd=1.0)
    before = purse.until
    assert before is None
    with pytest.raises(DaySpent, match=r"4\.50 of the 5\.00 dollars of budget\.day\.dollars .* needs 0\.60") as caught:
        purse.grant(0.6, 0.0)
    assert (purse.until, caught.value.until) == (TOMORROW, TOMORROW)
    assert "Go on from 2026-11-22 00:00 UTC" in caught.value.mend
    assert purse.grant(0.5, 0.0) == 0.5


def test_what_was_granted_and_not_spent_is_there_for_others(folder: FolderPlace, clock: Clock) -> None:
    limits = SpendLimits(issue_usd=20.0, day_usd=2.0)
    first, second = start(claims_of(folder, "1/work", clock), 7), start(claims_of(folder, "2/work", clock), 8)
    assert grant(first, 2.0, limits=limits) == 2.0
    with pytest.raises(DaySpent):
        grant(second, 0.1, 8, limits=limits)
    end(first, 7, 0.5)
    assert grant(second, 1.5, 8, limits=limits) == 1.5
    assert first.spent(NOON.date()) == 0.5


def test_the_next_day_has_money_of_its_own(folder: FolderPlace, clock: Clock) -> None:
    spent_by(folder, clock, 10.0)
    limits = SpendLimits(issue_usd=200.0, day_usd=10.0)
    with pytest.raises(DaySpent):
        claims_of(folder, "2/work", clock).take(8, request=None, most_runs=None, limits=limits)
    clock.pass_seconds(12 * 3600 - 1)
    assert "10.00 of the 10.00 dollars" in claims_of(folder, "2/work", clock).why_nothing_today(limits)
    clock.pass_seconds(1)
    assert claims_of(folder, "2/work", clock).why_nothing_today(limits) == ""
    run = start(claims_of(folder, "2/work", clock), 8, limits)
    assert grant(run, 9.0, 8, limits=limits) == 9.0


def test_a_day_is_one_of_utc_wherever_the_clock_is(tmp_path: Path) -> None:
    east = Clock(datetime.fromisoformat("2026-11-22T02:00:00+05:00"))  # still the 21st in UTC
    place = FolderPlace(tmp_path / "state", east)
    end(start(claims_of(place, "1/work", east)), 7, 50.0)
    assert claims_of(place, "2/work", east).spent(NOON.date()) == 50.0
    with pytest.raises(DaySpent) as caught:
        claims_of(place, "2/work", east).take(8, request=None, most_runs=None, limits=LIMITS)
    assert caught.value.until == TOMORROW


def test_a_run_without_its_claim_gets_nothing(folder: FolderPlace, clock: Clock) -> None:
    run = claims_of(folder, "1/work", clock)
    with pytest.raises(Unreachable, match="no claim on issue #7"):
        grant(run, 0.1)
    start(run)
    clock.pass_seconds(601)
    start(claims_of(folder, "2/work", clock))
    with pytest.raises(Unreachable, match="no claim on issue #7"):
        grant(run, 0.1)


# the beginning of a run


def test_no_run_begins_on_an_issue_that_has_had_its_money(folder: FolderPlace, clock: Clock) -> None:
    spent_by(folder, clock, 20.0)
    before = claims_of(folder, "x", clock).record(7)
    with pytest.raises(BudgetExceeded, match=r"Issue #7 has cost 20\.00 of the 20\.00 .* no further run") as caught:
        claims_of(folder, "2/work", clock).take(7, request=None, most_runs=None, limits=LIMITS)
    assert not isinstance(caught.value, DaySpent)
    assert claims_of(folder, "x", clock).record(7) == before
    start(claims_of(folder, "2/work", clock), 8)


def test_no_run_begins_when_the_others_hold_all_of_the_day(folder: FolderPlace, clock: Clock) -> None:
    limits = SpendLimits(issue_usd=20.0, day_usd=2.0)
    run = start(claims_of(folder, "1/work", clock))
    grant(run, 2.0, limits=limits)
    with pytest.raises(DaySpent, match="no further run is started"):
        claims_of(folder, "2/work", clock).take(8, request=None, most_runs=None, limits=limits)
    start(claims_of(folder, "1/work", clock), 7, limits)  # its own grant is not in its way


def test_without_money_a_run_may_begin_that_costs_nothing(folder: FolderPlace, clock: Clock) -> None:
    limits = SpendLimits(issue_usd=0.0, day_usd=0.0)
    run = start(claims_of(folder, "1/work", clock), 7, limits)
    assert run.why_nothing_today(limits) == ""
    with pytest.raises(BudgetExceeded, match=r"budget\.issue\.dollars"):
        grant(run, 0.001, limits=limits)


def test_a_run_that_has_the_issue_is_named_before_the_money(folder: FolderPlace, clock: Clock) -> None:
    limits = SpendLimits(issue_usd=20.0, day_usd=1.0)
    run = start(claims_of(folder, "1/work", clock))
    grant(run, 1.0, limits=limits)
    answer = claims_of(folder, "2/work", clock).take(7, request=None, most_runs=None, limits=limits)
    assert isinstance(answer, Held)


# runs that die


def test_a_dead_run_has_spent_all_that_it_was_granted(folder: FolderPlace, clock: Clock) -> None:
    dead = start(claims_of(folder, "1/work", clock))
    grant(dead, 3.0, spent=0.5)
    clock.pass_seconds(601)
    start(claims_of(folder, "2/work", clock))
    (lost,) = dead.record(7).runs
    assert (lost.outcome, lost.cost_usd) == ("lost", 3.0)
    assert dead.record(7).totals.cost_usd == 3.0
    assert dead.spent(NOON.date()) == 3.0


def test_a_dead_run_that_was_told_to_stop_is_remembered_too(folder: FolderPlace, clock: Clock) -> None:
    grant(start(claims_of(folder, "1/work", clock)), 3.0)
    clock.pass_seconds(601)
    assert claims_of(folder, "2/work", clock).ask_to_stop(7, "closed") is None
    assert claims_of(folder, "2/work", clock).spent(NOON.date()) == 3.0


def test_what_a_run_said_last_counts_when_it_is_more_than_it_was_granted(folder: FolderPlace, clock: Clock) -> None:
    dead = start(claims_of(folder, "1/work", clock))
    grant(dead, 1.0)
    assert dead.renew(7, spent_usd=1.75) == ""
    assert dead.renew(7) == "", "a heartbeat that knows less forgets nothing"
    limits = SpendLimits(issue_usd=20.0, day_usd=2.0)
    other = start(claims_of(folder, "2/work", clock), 8, limits)
    with pytest.raises(DaySpent, match=r"1\.75 of the 2\.00"):
        grant(other, 0.3, 8, limits=limits)
    clock.pass_seconds(601)
    start(claims_of(folder, "3/work", clock))
    assert [run.cost_usd for run in dead.record(7).runs] == [1.75]


def test_a_grant_counts_until_the_lease_is_over_and_as_long_as_the_day(folder: FolderPlace, clock: Clock) -> None:
    limits = SpendLimits(issue_usd=20.0, day_usd=4.0)
    clock.time = TOMORROW - timedelta(seconds=300)
    grant(start(claims_of(folder, "1/work", clock)), 3.0)
    clock.pass_seconds(599)  # past midnight; it may be alive
    with pytest.raises(DaySpent):
        grant(start(claims_of(folder, "2/work", clock), 8), 2.0, 8, limits=limits)
    clock.pass_seconds(1)  # it died on the day before
    assert grant(claims_of(folder, "2/work", clock), 4.0, 8, limits=limits) == 4.0


def test_a_dead_run_counts_for_the_whole_of_its_day(folder: FolderPlace, clock: Clock) -> None:
    grant(start(claims_of(folder, "1/work", clock)), 3.0)
    clock.pass_seconds(3600)
    limits = SpendLimits(issue_usd=20.0, day_usd=3.0)
    assert claims_of(folder, "2/work", clock).why_nothing_today(limits)
    clock.pass_seconds(24 * 3600)
    assert not claims_of(folder, "2/work", clock).why_nothing_today(limits)
    start(claims_of(folder, "2/work", clock))
    spent = claims_of(folder, "x", clock).spent
    assert (spent(NOON.date()), spent(clock().date())) == (3.0, 0.0), "it is counted on the day it died"


@pytest.mark.parametrize(("cost", "day"), [(2.0, 2.0), (5.0, 5.0)])
def test_a_run_that_was_taken_for_lost_counts_once(folder: FolderPlace, clock: Clock, cost: float, day: float) -> None:
    late = start(claims_of(folder, "1/work", clock))
    grant(late, 3.0)
    clock.pass_seconds(601)
    start(claims_of(folder, "2/work", clock))
    end(late, 7, cost)
    end(late, 7, cost)
    assert late.spent(NOON.date()) == day
    assert late.record(7).totals.cost_usd == cost
    state = folder.open_store().read()
    assert state.days[NOON.date()].runs == 1


# the end of a run


def test_planning_that_led_to_no_run_is_paid_and_is_no_run(folder: FolderPlace, clock: Clock) -> None:
    planner = start(claims_of(folder, "1/work", clock))
    grant(planner, 0.4)
    planning = Totals(cost_usd=0.25, usage=Usage(output_tokens=9))
    planner.finish(7, None, planning=planning)
    issue = planner.record(7)
    assert (issue.totals.runs, issue.totals.cost_usd, issue.totals.usage) == (0, 0.25, Usage(output_tokens=9))
    day = folder.open_store().read().days[NOON.date()]
    assert (day.runs, day.cost_usd, day.usage) == (0, 0.25, Usage(output_tokens=9))
    start(claims_of(folder, "2/work", clock))
    assert planner.record(7).claim is not None


def test_a_run_that_the_day_has_stopped_leaves_its_request_open(folder: FolderPlace, clock: Clock) -> None:
    first = claims_of(folder, "1/work", clock)
    first.take(7, request=NOON, most_runs=None)
    first.finish(7, run_record(outcome="failed"), not_before=TOMORROW)
    issue = first.record(7)
    assert (issue.answered, issue.not_before, first.put_off(issue)) == (None, TOMORROW, TOMORROW)
    clock.time = TOMORROW
    assert first.put_off(issue) is None
    second = claims_of(folder, "2/work", clock)
    assert not isinstance(second.take(7, request=NOON, most_runs=None), Held)
    assert second.record(7).not_before is None
    second.finish(7, run_record("2/work"))
    assert second.record(7).answered == NOON


def test_an_issue_that_is_let_go_waits_for_no_money(folder: FolderPlace, clock: Clock) -> None:
    run = start(claims_of(folder, "1/work", clock))
    run.finish(7, run_record(outcome="failed"), not_before=TOMORROW)
    run.let_go(7)
    assert run.record(7).not_before is None


# many at once


class RepeatingStore:
    """Does every change and then once more, as after a push whose answer was lost."""

    def __init__(self, store: FolderStateStore) -> None:
        self._store = store

    def read(self) -> State:
        return self._store.read()

    def change(self, why: str, edit: Callable[[State], State]) -> State:
        self._store.change(why, edit)
        return self._store.change(why, edit)


def test_a_grant_whose_answer_was_lost_is_granted_once(folder: FolderPlace, clock: Clock) -> None:
    identity = start(claims_of(folder, "1/work", clock)).identity
    again = Claims(RepeatingStore(folder.open_store()), identity, now=clock)
    assert grant(again, 0.2) == 1.0
    assert grant(again, 1.2) == 2.0


def test_of_racing_grants_none_is_lost(place: Place, clock: Clock) -> None:
    number = 50 if isinstance(place, FolderPlace) else 6
    limits = SpendLimits(issue_usd=20.0, day_usd=number - 1.5)
    runs = [start(claims_of(place, f"{each}/work", clock), each) for each in range(1, number + 1)]
    refused: list[int] = []

    def ask(run: Claims, each: int) -> None:
        try:
            run.purse(each, limits=limits, slice_usd=0.0).grant(1.0, 0.0)
        except DaySpent:
            refused.append(each)

    threads = [threading.Thread(target=ask, args=(run, each)) for each, run in enumerate(runs, start=1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [claim.granted_usd for claim in runs[0].living().values()]
    assert sorted(held) == [0.0, 0.0, *[1.0] * (number - 2)]
    assert len(refused) == 2


ACTS = ["call", "call", "call", "end", "die", "wait"]
STEP = st.tuples(st.integers(1, 6), st.sampled_from(ACTS), st.floats(0.01, 0.9), st.floats(0.5, 1.1))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=60))
def test_runs_at_once_never_spend_more_than_the_limits(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, float, float]]
) -> None:
    """Whatever runs do, in whatever order: what was really spent on a day, and on an issue, stays within its limit,
    but for what a call costs beyond its estimate; and what is remembered is never less than what was spent.
    """
    clock = Clock()
    place = FolderPlace(tmp_path_factory.mktemp("money"), clock)
    limits = SpendLimits(issue_usd=2.0, day_usd=5.0)
    runs: dict[int, tuple[Claims, float]] = {}
    spent_on: dict[int, float] = dict.fromkeys(range(1, 7), 0.0)
    beyond = 0.0
    names = iter(range(1_000))
    for number, what, estimate, share in steps:
        if what == "wait":
            clock.pass_seconds(700)
            runs.clear()  # whoever was there has given no sign of life
        elif what == "die":
            runs.pop(number, None)
        elif what == "end" and number in runs:
            claims, spent = runs.pop(number)
            end(claims, number, spent)
        elif what == "call":
            if number not in runs:
                claims = claims_of(place, f"{next(names)}/work", clock)
                try:
                    if isinstance(claims.take(number, request=None, most_runs=None, limits=limits), Held):
                        continue
                except BudgetExceeded:
                    continue
                runs[number] = (claims, 0.0)
            claims, spent = runs[number]
            try:
                claims.purse(number, limits=limits, slice_usd=0.3).grant(spent + estimate, spent)
            except BudgetExceeded:
                continue
            cost = estimate * share
            beyond += max(cost - estimate, 0.0)
            runs[number] = (claims, spent + cost)
            spent_on[number] += cost
    assert sum(spent_on.values()) <= limits.day_usd + beyond + 1e-6
    assert all(spent <= limits.issue_usd + beyond + 1e-6 for spent in spent_on.values())
    state = place.open_store().read()
    remembered = {
        number: issue.totals.cost_usd + (issue.claim.held_usd if issue.claim else 0.0)
        for number, issue in state.issues.items()
    }
    assert all(remembered.get(number, 0.0) >= spent - beyond - 1e-6 for number, spent in spent_on.items())
