"""Several runs want one issue: those of one click, those of later events, and those that people ask for in comments."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.run.forge_calls import WORK, worked
from tests.run.processes import RunProcess, outcome, wait_until
from tests.run.queueing import IN_PROGRESS, during, labels, model, record, say_on
from tests.run.support import BRANCH
from tests.small_project import BAD, LINT_ONLY, bash, submit

if TYPE_CHECKING:
    from tests.run.support import Ended, Job

MORE = bash("printf 'ONE = 1\\nTWO = 2\\nTHREE = 3\\n' > tool.py")


def run(job: Job, run_id: int) -> Ended:
    """Run in this process with a model that nobody may ask."""
    job.set(GITHUB_RUN_ID=str(run_id))
    with model() as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert not served.requests
    return ended


def in_a_process(job: Job, run_id: int) -> Ended:
    """Run in a process of its own."""
    with RunProcess(job, str(run_id)) as process:
        return process.wait()


# One click.


@pytest.mark.parametrize("number", [2, 3])
def test_runs_of_one_click_at_the_same_time_do_one_piece_of_work(job: Job, number: int) -> None:
    processes: list[RunProcess] = []

    def let_the_others_end() -> None:
        wait_until("others end", lambda: sum(one.has_ended for one in processes) == number - 1, seconds=60)

    job.assign()
    with model(during(let_the_others_end, WORK), submit()) as served, ExitStack() as stack:
        job.use(served)
        processes += [stack.enter_context(RunProcess(job, str(41 + each))) for each in range(number)]
        ends = [process.wait() for process in processes]
    assert sorted(map(outcome, ends)) == [(0, "completed"), *[(0, "skipped")] * (number - 1)], ends
    for ended in ends:
        if ended.document["outcome"] == "skipped":
            assert "works on issue #1; its claim stands until" in str(ended.document["reason"])
            assert "skipped" in ended.err
    assert len(served.requests) == 2, "one conversation"
    worked(job)
    assert [one.outcome for one in record(job).runs] == ["completed"]
    there = job.git("for-each-ref")
    for later in (51, 52):
        ended = run(job, later)
        assert outcome(ended) == (0, "skipped")
        assert "has answered this request for issue #1 already" in str(ended.document["reason"])
    assert job.git("for-each-ref") == there, "nothing is written, not even what is remembered"
    worked(job)


# Comments.


def test_what_is_asked_for_while_a_run_works_is_left_to_it(job: Job) -> None:
    ends: dict[str, Ended] = {}

    def ask() -> None:
        for number, command in enumerate(("run", "retry", "plan"), start=42):
            job.comment(f"/coordinator {command}", by=job.maintainer)
            before = list(job.comments)
            ends[command] = in_a_process(job, number)
            assert job.comments == before, "the comment is the working run's"

    job.assign()
    with model(during(ask, WORK), submit()) as served:
        job.use(served)
        assert outcome(in_a_process(job, 41)) == (0, "completed")
    assert len(served.requests) == 2
    for command in ("run", "retry"):
        assert outcome(ends[command]) == (0, "skipped")
        assert "run 41/" in str(ends[command].document["reason"])
        assert "works on issue #1; its claim stands until" in str(ends[command].document["reason"])
    assert ends["plan"].document["agent"] == "haiku"
    worked(job)


def test_run_is_for_what_is_not_done_and_retry_for_anything(job: Job) -> None:
    job.comment("/coordinator run", by=job.maintainer)
    with model(WORK, submit()) as served:
        job.use(served)
        assert outcome(in_a_process(job, 41)) == (0, "completed")
    first = job.branch()
    job.comment("/coordinator run", by=job.maintainer)
    ended = run(job, 42)
    assert outcome(ended) == (0, "skipped")
    assert "was worked on, and accepted. To go on, comment /coordinator retry" in str(ended.document["reason"])
    assert job.branch() == first
    job.comment("/coordinator retry", by=job.maintainer)
    with model(MORE, submit("Add THREE")) as served:
        job.use(served)
        assert outcome(in_a_process(job, 43)) == (0, "completed")
    assert job.git("rev-list", f"main..{BRANCH}").split() == [job.branch(), first]
    assert len(job.pulls) == len(job.comments) == 1
    assert [one.outcome for one in record(job).runs] == ["completed", "completed"]


def test_the_plan_is_answered_in_the_comment_and_claims_nothing(job: Job) -> None:
    job.comment("/coordinator plan", by=job.maintainer)
    ended = run(job, 41)
    assert outcome(ended) == (0, "skipped")
    assert "haiku would work on this" in job.headline()
    assert record(job).claim is None
    assert not record(job).runs
    job.comment("/coordinator run", by=job.maintainer)
    with model(WORK, submit()) as served:
        job.use(served)
        assert outcome(in_a_process(job, 42)) == (0, "completed")
    worked(job)


def test_stop_ends_a_run_that_works_and_retry_goes_on(job: Job) -> None:
    ends: list[Ended] = []

    def stop() -> None:
        job.comment("/coordinator stop", by=job.maintainer)
        ends.append(in_a_process(job, 42))

    job.assign()
    with model(WORK, during(stop, bash("true")), submit()) as served:
        job.use(served)
        stopped = in_a_process(job, 41)
    assert outcome(ends[0]) == (0, "released")
    assert "stops at its next turn" in str(ends[0].document["reason"])
    assert outcome(stopped) == (0, "released"), stopped.err
    assert served.steps_left == 1
    assert "stop" in job.headline()
    kept = job.branch()
    assert job.git("show", f"{kept}:tool.py") == "ONE = 1\nTWO = 2"
    assert record(job).claim is None
    assert IN_PROGRESS not in labels(job)
    job.comment("/coordinator retry", by=job.maintainer)
    with model(MORE, submit("Add THREE")) as again:
        job.use(again)
        assert outcome(in_a_process(job, 43)) == (0, "completed")
    assert job.git("rev-list", f"main..{BRANCH}").split() == [job.branch(), kept]
    assert len(job.pulls) == len(job.comments) == 1
    assert not job.pulls[0].title.startswith("WIP: ")


def test_stop_before_a_run_begins_keeps_it_from_working(job: Job) -> None:
    job.assign()
    say_on(job, "/coordinator stop")
    with model(WORK, submit()) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert outcome(ended) == (0, "released"), ended.err
    assert "asked to stop in a comment" in str(ended.document["reason"])
    assert served.steps_left >= 1, "no submission"
    assert record(job).claim is None
    assert not [pull for pull in job.pulls if not pull.title.startswith("WIP: ")]


def test_who_may_not_start_a_run_stops_none(job: Job) -> None:
    stranger = job.forge.add_user("stranger")
    job.assign()
    say_on(job, "/coordinator stop", by=stranger)
    with model(WORK, submit()) as served:
        job.use(served)
        assert job.run().code == 0
    worked(job)


# The budget.


def test_an_issue_that_has_had_its_runs_is_not_worked_on(job: Job) -> None:
    job.push({".coordinator.yml": f"{LINT_ONLY}attempts: 1\nbudget: {{issue: {{runs: 2}}}}\n"})
    job.assign()
    with model(BAD, submit(), bash("true"), submit()) as served:
        job.use(served)
        assert job.run().code == 1
        job.comment("/coordinator retry", by=job.maintainer)
        job.set(GITHUB_RUN_ID="42")
        assert job.run().code == 1
    pushed = job.branch()
    job.comment("/coordinator retry", by=job.maintainer)
    ended = run(job, 43)
    assert outcome(ended) == (1, "failed"), ended.err
    says = "Issue #1 has had 2 runs, and budget.issue.runs allows 2. Raise budget.issue.runs in .coordinator.yml"
    assert says in ended.complaint
    assert "budget.issue.runs" in job.comments[0], "who waits is told"
    assert "Not done" in job.headline()
    assert job.branch() == pushed
    assert [one.outcome for one in record(job).runs] == ["rejected", "rejected"]
    job.push({".coordinator.yml": f"{LINT_ONLY}attempts: 1\nbudget: {{issue: {{runs: 3}}}}\n"})
    job.comment("/coordinator retry", by=job.maintainer)
    with model(WORK, submit()) as served:
        job.use(served)
        assert job.run().code == 0
