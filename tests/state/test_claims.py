"""The rules of claims, on a folder with a clock that is moved by hand; the races on every place."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from coordinator.agent.protocol import Usage
from coordinator.errors import BudgetExceeded
from coordinator.state.claims import Claims, Held
from coordinator.state.process import this_process
from coordinator.state.records import ClaimRecord, State
from tests.state.parts import NOON, FolderPlace, claims_of, run_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coordinator.state.protocol import StateStore
    from tests.state.parts import Clock, Place

CLICK = NOON - timedelta(seconds=20)


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> FolderPlace:
    return FolderPlace(tmp_path / "state", clock)


@pytest.fixture
def first(folder: FolderPlace, clock: Clock) -> Claims:
    return claims_of(folder, "1/work", clock)


@pytest.fixture
def second(folder: FolderPlace, clock: Clock) -> Claims:
    return claims_of(folder, "2/work", clock)


def taken(answer: ClaimRecord | Held) -> ClaimRecord:
    assert isinstance(answer, ClaimRecord), answer
    return answer


def held(answer: ClaimRecord | Held) -> Held:
    assert isinstance(answer, Held), answer
    return answer


def take(claims: Claims, number: int = 7, most_runs: int | None = None) -> ClaimRecord | Held:
    return claims.take(number, request=None, most_runs=most_runs)


class RepeatingStore:
    """Does every change and then once more, as after a push whose answer was lost while others went on."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def read(self) -> State:
        return self._store.read()

    def change(self, why: str, edit: Callable[[State], State]) -> State:
        self._store.change(why, edit)
        return self._store.change(why, edit)


# who gets it


def test_the_first_one_gets_it_and_the_second_one_hears_who_has_it(first: Claims, second: Claims) -> None:
    claim = taken(first.take(7, request=CLICK, most_runs=5, text="digest"))
    assert claim == ClaimRecord(
        run="1/work",
        url="https://forge.invalid/runs/1/work",
        taken_at=NOON,
        renewed_at=NOON,
        lease_seconds=600,
        request=CLICK,
    )
    assert first.record(7).claim == claim
    assert first.record(7).text == "digest"
    told = held(second.take(7, request=CLICK, most_runs=5, text="other"))
    assert told.url == claim.url
    assert told.until == NOON + timedelta(minutes=10)
    for part in ("run 1/work", claim.url, "issue #7", "2026-11-21 12:10:00 UTC"):
        assert part in told.reason
    assert (first.holds(7), second.holds(7), second.holds(8)) == (True, False, False)
    assert second.record(7).text == "digest"


def test_issues_do_not_hold_each_other(first: Claims, second: Claims) -> None:
    taken(take(first, 7))
    taken(take(second, 8))
    assert first.living().keys() == {7, 8}


def test_claiming_again_is_still_one_claim(first: Claims) -> None:
    taken(first.take(7, request=CLICK, most_runs=1, text="digest"))
    claim = taken(first.take(7, request=None, most_runs=1))
    assert claim.request == CLICK
    assert first.record(7).runs == ()
    assert first.record(7).text == "digest"


def test_a_dead_run_is_taken_over_after_its_lease(first: Claims, second: Claims, clock: Clock) -> None:
    first.take(7, request=CLICK, most_runs=None)
    clock.pass_seconds(599)
    held(take(second))
    clock.pass_seconds(1)
    assert second.living() == {}
    claim = taken(take(second))
    assert claim.request == CLICK  # what the dead one was to answer, this one answers
    (lost,) = second.record(7).runs
    assert (lost.run, lost.run_attempt, lost.outcome) == ("1/work", 1, "lost")
    assert (lost.started_at, lost.ended_at) == (NOON, NOON)
    assert not first.holds(7)


def test_a_renewed_claim_lives_on(first: Claims, second: Claims, clock: Clock) -> None:
    take(first)
    clock.pass_seconds(500)
    assert first.renew(7) == ""
    clock.pass_seconds(500)
    told = held(take(second))
    assert told.until == NOON + timedelta(seconds=1100)
    assert first.record(7).claim == second.living()[7]


def test_a_rerun_takes_over_what_its_earlier_attempt_left_and_not_the_other_way_round(
    folder: FolderPlace, first: Claims, clock: Clock
) -> None:
    first.take(7, request=CLICK, most_runs=None)
    rerun = claims_of(folder, "1/work", clock, attempt=2)
    claim = taken(take(rerun))
    assert (claim.attempt, claim.request) == (2, CLICK)
    assert [(run.run_attempt, run.outcome) for run in rerun.record(7).runs] == [(1, "lost")]
    held(take(first))
    assert not first.holds(7)


def test_a_process_that_is_gone_is_taken_over_at_once(folder: FolderPlace, second: Claims, clock: Clock) -> None:
    here, _, start = this_process().rpartition("/")
    if not here:
        pytest.skip("this system does not say which process is which")
    gone = claims_of(folder, "local/a", clock, process=f"{here}/{int(start) + 1}")
    alive = claims_of(folder, "local/b", clock, process=this_process())
    elsewhere = claims_of(folder, "local/c", clock, process="other/boot/pid:[1]/1/1")
    for number, claims in enumerate((gone, alive, elsewhere), start=1):
        taken(take(claims, number))
    assert second.living().keys() == {2, 3}
    taken(take(second, 1))
    held(take(second, 2))
    held(take(second, 3))
    assert second.record(1).runs[0].run == "local/a"


def test_two_processes_of_one_name_are_two(folder: FolderPlace, clock: Clock) -> None:
    taken(take(claims_of(folder, "local", clock, process="a/b/c/1/1")))
    held(take(claims_of(folder, "local", clock, process="a/b/c/2/2")))


# one click


def test_one_click_is_answered_once(folder: FolderPlace, first: Claims, second: Claims, clock: Clock) -> None:
    first.take(7, request=CLICK, most_runs=None)
    first.finish(7, run_record())
    told = held(second.take(7, request=CLICK, most_runs=None))
    for part in ("run 1/work", "https://forge.invalid/runs/1/work", "#7", "answered this request", "put it back"):
        assert part in told.reason
    assert (told.url, told.until) == ("https://forge.invalid/runs/1/work", None)
    held(second.take(7, request=CLICK - timedelta(seconds=1), most_runs=None))
    taken(second.take(7, request=CLICK + timedelta(seconds=1), most_runs=None))
    second.finish(7, run_record())
    assert second.record(7).answered == CLICK + timedelta(seconds=1)
    taken(take(claims_of(folder, "3/work", clock)))  # asked for by name: meant in any case


def test_what_is_answered_never_goes_back(first: Claims) -> None:
    for moment in (CLICK, None):
        first.take(7, request=moment, most_runs=None)
        first.finish(7, run_record())
        assert first.record(7).answered == CLICK


def test_an_older_claim_does_not_overwrite_a_newer_answer(
    folder: FolderPlace, first: Claims, second: Claims, clock: Clock
) -> None:
    first.take(7, request=CLICK, most_runs=None)
    first.finish(7, run_record())
    store = folder.open_store()

    def backdate(state: State) -> State:
        issue = state.issues[7]
        assert issue.claim is not None
        claim = issue.claim.model_copy(update={"request": CLICK - timedelta(hours=1)})
        return state.model_copy(update={"issues": {7: issue.model_copy(update={"claim": claim})}})

    take(second)
    store.change("backdate", backdate)
    second.finish(7, run_record())
    record = claims_of(folder, "3/work", clock).record(7)
    assert (record.answered, record.answered_by) == (CLICK, "1/work")


def test_a_claim_that_is_not_finished_answers_nothing(first: Claims, second: Claims, clock: Clock) -> None:
    first.take(7, request=CLICK, most_runs=None)
    clock.pass_seconds(601)
    taken(second.take(7, request=CLICK, most_runs=None))


# how often


def test_an_issue_has_only_so_many_runs(folder: FolderPlace, clock: Clock) -> None:
    for number in range(3):
        claims = claims_of(folder, f"{number}/work", clock)
        taken(take(claims, most_runs=3))
        claims.finish(7, run_record())
    with pytest.raises(BudgetExceeded, match=r"Issue #7 has had 3 runs, and budget\.issue\.runs allows 3"):
        take(claims_of(folder, "4/work", clock), most_runs=3)
    assert claims_of(folder, "4/work", clock).record(7).claim is None
    taken(take(claims_of(folder, "4/work", clock), most_runs=4))


def test_a_run_that_was_lost_counts(first: Claims, second: Claims, clock: Clock) -> None:
    take(first)
    clock.pass_seconds(601)
    with pytest.raises(BudgetExceeded, match="has had 1 runs"):
        take(second, most_runs=1)
    taken(take(second, most_runs=2))


def test_runs_that_were_folded_count(folder: FolderPlace, clock: Clock) -> None:
    for number in range(22):
        claims = claims_of(folder, f"{number}/work", clock)
        take(claims)
        claims.finish(7, run_record())
    assert len(claims.record(7).runs) == 20
    with pytest.raises(BudgetExceeded, match="has had 22 runs"):
        take(claims_of(folder, "23/work", clock), most_runs=22)


# signs of life, and their absence


def test_renewing_says_why_to_stop(first: Claims, second: Claims, clock: Clock) -> None:
    assert first.renew(7) == "The claim on issue #7 was released"
    take(first)
    clock.pass_seconds(601)
    assert first.renew(7) == ""  # late, but nobody else has come
    clock.pass_seconds(601)
    take(second)
    claim = second.record(7).claim
    clock.pass_seconds(1)
    assert first.renew(7) == "Issue #7 was taken over by run 2/work (https://forge.invalid/runs/2/work)"
    assert second.record(7).claim == claim
    assert second.renew(7) == ""


def test_a_run_that_is_told_to_stop_hears_why_and_keeps_its_claim_meanwhile(
    first: Claims, second: Claims, clock: Clock
) -> None:
    take(first)
    clock.pass_seconds(300)
    told = second.ask_to_stop(7, "unassigned\nby @dev")
    assert told is not None
    assert (told.run, told.stop) == ("1/work", "unassigned by @dev")
    assert second.ask_to_stop(7, "closed") == told  # the first reason stands
    assert first.renew(7) == "unassigned by @dev"
    assert first.record(7).claim == told.model_copy(update={"renewed_at": clock()})
    held(take(second))


def test_a_dead_claim_is_taken_away_by_whoever_stops_it(first: Claims, second: Claims, clock: Clock) -> None:
    assert second.ask_to_stop(7, "closed") is None
    assert second.record(7).touched_at is None
    take(first)
    clock.pass_seconds(600)
    assert second.ask_to_stop(7, "closed") is None
    assert [run.outcome for run in second.record(7).runs] == ["lost"]
    assert first.renew(7) == "The claim on issue #7 was released"


# the end


def test_finishing_gives_back_and_adds_up(first: Claims, second: Claims, clock: Clock) -> None:
    for claims, cost in ((first, 1.25), (second, 0.5)):
        claims.take(7, request=CLICK if claims is first else None, most_runs=None)
        claims.finish(7, run_record(cost=cost, predicted_tokens=100, peak_tokens=90))
    record = first.record(7)
    assert record.claim is None
    assert [(run.run, run.cost_usd) for run in record.runs] == [("1/work", 1.25), ("2/work", 0.5)]
    assert record.totals.cost_usd == 1.75
    assert (record.totals.predicted_tokens, record.totals.peak_tokens) == (200, 180)
    assert (record.answered, record.answered_by) == (CLICK, "1/work")
    assert first.spent(NOON.date()) == 1.75
    clock.pass_seconds(24 * 3600)
    assert first.spent(clock().date()) == 0.0
    take(first, 8)
    first.finish(8, run_record(cost=2.0))
    assert (first.spent(NOON.date()), first.spent(clock().date())) == (1.75, 2.0)


def test_the_day_counts_runs_and_tokens(folder: FolderPlace, first: Claims) -> None:
    for number in (7, 8):
        take(first, number)
        first.finish(number, run_record(cost=1.0))
    day = folder.open_store().read().days[NOON.date()]
    assert (day.runs, day.cost_usd, day.usage) == (2, 2.0, Usage(output_tokens=20))


def test_finishing_twice_counts_once(first: Claims) -> None:
    take(first)
    for _ in range(2):
        first.finish(7, run_record(cost=1.0))
    assert len(first.record(7).runs) == 1
    assert first.spent(NOON.date()) == 1.0


def test_finishing_leaves_the_claim_of_others_alone(first: Claims, second: Claims) -> None:
    take(first)
    second.finish(7, run_record(cost=1.0))
    assert first.renew(7) == ""
    assert first.record(7).runs == ()
    assert first.spent(NOON.date()) == 0.0


def test_a_run_that_was_thought_lost_and_ends_after_all_is_remembered_with_its_cost(
    first: Claims, second: Claims, clock: Clock
) -> None:
    take(first)
    clock.pass_seconds(601)
    take(second)
    for _ in range(2):
        first.finish(7, run_record(cost=1.0, outcome="failed"))
    record = first.record(7)
    assert [(run.run, run.outcome) for run in record.runs] == [("1/work", "failed")]
    assert record.claim is not None
    assert record.claim.run == "2/work"
    assert first.spent(clock().date()) == 1.0
    first.finish(7, None)
    second.finish(7, run_record(cost=0.5))
    assert [run.run for run in second.record(7).runs] == ["1/work", "2/work"]


def test_a_run_that_found_the_issue_held_up_does_not_count(first: Claims, second: Claims) -> None:
    first.take(7, request=CLICK, most_runs=None)
    first.finish(7, None, waiting=True)
    record = first.record(7)
    assert (record.claim, record.runs, record.waiting, record.answered) == (None, (), True, CLICK)
    assert first.spent(NOON.date()) == 0.0
    taken(take(second, most_runs=1))
    assert second.record(7).waiting  # until it has ended otherwise: it may be killed
    second.finish(7, run_record())
    assert not second.record(7).waiting


def test_letting_go_forgets_that_an_issue_waits(first: Claims, second: Claims) -> None:
    take(first)
    first.finish(7, None, waiting=True)
    assert first.reserve(7, seconds=60)
    second.let_go(7)
    record = second.record(7)
    assert (record.waiting, record.dispatched_at, record.dispatched_by) == (False, None, "")
    take(first)
    second.let_go(7)
    assert first.holds(7)


# reservations


def test_each_dependent_is_reserved_once(first: Claims, second: Claims, clock: Clock) -> None:
    assert first.reserve(7, seconds=60)
    assert not first.reserve(7, seconds=60)
    assert not second.reserve(7, seconds=60)
    assert second.reserved(60) == {7}
    clock.pass_seconds(60)
    assert second.reserved(60) == frozenset()
    assert second.reserve(7, seconds=60)
    assert not first.reserve(7, seconds=60)


def test_a_claim_ends_the_reservation_and_keeps_others_from_reserving(
    first: Claims, second: Claims, clock: Clock
) -> None:
    first.reserve(7, seconds=60)
    take(second)
    assert first.reserved(60) == frozenset()
    assert not first.reserve(7, seconds=60)
    clock.pass_seconds(600)
    assert first.reserve(7, seconds=60)  # the run that had it is dead


def test_only_the_own_reservation_is_given_back(first: Claims, second: Claims, clock: Clock) -> None:
    first.reserve(7, seconds=60)
    second.unreserve(7)
    assert first.reserved(60) == {7}
    first.unreserve(7)
    assert first.reserved(60) == frozenset()
    first.reserve(7, seconds=60)
    clock.pass_seconds(60)
    second.reserve(7, seconds=60)
    first.unreserve(7)
    assert first.reserved(60) == {7}


# answers that were lost


def test_whatever_is_done_twice_has_the_effect_of_once(folder: FolderPlace, second: Claims, clock: Clock) -> None:
    identity = claims_of(folder, "1/work", clock).identity
    claims = Claims(RepeatingStore(folder.open_store()), identity, now=clock)
    assert claims.reserve(7, seconds=60)
    assert not second.reserve(7, seconds=60)
    taken(claims.take(7, request=CLICK, most_runs=1))
    assert claims.renew(7) == ""
    claims.finish(7, run_record(cost=1.0))
    assert len(claims.record(7).runs) == 1
    assert claims.spent(NOON.date()) == 1.0
    second.take(7, request=None, most_runs=None)
    told = claims.ask_to_stop(7, "stop")
    assert told is not None
    assert told.stop == "stop"


# races


def at_once(jobs: list[Callable[[], object]]) -> None:
    barrier = threading.Barrier(len(jobs))

    def start(job: Callable[[], object]) -> None:
        barrier.wait()
        job()

    threads = [threading.Thread(target=start, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_several_at_once_one_gets_the_issue(place: Place, clock: Clock) -> None:
    answers: list[ClaimRecord | Held] = []
    runners = [claims_of(place, f"{number}/work", clock) for number in range(6)]
    at_once([partial(lambda claims: answers.append(take(claims)), claims) for claims in runners])
    assert len(answers) == 6
    assert sum(isinstance(answer, ClaimRecord) for answer in answers) == 1
    assert sum(claims.holds(7) for claims in runners) == 1


def test_several_at_once_with_an_issue_each_lose_none(place: Place, clock: Clock) -> None:
    runners = {number: claims_of(place, f"{number}/work", clock) for number in range(1, 6)}

    def work(claims: Claims, number: int) -> None:
        taken(take(claims, number))
        claims.finish(number, run_record(cost=1.0))

    at_once([partial(work, claims, number) for number, claims in runners.items()])
    reader = claims_of(place, "reader", clock)
    assert {number: len(reader.record(number).runs) for number in runners} == dict.fromkeys(runners, 1)
    assert reader.spent(NOON.date()) == 5.0


def test_of_several_at_once_one_may_start_a_run(place: Place, clock: Clock) -> None:
    answers: list[bool] = []
    runners = [claims_of(place, f"{number}/work", clock) for number in range(4)]
    at_once([partial(lambda claims: answers.append(claims.reserve(7, seconds=60)), claims) for claims in runners])
    assert sorted(answers) == [False, False, False, True]
