"""Putting a reply together out of its events, and writing the body of a request."""

from __future__ import annotations

import json
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.agent.conversation import user_message
from coordinator.agent.protocol import Usage
from coordinator.agent.reply import UnusableReply, read_reply
from coordinator.agent.streaming import Arrival, read_stream
from coordinator.agent.wire import BodyWriter, encode
from coordinator.demo.model_stream import events

if TYPE_CHECKING:
    from coordinator.agent.reply import Message

CALL = {"type": "tool_use", "id": "c", "name": "bash", "input": {"command": "printf 'ü' \\\n| wc -c", "n": [1, {}]}}
THOUGHT = {"type": "thinking", "thinking": "Hm, a long thought. " * 9, "signature": "signed"}
TEXT = {"type": "text", "text": "Some words of mine. " * 9}


def message(*content: Any, **changes: Any) -> dict[str, Any]:
    usage = {"input_tokens": 7, "output_tokens": 9}
    return {
        "role": "assistant",
        "content": list(content),
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": usage,
        **changes,
    }


def arrived(raw: list[Any]) -> dict[str, object]:
    return read_stream(raw, Arrival(), lambda: None)


def changed(position: int, **fields: Any) -> list[Any]:
    """The events of a reply with one call, one of them changed."""
    raw: list[Any] = events(message(CALL))
    raw[position] = {**raw[position], **fields}
    return raw


def test_a_reply_comes_out_as_it_was_sent() -> None:
    sent = message({"type": "redacted_thinking", "data": "x", "of_tomorrow": None}, THOUGHT, TEXT, CALL)
    assert arrived(list(events(sent))) == sent


def test_what_is_not_known_is_no_fault() -> None:
    raw = changed(3)
    raw.insert(4, {"type": "content_block_delta", "index": 0, "delta": {"type": "of_tomorrow"}})
    raw.insert(5, {"type": "of_tomorrow", "more": 1})
    assert arrived(raw) == message(CALL)


def test_a_count_that_is_left_out_stands_as_it_was() -> None:
    start = {"input_tokens": 7, "cache_read_input_tokens": 5, "output_tokens": 1}
    raw: list[Any] = events(message(TEXT, usage=start))
    raw[-2] = {**raw[-2], "usage": {"input_tokens": None, "output_tokens": 3}}
    arrival = Arrival()
    read_stream(raw, arrival, lambda: None)
    assert arrival.usage == Usage(input_tokens=7, cache_read_tokens=5, output_tokens=3)


def test_a_call_without_input_is_whole_without_a_piece_of_it() -> None:
    """The API begins the input of a call with an empty piece."""
    raw = changed(3, delta={"type": "input_json_delta", "partial_json": ""})[:4] + changed(3)[-3:]
    assert arrived(raw) == message({**CALL, "input": {}})


@pytest.mark.parametrize(
    "raw",
    [
        [],
        changed(0)[1:],
        changed(3)[:-1],
        changed(2, index=1),
        changed(3, index=1),
        changed(3, index=-1),
        changed(3, delta={"type": "text_delta", "text": "no call"}),
        changed(3, delta={"type": "input_json_delta", "partial_json": 5}),
        changed(3, delta={"type": "input_json_delta", "partial_json": "{"}),
        changed(3, delta={"type": "input_json_delta", "partial_json": '{"n": NaN}'})[:4] + changed(3)[-3:],
        changed(3, delta={"type": "input_json_delta", "partial_json": '{"n": 1e999}'})[:4] + changed(3)[-3:],
        changed(0, message={}),
        changed(-2, usage=None),
    ],
)
def test_what_does_not_fit_together_is_no_reply(raw: list[Any]) -> None:
    with pytest.raises(UnusableReply):
        arrived(raw)


@pytest.mark.parametrize("raw", ["text", None, {"no": "type"}, {"type": "message_start", "message": []}])
def test_what_is_no_event_is_a_fault_of_the_server(raw: object) -> None:
    with pytest.raises(ValueError, match="validation error"):
        arrived([raw])


def test_of_a_reply_that_was_cut_only_the_last_call_may_be_in_part() -> None:
    raw: list[Any] = events(message(CALL, {**CALL, "id": "d"}, stop_reason="max_tokens"))
    first, second = read_reply(arrived(raw)).calls
    assert (first.arguments, first.fault) == (CALL["input"], None)
    assert second.fault
    assert second.arguments == {}
    torn = next(at for at, event in enumerate(raw) if event["type"] == "content_block_delta")
    with pytest.raises(UnusableReply, match="incomplete"):
        arrived(raw[:torn] + raw[torn + 1 :])


def test_replies_may_be_read_side_by_side() -> None:
    """Filters of warnings belong to the whole process: a reader that sets them takes those of the other back."""
    before = list(warnings.filters)
    inside, outside = threading.Event(), threading.Event()
    raw: list[Any] = events(message(TEXT))

    def slow() -> Any:
        yield raw[0]
        inside.set()
        outside.wait(10)
        yield from raw[1:]

    reader = threading.Thread(target=lambda: arrived(slow()))
    reader.start()
    assert inside.wait(10)
    during = list(warnings.filters)
    outside.set()
    reader.join()
    assert during == before


# Bodies of requests.


def test_a_body_is_the_json_of_its_parts_whatever_was_sent_before() -> None:
    writer, history = (
        BodyWriter(),
        [user_message("Täsk 😀 \x00")],
    )
    other: list[Message] = [user_message("Another."), user_message("conversation")]
    longer = [*history, user_message("more"), user_message("still more")]
    noted = [*longer[:-1], user_message("another end")]
    for messages in (history, longer, longer, noted, longer, history, other, []):
        body = writer.write({"max_tokens": 1}, messages, {"model": "m", "stream": True})
        assert body == encode({"max_tokens": 1, "messages": messages, "model": "m", "stream": True})
        assert json.loads(body)["messages"] == messages


def test_a_message_is_encoded_once() -> None:
    writer, history = BodyWriter(), [user_message("one"), user_message("two")]
    writer.write({"a": 1}, history, {"b": 1})
    history[0]["content"][0]["text"] = "changed, which nobody may do"
    body = writer.write({"a": 1}, [*history, user_message("three")], {"b": 1})
    assert [message["content"][0]["text"] for message in json.loads(body)["messages"]] == ["one", "two", "three"]


def test_an_equal_message_is_another_one() -> None:
    writer, text = BodyWriter(), user_message("same")
    first = writer.write({"a": 1}, [text], {"b": 1})
    assert writer.write({"a": 1}, [user_message("same")], {"b": 1}) == first


def test_what_is_no_json_is_not_sent() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"number": float("nan")})
