"""How an agent step begins that goes on with an earlier one, and what is on record when a disk is full."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.agent.conversation import estimate_tokens
from coordinator.agent.opening import Circumstances, Opening, binding, make_opening
from coordinator.agent.protocol import Ending, WorkState
from coordinator.agent.replay import Replay, read_transcript
from coordinator.demo.model_script import call, say, text, thinking
from coordinator.errors import Unreachable
from tests.agent.support import DONE, agent_step, endpoint, strict_server
from tests.support import API_CANARY

if TYPE_CHECKING:
    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.agent.reply import Block, Message

HERE = endpoint("http://127.0.0.1:9")
SAME = Circumstances()
TASK = "The new task, whole."
HISTORY: tuple[Message, ...] = (
    {"role": "user", "content": [text("The old task.")]},
    {
        "role": "assistant",
        "content": [
            {**thinking("A private thought."), "signature": "s"},
            call("bash", {"command": "ls"}, identifier="c"),
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "what ls has printed"}]},
)


def replay(**changes: Any) -> Replay:
    known = {
        "profile": "sonnet",
        "model": "claude-sonnet-5-5",
        "messages": HISTORY,
        "turns": 1,
        "note": "Noted before.",
    }
    return Replay(**{**known, **changes})


def state() -> WorkState:
    return WorkState(git="src/app.py | 2 +-", verdict="Rejected: lint.")


def opened(what: Replay | None, since: Circumstances = SAME, where: ModelEndpoint = HERE, task: str = TASK) -> Opening:
    return make_opening(what, task, since=since, state=state, endpoint=where)


def told(opening: Opening) -> str:
    """Return the one text that a new conversation starts with."""
    (message,) = opening.messages
    (block,) = message["content"]
    assert (message["role"], block["type"]) == ("user", "text")
    return str(block["text"])


def test_the_same_conversation_goes_on_as_it_was() -> None:
    opening = opened(replay())
    assert opening.messages == HISTORY
    assert opening.note == "Noted before."
    assert opening.how == "the conversation goes on after 1 turns"


def test_a_model_that_could_not_be_reached_is_asked_the_same_again() -> None:
    assert opened(replay(ending=Ending.FAILED, reason="529")).messages == HISTORY


@pytest.mark.parametrize(
    ("change", "since", "where", "reason"),
    [
        ({"profile": "haiku"}, SAME, HERE, "it was led by haiku (claude-sonnet-5-5)"),
        ({}, SAME, endpoint("http://127.0.0.1:9", model="other"), "it was led by sonnet (claude-sonnet-5-5)"),
        ({}, Circumstances(rebound=True), HERE, "the system prompt or the tools have changed"),
        ({}, Circumstances(moved="the branch was changed"), HERE, "the branch was changed"),
        ({}, Circumstances(rewritten=True), HERE, "the issue has been edited"),
        ({"ending": Ending.REJECTED, "reason": "No more."}, SAME, HERE, "it had ended (rejected): No more."),
        ({"ending": Ending.BUDGET}, SAME, HERE, "it had ended (budget): no reason is known"),
        ({"ending": Ending.STOPPED}, SAME, HERE, "it had ended (stopped)"),
        ({"ending": Ending.STUCK}, SAME, HERE, "it had ended (stuck)"),
        ({"faithful": False}, SAME, HERE, "its record is not complete"),
    ],
)
def test_whatever_has_changed_makes_it_a_text(
    change: dict[str, Any], since: Circumstances, where: ModelEndpoint, reason: str
) -> None:
    opening = opened(replay(**change), since, where)
    words = told(opening)
    for part in (TASK, reason, "Noted before.", "src/app.py | 2 +-", "Rejected: lint.", "what ls has printed"):
        assert part in words
    assert "A private thought." not in words
    assert "The old task." not in words, "the task stands there once, as it is now"
    assert reason in opening.how
    assert opening.note == "Noted before."


def test_several_reasons_are_all_said() -> None:
    words = told(opened(replay(profile="opus"), Circumstances(moved="it moved", rebound=True)))
    assert "it was led by opus" in words
    assert "it moved" in words
    assert "system prompt" not in words, "with another model that goes without saying"


@pytest.mark.parametrize("what", [None, replay(ending=Ending.ACCEPTED), replay(ending=Ending.DECLINED)])
def test_where_there_is_nothing_to_go_on_with_a_new_conversation_starts(what: Replay | None) -> None:
    assert opened(what, Circumstances(moved="x")) == Opening((), "a new conversation")


def test_a_long_tail_is_cut_to_half_of_the_room() -> None:
    small = endpoint("http://127.0.0.1:9", context_limit=20_000, max_output_tokens=4_000)
    results = [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "word " * 2_000}]}
    ] * 40
    asked = [{"role": "assistant", "content": [call("bash", {"command": "ls"}, identifier="c")]}] * 40
    messages = [HISTORY[0], *(one for pair in zip(asked, results, strict=True) for one in pair)]
    words = told(opened(replay(messages=tuple(messages), profile="opus"), where=small))
    assert estimate_tokens(words) <= 8_000
    assert TASK in words


def test_the_state_of_the_checkout_is_read_only_where_it_is_told() -> None:
    def unasked() -> WorkState:
        raise AssertionError("nobody needs it")

    assert make_opening(replay(), TASK, since=SAME, state=unasked, endpoint=HERE).messages == HISTORY


def test_a_history_is_bound_to_what_it_was_said_under() -> None:
    tools: list[Block] = [{"name": "bash", "description": "Run."}]
    same = binding(HERE, "Be good.", tools)
    assert binding(endpoint("http://127.0.0.1:10"), "Be good.", tools) == same, "the address may change"
    others = [
        binding(endpoint("x", profile="opus"), "Be good.", tools),
        binding(endpoint("x", model="other"), "Be good.", tools),
        binding(endpoint("x", vendor_features=False), "Be good.", tools),
        binding(HERE, "Be better.", tools),
        binding(HERE, "Be good.", [{"name": "bash", "description": "Run it."}]),
    ]
    assert len({same, *others}) == len(others) + 1
    assert API_CANARY not in same


# Through the loop.


def test_a_resumed_conversation_is_on_record_whole(tmp_path: Path) -> None:
    """What the second run writes is enough for a third one."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    script = [say(thinking("Hm."), call("bash", {"command": "echo a"})), say("I pause.", stop_reason="refusal"), DONE]
    with strict_server(script) as server:
        with agent_step(tmp_path / "one", endpoint(server)) as step:
            step.run("Solve it.")
            broken_off = step.transcript.read_bytes().splitlines(keepends=True)[:4]
        first = read_transcript(b"".join(broken_off))
        assert first is not None
        with agent_step(tmp_path / "two", endpoint(server)) as step:
            step.loop.run("Solve it.", opening=opened(first, where=endpoint(server)).messages)
            again = step.transcript.read_bytes()
        assert server.requests[2].body["messages"] == list(first.messages)
    second = read_transcript(again)
    assert second is not None
    assert second.messages[: len(first.messages)] == first.messages
    assert second.ending is Ending.ACCEPTED


def test_a_full_disk_ends_the_work_before_the_next_command(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full to stand for a full disk")

    def fill(_report: object) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, step.loop._transcript._file.fileno())
        os.close(full)

    calls = [call("bash", {"command": f"touch {name}"}) for name in ("first", "second")]
    with strict_server([say(calls[0])]) as server, agent_step(tmp_path, endpoint(server), watcher=fill) as step:
        with pytest.raises(Unreachable, match="No space left"):
            step.run()
        assert (step.checkout / "first").exists()
        assert len(step.sandbox.commands) == 1
        assert len(server.requests) == 1
        assert [json.loads(line)["event"] for line in step.transcript.read_text().splitlines()][-1] == "usage"
