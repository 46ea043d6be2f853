"""What a run may spend: of its own, of its issue's and of the day's money, and of its time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from coordinator.agent.protocol import Usage
from coordinator.demo.model_script import Computed, Failure, is_agent_call, say, wants_json
from coordinator.state.records import RunRecord
from tests.run.processes import RunProcess, outcome
from tests.run.queueing import WORKFLOW, ask_for, claims_of, dispatched, during, model, record, willing_model
from tests.small_project import BAD, GOOD, LINT_ONLY, bash, submit

if TYPE_CHECKING:
    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Reply
    from coordinator.demo.model_server import ModelServer
    from tests.run.support import Ended, Job

DEAR = (
    "agents: {haiku: {price: {input: 100, output: 100, cache_read: 100, cache_write: 100}}, "
    "sonnet: {enabled: false}, opus: {enabled: false}}\n"
)
"""One agent, whose tokens cost a ten-thousandth of a dollar each, whatever kind they are."""
ONE_TOKEN = 0.0001
UNSTATED = "`tool.py` needs `TWO`.\n"
"""An issue that does not say how hard it is, so that the model is asked."""


def configure(job: Job, *sections: str) -> None:
    """Set the configuration: lint as the only gate, and these sections."""
    job.push({".coordinator.yml": LINT_ONLY + "".join(sections)})


def budget(**dollars: float) -> str:
    limits = ", ".join(f"{name}: {{dollars: {amount:.6f}}}" for name, amount in dollars.items())
    return f"budget: {{{limits}}}\n"


def spend(job: Job, amount: float, *, number: int = 1) -> None:
    """Let an earlier run on an issue have cost so much today."""
    earlier, now = claims_of(job, "earlier/work"), datetime.now(UTC)
    earlier.take(number, request=None, most_runs=None)
    run = RunRecord(run="earlier/work", started_at=now, ended_at=now, outcome="failed", cost_usd=amount)
    earlier.finish(number, run)


def work(job: Job, served: ModelServer) -> Ended:
    with served:
        job.use(served)
        ended = job.run("--format", "json")
    assert served.refused == []
    return ended


def billed(served: ModelServer) -> float:
    """What the model's own bill says, at the price of `DEAR`."""
    bill = served.bill
    return ONE_TOKEN * (bill.input_tokens + bill.output_tokens + bill.cache_read_tokens + bill.cache_write_tokens)


def today(job: Job) -> float:
    return claims_of(job).spent(datetime.now(UTC).date())


# Nothing is left before the run begins.


def test_a_day_without_money_begins_no_run_and_says_when_it_may_go_on(job: Job) -> None:
    other = job.add_issue("Other")
    spend(job, 50.0, number=other)
    job.assign()
    served = model(GOOD, submit())
    ended = work(job, served)
    assert outcome(ended) == (1, "failed")
    reason = str(ended.document["reason"])
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert "50.00 of the 50.00 dollars of budget.day.dollars are used today" in reason
    assert f"Go on from {tomorrow} 00:00 UTC" in reason
    assert "budget.day.dollars" in job.headline()
    assert served.requests == []
    assert job.branch() == ""
    assert (record(job).runs, record(job).answered) == ((), None), "it has had no run, and is not answered"
    assert ended.complaint.startswith("coordinator: failed: 50.00 of the 50.00 dollars")


def test_an_issue_without_money_begins_no_run(job: Job) -> None:
    spend(job, 20.0)
    job.assign()
    served = model(GOOD, submit())
    ended = work(job, served)
    assert outcome(ended) == (1, "failed")
    assert "Issue #1 has cost 20.00 of the 20.00 dollars of budget.issue.dollars" in str(ended.document["reason"])
    assert served.requests == []
    assert len(record(job).runs) == 1
    other = job.add_issue()
    job.assign(other)
    assert outcome(work(job, willing_model())) == (0, "completed"), "another issue has money of its own"


def test_too_little_for_one_call_ends_before_anything_is_prepared(job: Job) -> None:
    configure(job, budget(day=0.0001))
    job.assign()
    served = model(GOOD, submit())
    ended = work(job, served)
    assert outcome(ended) == (1, "failed")
    assert "needs 0.00 in all for its next call" in str(ended.document["reason"])
    assert served.requests == []
    assert "environment of the project" not in ended.err
    assert record(job).answered is None
    assert record(job).not_before is not None


def test_an_agent_that_costs_nothing_needs_no_money(job: Job) -> None:
    configure(job, budget(day=0, issue=0, run=0), "agents: {haiku: {price: {}}}\n")
    job.assign()
    assert outcome(work(job, model(GOOD, submit()))) == (0, "completed")
    assert today(job) == 0


# The money ends while the agent works.


@pytest.mark.parametrize(("limit", "goes_on"), [("issue", False), ("day", True), ("run", False)])
def test_a_run_stops_before_the_call_that_would_exceed_a_limit(job: Job, limit: str, goes_on: bool) -> None:
    configure(job, DEAR, budget(**{limit: 0.9}))
    job.assign()
    served = model(*[GOOD, *[bash(f"echo {number}") for number in range(40)], submit()])
    ended = work(job, served)
    assert outcome(ended) == (1, "failed"), ended.err
    assert f"budget.{limit}.dollars" in str(ended.document["reason"])
    cost = ended.document["cost_usd"]
    assert isinstance(cost, float)
    assert cost == pytest.approx(billed(served), abs=1e-6)
    assert 0.3 < cost <= 0.9
    assert len(served.requests) > 1
    assert job.git("show", "coordinator/issue-1:tool.py") == "ONE = 1\nTWO = 2", "the work is safe"
    (pull,) = job.pulls
    assert pull.title.startswith("WIP: ")
    assert today(job) == pytest.approx(cost)
    issue = record(job)
    (run,) = issue.runs
    assert (run.ending, run.agent) == ("budget", "haiku")
    assert run.cost_usd == pytest.approx(cost)
    assert (issue.answered is None, issue.not_before is not None) == (goes_on, goes_on)


def test_what_the_day_has_stopped_goes_on_when_there_is_money_again(job: Job) -> None:
    configure(job, DEAR, budget(day=0.9))
    job.assign()
    work(job, model(GOOD, *[bash(f"echo {number}") for number in range(40)]))
    configure(job, DEAR, budget(day=50))
    job.set(GITHUB_RUN_ID="42")
    ended = work(job, model(submit()))
    assert outcome(ended) == (0, "completed"), ended.err
    assert record(job).not_before is None
    assert record(job).answered is not None


def test_a_refused_call_that_was_billed_counts(job: Job) -> None:
    configure(job, DEAR)
    job.assign()
    served = model(GOOD, Computed(lambda _: say("No.", stop_reason="refusal")))
    ended = work(job, served)
    assert outcome(ended) == (1, "failed")
    assert today(job) == pytest.approx(billed(served))


def test_runs_at_once_share_the_day(job: Job) -> None:
    """Each of them alone would stay below the limit; together they stop at it."""
    other = job.add_issue("Other")
    configure(job, DEAR, budget(day=1.0))

    def on_and_on(body: Json) -> Reply:
        worked = sum(message["role"] == "assistant" for message in body["messages"])
        return bash(f"echo {worked}") if worked else GOOD

    with model(Computed(on_and_on, repeat=True)) as served:
        job.use(served)
        job.dispatch(issue=str(other))
        event = (job.folder / "event.json").rename(job.folder / "other-event.json")
        job.dispatch(issue="1")
        with RunProcess(job, "51") as first, RunProcess(job, "52", {"GITHUB_EVENT_PATH": str(event)}) as second:
            ends = [first.wait(), second.wait()]
    assert [outcome(ended) for ended in ends] == [(1, "failed"), (1, "failed")], ends
    costs = [float(str(ended.document["cost_usd"])) for ended in ends]
    assert all("budget.day.dollars" in str(ended.document["reason"]) for ended in ends)
    assert sum(costs) == pytest.approx(billed(served), abs=1e-5)
    assert 0.4 < sum(costs) <= 1.0
    assert today(job) == pytest.approx(sum(costs), abs=1e-5)


def test_a_grant_stands_in_the_claim_while_the_run_works(job: Job) -> None:
    seen: list[float] = []

    def look() -> None:
        claim = record(job).claim
        assert claim is not None
        seen.append(claim.granted_usd)

    job.assign()
    assert outcome(work(job, model(during(look, GOOD), submit()))) == (0, "completed")
    assert seen == [1.0], "a fifth of budget.run.dollars"


# Planning.


def planning(difficulty: str, tokens: int) -> Reply:
    return say(f'{{"difficulty": "{difficulty}", "estimated_context": {tokens}}}', when=wants_json)


def test_what_planning_costs_counts_for_run_issue_and_day(job: Job) -> None:
    job.issue.body = UNSTATED
    job.assign()
    served = model(planning("easy", 1_000), GOOD, submit())
    ended = work(job, served)
    assert outcome(ended) == (0, "completed"), ended.err
    assert served.requests[0].body["model"] == "claude-sonnet-5-5"
    assert today(job) == pytest.approx(float(str(ended.document["cost_usd"])), abs=1e-6)
    assert today(job) > 0.0005


def test_planning_that_finds_no_agent_is_paid(job: Job) -> None:
    job.issue.body = UNSTATED
    job.assign()
    ended = work(job, model(planning("hard", 190_000)))
    assert outcome(ended) == (1, "blocked"), ended.err
    issue = record(job)
    assert issue.runs == ()
    assert issue.totals.usage != Usage()
    assert today(job) == issue.totals.cost_usd > 0


def test_planning_is_not_asked_what_cannot_be_paid(job: Job) -> None:
    job.issue.body = UNSTATED
    configure(job, budget(day=0.000001))
    job.assign()
    served = model(planning("easy", 1_000))
    ended = work(job, served)
    assert outcome(ended) == (1, "failed")
    assert served.requests == []
    assert "the model was not of use for planning" in ended.err


# The queue.


def test_a_day_without_money_starts_nothing_from_the_queue(job: Job) -> None:
    job.push(WORKFLOW)
    second = job.add_issue("Second")
    ask_for(job, 1, second)
    spend(job, 50.0, number=second)
    job.dispatch()
    ended = job.run("--format", "json")
    assert outcome(ended) == (0, "skipped"), ended.err
    assert dispatched(job) == []
    assert "no further issue is started: 50.00 of the 50.00 dollars" in ended.err
    assert not job.issue.comments


def test_the_queue_stops_at_the_issue_on_which_the_money_of_the_day_ends(job: Job) -> None:
    configure(job, DEAR, budget(day=0.9))
    second = job.add_issue("Second")
    ask_for(job, 1, second)
    replies = [GOOD, *[bash(f"echo {number}") for number in range(40)]]
    job.dispatch()
    ended = work(job, model(*replies))
    assert outcome(ended) == (1, "rejected"), ended.err
    assert [run.ending for run in record(job).runs] == ["budget"]
    assert not job.forge.state.issues[second].comments
    again = work(job, model())
    assert outcome(again) == (1, "rejected"), again.err
    assert "issue #1 passed over: the money of the day was used up, so it waits until" in again.err
    assert record(job, second).runs[0].cost_usd == 0, "it was seen that nothing is left for it either"


def test_an_issue_that_waits_for_the_next_day_is_passed_over_until_then(job: Job) -> None:
    configure(job, budget(day=0.0001))
    ask_for(job, 1)
    job.dispatch()
    first = work(job, model())
    assert outcome(first) == (1, "rejected"), first.err
    again = work(job, model())
    assert outcome(again) == (0, "skipped"), again.err
    why = r"issue #1 passed over: the money of the day was used up, so it waits until .* 00:00 UTC"
    assert re.search(why, again.err)


# Time.


def test_the_set_up_ends_with_the_run(job: Job) -> None:
    configure(job, "setup: [sleep 300]\n", "budget: {run: {minutes: 0.1}}\n")
    job.assign()
    began = datetime.now(UTC)
    served = model(GOOD)
    ended = work(job, served)
    assert outcome(ended) == (1, "failed"), ended.err
    assert "the wall time of this run" in str(ended.document["reason"])
    assert "budget.run.minutes" in str(ended.document["reason"])
    assert datetime.now(UTC) - began < timedelta(seconds=60)
    assert served.requests == []


def test_the_gates_end_with_the_run_and_what_they_say_then_is_about_the_time(job: Job) -> None:
    lint_and_tests = "gates:\n  build: {enabled: false}\n  coverage: {enabled: false}\n"
    job.push({".coordinator.yml": lint_and_tests, "test_tool.py": "def test_one() -> None:\n    assert True\n"})
    job.assign()
    work(job, model(GOOD, submit()))  # now the environment is prepared
    job.push({".coordinator.yml": f"{lint_and_tests}budget: {{run: {{minutes: 0.2}}}}\nattempts: 1\n"})
    job.set(GITHUB_RUN_ID="42")
    number = job.add_issue()
    job.assign(number)
    slow = "import time\n\n\ndef test_two() -> None:\n    time.sleep(300)\n"
    began = datetime.now(UTC)
    ended = work(job, model(bash(f"printf '{slow}' > test_slow.py".replace("\n", "\\n")), submit()))
    assert outcome(ended) == (1, "failed"), ended.err
    assert "the wall time of this run" in str(ended.document["reason"])
    assert datetime.now(UTC) - began < timedelta(seconds=90)
    assert ended.document["attempts"] == []
    assert "time.sleep" in job.git("show", f"coordinator/issue-{number}:test_slow.py")


def test_a_wait_beyond_the_deadline_is_not_begun_and_the_work_is_safe(job: Job) -> None:
    limited = Failure(429, "rate_limit_error", "slow down", headers={"retry-after": "7200"})
    job.assign()
    began = datetime.now(UTC)
    served = model(GOOD, limited, submit())
    ended = work(job, served)
    assert outcome(ended) == (4, "failed"), ended.err
    assert "7200 s, beyond the run's time limit" in str(ended.document["reason"])
    assert datetime.now(UTC) - began < timedelta(seconds=60)
    assert served.steps_left == 1
    assert job.git("show", "coordinator/issue-1:tool.py") == "ONE = 1\nTWO = 2"


# Gates that never pass.


def test_gates_that_always_fail_end_the_run_after_as_many_submissions_as_are_allowed(job: Job) -> None:
    configure(job, "attempts: 2\n")
    job.assign()
    served = model(BAD, submit(), submit(), Computed(lambda _: submit(), when=is_agent_call))
    ended = work(job, served)
    assert outcome(ended) == (1, "rejected")
    assert served.steps_left == 1
    attempts = ended.document["attempts"]
    assert isinstance(attempts, list)
    assert len(attempts) == 2
    assert job.statuses(job.branch())["coordinator"] == "failure"
    assert "⚠️ Not done" in job.headline()
