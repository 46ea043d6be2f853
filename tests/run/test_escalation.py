"""Rejected work is tried once more, by the next agent that is more capable, where that can be paid."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import Computed, Failure, is_agent_call, say
from coordinator.state.records import RunRecord
from tests.run.processes import outcome
from tests.run.queueing import claims_of, during, model, record
from tests.small_project import BAD, GOOD, LINT_ONLY, MEND, bash, submit

if TYPE_CHECKING:
    from coordinator.demo.model_script import Reply
    from coordinator.demo.model_server import ModelServer
    from tests.run.support import Ended, Job

MODELS = {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}


def by(agent: str, reply: Reply) -> Reply:
    """Let only that agent's model give this reply."""
    return say(*reply.blocks, when=lambda body: is_agent_call(body) and body["model"] == MODELS[agent])


def configure(job: Job, *lines: str) -> None:
    settings = ["attempts: 2", "escalate: true", *lines]
    job.push({".coordinator.yml": LINT_ONLY.replace("escalate: false\n", "") + "\n".join(settings) + "\n"})


def work(job: Job, *script: Reply | Computed | Failure, **variables: str) -> tuple[Ended, ModelServer]:
    job.set(**variables)
    job.assign()
    with model(*script) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert served.refused == []
    return ended, served


def agents(ended: Ended) -> list[str]:
    return [str(attempt["agent"]) for attempt in json.loads(ended.out)["attempts"]]


def asked(served: ModelServer) -> list[str]:
    """The models that were asked, each as often in a row as it was."""
    return [str(request.body["model"]) for request in served.requests]


REJECTED = [by("haiku", BAD), by("haiku", submit("First")), by("haiku", submit("Second"))]


def test_the_next_more_capable_agent_gets_the_work_and_what_was_wrong_with_it(job: Job) -> None:
    configure(job)
    ended, served = work(job, *REJECTED, by("sonnet", MEND), by("sonnet", submit("Without the import")))
    assert outcome(ended) == (0, "completed"), ended.err
    assert agents(ended) == ["haiku", "haiku", "sonnet"]
    assert ended.document["agent"] == "sonnet"
    plan = json.loads(ended.out)["plan"]
    assert plan["agent"] == "haiku", "what was planned stays what it was"
    task = served.requests[3].body["messages"][0]["content"]
    text = task if isinstance(task, str) else task[0]["text"]
    assert "F401" in text, "it hears what the gates said"
    assert "An earlier run was rejected by the gates" in text
    assert job.git("show", "coordinator/issue-1:tool.py") == "ONE = 1\nTWO = 2"
    assert len(job.pulls) == 1
    (comment,) = job.comments
    assert "attempt 3 (sonnet)" in comment
    assert "sonnet took over, as haiku was rejected" in comment
    assert "haiku was rejected 2 times; sonnet tries it once more" in ended.err
    assert "attempts | 3 of 4" in job.summary
    (run,) = record(job).runs
    assert (run.planned_agent, run.agent, run.attempts, run.turns, run.ending) == (
        "haiku",
        "sonnet",
        3,
        5,
        "accepted",
    )


def test_all_that_both_agents_cost_is_one_runs_cost(job: Job) -> None:
    configure(job)
    ended, served = work(job, *REJECTED, by("sonnet", MEND), by("sonnet", submit()))
    usage = json.loads(ended.out)["usage"]
    bill = served.bill
    assert usage == {
        "input_tokens": bill.input_tokens,
        "output_tokens": bill.output_tokens,
        "cache_read_tokens": bill.cache_read_tokens,
        "cache_write_tokens": bill.cache_write_tokens,
    }
    cost = float(str(ended.document["cost_usd"]))
    assert claims_of(job).spent(datetime.now(UTC).date()) == pytest.approx(cost, abs=1e-6)


def test_it_is_done_once(job: Job) -> None:
    configure(job)
    ended, served = work(job, *REJECTED, by("sonnet", submit("Third")), by("sonnet", submit("Fourth")), GOOD)
    assert outcome(ended) == (1, "rejected"), ended.err
    assert agents(ended) == ["haiku", "haiku", "sonnet", "sonnet"]
    assert served.steps_left == 1
    assert job.pulls[0].title.startswith("WIP: ")


def test_not_where_it_is_not_wanted(job: Job) -> None:
    configure(job)
    job.push({".coordinator.yml": f"attempts: 2\n{LINT_ONLY}"})
    ended, _ = work(job, *REJECTED)
    assert outcome(ended) == (1, "rejected")
    assert agents(ended) == ["haiku", "haiku"]
    assert "tries it once more" not in ended.err


def test_not_where_no_other_agent_is_more_capable(job: Job) -> None:
    configure(job)
    submissions = [by("opus", BAD), by("opus", submit()), by("opus", submit())]
    ended, _ = work(job, *submissions, INPUT_AGENT="opus")
    assert outcome(ended) == (1, "rejected")
    assert "no agent that can be called here is more capable than opus" in ended.err


def test_an_agent_that_was_asked_for_by_name_is_followed_by_a_better_one_too(job: Job) -> None:
    configure(job, "agents: {opus: {price: {input: 1}}}")
    submissions = [by("sonnet", BAD), by("sonnet", submit()), by("sonnet", submit())]
    ended, _ = work(job, *submissions, by("opus", MEND), by("opus", submit()), INPUT_AGENT="sonnet")
    assert outcome(ended) == (0, "completed"), ended.err
    assert agents(ended) == ["sonnet", "sonnet", "opus"]


@pytest.mark.parametrize(
    ("limit", "key"),
    [
        ("run: {dollars: 0.01}", "budget.run.dollars"),
        ("run: {turns: 3}", "budget.run.turns"),
        ("issue: {dollars: 0.01}", "budget.issue.dollars"),
        ("day: {dollars: 0.01}", "budget.day.dollars"),
    ],
)
def test_not_where_the_budgets_do_not_allow_it(job: Job, limit: str, key: str) -> None:
    configure(job, f"budget: {{{limit}}}")
    ended, served = work(job, *REJECTED)
    assert outcome(ended) == (1, "rejected"), ended.err
    assert "sonnet did not try it again" in ended.err
    assert key in ended.err
    assert set(asked(served)) == {MODELS["haiku"]}
    assert key in job.comments[0]
    assert record(job).answered is not None, "it was worked on to its end"


def test_turns_and_money_of_the_first_agent_count_for_the_second_one(job: Job) -> None:
    configure(job, "budget: {run: {turns: 5}}")
    more = [by("sonnet", bash(f"echo {number}")) for number in range(4)]
    ended, served = work(job, *REJECTED, *more)
    assert outcome(ended) == (1, "failed"), ended.err
    assert "budget.run.turns" in str(ended.document["reason"])
    assert len(served.requests) == 5
    assert "turn 1/2" in ended.err, "what is left of the turns is shown"
    assert job.pulls[0].title.startswith("WIP: ")


@pytest.mark.parametrize("reply", [say("No.", stop_reason="refusal"), Failure(401, "authentication_error", "no")])
def test_only_a_rejection_is_tried_again(job: Job, reply: Reply | Failure) -> None:
    configure(job)
    ended, served = work(job, by("haiku", GOOD), reply)
    assert ended.document["outcome"] == "failed"
    assert set(asked(served)) == {MODELS["haiku"]}


def test_the_claim_is_kept_meanwhile(job: Job) -> None:
    configure(job)
    held: list[bool] = []

    def look() -> None:
        claim = record(job).claim
        held.append(claim is not None and claim.granted_usd > 0)

    step = during(look, MEND)
    mend = Computed(step.answer, when=lambda body: body["model"] == MODELS["sonnet"])
    ended, _ = work(job, *REJECTED, mend, by("sonnet", submit()))
    assert outcome(ended) == (0, "completed"), ended.err
    assert held == [True]


def test_how_far_off_estimates_were_is_told_on_the_next_issue(job: Job) -> None:
    configure(job)
    now = datetime.now(UTC)
    earlier = claims_of(job, "1/work")
    known = [(30_000, 0.5, 7), (10_000, 2.0, 9), (20_000, 1.0, 8), (0, 0.0, 0)]
    for number, (tokens, cost, turns) in enumerate(known, start=10):
        earlier.take(number, request=None, most_runs=None)
        earlier.finish(
            number,
            RunRecord(
                run="1/work",
                started_at=now,
                ended_at=now,
                outcome="completed",
                turns=turns,
                cost_usd=cost,
                predicted_cost_usd=1.0,
                predicted_tokens=20_000,
                peak_tokens=tokens,
            ),
        )
    ended, _ = work(job, by("haiku", GOOD), by("haiku", submit()))
    assert outcome(ended) == (0, "completed"), ended.err
    so_far = json.loads(ended.out)["plan"]["estimate"]["so_far"]
    assert so_far == {
        "context": {"runs": 3, "median": 1.0, "lowest": 0.5, "highest": 1.5},
        "cost": {"runs": 3, "median": 1.0, "lowest": 0.5, "highest": 2.0},
    }
    (comment,) = job.comments
    assert "estimates so far: 3 runs, context 1.0 x the estimate in the median (0.5 to 1.5), cost 1.0 x" in comment
    needed = json.loads(ended.out)["plan"]["needed"]
    (run,) = record(job).runs
    assert needed == {"context_tokens": run.peak_tokens, "cost_usd": ended.document["cost_usd"]}
    assert (run.predicted_tokens or 0) > 20_000
    assert run.predicted_cost_usd == pytest.approx(json.loads(ended.out)["plan"]["estimate"]["cost_usd"], abs=1e-6)
    assert f"needed {run.peak_tokens:,} and " in comment
