"""Replies that are no use as they stand: cut off, doubled, full of calls that cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.compaction import ResetKind
from coordinator.agent.loop import FRUITLESS_REPLIES
from coordinator.agent.protocol import Ending
from coordinator.demo.model_script import call, say
from coordinator.demo.model_server import ModelServer
from tests.agent.support import DONE, agent_step, endpoint, results, strict_server
from tests.support import API_CANARY

if TYPE_CHECKING:
    from pathlib import Path


def test_text_that_is_cut_off_again_and_again_ends_the_work(tmp_path: Path) -> None:
    cut = [say(f"I think, for the {number}. time, that", stop_reason="max_tokens") for number in range(4)]
    with strict_server(cut) as server, agent_step(tmp_path, endpoint(server)) as step:
        result = step.run()
    assert result.ending is Ending.STUCK
    assert len(server.requests) == FRUITLESS_REPLIES + 1
    assert "max_tokens" in result.reason
    told = [request.body["messages"][-1]["content"][0]["text"] for request in server.requests[1:]]
    assert all("cut off by the limit" in words for words in told)


def test_of_two_calls_with_one_id_none_runs_and_the_reply_is_asked_for_again(tmp_path: Path) -> None:
    twice = say(*[call("bash", {"command": f"touch {name}"}, identifier="toolu_same") for name in ("one", "two")])
    with strict_server([twice, DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        assert step.run().ending is Ending.ACCEPTED
    assert list(step.checkout.iterdir()) == []
    assert server.requests[0].raw == server.requests[1].raw
    assert "toolu_same" not in step.transcript.read_text(encoding="utf-8")


def test_an_id_that_a_later_reply_uses_again_is_told_in_words_when_the_api_minds(tmp_path: Path) -> None:
    """Some gateways count the calls of each reply from 0."""
    steps = [say(call("bash", {"command": f"echo {name} >> log"}, identifier="call_0")) for name in ("one", "two")]
    with ModelServer([*steps, DONE], key=API_CANARY) as server, agent_step(tmp_path, endpoint(server)) as step:
        assert step.run("Solve it.").ending is Ending.ACCEPTED
    assert server.refused == ["messages.3.content.0: `tool_use` ids must be unique"]
    assert [reset.kind for reset in step.resets] == [ResetKind.ROTATED]
    assert (step.checkout / "log").read_text().split() == ["one", "two"]
    (message,) = server.requests[-1].body["messages"]
    assert "echo two >> log" in message["content"][0]["text"]


def test_a_reply_full_of_faults_is_answered_call_by_call(tmp_path: Path) -> None:
    """Each answer says what to do instead, and the one call that is sound runs."""
    reply = say(
        call("grep", {"pattern": "x"}, identifier="toolu_a"),
        call("bash", "not json", identifier="toolu_b"),
        call("bash", {}, identifier="toolu_c"),
        call("bash", {"command": 7}, identifier="toolu_d"),
        call("bash", '{"command": "touch ran"}', identifier="toolu_e"),
    )
    with strict_server([reply, DONE]) as server, agent_step(tmp_path, endpoint(server)) as step:
        assert step.run().ending is Ending.ACCEPTED
    answers = results(server)
    assert [answer["tool_use_id"] for answer in answers] == [f"toolu_{letter}" for letter in "abcde"]
    assert [bool(answer.get("is_error")) for answer in answers] == [True, True, True, True, False]
    expected = ("The tools are: bash, edit, submit", "must be a JSON object", "command: Field required", "command: ")
    assert all(words in answer["content"] for words, answer in zip(expected, answers, strict=False))
    assert [path.name for path in step.checkout.iterdir()] == ["ran"]
    assert len(server.requests[1].body["messages"]) == 3, "all answers are in one message"
