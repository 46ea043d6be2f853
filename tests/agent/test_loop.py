from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coordinator.agent.loop import MOST_CALLS
from coordinator.agent.protocol import Ending, StopRequested, Submission, TurnReport
from coordinator.demo.model_script import Broken, call, say, thinking
from coordinator.errors import Misconfigured, Unreachable
from tests.agent.support import DONE, Judge, agent_step, endpoint, results, strict_server, total
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from pathlib import Path

BASH_ECHO = call("bash", {"command": "echo one"})


def test_the_agent_works_submits_and_is_accepted(tmp_path: Path) -> None:
    script = [
        say("I look around.", call("bash", {"command": "pwd; ls"})),
        say(call("edit", {"path": "a.py", "old": "", "new": "A = 1\n"})),
        say("Done.", call("submit", {"summary": "Add a.py."})),
    ]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run()
    assert result.ending is Ending.ACCEPTED
    assert result.summary == "Add a.py."
    assert (step.checkout / "a.py").read_text() == "A = 1\n"
    assert step.judge.asked == [("Add a.py.", 3)]
    assert result.turns == 3
    assert result.usage == total(server) == step.budget.usage
    assert [report.turn for report in step.reports] == [1, 2, 3]
    assert step.reports[0].activity == "bash: pwd; ls"
    assert 0 < step.reports[0].context_share < step.reports[2].context_share < 1


def test_a_rejection_is_the_result_of_submit_and_the_work_goes_on(tmp_path: Path) -> None:
    judge = Judge(
        [
            Submission(accepted=False, final=False, text="lint failed: a.py:1 F401"),
            Submission(accepted=True, final=True, text="Accepted."),
        ]
    )
    script = [say(call("submit", {"summary": "First."})), say("I see.", BASH_ECHO), DONE]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server), judge=judge) as step:
        result = step.run()
    assert result.ending is Ending.ACCEPTED
    [answer] = results(server, 1)
    assert answer["content"] == "lint failed: a.py:1 F401"
    assert answer["is_error"] is True
    assert server.requests[1].body["messages"][-1]["content"] == [answer]
    assert [event["accepted"] for event in step.events("verdict")] == [False, True]


def test_a_rejection_without_a_word_is_sent_all_the_same(tmp_path: Path) -> None:
    judge = Judge([Submission(accepted=accepted, final=False, text="") for accepted in (False, True)])
    with strict_server([DONE, DONE]) as server, agent_step(tmp_path, endpoint(server), judge=judge) as step:
        assert step.run().ending is Ending.ACCEPTED
    assert results(server)[0]["content"] == "(no content)"


def test_the_last_rejection_ends_the_work(tmp_path: Path) -> None:
    judge = Judge([Submission(accepted=False, final=True, text="still red")])
    with strict_server([DONE]) as server, agent_step(tmp_path, endpoint(server), judge=judge) as step:
        result = step.run()
    assert result.ending is Ending.REJECTED
    assert step.events("message")[-1]["content"][0]["content"] == "still red"
    assert step.events("end")[0]["ending"] == "rejected"


def test_submit_runs_after_the_other_calls_of_its_reply_and_once(tmp_path: Path) -> None:
    class Looking(Judge):
        def __call__(self, summary: str, turns: int) -> Submission:
            assert (step.checkout / "late").exists()
            return super().__call__(summary, turns)

    judge = Looking(
        [Submission(accepted=False, final=False, text="no"), Submission(accepted=True, final=True, text="yes")]
    )
    several = say(
        call("submit", {"summary": "One."}),
        call("bash", {"command": "touch late"}),
        call("submit", {"summary": "Two."}),
    )
    with strict_server([several, DONE]) as server, agent_step(tmp_path, endpoint(server), judge=judge) as step:
        assert step.run().ending is Ending.ACCEPTED
    assert [summary for summary, _ in judge.asked] == ["One.", "All done."]
    first, second, third = results(server)
    assert first["content"] == "no"
    assert "exit code 0" in second["content"]
    assert third["is_error"] is True
    assert "first submit" in third["content"]


def test_every_call_gets_one_result_in_the_order_of_the_calls(tmp_path: Path) -> None:
    script = [
        say(
            call("bash", {"command": "echo first"}),
            call("grep", {"pattern": "x"}),
            call("bash", {"cmd": "echo no"}),
            call("edit", {"path": 3, "old": "", "new": ""}),
            call("bash", {}),
            call("bash", {"command": "echo last"}),
        ),
        DONE,
    ]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run()
    texts = [result["content"] for result in results(server)]
    assert texts[0].startswith("first\n")
    assert "no tool 'grep'" in texts[1]
    assert "bash, edit, submit" in texts[1]
    assert "command: Field required" in texts[2]
    assert "cmd: " in texts[2]
    assert "path: Input should be a valid string" in texts[3]
    assert "command: Field required" in texts[4]
    assert texts[5].startswith("last\n")
    assert [bool(result.get("is_error")) for result in results(server)] == [False, True, True, True, True, False]


def test_an_input_that_is_a_string_is_parsed_once(tmp_path: Path) -> None:
    script = [
        say(
            call("bash", '{"command": "echo parsed"}'),
            call("bash", "not json"),
            call("bash", '"{}"'),
            call("bash", None),
        ),
        DONE,
    ]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run()
    texts = [result["content"] for result in results(server)]
    assert texts[0].startswith("parsed\n")
    assert all("must be a JSON object" in text for text in texts[1:])
    sent = server.requests[1].body["messages"][1]["content"]
    assert [block["input"] for block in sent] == [{"command": "echo parsed"}, {}, {}, {}]


def test_submit_without_a_summary_is_not_judged(tmp_path: Path) -> None:
    with strict_server([say(call("submit", {})), DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run()
    assert "summary: Field required" in results(server)[0]["content"]
    assert len(step.judge.asked) == 1


def test_a_call_runs_also_under_the_stop_reason_end_turn(tmp_path: Path) -> None:
    with (
        strict_server([say(BASH_ECHO, stop_reason="end_turn"), DONE]) as server,
        agent_step(tmp_path, endpoint(server)) as step,
    ):
        assert step.run().ending is Ending.ACCEPTED
    assert results(server)[0]["content"].startswith("one\n")


def test_the_call_that_was_cut_off_does_not_run(tmp_path: Path) -> None:
    cut = say(
        call("bash", {"command": "touch whole"}),
        call("bash", {"command": "touch cut; echo and much more"}),
        stop_reason="max_tokens",
    )
    with strict_server([cut, DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run()
    assert (step.checkout / "whole").exists()
    assert not (step.checkout / "cut").exists()
    whole, other = results(server)
    assert "is_error" not in whole
    assert "cut off" in other["content"]


def test_a_submit_that_was_cut_off_is_not_judged(tmp_path: Path) -> None:
    cut = say(call("submit", {"summary": "very long"}), stop_reason="max_tokens")
    with strict_server([cut, DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run()
    assert [summary for summary, _ in step.judge.asked] == ["All done."]
    assert "cut off" in results(server)[0]["content"]


def test_cut_calls_in_a_row_end_the_work(tmp_path: Path) -> None:
    cut = say(call("bash", {"command": "touch cut"}), stop_reason="max_tokens")
    with strict_server([cut] * 4) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run()
    assert result.ending is Ending.STUCK
    assert "max_tokens" in result.reason


def test_text_that_was_cut_off_is_continued(tmp_path: Path) -> None:
    with (
        strict_server([say("I think that", stop_reason="max_tokens"), DONE]) as server,
        agent_step(tmp_path, endpoint(server)) as step,
    ):
        assert step.run().ending is Ending.ACCEPTED
    assert "cut off" in server.requests[1].body["messages"][-1]["content"][0]["text"]


def test_thinking_that_was_cut_off_is_not_sent_back(tmp_path: Path) -> None:
    with (
        strict_server([say(thinking("I wonder whether"), stop_reason="max_tokens"), DONE]) as server,
        agent_step(tmp_path, endpoint(server)) as step,
    ):
        assert step.run().ending is Ending.ACCEPTED
    assert server.requests[1].body["messages"][1]["content"] == [{"type": "text", "text": "(no content)"}]


def test_signed_thinking_goes_back_as_it_came(tmp_path: Path) -> None:
    script = [
        say(thinking("First a look."), "Looking.", BASH_ECHO),
        say(thinking("Now I know."), call("bash", {"command": "true"})),
        DONE,
    ]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:
        assert step.run().ending is Ending.ACCEPTED
    kinds = [block["type"] for block in server.requests[2].body["messages"][1]["content"]]
    assert kinds == ["thinking", "text", "tool_use"]


def test_a_refusal_ends_the_work_with_its_category(tmp_path: Path) -> None:
    refusal = say("I cannot.", stop_reason="refusal", stop_details={"type": "refusal", "category": "cyber"})
    with strict_server([refusal]) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run()
    assert result.ending is Ending.DECLINED
    assert "cyber" in result.reason
    assert len(server.requests) == 1


def test_a_paused_turn_is_sent_again_as_it_is(tmp_path: Path) -> None:
    with (
        strict_server([say("Wait.", stop_reason="pause_turn"), DONE]) as server,
        agent_step(tmp_path, endpoint(server)) as step,
    ):
        assert step.run().ending is Ending.ACCEPTED
    assert server.requests[1].body["messages"][-1] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Wait."}],
    }


def test_pauses_continue_one_message_and_are_bounded(tmp_path: Path) -> None:
    with (
        strict_server([say("Wait.", stop_reason="pause_turn")] * 4) as server,
        agent_step(tmp_path, endpoint(server)) as step,
    ):
        assert step.run().ending is Ending.STUCK
    assert [message["role"] for message in server.requests[3].body["messages"]] == ["user", "assistant"]
    assert len(server.requests[3].body["messages"][1]["content"]) == 3


@pytest.mark.parametrize("blocks", [("I am done.",), (), ("  \n",)])
def test_a_reply_without_a_call_is_nudged_three_times_at_most(tmp_path: Path, blocks: tuple[str, ...]) -> None:
    with strict_server([say(*blocks)] * 4) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run()
    assert result.ending is Ending.STUCK
    assert "4 replies" in result.reason
    assert "called no tool" in server.requests[3].body["messages"][-1]["content"][0]["text"]


def test_a_call_that_runs_sets_the_count_of_nudges_back(tmp_path: Path) -> None:
    script = [say("Hm.")] * 3 + [say(BASH_ECHO)] + [say("Hm.")] * 3 + [DONE]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:
        assert step.run().ending is Ending.ACCEPTED


def test_the_same_call_with_the_same_result_is_warned_and_then_ended(tmp_path: Path) -> None:
    with strict_server([say(BASH_ECHO)] * 5) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run()
    assert result.ending is Ending.STUCK
    warned = ["same result" in results(server, request)[0]["content"] for request in range(1, 5)]
    assert warned == [False, False, False, True]


def test_a_warning_that_is_heeded_is_forgotten(tmp_path: Path) -> None:
    other = say(call("bash", {"command": "echo other"}))
    with (
        strict_server([say(BASH_ECHO)] * 4 + [other] + [say(BASH_ECHO)] * 3 + [DONE]) as server,
        agent_step(tmp_path, endpoint(server)) as step,
    ):
        assert step.run().ending is Ending.ACCEPTED


def test_a_lost_claim_stops_the_work_before_the_calls_run(tmp_path: Path) -> None:
    def watcher(report: TurnReport) -> None:
        if report.turn == 2:
            raise StopRequested("The issue was unassigned.")

    script = [say(BASH_ECHO), say(call("bash", {"command": "touch ran"}))]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server), watcher=watcher) as step:
        result = step.run()
    assert result.ending is Ending.STOPPED
    assert result.reason == "The issue was unassigned."
    assert not (step.checkout / "ran").exists()
    assert step.events("message")[-1]["role"] == "assistant"


def test_turns_are_limited_before_the_next_call(tmp_path: Path) -> None:
    with strict_server([say(BASH_ECHO)]) as server, agent_step(tmp_path, endpoint(server), turns=1) as step:
        result = step.run()
    assert result.ending is Ending.BUDGET
    assert "budget.run.turns" in result.reason
    assert len(server.requests) == 1


def test_a_model_that_cannot_be_reached_ends_the_work_as_failed(tmp_path: Path) -> None:
    with (
        strict_server([say(BASH_ECHO), *[Broken("reset")] * 3]) as server,
        agent_step(tmp_path, endpoint(server)) as step,
    ):
        result = step.run()
    assert result.ending is Ending.FAILED
    assert "127.0.0.1" in result.reason
    assert result.usage == total(server)
    assert result.cost_usd == pytest.approx(step.budget.cost_usd)


def test_more_calls_than_a_reply_may_hold_do_not_run_and_nothing_is_submitted(tmp_path: Path) -> None:
    calls = [call("bash", {"command": f"touch {number}"}) for number in range(MOST_CALLS + 2)]
    many = say(call("submit", {"summary": "Too early."}), *calls)
    with strict_server([many, DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        assert step.run().ending is Ending.ACCEPTED
    assert [summary for summary, _ in step.judge.asked] == ["All done."]
    assert {path.name for path in step.checkout.iterdir()} == {str(number) for number in range(MOST_CALLS - 1)}
    submitted, *others = results(server)
    assert "Nothing was submitted" in submitted["content"]
    assert [bool(result.get("is_error")) for result in others] == [False] * (MOST_CALLS - 1) + [True] * 3
    assert "8 calls" in others[-1]["content"]


def test_as_many_calls_as_a_reply_may_hold_all_run(tmp_path: Path) -> None:
    calls = [call("bash", {"command": f"touch {number}"}) for number in range(MOST_CALLS)]
    with strict_server([say(*calls), DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        assert step.run().ending is Ending.ACCEPTED
    assert len(list(step.checkout.iterdir())) == MOST_CALLS


def test_requests_share_their_beginning_byte_for_byte(tmp_path: Path) -> None:
    script = [say(thinking("Hm."), "é — ok", BASH_ECHO), say("So.", call("bash", {"command": "printf '\\xff'"})), DONE]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run("Solve it: é.")
    for one, other in zip(server.requests, server.requests[1:], strict=False):
        start = one.raw.index(b'"messages":[')
        end = one.raw.index(b'],"model"', start)
        assert other.raw[: end - 0].startswith(one.raw[:end])
        assert one.raw[end:].replace(one.raw[start:end], b"") == other.raw[other.raw.index(b'],"model"', start) :]
        assert {**one.body, "messages": 0} == {**other.body, "messages": 0}
    assert server.bill.cache_read_tokens > 0


def test_a_compatible_server_gets_plain_requests(tmp_path: Path) -> None:
    with strict_server([say(BASH_ECHO), DONE], vendor=False) as server:
        glm = endpoint(server, model="glm-5.2", vendor_features=False, context_limit=128_000)
        with agent_step(tmp_path, glm) as step:
            assert step.run().ending is Ending.ACCEPTED
    for request in server.requests:
        assert sorted(request.body) == ["max_tokens", "messages", "model", "stream", "system", "tools"]
        assert all("input_schema" in tool for tool in request.body["tools"])


def test_a_vendor_request_holds_what_is_meant_and_nothing_else(tmp_path: Path) -> None:
    with strict_server([DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run()
    body = server.requests[0].body
    assert body["cache_control"] == {"type": "ephemeral"}
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["max_tokens"] == 32_000
    assert [tool["name"] for tool in body["tools"]] == ["bash", "edit", "submit"]
    assert set(body) == {"cache_control", "max_tokens", "messages", "model", "stream", "system", "thinking", "tools"}


def test_secrets_that_a_command_prints_reach_neither_model_nor_transcript_nor_report(tmp_path: Path) -> None:
    script = [
        say(
            call(
                "bash",
                {"command": f"env; echo {API_CANARY[:12]}''{API_CANARY[12:]}"},
            )
        ),
        say(call("bash", {"command": f"echo 'token = {FORGE_CANARY}' > settings"})),
        say(call("edit", {"path": "settings", "old": f"tokn = {FORGE_CANARY[:14]}", "new": "y"})),
        say(call("submit", {"summary": f"Found {FORGE_CANARY}."})),
        DONE,
    ]
    answers = [Submission(accepted=accepted, final=False, text=f"so {API_CANARY}") for accepted in (False, True)]
    judge = Judge(answers)
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server), judge=judge) as step:
        result = step.run()
    told = json.dumps([results(server, index) for index in range(1, len(server.requests))])
    seen = told + step.transcript.read_text() + repr(result) + repr(step.reports)
    for canary in (API_CANARY, FORGE_CANARY):
        assert canary not in seen
        assert canary[:20] not in seen
    assert judge.asked[0][0] == "Found ***."
    assert all(API_CANARY not in repr(command.env) for command in step.sandbox.commands)
    assert "PROJECT=sample" in told
    assert "line 1: 'token = ***'" in told


def test_nothing_runs_when_the_transcript_cannot_be_written(tmp_path: Path) -> None:
    script = [say(call("bash", {"command": "touch ran"}))]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:

        def reached(report: TurnReport) -> None:
            raise AssertionError(report)

        step.loop._watcher = reached
        step.loop._transcript._file.close()
        with pytest.raises((Unreachable, ValueError)):
            step.run()
        server.model._steps.clear()
    assert not (step.checkout / "ran").exists()


def test_a_refused_key_in_the_middle_of_the_work_is_raised(tmp_path: Path) -> None:
    with strict_server([say(BASH_ECHO)]) as server, agent_step(tmp_path, endpoint(server)) as step:

        def revoke(report: TurnReport) -> None:
            server.model._key = f"another-{report.turn}"

        step.loop._watcher = revoke
        with pytest.raises(Misconfigured, match="refused the key"):
            step.run()
        server.refused.clear()
    assert step.budget.turns == 1
