"""One tiny tool call over real HTTP: what is sent, and what is said of servers good and bad."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from coordinator.agent.model import Patience
from coordinator.agent.protocol import Price
from coordinator.demo.model_rules import ModelLimits
from coordinator.demo.model_script import Broken, Failure, call, say, text, thinking
from coordinator.demo.model_server import ModelServer
from coordinator.demo.model_stream import whole
from coordinator.doctor.endpoint_findings import trial_findings
from coordinator.doctor.endpoint_trial import LONGEST_REPLY, try_endpoint
from tests.agent.support import endpoint
from tests.doctor.support import Answer, OddServer
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.doctor.endpoint_trial import Trial
    from coordinator.doctor.models import Finding

QUICK = Patience(tries=2, first_wait=0.01, stall=5.0)
GOOD = say(call("echo", {"text": "ready"}))
HOUSE = "house/model-7b"
SMALL = {HOUSE: ModelLimits(128_000, 16_000)}


def tried(model: ModelEndpoint, *, seconds: float = 20.0, patience: Patience = QUICK) -> Trial:
    return try_endpoint(model, deadline=time.monotonic() + seconds, patience=patience)


def house(server: ModelServer | str, **changes: Any) -> ModelEndpoint:
    """An endpoint of one's own, at a compatible server, without a key."""
    fields: dict[str, Any] = {
        "profile": "house",
        "model": HOUSE,
        "api_key": SecretStr(""),
        "context_limit": 128_000,
        "max_output_tokens": 16_000,
        "price": Price(),
        "vendor_features": False,
    }
    return endpoint(server, **{**fields, **changes})


def found(trial: Trial) -> dict[str, Finding]:
    """What was found, by what it is about; no two findings are about the same, and none shows the key."""
    findings = list(trial_findings(trial))
    profile = trial.endpoint.profile
    named = {finding.name.removeprefix(f"{profile} "): finding for finding in findings}
    assert len(named) == len(findings)
    assert all(finding.name.startswith(f"{profile} ") for finding in findings)
    assert all(finding.mend for finding in findings if finding.state.value != "ok")
    assert API_CANARY not in repr(findings) + repr(trial)
    return named


def states(trial: Trial) -> dict[str, str]:
    return {about: finding.state.value for about, finding in found(trial).items()}


def of_house(script: Sequence[Any], about: str) -> Finding:
    """What is found about one thing at a compatible server with this script."""
    with ModelServer(script, models=SMALL, vendor=False) as server:
        return found(tried(house(server)))[about]


def test_a_good_endpoint_of_the_vendor() -> None:
    with ModelServer([GOOD], key=API_CANARY) as server:
        trial = tried(endpoint(server))
    named = found(trial)
    assert list(named) == [
        *("endpoint", "tool call", "stream", "usage", "thinking", "cache", "price", "window", "trial"),
    ]
    assert {finding.state for finding in named.values()} == {"ok"}
    assert named["endpoint"].message == f"{server.url.removeprefix('http://')} answers and knows claude-sonnet-5-5"
    assert named["price"].message == "2 dollars per million tokens in, 10 out"
    assert named["window"].message == "1000000 tokens, of which the profile uses 200000"
    bill = server.bill
    assert named["usage"].message == f"counted, {bill.cache_write_tokens} tokens in and {bill.output_tokens} out"
    assert named["cache"].message == f"counted, {bill.cache_write_tokens} tokens"
    cost = (bill.cache_write_tokens * 2.5 + bill.output_tokens * 10) / 1_000_000
    assert named["trial"].message.endswith(
        f" s, {bill.cache_write_tokens + bill.output_tokens} tokens, {cost:.6f} dollars"
    )
    assert trial.cost_usd == pytest.approx(cost)
    assert 0 < trial.seconds < 20
    assert server.refused == []


def test_a_good_endpoint_of_ones_own_is_asked_plainly_and_once() -> None:
    with ModelServer([GOOD], models=SMALL, vendor=False) as server:
        named = found(tried(house(server)))
    assert list(named) == ["endpoint", "tool call", "stream", "usage", "price", "window", "trial"]
    assert {finding.state for finding in named.values()} == {"ok"}
    assert named["price"].message.startswith("0, so ")
    [request] = server.requests
    assert set(request.body) == {"model", "max_tokens", "system", "tools", "messages", "stream"}
    assert request.body["max_tokens"] == LONGEST_REPLY
    [tool] = request.body["tools"]
    assert (tool["name"], set(tool)) == ("echo", {"name", "description", "input_schema"})
    assert "authorization" not in request.headers
    assert server.refused == []


def test_no_more_is_asked_for_than_the_profile_allows() -> None:
    with ModelServer([GOOD], models=SMALL, vendor=False) as server:
        tried(house(server, max_output_tokens=300))
    assert server.requests[0].body["max_tokens"] == 300


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            say("I would rather talk.\nYes."),
            "the tool was not called, the answer was 'I would rather talk. Yes.' (end_turn)",
        ),
        (say(call("echo", {})), 'the tool was called with {} in place of {"text": …}'),
        (say(call("echo", {"text": 3})), "the tool was called with {'text': 3} in place of {\"text\": …}"),
        (say(call("shout", {"text": "ready"})), "a tool was called that there is not: shout"),
        (say(call("echo", {"text": "ready"}), stop_reason="max_tokens"), "the tool was called, but it was cut off by"),
        (say(call("echo", [1])), "the tool was called, but its input must be a JSON object, not '[1]'"),
        (say("…", stop_reason="max_tokens"), "the tool was not called, the answer was '…' (max_tokens)"),
        (say("No.", stop_reason="refusal", stop_details={"category": "cyber"}), "the model declined the trial (cyber)"),
        (say("No.", stop_reason="refusal"), "the model declined the trial (no reason given)"),
    ],
)
def test_a_model_that_does_not_call_the_tool_as_it_should(reply: Any, said: str) -> None:
    finding = of_house([reply], "tool call")
    assert (finding.state, finding.message[: len(said)]) == ("error", said)


@pytest.mark.parametrize(
    "reply",
    [
        say(call("echo", '{"text": "ready"}')),
        say(call("echo", {"text": "ready"}), stop_reason="end_turn"),
        say(thinking("Hm."), "I call it.", call("echo", {"text": "Ready!"})),
    ],
)
def test_calls_that_a_run_can_work_with_are_good(reply: Any) -> None:
    assert of_house([reply], "tool call").state == "ok"


@pytest.mark.parametrize(
    ("usage", "state", "said"),
    [
        ({"input_tokens": 0, "output_tokens": 0}, "warning", "the server counts no tokens, so"),
        ({"output_tokens": 0}, "warning", "the server counts no tokens of replies, so"),
        ({"input_tokens": 7, "output_tokens": 9}, "ok", "counted, 7 tokens in and 9 out"),
    ],
)
def test_a_server_that_does_not_count(usage: dict[str, int], state: str, said: str) -> None:
    reply = say(call("echo", {"text": "ready"}), usage=usage)
    finding = of_house([reply], "usage")
    assert (finding.state.value, finding.message[: len(said)]) == (state, said)
    assert ("budget.run.turns" in finding.mend) == (state == "warning")


def test_a_prompt_that_is_too_short_for_the_cache_is_no_fault() -> None:
    usage = {"input_tokens": 90, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    with ModelServer([say(call("echo", {"text": "ready"}), usage=usage)], key=API_CANARY) as server:
        finding = found(tried(endpoint(server)))["cache"]
    assert (finding.state, finding.message) == ("ok", "not used: so short a prompt need not be cached")


@pytest.mark.parametrize(
    ("failure", "said", "mend"),
    [
        (Failure(401, "authentication_error", "invalid x-api-key"), "refused the key for", "into ANTHROPIC_API_KEY"),
        (Failure(402, "billing_error", "no credit"), "asks for payment for", "Add credit"),
        (Failure(403, "permission_error", "no"), "refused the key for", "may use this model"),
        (Failure(404, "not_found_error", "no"), "does not know the model claude-sonnet-5-5", "agents.sonnet.model"),
        (Failure(307, headers={"location": "http://x.invalid/"}), "redirects the model API", "final address"),
        (Failure(200, page="<title>Log in</title>"), "something that is not the Messages API: '<title>Log", "a proxy"),
    ],
)
def test_an_endpoint_that_refuses(failure: Failure, said: str, mend: str) -> None:
    with ModelServer([failure], key=API_CANARY) as server:
        trial = tried(endpoint(server))
    named = found(trial)
    assert named["endpoint"].state == "error"
    assert said in named["endpoint"].message
    assert mend in named["endpoint"].mend
    assert "tool call" not in named
    assert "trial" not in named, "nothing was billed"
    assert (len(server.requests), trial.cost_usd) == (1, 0)


@pytest.mark.parametrize("how", ["eof", "eof_before_stop", "cut", "reset"])
def test_a_stream_that_ends_too_early_is_paid_for_and_named(how: str) -> None:
    with ModelServer([Broken(how)] * 2, models=SMALL, vendor=False) as server:
        trial = tried(house(server))
    named = found(trial)
    assert named["endpoint"].state == "error"
    assert named["endpoint"].mend.startswith("Find what cuts the stream before its message_stop")
    assert named["trial"].state == "ok"
    assert trial.usage.prompt_tokens == server.bill.input_tokens > 0
    assert server.steps_left == 0


@pytest.mark.parametrize("how", ["empty", "nameless", "bad_json", "wrong_index", "no_usage", "no_stop_reason"])
def test_a_stream_of_another_kind_is_named(how: str) -> None:
    finding = of_house([Broken(how)] * 2, "endpoint")
    assert finding.state == "error"
    assert finding.mend.startswith("Update the server, or put a gateway before it")


@pytest.mark.parametrize("how", ["cut_call", "spoiled_call"])
def test_a_call_that_comes_in_part_is_named(how: str) -> None:
    danger = Broken(how, (call("echo", {"text": "ready"}),))
    finding = of_house([danger] * 2, "endpoint")
    assert finding.state == "error"
    assert "--tool-call-parser" in finding.mend


def test_a_failure_that_passes_is_no_failure() -> None:
    with ModelServer([Failure(529, "overloaded_error"), GOOD], models=SMALL, vendor=False) as server:
        assert set(states(tried(house(server))).values()) == {"ok"}


def test_a_failure_that_stays_is_an_error_without_a_look_at_the_models() -> None:
    with OddServer({"/v1/messages": (503, b"down", {})}) as server:
        named = found(tried(house(server.url)))
        assert [asked.path for asked in server.asked] == ["/v1/messages"] * 2
    assert list(named) == ["endpoint"]
    assert "503" in named["endpoint"].message


def test_an_address_where_nobody_is() -> None:
    finding = found(tried(house("http://127.0.0.1:1")))["endpoint"]
    assert (finding.state, "ConnectError" in finding.message) == ("error", True)
    assert finding.mend.startswith("Check the address")


@pytest.mark.parametrize(
    ("how", "said"), [("late_pings", "had not answered whole when 30 s were over"), ("pings", "said nothing until")]
)
def test_a_reply_that_does_not_come_in_time_is_not_taken_for_a_spent_budget(how: str, said: str) -> None:
    with ModelServer([Broken(how)], models=SMALL, vendor=False) as server:
        started = time.monotonic()
        finding = found(tried(house(server), seconds=0.5))["endpoint"]
    assert time.monotonic() - started < 5
    assert (finding.state, said in finding.message) == ("error", True)
    assert "budget" not in finding.message + finding.mend


def test_a_window_that_does_not_hold_the_trial_is_said() -> None:
    with ModelServer([], models={HOUSE: ModelLimits(10, 10)}, vendor=False) as server:
        finding = found(tried(house(server, max_output_tokens=5)))["endpoint"]
    assert (finding.state, "does not fit into the context" in finding.message) == ("error", True)
    assert finding.mend == "Serve house/model-7b with a larger window (vLLM: --max-model-len)"


@pytest.mark.parametrize("field", ["thinking", "cache_control"])
def test_a_gateway_that_refuses_the_vendors_fields(field: str) -> None:
    refused = Failure(400, "invalid_request_error", f"{field}: Extra inputs are not permitted")
    with ModelServer([refused, GOOD], key=API_CANARY) as server:
        trial = tried(endpoint(server))
    named = found(trial)
    assert {about: one.state.value for about, one in named.items() if one.state != "ok"} == {"thinking": "error"}
    assert f"{field}: Extra inputs are not permitted" in named["thinking"].message
    assert f"Set agents.sonnet.base_url in the configuration to {server.url}" in named["thinking"].mend
    first, second = (set(request.body) for request in server.requests)
    assert first - second == {"thinking", "cache_control"}


def test_a_request_that_is_refused_either_way_is_told_as_it_was_first() -> None:
    first = Failure(400, "invalid_request_error", "tools: not here")
    with ModelServer([first, Failure(401, "authentication_error")], key=API_CANARY) as server:
        named = found(tried(endpoint(server)))
    assert "tools: not here" in named["endpoint"].message
    assert "thinking" not in named
    with ModelServer([first], models=SMALL, vendor=False) as server:
        assert "tools: not here" in found(tried(house(server)))["endpoint"].message
    assert len(server.requests) == 1


# What the server says of the model.


@pytest.mark.parametrize(
    ("window", "state", "mend"),
    [(128_000, "ok", ""), (127_999, "warning", "Set agents.house.context_limit to at most 127999")],
)
def test_a_window_smaller_than_the_profile_counts_on(window: int, state: str, mend: str) -> None:
    with ModelServer([GOOD], models={HOUSE: ModelLimits(window, 16_000)}, vendor=False) as server:
        finding = found(tried(house(server)))["window"]
    assert (finding.state.value, finding.mend) == (state, mend)


def test_a_reply_longer_than_the_model_may_give_would_fail_every_run() -> None:
    models = {"claude-sonnet-5-5": ModelLimits(1_000_000, 31_999)}
    with ModelServer([GOOD], key=API_CANARY, models=models) as server:
        findings = [one for one in trial_findings(tried(endpoint(server))) if one.name == "sonnet window"]
    assert [(one.state.value, one.mend) for one in findings] == [
        ("ok", ""),
        ("error", "Set agents.sonnet.max_output_tokens to at most 31999"),
    ]


@pytest.mark.parametrize(
    ("lifecycle", "end", "said"),
    [
        ("deprecated", "2026-11-30T00:00:00Z", "claude-sonnet-5-5 is deprecated, its end is 2026-11-30"),
        ("retired", None, "claude-sonnet-5-5 is retired"),
    ],
)
def test_a_model_that_ends_soon(lifecycle: str, end: str | None, said: str) -> None:
    card = {"id": "claude-sonnet-5-5", "lifecycle": lifecycle, "retires_at": end}
    answers: dict[str, Answer | None] = {"/v1/models/claude-sonnet-5-5": (200, json.dumps(card).encode(), {})}
    with OddServer(answers) as server:
        finding = found(tried(endpoint(server.url)))["window"]
    assert (finding.state, finding.message) == ("warning", said)


def test_a_server_that_tells_nothing_of_its_models() -> None:
    usage = {"input_tokens": 5, "output_tokens": 5}
    block = call("echo", {"text": "ready"}, identifier="toolu_1")
    message = {"type": "message", "id": "m", "role": "assistant", "model": HOUSE, "content": [block], "usage": usage}
    stream = b"".join(whole({**message, "stop_reason": "tool_use", "stop_sequence": None}).frames)
    with OddServer({"/v1/messages": (200, stream, {"content-type": "text/event-stream"})}) as server:
        named = found(tried(house(server.url)))
        assert [asked.path for asked in server.asked] == ["/v1/messages", "/v1/models/house%2Fmodel-7b", "/v1/models"]
    assert {finding.state for finding in named.values()} == {"ok"}
    assert named["window"].message == "not told by the server; the profile uses 128000 tokens"


@pytest.mark.parametrize("status", [401, 402, 403, 307])
def test_a_server_that_refuses_is_not_asked_about_its_models(status: int) -> None:
    with OddServer({"/v1/messages": (status, b"{}", {"location": "/v1/models"})}) as server:
        assert found(tried(endpoint(server.url)))["endpoint"].state == "error"
        assert [asked.path for asked in server.asked] == ["/v1/messages"]


def test_a_model_that_is_not_there_is_told_with_those_that_are() -> None:
    models = {f"other/{number}": ModelLimits(1, 1) for number in range(9)} | {"house/model-70b": ModelLimits(1, 1)}
    with ModelServer([], models=models, vendor=False) as server:
        finding = found(tried(house(server)))["endpoint"]
    assert finding.state == "error"
    assert finding.mend.startswith("Set agents.house.model to one that is there: house/model-70b, other/0, ")
    assert finding.mend.endswith(" and 2 more")


def test_an_address_that_ends_in_v1_is_mended() -> None:
    with ModelServer([], models=SMALL, vendor=False) as server:
        finding = found(tried(house(f"{server.url}/v1")))["endpoint"]
    assert finding.mend == "Leave out the /v1 at the end of the address: /v1/messages is added to it"


def test_texts_of_the_server_are_short() -> None:
    long = "x" * 5_000
    for reply in (
        say(long),
        say(call("echo", {"word": long})),
        say(call(long[:128], {"text": "ready"})),
        say(text(long)),
    ):
        assert len(of_house([reply], "tool call").message) < 200
