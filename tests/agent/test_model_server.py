from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.demo.model_prompt import ApiError
from coordinator.demo.model_rules import MODELS, ModelLimits, check_request
from coordinator.demo.model_script import (
    Broken,
    Computed,
    Failure,
    Reply,
    call,
    is_agent_call,
    load_script,
    say,
    thinking,
    wants_json,
)
from coordinator.demo.model_server import ModelServer
from coordinator.demo.model_stream import broken
from tests.support import API_CANARY

if TYPE_CHECKING:
    from pathlib import Path

USER = {"role": "user", "content": "Hi."}
CALLS: dict[str, Any] = {
    "role": "assistant",
    "content": [
        {"type": "tool_use", "id": "one", "name": "bash", "input": {}},
        {"type": "tool_use", "id": "two", "name": "bash", "input": {}},
    ],
}
ONE = {"type": "tool_result", "tool_use_id": "one", "content": "1"}
TWO = {"type": "tool_result", "tool_use_id": "two", "content": "2", "is_error": True}
TOOL = {"name": "bash", "description": "Runs.", "input_schema": {"type": "object", "properties": {}}}
BODY: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [USER]}


def user(*blocks: object) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: object) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def post(
    url: str, body: object, *, key: str | None = None, headers: dict[str, str] | None = None, path: str = "/v1/messages"
) -> tuple[int, Any]:
    """Call the server with the standard library's client, and return status and document."""
    fields = {
        "anthropic-version": "2026-10-21",
        **({"Authorization": f"Bearer {key}"} if key else {}),
        **(headers or {}),
    }
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, fields)  # noqa: S310  (loopback)  (loopback)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (loopback)  (loopback)
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [USER, CALLS, user(ONE, TWO, {"type": "text", "text": "and"})], "tools": [TOOL]},
        {
            "messages": [
                user({"type": "text", "text": "a"}),
                assistant({"type": "redacted_thinking", "data": "x"}),
                USER,
            ]
        },
        {"tool_choice": {"type": "none"}, "tools": [TOOL], "system": [{"type": "text", "text": "Be kind."}]},
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "string"}}, "effort": "low"}},
        {"messages": [USER, CALLS, user({**ONE, "content": [{"type": "text", "text": "1"}]}, TWO)]},
        {"cache_control": {"type": "ephemeral", "ttl": "1h"}, "thinking": {"type": "adaptive"}, "stream": True},
    ],
)
def test_what_the_api_takes(change: dict[str, Any]) -> None:
    check_request({**BODY, **change}, models=MODELS, vendor=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.5}, "`temperature` is not supported"),
        ({"top_p": 1}, "`top_p`"),
        ({"top_k": 1}, "`top_k`"),
        ({"thread": {}}, "thread: Extra inputs are not permitted"),
        ({"max_tokens": None}, "max_tokens: Input should be a valid int"),
        ({"output_config": {"format": {"type": "json_schema", "schema": 3}}}, "output_config.format"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid int"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"max_tokens": 128_001}, "128001 > 128000, which is the maximum"),
        ({"messages": []}, "at least one message"),
        ({"messages": [assistant({"type": "text", "text": "x"})]}, 'first message must use the "user" role'),
        ({"messages": [USER, USER]}, "roles must alternate"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role: Input should be"),
        ({"messages": ["x"]}, "object with `role` and `content`"),
        ({"messages": [{**USER, "name": "x"}]}, "object with `role` and `content`"),
        ({"messages": [user()]}, "non-empty content"),
        ({"messages": [{"role": "user", "content": 3}]}, "valid list"),
        ({"messages": [user("x")]}, "valid list"),
        ({"messages": [{"role": "user", "content": ""}]}, "must be non-empty"),
        ({"messages": [user({"type": "text", "text": " \n"})]}, "non-whitespace"),
        ({"messages": [user({"type": "text"})]}, "valid string"),
        ({"messages": [user({"type": "text", "text": "x", "more": 1})]}, "text.more: Extra inputs"),
        ({"messages": [user({"type": "surprise"})]}, "`surprise` blocks are not allowed"),
        ({"messages": [user(CALLS["content"][0])]}, "`tool_use` blocks are not allowed in a message of the user"),
        ({"messages": [USER, assistant({"type": "text", "text": "x"})]}, "prefill"),
        ({"messages": [USER, CALLS]}, "without `tool_result` blocks immediately after: one, two"),
        ({"messages": [USER, CALLS, user(ONE)]}, "immediately after: two"),
        ({"messages": [USER, CALLS, USER]}, "immediately after: one, two"),
        ({"messages": [user(ONE)]}, "unexpected `tool_use_id`"),
        (
            {"messages": [USER, CALLS, user(ONE, TWO), assistant({"type": "text", "text": "x"}), user(ONE)]},
            "unexpected",
        ),
        ({"messages": [USER, CALLS, user(ONE, TWO, ONE)]}, "single result"),
        ({"messages": [USER, CALLS, user({"type": "text", "text": "x"}, ONE, TWO)]}, "must come first"),
        ({"messages": [USER, CALLS, user(ONE, {**TWO, "content": ""})]}, "cannot be empty if `is_error`"),
        ({"messages": [USER, CALLS, user(ONE, {**TWO, "content": 3})]}, "valid string or list"),
        ({"messages": [USER, CALLS, user(ONE, {**TWO, "content": [{"type": "image"}]})]}, "list of text blocks"),
        ({"messages": [USER, assistant(*CALLS["content"], CALLS["content"][0]), user(ONE, TWO)]}, "must be unique"),
        ({"messages": [USER, assistant({**CALLS["content"][0], "input": "x"}), user(ONE)]}, "valid dictionary"),
        ({"messages": [USER, assistant({**CALLS["content"][0], "id": "a b"}), user(ONE)]}, "should match pattern"),
        ({"messages": [USER, assistant({"type": "thinking", "thinking": "x"}), USER]}, "signature"),
        (
            {"messages": [USER, assistant({"type": "thinking", "thinking": "x", "signature": "y"}), USER]},
            "Invalid `sign",
        ),
        ({"tools": {}}, "tools: Input should be a valid list"),
        ({"tools": ["x"]}, "tools.0.name"),
        ({"tools": [{**TOOL, "name": "a b"}]}, "tools.0.name"),
        ({"tools": [{"name": "bash", "type": "bash_20250124"}]}, "tools.0.input_schema: Field required"),
        ({"tools": [{**TOOL, "type": "of_tomorrow"}]}, "tools.0.type: Input should be 'custom'"),
        ({"tools": [{**TOOL, "input_schema": {"type": "array"}}]}, "input_schema.type"),
        ({"tools": [{**TOOL, "more": 1}]}, "tools.0.more: Extra inputs"),
        ({"tools": [TOOL, TOOL]}, "names must be unique"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tool_choice": {"type": "tool", "name": "bash"}}, "tool_choice"),
        ({"thinking": {"type": "disabled"}}, "thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking"),
        ({"cache_control": {"type": "persistent"}}, "cache_control"),
        ({"system": ""}, "system: text"),
        ({"system": 3}, "system: Input"),
        ({"system": [{"type": "text"}]}, "system: text"),
        ({"output_config": {"style": "x"}}, "output_config"),
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "additionalProperties"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"anyOf": [{"minimum": 1}]}}}},
            "'minimum' is not supported",
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"properties": {"a": {"maxLength": 1}}}}}},
            "'maxLength' is not supported",
        ),
    ],
)
def test_what_the_api_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_request({**BODY, **change}, models=MODELS, vendor=True)
    assert message in caught.value.message
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request_error")


@pytest.mark.parametrize("missing", ["model", "messages", "max_tokens"])
def test_what_the_api_asks_for(missing: str) -> None:
    with pytest.raises(ApiError, match=f"{missing}: Field required"):
        check_request({name: value for name, value in BODY.items() if name != missing}, models=MODELS, vendor=True)


def test_the_window_and_the_model_are_checked() -> None:
    small = {"small": ModelLimits(window=1_000, max_output=900)}
    with pytest.raises(ApiError, match="prompt is too long: 1009 tokens > 1000 maximum"):
        check_request({**BODY, "model": "small", "messages": [user_text("x" * 4_000)]}, models=small, vendor=True)
    with pytest.raises(ApiError, match=r"exceed context limit: \d+ \+ 900 > 1000"):
        check_request(
            {**BODY, "model": "small", "messages": [user_text("x" * 400)], "max_tokens": 900}, models=small, vendor=True
        )
    with pytest.raises(ApiError) as caught:
        check_request(BODY, models=small, vendor=True)
    assert (caught.value.status, caught.value.kind) == (404, "not_found_error")


def user_text(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("field", ["cache_control", "thinking"])
def test_a_compatible_server_is_not_asked_for_what_it_drops(field: str) -> None:
    with pytest.raises(ApiError, match=field):
        check_request({**BODY, field: {"type": "ephemeral"}}, models=MODELS, vendor=False)


def test_thinking_is_bound_to_everything_before_it() -> None:
    with ModelServer([say(thinking("Hm."), "So."), say("ok"), say("ok")]) as server:
        _, first = post(server.url, {**BODY, "system": "Be kind.", "tools": [TOOL]})
        history = [USER, {"role": "assistant", "content": first["content"]}, USER]
        same = {**BODY, "system": "Be kind.", "tools": [TOOL], "messages": history}
        assert post(server.url, same)[0] == 200
        changes: list[dict[str, Any]] = [
            {"system": "Be rude."},
            {"tools": []},
            {"messages": [user_text("Changed."), *history[1:]]},
        ]
        for change in changes:
            status, answer = post(server.url, {**same, **change})
            assert status == 400
            assert "Invalid `signature`" in answer["error"]["message"]
        unsigned = [{**first["content"][0], "thinking": "Changed."}]
        assert post(server.url, {**same, "messages": [USER, assistant(*unsigned), USER]})[0] == 400
    assert len(server.refused) == 4


def test_keys_versions_paths_and_bodies_are_checked() -> None:
    with ModelServer([say("ok"), say("ok")], key=API_CANARY) as server:
        assert post(server.url, BODY) == (
            401,
            {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}},
        )
        assert post(server.url, BODY, key="wrong")[0] == 401
        assert server.requests == []
        assert post(server.url, BODY, key=API_CANARY)[0] == 200
        assert post(server.url, BODY, headers={"x-api-key": API_CANARY})[0] == 200
        assert post(server.url, BODY, key=API_CANARY, headers={"anthropic-version": ""})[0] == 400
        assert post(server.url, b"{", key=API_CANARY)[0] == 400
        assert post(server.url, [], key=API_CANARY)[0] == 400
        status, answer = post(server.url, BODY, key=API_CANARY, path="/v2/messages")
        assert (status, answer["error"]["type"]) == (404, "not_found_error")
        assert server.steps_left == 0


def test_a_plain_reply_is_a_message_with_its_usage() -> None:
    with ModelServer([say("Hello.", call("bash", {"command": "ls"}))]) as server:
        status, answer = post(server.url, BODY)
    assert status == 200
    assert answer["stop_reason"] == "tool_use"
    assert answer["content"][1]["id"] == "toolu_0001"
    prompt = len(json.dumps("") + json.dumps(USER)) + 1
    assert answer["usage"]["input_tokens"] == -(-prompt // 4)
    assert (server.bill.calls, server.bill.input_tokens) == (1, answer["usage"]["input_tokens"])


def test_the_cache_covers_what_two_prompts_share() -> None:
    body = {**BODY, "cache_control": {"type": "ephemeral"}, "system": "S" * 4_000}
    with ModelServer([say("a"), say("b"), say("c")]) as server:
        first = post(server.url, body)[1]["usage"]
        history = [USER, {"role": "assistant", "content": "a"}, USER]
        second = post(server.url, {**body, "messages": history})[1]["usage"]
        third = post(server.url, {**body, "system": "T" * 4_000})[1]["usage"]
    assert first["cache_read_input_tokens"] == 0
    assert first["cache_creation_input_tokens"] > 1_000
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert 0 < second["cache_creation_input_tokens"] < 100
    assert third["cache_read_input_tokens"] < 5
    assert first["input_tokens"] == second["input_tokens"] == 0


def test_steps_are_taken_in_order_by_those_who_want_them() -> None:
    planning = {
        **BODY,
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "string"}}},
        "tools": [TOOL],
    }
    working = {**BODY, "tools": [TOOL]}
    script: list[Any] = [
        Computed(lambda body: say(f"{len(body['tools'])} tools"), when=is_agent_call),
        say("second", when=is_agent_call),
        say('"plan"', when=wants_json, repeat=True),
        lambda body: say(str(body["max_tokens"])),
    ]
    with ModelServer(script) as server:
        texts = [post(server.url, body)[1]["content"][0]["text"] for body in (BODY, working, BODY, working, working)]
        assert texts == ['"plan"', "1 tools", '"plan"', "second", "100"]
        assert post(server.url, planning)[1]["content"][0]["text"] == '"plan"'
        assert server.steps_left == 0
        status, answer = post(server.url, working)
    assert status == 500
    assert "script exhausted: no step is left for request 7" in answer["error"]["message"]


def test_failures_have_status_headers_and_page() -> None:
    script = [Failure(429, "rate_limit_error", "slow", {"retry-after": "3"}), Failure(502, page="<p>Bad gateway</p>")]
    with ModelServer(script) as server:
        assert post(server.url, BODY)[1]["error"] == {"type": "rate_limit_error", "message": "slow"}
        with pytest.raises(json.JSONDecodeError):
            post(server.url, BODY)


def test_an_unknown_way_to_break_is_named() -> None:
    with pytest.raises(ValueError, match=r"error_event, eof, .*, not by magic"):
        broken(Broken("magic"), {"content": []})


def test_the_pace_slows_a_stream(tmp_path: Path) -> None:
    del tmp_path
    with ModelServer([say("Hello.")], pace=0.02) as server:
        started = time.monotonic()
        data = json.dumps({**BODY, "stream": True}).encode()
        request = urllib.request.Request(f"{server.url}/v1/messages", data, {"anthropic-version": "x"})  # noqa: S310  (loopback)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (loopback)  (loopback)
            lines = answer.read().decode().splitlines()
    assert time.monotonic() - started > 0.1
    assert lines[0] == "event: message_start"
    assert json.loads(lines[-2].removeprefix("data: ")) == {"type": "message_stop"}


SCRIPT = [
    {"reply": ['{"level": "easy"}'], "when": "planning", "repeat": True},
    {"fail": 529, "error": "overloaded_error", "message": "Overloaded", "headers": {"retry-after": "0"}},
    {"break": "eof", "reply": ["half"]},
    {"reply": ["Look.", {"tool": "bash", "input": {"command": "ls"}}, thinking("x")], "when": "agent"},
    {"reply": ["cut"], "stop_reason": "max_tokens"},
]


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT))
    planning, fail, cut, work, last = load_script(path)
    assert isinstance(planning, Reply)
    assert planning.repeat
    assert planning.when is wants_json
    assert fail == Failure(529, "overloaded_error", "Overloaded", {"retry-after": "0"})
    assert cut == Broken("eof", ({"type": "text", "text": "half"},))
    assert isinstance(work, Reply)
    assert work.blocks[1] == {"type": "tool_use", "name": "bash", "input": {"command": "ls"}}
    assert isinstance(last, Reply)
    assert last.stop_reason == "max_tokens"


@pytest.mark.parametrize(
    "step", [{}, {"reply": []}, {"when": "never", "reply": ["x"]}, "text", {"reply": [{"tool": "bash"}]}]
)
def test_a_step_that_is_none_is_named(tmp_path: Path, step: object) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"reply": ["ok"]}, step]))
    with pytest.raises(ValueError, match=r"script\.json: step 2 is no step"):
        load_script(path)


def test_a_script_that_is_no_list_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="a script is a list"):
        load_script(path)


def test_the_server_runs_as_a_process_and_prints_its_address(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT))
    command = [sys.executable, "-m", "coordinator.demo.model_server", "--script", str(path), "--key", API_CANARY]
    with subprocess.Popen([*command, "--compatible"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            status, answer = post(url, BODY, key=API_CANARY)
            refused, _ = post(url, {**BODY, "thinking": {"type": "adaptive"}}, key=API_CANARY)
        finally:
            process.send_signal(signal.SIGTERM)
    assert (status, answer["content"][0]["text"]) == (200, '{"level": "easy"}')
    assert refused == 400
    assert process.returncode == 0
