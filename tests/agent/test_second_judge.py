"""The same failures from a server that others have written, which also judges how a client takes them.

`llmock` (https://github.com/JulienRabault/LLMock) breaks its answers on demand and looks at every attempt and its time:
a wait cut short, a retry of what no retry can mend, a storm of retries, a reply cut off and taken for whole.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest

from coordinator.agent.compaction import ResetKind
from coordinator.agent.model import Patience
from coordinator.agent.protocol import Ending
from coordinator.errors import Misconfigured
from tests.agent.support import agent_step, endpoint

if TYPE_CHECKING:
    from pathlib import Path

    from llmock.pytest_plugin import LLMock

    from coordinator.agent.protocol import TurnReport
    from tests.agent.support import Bench

TASK = "Solve it."
BAD_REQUEST = 400
PATIENCE = Patience(tries=3, first_wait=0.2, longest_wait=2.0, stall=1.0)


@dataclass
class Done:
    """How the work ended, and what was done to the checkout."""

    ending: Ending
    reason: str
    log: list[str]
    step: Bench


def do_work(llmock: LLMock, folder: Path, **settings: Any) -> Done:
    """Let the agent work on what the server says; whatever was done stands in a file of the checkout."""
    model = endpoint(llmock.base_url("anthropic"), **settings)
    with agent_step(folder, model, patience=PATIENCE) as step:
        result = step.run(TASK)
    log = step.checkout / "log"
    return Done(result.ending, result.reason, log.read_text().split() if log.exists() else [], step)


def call_bash(llmock: LLMock, word: str, more: str = "") -> None:
    """Script a call that leaves a word in the checkout."""
    llmock.call_tool("bash", {"command": f"echo {word} >> log{more}"})


def submit(llmock: LLMock) -> None:
    llmock.call_tool("submit", {"summary": "All done."})


def bodies(llmock: LLMock) -> list[str]:
    """The requests as they came, to see which ones are the same."""
    return [json.dumps(record.body) for record in llmock.requests]


def test_work_with_tools_is_done(llmock: LLMock, tmp_path: Path) -> None:
    call_bash(llmock, "one", "; seq 3")
    call_bash(llmock, "two")
    submit(llmock)
    done = do_work(llmock, tmp_path)
    assert (done.ending, done.log) == (Ending.ACCEPTED, ["one", "two"])
    assert done.step.budget.usage.prompt_tokens > 0
    last = llmock.last_request.body["messages"]
    assert [message["role"] for message in last] == ["user", "assistant", "user", "assistant", "user"]
    assert last[2]["content"][0]["content"] == "1\n2\n3\n[exit code 0]"
    assert len(llmock.requests) == 3
    llmock.assert_resilient(strict=True)


def test_a_rate_limit_is_waited_out(llmock: LLMock, tmp_path: Path) -> None:
    call_bash(llmock, "one")
    llmock.rate_limit(times=2, retry_after=0.6)
    submit(llmock)
    started = time.monotonic()
    done = do_work(llmock, tmp_path)
    assert (done.ending, done.log) == (Ending.ACCEPTED, ["one"])
    assert time.monotonic() - started >= 1.2
    assert [record.status for record in llmock.requests] == [429, 429, 200, 200]
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [503, 529])
def test_a_server_that_is_overloaded_is_asked_again_with_longer_waits(
    llmock: LLMock, tmp_path: Path, status: int
) -> None:
    llmock.fail(status, times=2)
    call_bash(llmock, "one")
    submit(llmock)
    done = do_work(llmock, tmp_path)
    assert (done.ending, done.log) == (Ending.ACCEPTED, ["one"])
    assert [record.status for record in llmock.requests] == [status, status, 200, 200]
    llmock.assert_resilient(strict=True)


def test_an_outage_is_not_stormed(llmock: LLMock, tmp_path: Path) -> None:
    llmock.outage(status=503)
    done = do_work(llmock, tmp_path)
    assert done.ending is Ending.FAILED
    assert "failed 3 times" in done.reason
    assert len(llmock.requests) == PATIENCE.tries
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_no_retry_can_mend_is_not_asked_again(llmock: LLMock, tmp_path: Path, status: int) -> None:
    llmock.fail(status)
    with pytest.raises(Misconfigured, match="sonnet"):
        do_work(llmock, tmp_path)
    assert [record.status for record in llmock.requests] == [status]
    llmock.assert_resilient(strict=True)


def test_a_prompt_that_is_too_long_is_followed_by_a_shorter_one(llmock: LLMock, tmp_path: Path) -> None:
    """The window is smaller than the profile says. A request that is refused uses up the next call of the script."""
    llmock.limits(context_window=5_000)
    for number in range(4):
        call_bash(llmock, str(number), "; seq 1000 2400")
    submit(llmock)
    done = do_work(llmock, tmp_path)
    refused = [record for record in llmock.requests if record.status == BAD_REQUEST]
    assert len(refused) == len(done.step.resets) == 1
    assert done.step.resets[0].kind is ResetKind.ROTATED
    assert (done.ending, len(done.log)) == (Ending.ACCEPTED, 3)
    assert done.log == sorted(set(done.log)), "nothing ran twice"
    begun = [record.body["messages"] for record in llmock.requests if len(record.body["messages"]) == 1]
    assert len(begun) == 2
    assert all(messages[0]["content"][0]["text"].startswith(TASK) for messages in begun)
    llmock.assert_resilient(strict=True)


def test_a_refusal_for_its_length_is_known_by_other_words_too(llmock: LLMock, tmp_path: Path) -> None:
    def refuse_after_two(report: TurnReport) -> None:
        if report.turn == 2:
            llmock.context_overflow()
            submit(llmock)

    call_bash(llmock, "one")
    call_bash(llmock, "two")
    model = endpoint(llmock.base_url("anthropic"))
    with agent_step(tmp_path, model, patience=PATIENCE, watcher=refuse_after_two) as step:
        assert step.run(TASK).ending is Ending.ACCEPTED
    assert [record.status for record in llmock.requests] == [200, 200, BAD_REQUEST, 200]
    assert [reset.kind for reset in step.resets] == [ResetKind.ROTATED]
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("after", [1, 3, 6])
@pytest.mark.parametrize("how", ["disconnect", "truncate", "corrupt"])
def test_a_reply_that_breaks_off_is_asked_for_again_and_nothing_of_it_runs(
    llmock: LLMock, tmp_path: Path, how: str, after: int
) -> None:
    getattr(llmock, how)(after_chunks=after)
    llmock.pace(20)  # else the whole stream may be sent before the client hangs up, and the judge sees no hanging up
    call_bash(llmock, "torn")
    call_bash(llmock, "whole")
    submit(llmock)
    done = do_work(llmock, tmp_path)
    assert (done.ending, done.log) == (Ending.ACCEPTED, ["whole"])
    assert bodies(llmock)[0] == bodies(llmock)[1]
    assert "torn" not in bodies(llmock)[-1]
    llmock.assert_resilient(strict=True)


def test_a_stream_that_stalls_is_not_sat_through(llmock: LLMock, tmp_path: Path) -> None:
    llmock.stall(after_chunks=3, seconds=20)
    call_bash(llmock, "torn")
    call_bash(llmock, "whole")
    submit(llmock)
    started = time.monotonic()
    done = do_work(llmock, tmp_path)
    assert (done.ending, done.log) == (Ending.ACCEPTED, ["whole"])
    assert time.monotonic() - started < 15
    assert len(llmock.requests) == 3
    verdict = llmock.verdict()
    assert verdict.passed
    assert not [finding for finding in verdict.findings if finding.code != "no_read_timeout"]


def test_a_call_whose_json_is_not_whole_does_not_run(llmock: LLMock, tmp_path: Path) -> None:
    llmock.break_tool_call("malformed_arguments")
    call_bash(llmock, "torn")
    call_bash(llmock, "whole")
    submit(llmock)
    done = do_work(llmock, tmp_path)
    assert (done.ending, done.log) == (Ending.ACCEPTED, ["whole"])
    assert bodies(llmock)[0] == bodies(llmock)[1]
    llmock.assert_resilient(strict=True)


def test_a_tool_that_was_never_offered_is_answered_with_those_that_were(llmock: LLMock, tmp_path: Path) -> None:
    llmock.break_tool_call("unknown_tool")
    call_bash(llmock, "torn")
    call_bash(llmock, "whole")
    submit(llmock)
    done = do_work(llmock, tmp_path)
    assert (done.ending, done.log) == (Ending.ACCEPTED, ["whole"])
    (answer,) = llmock.requests[1].body["messages"][-1]["content"]
    assert "The tools are: bash, edit, submit" in answer["content"]
    llmock.assert_resilient(strict=True)


# The judge sees what it is there to see.


def test_a_client_that_takes_a_cut_reply_for_a_whole_one_is_found_guilty(llmock: LLMock) -> None:
    """The vendor's own library does, as nothing in it looks for the end of the message."""
    llmock.truncate(after_chunks=3).reply("Half a sentence and its other half")
    key = llmock.env()["ANTHROPIC_API_KEY"]
    asked: list[Any] = [{"role": "user", "content": "Hi."}]
    with (
        anthropic.Anthropic(api_key=key, base_url=llmock.base_url("anthropic"), max_retries=0) as client,
        client.messages.stream(model="claude-sonnet-5-5", max_tokens=99, messages=asked) as stream,
    ):
        assert stream.get_final_message().stop_reason is None
    assert [finding.code for finding in llmock.verdict().errors] == ["truncated_stream_accepted"]


def test_a_client_that_does_not_wait_is_found_guilty(llmock: LLMock) -> None:
    llmock.rate_limit(times=11, retry_after=1.0).fail(401).reply("Hello.")
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi."}]}
    for _ in range(13):
        httpx2.post(f"{llmock.base_url('anthropic')}/v1/messages", json=body)
    found = {finding.code for finding in llmock.verdict().errors}
    assert found == {"retry_after_ignored", "retry_storm", "retried_non_retryable"}
