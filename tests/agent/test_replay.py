"""Transcripts of real agent steps, torn and damaged in every place: what is left is always a history that fits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.agent.mending import GO_ON, KILLED, answered, is_sound, open_calls
from coordinator.agent.protocol import Ending, Submission, Usage
from coordinator.agent.replay import read_transcript
from coordinator.agent.transcript import Transcript
from coordinator.demo.model_rules import MODELS, check_request
from coordinator.demo.model_script import call, say, text, thinking
from tests.agent.support import DONE, Judge, agent_step, endpoint, redact, strict_server
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coordinator.agent.replay import Replay
    from coordinator.agent.reply import Message

BASH = call("bash", {"command": "true"}, identifier="one")


def line(event: str, **fields: Any) -> bytes:
    return json.dumps({"event": event, "time": 1.0, **fields}).encode() + b"\n"


def lines(*events: bytes) -> bytes:
    return START + b"".join(events)


def said(role: str, *blocks: object, **more: object) -> bytes:
    return line("message", role=role, content=list(blocks), **more)


def result(identifier: str = "one", content: str = "[exit code 0]") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identifier, "content": content}


START = line("start", profile="sonnet", model="claude-sonnet-5-5")
TASK = said("user", text("Do it."))


def replayed(*events: bytes) -> Replay:
    replay = read_transcript(lines(*events))
    assert replay is not None
    return replay


def check_by_the_api(messages: Sequence[Message], *, model: str = "claude-sonnet-5-5") -> None:
    """See that the API takes a request with these messages. Signatures are not looked at: they cover the tools too."""
    unsigned = [
        {**one, "content": [block for block in one["content"] if block["type"] != "thinking"] or [text("(thought)")]}
        for one in messages
    ]
    check_request({"model": model, "max_tokens": 100, "messages": unsigned}, models=MODELS, vendor=True)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the transcript of an agent step with every kind of event that one has without a reset."""
    folder = tmp_path_factory.mktemp("real")
    rejected = Submission(accepted=False, final=False, text="Rejected: lint.")
    script = [
        say(thinking("Hm."), "I look.", call("bash", {"command": "echo a"}), call("bash", {"command": "echo b"})),
        say("half", stop_reason="pause_turn"),
        say("and whole", call("edit", {"path": "new.txt", "old": "", "new": "é\n"})),
        say(call("submit", {"summary": "One"})),
        say("I only talk."),
        say(call("bash", {"command": "echo c"}), call("submit", {"summary": "Two"})),
    ]
    accepted = Submission(accepted=True, final=False, text="Accepted.")
    with (
        strict_server(script) as server,
        agent_step(folder, endpoint(server), judge=Judge([rejected, accepted])) as step,
    ):
        assert step.run().ending is Ending.ACCEPTED
        return step.transcript.read_bytes()


def test_a_whole_transcript_is_read_as_it_was_written(real: bytes) -> None:
    replay = read_transcript(real)
    assert replay is not None
    assert (replay.profile, replay.model, replay.ending) == ("sonnet", "claude-sonnet-5-5", Ending.ACCEPTED)
    assert (replay.verdict, replay.accepted, replay.turns) == ("Accepted.", True, 6)
    assert replay.faithful
    assert replay.open_calls == ()
    assert replay.warnings == ()
    assert replay.usage.output_tokens > 0
    assert replay.cost_usd > 0
    check_by_the_api(replay.messages)


def test_what_is_sent_again_is_what_was_sent(tmp_path: Path) -> None:
    script = [say(thinking("Hm."), BASH), say("half", stop_reason="pause_turn"), say("whole"), DONE]
    with strict_server(script) as server, agent_step(tmp_path, endpoint(server)) as step:
        step.run()
        whole = step.transcript.read_bytes()
    for request in server.requests:
        history = request.body["messages"]
        if history[-1]["role"] != "user":
            continue
        size = sum(len(one["content"]) for one in history)
        events = whole.splitlines(keepends=True)
        cuts = [b"".join(events[:end]) for end in range(2, len(events))]
        found = [replay.messages for replay in map(read_transcript, cuts) if replay and replay.open_calls == ()]
        assert tuple(history) in found, size


def test_it_may_be_torn_at_every_byte(real: bytes) -> None:
    before = 0
    first = len(real.splitlines(keepends=True)[0]) + len(real.splitlines(keepends=True)[1])
    for end in range(len(real)):
        replay = read_transcript(real[:end])
        if replay is None:
            assert end < first
            continue
        assert end >= first - 1
        assert replay.warnings == ()
        assert replay.faithful
        assert replay.messages[-1]["role"] == "user"
        check_by_the_api(replay.messages)
        assert len(replay.messages) >= before, "nothing that was there gets lost"
        before = len(replay.messages)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_no_damage_makes_a_history_that_the_api_refuses(real: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(real) - 1))
    size = data.draw(st.integers(0, 400))
    garbage = data.draw(st.binary(max_size=20))
    replay = read_transcript(real[:at] + garbage + real[at + size :])
    if replay is not None and replay.faithful:
        check_by_the_api(replay.messages)


# What is open.


def test_open_calls_are_answered_in_their_order() -> None:
    calls = [call("bash", {"command": str(n)}, identifier=f"c{n}") for n in range(3)]
    replay = replayed(TASK, said("assistant", *calls))
    assert replay.open_calls == ("c0", "c1", "c2")
    answer = replay.messages[-1]
    assert answer == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": f"c{n}", "content": KILLED, "is_error": True} for n in range(3)
        ],
    }
    check_by_the_api(replay.messages)


def test_results_that_are_there_are_kept_and_come_first() -> None:
    calls = [call("bash", {"command": str(n)}, identifier=f"c{n}") for n in range(3)]
    replay = replayed(TASK, said("assistant", *calls), said("user", text("Mind this."), result("c1", "kept")))
    assert replay.open_calls == ("c0", "c2")
    contents = [block.get("content", block.get("text")) for block in replay.messages[-1]["content"]]
    assert contents == [KILLED, "kept", KILLED, "Mind this."]
    check_by_the_api(replay.messages)


def test_a_submission_that_was_judged_gets_its_verdict() -> None:
    calls = [BASH, *(call("submit", {"summary": "x"}, identifier=name) for name in ("first", "second"))]
    verdict = line("verdict", accepted=False, final=False, text="Rejected: lint.")
    replay = replayed(TASK, said("assistant", *calls), verdict)
    assert [block["content"] for block in replay.messages[-1]["content"]] == [KILLED, "Rejected: lint.", KILLED]
    assert (replay.verdict, replay.ending) == ("Rejected: lint.", None)


def test_a_verdict_that_became_a_result_is_not_given_to_the_next_submission() -> None:
    verdict = line("verdict", accepted=False, final=False, text="Rejected: lint.")
    first, second = (call("submit", {"summary": "x"}, identifier=name) for name in ("first", "second"))
    answer = said("user", result("first", "Rejected: lint."))
    replay = replayed(TASK, said("assistant", first), verdict, answer, said("assistant", second))
    assert [block["content"] for block in replay.messages[-1]["content"]] == [KILLED]


def test_a_reply_without_calls_is_told_to_go_on() -> None:
    replay = replayed(TASK, said("assistant", text("I think.")))
    assert replay.messages[-1] == {"role": "user", "content": [{"type": "text", "text": GO_ON}]}
    check_by_the_api(replay.messages)


# How it ended.


@pytest.mark.parametrize(
    ("accepted", "final", "ending"),
    [(True, False, Ending.ACCEPTED), (False, True, Ending.REJECTED), (False, False, None)],
)
def test_a_kill_right_after_the_last_verdict_is_the_end_all_the_same(
    accepted: bool, final: bool, ending: Ending | None
) -> None:
    submitted = said("assistant", call("submit", {"summary": "x"}, identifier="one"))
    replay = replayed(TASK, submitted, line("verdict", accepted=accepted, final=final, text="So."))
    assert replay.ending is ending


def test_the_end_and_its_reason_are_known() -> None:
    used = line("usage", **Usage(input_tokens=5, output_tokens=2).model_dump(), cost_usd=0.25)
    replay = replayed(TASK, said("assistant", BASH), used, line("end", ending="budget", reason="It is spent."))
    assert (replay.ending, replay.reason) == (Ending.BUDGET, "It is spent.")
    assert (replay.usage, replay.cost_usd, replay.turns) == (Usage(input_tokens=5, output_tokens=2), 0.25, 1)


# Where the history begins.


def test_a_reset_begins_a_new_history() -> None:
    verdict = line("verdict", accepted=False, final=False, text="Rejected.")
    handoff = said("user", text("Task and note."))
    replay = replayed(
        TASK, said("assistant", BASH), verdict, line("reset", kind="compacted", note="The note."), handoff
    )
    assert replay.messages == ({"role": "user", "content": [text("Task and note.")]},)
    assert (replay.note, replay.verdict, replay.open_calls) == ("The note.", "Rejected.", ())


def test_a_reset_without_its_message_has_no_history_yet() -> None:
    assert read_transcript(lines(TASK, line("reset", kind="rotated", note=""))) is None


def test_a_note_whose_new_history_never_began_is_kept() -> None:
    replay = replayed(TASK, line("reset", kind="compacted", note="The note."))
    assert (replay.note, replay.messages, replay.faithful) == ("The note.", (), False)


def test_only_the_last_start_counts() -> None:
    first = lines(TASK, said("assistant", BASH), line("end", ending="failed", reason=""), b'{"event": "mess\n')
    replay = read_transcript(first + line("start", profile="opus", model="m") + said("user", text("Again.")))
    assert replay is not None
    assert (replay.profile, replay.ending, replay.turns) == ("opus", None, 0)
    assert replay.warnings == ()


def test_what_an_earlier_run_knew_is_known_still() -> None:
    resumed = line("resumed", how="", note="An old note.", verdict="An old verdict.")
    replay = read_transcript(resumed + lines(TASK))
    assert replay is not None
    assert (replay.note, replay.verdict) == ("An old note.", "An old verdict.")
    newer = read_transcript(resumed + lines(TASK, line("reset", note="A new one."), TASK))
    assert newer is not None
    assert (newer.note, newer.verdict) == ("A new one.", "An old verdict.")
    other = read_transcript(resumed + lines(TASK) + lines(TASK))
    assert other is not None
    assert other.note == ""


# What cannot be read.


def test_there_is_nothing_to_replay_where_nothing_was_begun() -> None:
    assert read_transcript(b"") is None
    assert read_transcript(b"\n\xff\x00 nonsense\n{}\n[1]\n") is None
    assert read_transcript(START) is None
    assert read_transcript(TASK) is None


def test_events_of_a_later_version_are_skipped() -> None:
    replay = replayed(TASK, line("mood", value=1), b"{}\n", said("assistant", text("x"), later=True))
    assert replay.turns == 1
    assert replay.faithful


def test_a_damaged_line_ends_the_reading_and_says_so() -> None:
    answer = said("user", result())
    replay = replayed(TASK, said("assistant", BASH), b'{"event": "message", "role": "us\n', answer, TASK)
    assert replay.warnings == ("line 4 of the transcript is damaged (JSONDecodeError); what follows it is lost",)
    assert not replay.faithful
    assert len(replay.messages) == 3
    check_by_the_api(replay.messages)


@pytest.mark.parametrize(
    "bad",
    [
        line("message", role="system", content=[text("x")]),
        line("message", role="user", content=[]),
        line("message", role="user", content="text"),
        line("verdict", accepted="perhaps"),
        line("end", ending="bored"),
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_that_is_json_and_no_event_is_damage(bad: bytes) -> None:
    replay = replayed(TASK, bad, said("assistant", text("never read")))
    assert replay.turns == 0
    assert "line 3 " in replay.warnings[0]


def test_damage_before_a_reset_does_no_harm() -> None:
    replay = replayed(TASK, b"?\n", line("reset", note="N"), TASK, said("assistant", BASH))
    assert replay.faithful
    assert replay.warnings == ()
    assert replay.turns == 1


@pytest.mark.parametrize(
    "events",
    [
        (said("assistant", text("first")), TASK),
        (TASK, TASK),
        (TASK, said("assistant", BASH), said("user", text("no result")), said("assistant", text("x"))),
        (TASK, said("assistant", BASH), said("user", text("x"), result()), said("assistant", text("x"))),
        (TASK, said("assistant", BASH), said("user", result(), result()), said("assistant", text("x"))),
        (TASK, said("assistant", BASH), said("user", result()), said("assistant", BASH), said("user", result())),
        (said("user", result()),),
    ],
)
def test_messages_that_do_not_fit_together_are_not_sent_again(events: tuple[bytes, ...]) -> None:
    replay = replayed(*events)
    assert not replay.faithful
    assert replay.warnings == ("the messages of the transcript do not fit together, so they are passed on as text",)


def test_a_history_from_which_a_secret_was_taken_is_not_the_one_that_was_sent() -> None:
    assert not replayed(TASK, said("assistant", text("***"), masked=True)).faithful


def test_a_history_that_was_cut_is_not_whole() -> None:
    replay = replayed(TASK, line("cut", bytes=1000), said("user", text("Go on.")), said("assistant", BASH))
    assert is_sound(replay.messages)
    assert not replay.faithful
    assert replay.warnings == ()
    assert replay.turns == 1


# The parts.


def test_nothing_is_open_before_the_first_reply() -> None:
    messages: list[Message] = [{"role": "user", "content": [text("x")]}]
    assert open_calls(messages) == ()
    assert answered(messages, "verdict") == messages
    assert is_sound(messages)


# What the transcript gives away for this.


def write_conversation(transcript: Transcript) -> None:
    transcript.write("start", profile="p", model="m")
    transcript.write("message", role="user", content=[text("Do it.")])
    transcript.write("verdict", accepted=False, final=False, text="Rejected.")


def test_the_history_is_what_a_replay_needs_and_no_more(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", redact) as transcript:
        assert transcript.history(1000) == b""
        transcript.write("resumed", how="", note="Old.", verdict="")
        assert transcript.history(1000) == b""
        write_conversation(transcript)
        transcript.write("message", role="user", content=[text("long ago")])
        assert transcript.history(10_000) == transcript.path.read_bytes()
        transcript.write("reset", kind="rotated", note="New.")
        transcript.write("message", role="user", content=[text("Go on.")])
        history = transcript.history(10_000)
    assert b"long ago" not in history
    names = [json.loads(each)["event"] for each in history.splitlines()]
    assert names == ["resumed", "start", "verdict", "reset", "message"]
    replay = read_transcript(history)
    assert replay is not None
    assert (replay.note, replay.verdict, replay.turns) == ("New.", "Rejected.", 0)


def test_an_earlier_step_in_the_same_file_is_no_part_of_the_history(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", redact) as transcript:
        write_conversation(transcript)
        transcript.write("start", profile="p2", model="m")
        transcript.write("reset", kind="rotated", note="")
        transcript.write("message", role="user", content=[text("x")])
        names = [json.loads(each)["event"] for each in transcript.history(10_000).splitlines()]
    assert names == ["start", "reset", "message"]


def test_a_history_beyond_the_limit_keeps_its_last_messages_whole(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", redact) as transcript:
        write_conversation(transcript)
        for number in range(50):
            transcript.write("message", role="user", content=[text(f"{number} {'x' * 100}")])
        history = transcript.history(1000)
    first, cut, *rest = [json.loads(each) for each in history.splitlines()]
    assert (first["event"], cut["event"]) == ("start", "cut")
    assert cut["bytes"] > 5000
    assert len(rest) >= 4
    assert rest[-1]["content"][0]["text"].startswith("49 ")
    replay = read_transcript(history)
    assert replay is not None
    assert replay.profile == "p"
    assert not replay.faithful


def test_a_listener_is_told_of_what_is_on_disk(tmp_path: Path) -> None:
    heard: list[tuple[str, bool]] = []
    with Transcript(tmp_path / "t.jsonl", redact) as transcript:
        transcript.listener = lambda event, fields: heard.append(
            (event, str(fields["text"]).encode() in transcript.path.read_bytes())
        )
        transcript.write("verdict", text="There.")
    assert heard == [("verdict", True)]


def test_a_message_from_which_a_secret_was_taken_says_so(tmp_path: Path) -> None:
    with Transcript(tmp_path / "t.jsonl", redact) as transcript:
        transcript.write("message", role="user", content=[text("clean")])
        transcript.write("message", role="user", content=[text(API_CANARY)])
        transcript.write("message", role="user", content=[{API_CANARY: 1}])
    found = [json.loads(each).get("masked") for each in transcript.path.read_bytes().splitlines()]
    assert found == [None, True, True]
