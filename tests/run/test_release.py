"""An issue is not asked for any more: what is let go, who is told to stop, and how the work goes on later."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.run.queueing import (
    BLOCKED_BY_1,
    IN_PROGRESS,
    WORKFLOW,
    claims_of,
    close,
    dispatched,
    during,
    labels,
    long_ago,
    mark,
    model,
    record,
    say_on,
    take_back,
    unassign,
)
from tests.run.support import BRANCH, Ended, Job
from tests.small_project import GOOD, MEND, bash, submit

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.demo.model_script import Computed, Reply

LOOK = bash("true")


def work(job: Job, *script: Reply | Computed) -> Ended:
    """Run with a model that has these replies, and nobody to give another one."""
    with model(*script) as served:
        job.use(served)
        return job.run("--format", "json")


def unlabel(job: Job) -> None:
    """Take the label away, and write the event."""
    job.forge.state.set_labels(job.issue, [], job.maintainer)
    job.issue_event("issues.label_updated.removed.json", sender=job.maintainer)


# Nobody works on it.


def test_what_nobody_works_on_is_not_touched(job: Job) -> None:
    job.assign()
    unassign(job)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped"), ended.err
    assert ended.document["issue"] == {"number": 1, "title": job.issue.title}
    job.label()
    unlabel(job)
    assert job.run("--format", "json").document["outcome"] == "skipped"
    assert not job.writes


def test_what_is_asked_for_again_by_label_goes_on(job: Job) -> None:
    job.assign()
    take_back(job)
    job.label()
    unassign(job)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert "is still assigned to @coordinator or labelled agent" in str(ended.document["reason"])
    assert not job.writes


def test_a_dead_run_is_let_go(job: Job) -> None:
    dead = claims_of(job, later=timedelta(hours=-1))
    dead.take(1, request=None, most_runs=None)
    mark(job)
    job.assign()
    unassign(job)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err
    assert record(job).claim is None
    assert [run.outcome for run in record(job).runs] == ["lost"]
    assert labels(job) == set()
    assert not job.comments


def test_a_run_that_was_started_and_has_not_come_is_forgotten(job: Job) -> None:
    claims_of(job).reserve(1, seconds=3600)
    mark(job)
    job.assign()
    unassign(job)
    assert job.run("--format", "json").document["outcome"] == "released"
    assert record(job).dispatched_at is None
    assert labels(job) == set()


def test_what_waited_is_forgotten_too(job: Job) -> None:
    job.push(WORKFLOW)
    number = job.add_issue("Waits", BLOCKED_BY_1)
    job.assign(number)
    assert job.run("--format", "json").document["outcome"] == "waiting"
    assert record(job, number).waiting
    unassign(job, number)
    assert job.run("--format", "json").document["outcome"] == "released"
    assert not record(job, number).waiting
    close(job)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert dispatched(job) == []


def test_a_label_that_cannot_be_taken_off_is_said(job: Job) -> None:
    claims_of(job).reserve(1, seconds=3600)
    mark(job)
    job.assign()
    unassign(job)
    job.forge.fail("(PUT|DELETE) .*/labels", times=99, status=403)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "released")
    assert "warning: the label in progress of issue #1 could not be taken off" in ended.err


def test_a_dry_run_releases_nothing(job: Job) -> None:
    claims_of(job).reserve(1, seconds=3600)
    before = len(job.writes)
    job.assign()
    unassign(job)
    job.set(INPUT_DRY_RUN="true")
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "skipped")
    assert "Dry run" in str(ended.document["reason"])
    assert len(job.writes) == before


# Somebody works on it.


def test_a_run_that_works_is_told_and_keeps_its_claim(job: Job) -> None:
    other = claims_of(job)
    other.take(1, request=None, most_runs=None)
    mark(job)
    job.assign()
    unassign(job)
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "released")
    assert "https://forge.invalid/runs/99/work" in str(ended.document["reason"])
    assert other.holds(1)
    assert "taken back by @maintainer" in other.renew(1)
    assert labels(job) == {IN_PROGRESS}, "it takes the label off itself"
    assert not job.comments


def test_anybody_may_give_back_and_it_starts_nothing(job: Job) -> None:
    stranger = job.forge.add_user("stranger")
    other = claims_of(job)
    other.take(1, request=None, most_runs=None)
    unassign(job, by=stranger)
    assert job.run("--format", "json").document["outcome"] == "released"
    assert "taken back by @stranger" in other.renew(1)
    assert dispatched(job) == []


def test_a_run_stops_at_its_next_turn_and_another_one_goes_on_where_it_was(job: Job) -> None:
    job.assign()
    ended = work(job, GOOD, during(lambda: take_back(job), LOOK))
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err
    assert "is neither assigned to @coordinator nor labelled agent any more" in str(ended.document["reason"])
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    assert "Stopped" in job.headline()
    assert "work saved on" in job.headline()
    assert record(job).claim is None
    assert [run.outcome for run in record(job).runs] == ["released"]
    assert labels(job) == set()
    first = job.branch()
    (draft,) = job.pulls
    assert draft.title.startswith("WIP: ")
    long_ago(job)
    job.set(GITHUB_RUN_ID="42")
    job.assign()
    ended = work(job, MEND, submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert "(continued)" in job.comments[0]
    assert job.git("merge-base", first, BRANCH) == first, "on the same branch"
    assert len(job.pulls) == len(job.comments) == 1
    assert not job.pulls[0].title.startswith("WIP: ")
    assert "✅ Done" in job.headline()


def _unlabelled(job: Job) -> None:
    job.forge.state.set_labels(job.issue, [], job.maintainer)


def _closed(job: Job) -> None:
    job.issue.state = "closed"


def _told(job: Job) -> None:
    say_on(job, "/coordinator stop\n\nplease")


@pytest.mark.parametrize(
    ("happens", "says"),
    [(_unlabelled, "is neither assigned"), (_closed, "was closed"), (_told, "@maintainer asked to stop")],
)
def test_what_ends_a_run_at_its_next_turn(job: Job, happens: Callable[[Job], None], says: str) -> None:
    job.label()
    ended = work(job, GOOD, during(lambda: happens(job), LOOK))
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err
    assert says in str(ended.document["reason"])
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    assert record(job).claim is None
    assert IN_PROGRESS not in labels(job)


@pytest.mark.parametrize(
    ("whose", "text"),
    [
        ("stranger", "/coordinator stop"),
        ("maintainer", "I would not write\n/coordinator stop\nhere"),
        ("maintainer", "> /coordinator stop"),
    ],
    ids=["stranger", "in the middle", "quoted"],
)
def test_what_does_not_end_a_run(job: Job, whose: str, text: str) -> None:
    by = job.maintainer if whose == "maintainer" else job.forge.add_user("stranger")
    job.assign()
    ended = work(job, during(lambda: say_on(job, text, by=by), GOOD), LOOK, submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err


def test_a_run_of_an_issue_that_was_never_ours_goes_on_without_the_trigger(job: Job) -> None:
    job.dispatch(issue="1")
    ended = work(job, during(lambda: say_on(job, "Nice"), GOOD), submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err


def test_the_order_to_stop_may_come_before_the_run(job: Job) -> None:
    job.assign()
    say_on(job, "/coordinator stop")
    ended = work(job, LOOK)
    assert (ended.code, ended.document["outcome"]) == (0, "released"), ended.err
    assert not job.branch(), "there was nothing to save"


def test_an_order_to_stop_from_before_the_request_is_history(job: Job) -> None:
    say_on(job, "/coordinator stop")
    long_ago(job)
    job.assign()
    ended = work(job, GOOD, submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err


def test_a_run_that_was_stopped_can_be_started_again(job: Job) -> None:
    job.assign()
    ended = work(job, GOOD, during(lambda: say_on(job, "/coordinator stop"), LOOK))
    assert ended.document["outcome"] == "released"
    assert job.branch()
    job.set(GITHUB_RUN_ATTEMPT="2")
    ended = work(job, LOOK, submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err


def test_a_forge_that_is_away_for_some_turns_ends_nothing(job: Job) -> None:
    def away() -> None:
        job.forge.fail("GET .*/issues/1$", times=5, status=500)

    job.assign()
    ended = work(job, GOOD, during(away, LOOK), LOOK, submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert "warning: could not look whether the run is still wanted" in ended.err


def test_a_quiet_turn_costs_one_request(job: Job) -> None:
    counts: list[int] = []
    turns = [during(lambda: counts.append(len(job.forge.requests)), bash(f"echo {turn}")) for turn in range(5)]
    job.assign()
    ended = work(job, GOOD, LOOK, *turns, submit())
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    asked = [f"{one.method} {one.path}" for one in job.forge.requests[counts[0] : counts[-1]]]
    assert asked == ["GET /api/v1/repos/acme/app/issues/1"] * 4


# Another run has it.


@pytest.mark.parametrize("ends", ["submitted", "model away", "cancelled"])
def test_what_another_run_has_taken_over_is_left_to_it(job: Job, ends: str) -> None:
    other, theirs = claims_of(job, later=timedelta(hours=1), lease=7200.0), list[str]()

    def take_over() -> None:
        other.take(1, request=None, most_runs=None)
        theirs.append(f"{job.comments[0]} of the other run")
        job.issue.comments[0]["body"] = theirs[0]
        mark(job)

    job.assign()
    written = ends == "submitted"
    endings: dict[str, tuple[Reply | Computed, ...]] = {
        "submitted": (during(take_over, GOOD), submit()),
        "model away": (during(take_over, LOOK), LOOK),
        "cancelled": (during(take_over, LOOK), during(lambda: os.kill(os.getpid(), signal.SIGTERM), LOOK)),
    }
    ended = work(job, *endings[ends])
    assert ended.code == 4, ended.err
    assert ended.document["outcome"] == "failed"
    assert job.comments == theirs
    assert not job.branch(), "nothing is pushed over the work of the other run"
    assert not job.pulls
    assert other.holds(1)
    assert IN_PROGRESS in labels(job), "it is the other run's now"
    patch = job.folder / "temp" / "coordinator-issue-1" / "work.patch"
    assert patch.exists() is written
    if written:
        assert "+TWO = 2" in patch.read_text(encoding="utf-8")
        assert str(patch) in ended.err
    assert not record(job).waiting
    assert [run.outcome for run in record(job).runs][-1] == "failed", "what it has cost is remembered"
