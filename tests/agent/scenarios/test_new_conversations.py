"""What of an earlier conversation may be sent again, and what not: after a reset, under another model, after a kill.

The server signs every thinking block over all that stood before it, and refuses one that stands anywhere else.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

import pytest

from coordinator.agent.compaction import ResetKind
from coordinator.agent.mending import KILLED
from coordinator.agent.opening import Circumstances, make_opening
from coordinator.agent.protocol import Ending, WorkState
from coordinator.agent.replay import read_transcript
from coordinator.demo.model_rules import ModelLimits
from coordinator.demo.model_script import Broken, Failure, call, say, thinking
from tests.agent.support import DONE, agent_step, asks_for_note, endpoint, results, strict_server

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.demo.model_script import Reply, Step
    from coordinator.demo.model_server import ModelServer

TASK = "Solve issue #7: the parser fails on empty input."
NOTE = f"Done: a.py holds the parser. Failed: a regular expression. Next: the tests. {'More. ' * 40}"
STATE = WorkState(git=" M a.py | 3 +++", verdict="lint failed: a.py:1 F401")


def work(numbers: count[int]) -> Reply:
    """A thought, and a call whose result is long: about 2 000 tokens."""
    number = next(numbers)
    command = f"echo {number} >> log; echo result {number}; seq 1000 2800"
    return say(thinking(f"Thought {number}."), call("bash", {"command": command}))


def thoughts(server: ModelServer, request: int) -> list[str]:
    """The thinking blocks that a request sends back."""
    messages = server.requests[request].body["messages"]
    blocks = [block for message in messages for block in message["content"]]
    return [block["thinking"] for block in blocks if block["type"] == "thinking"]


@pytest.mark.parametrize("kind", [ResetKind.COMPACTED, ResetKind.ROTATED])
def test_no_thought_of_the_old_conversation_is_sent_in_the_new_one(tmp_path: Path, kind: ResetKind) -> None:
    numbers = count(1)
    note = say(thinking("What matters?"), NOTE, when=asks_for_note)
    full = Failure(400, "invalid_request_error", "prompt is too long: 9 > 8")
    before: list[Step] = [work(numbers) for _ in range(8)]
    steps = [note, *before] if kind is ResetKind.COMPACTED else [*before[:6], full, *before[6:]]
    with strict_server([*steps, DONE]) as server:
        limit = 24_000 if kind is ResetKind.COMPACTED else 200_000
        model = endpoint(server, context_limit=limit, max_output_tokens=4_000)
        with agent_step(tmp_path, model, work_state=lambda: STATE) as step:
            assert step.run(TASK).ending is Ending.ACCEPTED
    assert [reset.kind for reset in step.resets] == [kind]
    begun = [number for number, request in enumerate(server.requests) if len(request.body["messages"]) == 1][1]
    (first,) = server.requests[begun].body["messages"]
    assert [block["type"] for block in first["content"]] == ["text"]
    assert first["content"][0]["text"].startswith(TASK)
    old = set(thoughts(server, begun - 1))
    assert len(old) >= 5
    assert all(old.isdisjoint(thoughts(server, number)) for number in range(begun, len(server.requests)))
    assert thoughts(server, -1), "those of the new conversation go back as they came"
    assert (step.checkout / "log").read_text().split() == [str(number) for number in range(1, 9)]


def test_what_one_reply_adds_is_counted_before_the_server_has_to_refuse_it(tmp_path: Path) -> None:
    """The window of the server is just what the profile says, and one reply goes from two thirds beyond it."""
    numbers = count(1)
    large = say(*[call("bash", {"command": f"echo {number}; seq 1000 2999"}) for number in range(4)])
    steps = [*(work(numbers) for _ in range(4)), large, DONE]
    with strict_server(steps, models={"claude-sonnet-5-5": ModelLimits(24_000, 4_000)}) as server:
        small = endpoint(server, context_limit=24_000, max_output_tokens=4_000)
        with agent_step(tmp_path, small) as step:
            assert step.run(TASK).ending is Ending.ACCEPTED
        assert server.refused == []
    assert [reset.kind for reset in step.resets] == [ResetKind.ROTATED]
    assert 0.5 < step.reports[4].context_share < 0.8
    assert len(server.requests) == 6


@pytest.mark.parametrize("how", ["fails", "is empty", "is refused", "overflows"])
def test_until_the_note_is_there_nothing_of_the_old_conversation_is_given_up(tmp_path: Path, how: str) -> None:
    numbers = count(1)
    notes: dict[str, Step] = {
        "fails": Failure(500, headers={"x-should-retry": "false"}, when=asks_for_note),
        "is empty": say(when=asks_for_note),
        "is refused": say("No.", stop_reason="refusal", when=asks_for_note),
        "overflows": Failure(413, "request_too_large", when=asks_for_note),
    }
    with strict_server([notes[how], *(work(numbers) for _ in range(8)), DONE]) as server:
        small = endpoint(server, context_limit=24_000, max_output_tokens=4_000)
        with agent_step(tmp_path, small, work_state=lambda: STATE) as step:
            assert step.run(TASK).ending is Ending.ACCEPTED
    assert [reset.kind for reset in step.resets] == [ResetKind.ROTATED]
    asked = next(number for number, request in enumerate(server.requests) if asks_for_note(request.body))
    assert len(server.requests[asked].body["messages"]) > 10, "the note is asked for in the whole conversation"
    (first,) = server.requests[asked + 1].body["messages"]
    words = first["content"][0]["text"]
    for known in (TASK, STATE.git.strip(), STATE.verdict, "Result: result "):
        assert known in words


@pytest.mark.parametrize(
    "message",
    [
        "Requested token count exceeds the model's maximum context length of 131072 tokens. You requested 131500.",
        "The input (131073 tokens) is longer than the model's context length (131072 tokens).",
    ],
)
def test_an_overflow_in_the_words_of_another_server_is_one_too(tmp_path: Path, message: str) -> None:
    """Those of SGLang, which glm and minimax are often served by (anomalyco/opencode#25231, QwenLM/Qwen3#1321)."""
    numbers = count(1)
    plain = [say(call("bash", {"command": f"echo {next(numbers)}; seq 1000 2800"})) for _ in range(3)]
    refused = Failure(400, "BadRequestError", message)
    with strict_server([*plain, refused, DONE], vendor=False) as server:
        glm = endpoint(server, profile="glm", model="glm-5.2", vendor_features=False, context_limit=128_000)
        with agent_step(tmp_path, glm) as step:
            assert step.run(TASK).ending is Ending.ACCEPTED
    assert [reset.kind for reset in step.resets] == [ResetKind.ROTATED]
    (first,) = server.requests[-1].body["messages"]
    assert first["content"][0]["text"].startswith(TASK)


def broken_off(folder: Path) -> bytes:
    """The transcript of a run whose model could not be reached any more after its first turn."""
    folder.mkdir()
    reply = say(thinking("A private thought."), call("bash", {"command": "echo one >> log; echo what it printed"}))
    with strict_server([reply, *[Broken("reset")] * 3]) as server, agent_step(folder, endpoint(server)) as step:
        assert step.run(TASK).ending is Ending.FAILED
        return step.transcript.read_bytes()


@pytest.mark.parametrize(
    ("profile", "model", "vendor"),
    [("opus", "claude-opus-5-5", True), ("glm", "glm-5.2", False), ("sonnet", "claude-haiku-5-5", True)],
)
def test_another_model_is_told_of_the_conversation_in_words(
    tmp_path: Path, profile: str, model: str, vendor: bool
) -> None:
    replay = read_transcript(broken_off(tmp_path / "one"))
    assert replay is not None
    assert any(block["type"] == "thinking" for message in replay.messages for block in message["content"])
    with strict_server([DONE], vendor=vendor) as server:
        other = endpoint(server, profile=profile, model=model, vendor_features=vendor, context_limit=128_000)
        opening = make_opening(replay, TASK, since=Circumstances(), state=lambda: STATE, endpoint=other)
        (tmp_path / "two").mkdir()
        with agent_step(tmp_path / "two", other) as step:
            assert step.run(TASK, opening=opening.messages).ending is Ending.ACCEPTED
    messages = server.requests[0].body["messages"]
    assert [[block["type"] for block in message["content"]] for message in messages] == [["text"]]
    words = messages[0]["content"][0]["text"]
    for known in (TASK, STATE.git.strip(), STATE.verdict, "what it printed", "it was led by sonnet"):
        assert known in words
    assert "A private thought." not in words


CALLS = [call("bash", {"command": f"echo {name} >> log"}) for name in ("one", "two")]


@pytest.mark.parametrize(
    "torn", [b"", b'{"event": "message", "role": "user", "content": [{"type": "tool_re'], ids=["whole", "torn"]
)
def test_calls_that_a_kill_left_open_are_answered_and_not_run_again(tmp_path: Path, torn: bytes) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with strict_server([say(thinking("Hm."), "Both.", *CALLS), say("I pause.", stop_reason="refusal"), DONE]) as server:
        with agent_step(tmp_path / "one", endpoint(server)) as step:
            step.run(TASK)
            lines = step.transcript.read_bytes().splitlines(keepends=True)
        asked = next(number for number, line in enumerate(lines) if b'"role": "assistant"' in line)
        replay = read_transcript(b"".join(lines[: asked + 1]) + torn)
        assert replay is not None
        opening = make_opening(replay, TASK, since=Circumstances(), state=lambda: STATE, endpoint=endpoint(server))
        with agent_step(tmp_path / "two", endpoint(server)) as again:
            assert again.run(TASK, opening=opening.messages).ending is Ending.ACCEPTED
        first, second = server.requests[1].body["messages"][1]["content"][-2:]
        assert server.requests[2].body["messages"][:2] == server.requests[1].body["messages"][:2]
    answers = results(server)
    assert [answer["tool_use_id"] for answer in answers] == [first["id"], second["id"]]
    assert [(answer["content"], answer["is_error"]) for answer in answers] == [(KILLED, True)] * 2
    assert not (again.checkout / "log").exists()
    assert again.sandbox.commands == []
    assert json.loads(again.transcript.read_text().splitlines()[0])["event"] == "start"
