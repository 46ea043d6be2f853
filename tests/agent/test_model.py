from __future__ import annotations

import email.utils
import json
import logging
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydantic import BaseModel, Field, SecretStr

from coordinator.agent.failures import ContextOverflow, UnusableAnswer, excerpt
from coordinator.agent.model import ModelClient, Patience, Request
from coordinator.agent.protocol import Usage
from coordinator.agent.tools import Toolbox
from coordinator.agent.watchdog import hang_up
from coordinator.demo.model_script import Broken, Failure, Reply, call, is_agent_call, say, wants_json
from coordinator.demo.model_server import ModelServer
from coordinator.errors import BudgetExceeded, CoordinatorError, Misconfigured, Unreachable
from tests.agent.support import QUICK, endpoint, strict_server, total
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.demo.model_prompt import Json

HELLO = say("Hello.")


class Charges:
    """Adds up what was charged."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.calls = 0

    def __call__(self, usage: Usage) -> None:
        self.usage += usage
        self.calls += 1


@contextmanager
def open_client(
    model: ModelEndpoint, *, seconds: float = 20.0, patience: Patience = QUICK, charges: Charges | None = None
) -> Iterator[ModelClient]:
    deadline = time.monotonic() + seconds
    with ModelClient(model, deadline=deadline, charge=charges or Charges(), patience=patience) as client:
        yield client


@contextmanager
def calling(script: Sequence[Any], **settings: Any) -> Iterator[tuple[ModelServer, ModelClient]]:
    """A strict server with a script, and a client of it."""
    with strict_server(script) as server, open_client(endpoint(server), **settings) as client:
        yield server, client


def ask(client: ModelClient) -> str:
    return client.send(Request([{"role": "user", "content": [{"type": "text", "text": "Hi."}]}])).text


@pytest.fixture
def charges() -> Charges:
    return Charges()


@pytest.mark.parametrize(
    "how",
    [
        "eof",
        "eof_before_stop",
        "cut",
        "reset",
        "empty",
        "bad_json",
        "nameless",
        "wrong_index",
        "no_usage",
        "no_stop_reason",
        "error_event",
    ],
)
def test_a_stream_that_breaks_is_discarded_and_asked_for_again(how: str, charges: Charges) -> None:
    with calling([Broken(how), HELLO], charges=charges) as (server, client):
        assert ask(client) == "Hello."
    assert server.requests[0].raw == server.requests[1].raw
    if how == "empty":
        assert charges.calls == 1
    elif how != "nameless":  # nothing of which is ever understood
        assert charges.calls == 2
        assert charges.usage.prompt_tokens == total(server).prompt_tokens


@pytest.mark.parametrize("how", ["cut_call", "spoiled_call"])
def test_a_call_whose_json_is_not_whole_is_discarded(how: str) -> None:
    danger = Broken(how, (call("bash", {"command": "rm -rf build/*"}),))
    with calling([danger, HELLO]) as (_server, client):
        assert client.send(Request([{"role": "user", "content": [{"type": "text", "text": "Hi."}]}])).calls == ()


def test_two_calls_with_one_id_are_discarded() -> None:
    twice = say(call("bash", {"command": "a"}, identifier="same"), call("bash", {"command": "b"}, identifier="same"))
    with calling([twice, HELLO]) as (_server, client):
        assert ask(client) == "Hello."


def test_a_surrogate_pair_that_was_split_is_joined() -> None:
    with calling([say("x" * 39 + "\ud83d" + "\ude00 é")]) as (_server, client):
        assert ask(client) == "x" * 39 + "\U0001f600 é"


def test_streams_that_always_break_end_after_the_tries(charges: Charges) -> None:
    with (
        calling([Broken("eof")] * 3, charges=charges) as (server, client),
        pytest.raises(Unreachable, match=r"127\.0\.0\.1:\d+ .*failed 3 times.*ended before"),
    ):
        ask(client)
    assert charges.calls == 3
    assert charges.usage == total(server)


@pytest.mark.parametrize(
    "failure",
    [
        Failure(500),
        Failure(502, page="<html>Bad gateway</html>"),
        Failure(503),
        Failure(529, "overloaded_error", "Overloaded"),
        Failure(408),
        Failure(409),
        Failure(429, "rate_limit_error"),
    ],
)
def test_a_passing_failure_is_tried_again(failure: Failure) -> None:
    with calling([failure, failure, HELLO]) as (server, client):
        assert ask(client) == "Hello."
    assert len(server.requests) == 3


def test_a_failure_that_stays_is_bounded_and_names_the_host() -> None:
    with (
        calling([Failure(529, "overloaded_error", "Overloaded")] * 3) as (server, client),
        pytest.raises(Unreachable) as caught,
    ):
        ask(client)
    assert server.url.removeprefix("http://") in caught.value.what
    assert "529: Overloaded" in caught.value.what


def test_an_error_in_the_stream_counts_as_its_status() -> None:
    refused = Broken("error_event", kind="authentication_error", message="no")
    with calling([refused]) as (_server, client), pytest.raises(Misconfigured, match="refused the key"):
        ask(client)


def test_retry_after_is_waited_for() -> None:
    with calling([Failure(429, headers={"retry-after": "0.3"}), HELLO]) as (_server, client):
        started = time.monotonic()
        assert ask(client) == "Hello."
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "3600"},
        {"retry-after-ms": "3600000", "retry-after": "0"},
        {"retry-after": email.utils.formatdate(time.time() + 7200, usegmt=True)},
    ],
)
def test_retry_after_beyond_the_deadline_ends_at_once(headers: dict[str, str]) -> None:
    started = time.monotonic()
    with (
        calling([Failure(429, "rate_limit_error", "slow down", headers)]) as (_server, client),
        pytest.raises(Unreachable, match="beyond the run's time limit"),
    ):
        ask(client)
    assert time.monotonic() - started < 5


def test_an_unreadable_retry_after_is_ignored() -> None:
    with calling([Failure(429, headers={"retry-after": "soon"}), HELLO]) as (_server, client):
        assert ask(client) == "Hello."


def test_the_server_may_forbid_another_try() -> None:
    with (
        calling([Failure(500, message="never", headers={"x-should-retry": "false"})]) as (_server, client),
        pytest.raises(Unreachable, match="never"),
    ):
        ask(client)


def test_an_exhausted_script_names_itself() -> None:
    with (
        calling([]) as (_server, client),
        pytest.raises(Unreachable, match="script exhausted: no step is left for request 1"),
    ):
        ask(client)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure(401, "authentication_error"), ["refused the key", "sonnet", "claude-sonnet-5-5", "ANTHROPIC_API_KEY"]),
        (Failure(403, "permission_error"), ["refused the key", "sonnet", "claude-sonnet-5-5", "ANTHROPIC_API_KEY"]),
        (Failure(402, "billing_error"), ["asks for payment", "sonnet", "Add credit"]),
        (Failure(404, "not_found_error"), ["does not know the model claude-sonnet-5-5", "agents.sonnet.model"]),
        (Failure(400, message="messages.1: bad"), ["refused the request", "status 400", "messages.1: bad"]),
        (Failure(422, message="no such field"), ["status 422", "no such field"]),
    ],
)
def test_what_a_person_must_mend_is_not_tried_again(failure: Failure, words: list[str]) -> None:
    with calling([failure]) as (server, client), pytest.raises(Misconfigured) as caught:
        ask(client)
    assert len(server.requests) == 1
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


def test_a_key_that_the_api_repeats_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    leaky = f"key {API_CANARY} and its part {API_CANARY[:14]}… are\nbad"
    script = [Failure(500, message=leaky), Failure(400, message=leaky)]
    with calling(script) as (_server, client):
        with pytest.raises(Misconfigured) as caught:
            ask(client)
        shown = str(caught.value) + repr(caught.value) + repr(client.endpoint) + caplog.text
    assert API_CANARY[:8] not in shown
    assert "key *** and its part *** are bad" in shown


def test_a_foreign_text_is_one_short_line() -> None:
    shown = excerpt("a\x1b[31m\nb\u202e " + "x" * 400, "")
    assert shown.startswith("a [31m b xxx")
    assert len(shown) == 301


@pytest.mark.parametrize(
    "failure",
    [
        Failure(413, "request_too_large"),
        Failure(400, message="prompt is too long: 210000 tokens > 200000 maximum"),
        Failure(400, "BadRequestError", "This model's maximum context length is 131072 tokens."),
        Failure(500, message="context window exceeds limit (2013)"),
        Broken(
            "error_event", kind="invalid_request_error", message="input length and `max_tokens` exceed context limit"
        ),
    ],
)
def test_an_overflow_is_known_by_its_text(failure: Failure | Broken) -> None:
    with (
        calling([failure]) as (_server, client),
        pytest.raises(ContextOverflow, match=r"claude-sonnet-5-5.*200000 tokens"),
    ):
        ask(client)


def test_a_real_overflow_of_the_window_is_seen() -> None:
    with ModelServer([]) as server, open_client(endpoint(server)) as client, pytest.raises(ContextOverflow):
        client.send(Request([{"role": "user", "content": [{"type": "text", "text": "x" * 4_100_000}]}]))


@pytest.mark.parametrize("how", ["html", "json"])
def test_what_is_no_stream_is_fatal_and_shown(how: str) -> None:
    with (
        calling([Broken(how)]) as (_server, client),
        pytest.raises(Misconfigured, match=r"not the Messages API: '.*(guest network|never arrives whole)"),
    ):
        ask(client)


def test_nothing_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with open_client(endpoint(f"http://{address}")) as client, pytest.raises(Unreachable) as caught:
        ask(client)
    assert address in caught.value.what
    assert "failed 3 times" in caught.value.what
    assert "refused" in caught.value.what


def test_a_server_that_never_answers_times_out() -> None:
    patience = Patience(tries=2, first_wait=0.01, stall=0.2)
    with calling([Broken("mute"), HELLO], patience=patience) as (_server, client):
        assert ask(client) == "Hello."


@pytest.mark.parametrize("how", ["pings", "late_pings", "silence"])
def test_a_stream_that_brings_nothing_is_ended_by_the_watchdog(how: str, charges: Charges) -> None:
    patience = Patience(tries=2, first_wait=0.01, stall=0.3)
    with calling([Broken(how), HELLO], patience=patience, charges=charges) as (_server, client):
        assert ask(client) == "Hello."
    assert charges.calls == (1 if how == "pings" else 2)


def test_a_slow_stream_that_goes_on_is_left_alone() -> None:
    """The whole takes longer than a silence may last; no silence in it comes near to that, on a busy machine either."""
    patience, words = Patience(tries=1, stall=2.0), "word " * 400
    with strict_server([say(words)], pace=0.05) as server, open_client(endpoint(server), patience=patience) as client:
        started = time.monotonic()
        assert ask(client) == words
    assert time.monotonic() - started > patience.stall


def test_a_stream_of_pings_ends_with_the_deadline() -> None:
    started = time.monotonic()
    with (
        calling([Broken("pings")], seconds=0.5) as (_server, client),
        pytest.raises(Unreachable, match="until the time was up"),
    ):
        ask(client)
    assert time.monotonic() - started < 4


def test_hanging_up_twice_is_no_fault() -> None:
    with strict_server([Broken("late_pings")], key=None) as server:
        body = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
        fields = {"anthropic-version": "2026-10-21"}
        with httpx2.stream(
            "POST", f"{server.url}/v1/messages", json={**body, "stream": True}, headers=fields
        ) as answer:
            hang_up(answer)
            with pytest.raises(httpx2.RemoteProtocolError):
                answer.read()
        hang_up(answer)


def test_a_reply_in_progress_ends_with_the_deadline_as_a_limit(charges: Charges) -> None:
    with (
        calling([Broken("late_pings")], seconds=0.5, charges=charges) as (_server, client),
        pytest.raises(BudgetExceeded, match=r"budget\.run\.minutes"),
    ):
        ask(client)
    assert charges.usage.prompt_tokens > 0


def test_no_call_is_made_after_the_deadline() -> None:
    with calling([], seconds=-1) as (server, client), pytest.raises(BudgetExceeded):
        ask(client)
    assert server.requests == []


def test_usage_that_is_not_counted_is_estimated(charges: Charges) -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    silent = Reply(({"type": "text", "text": "y" * 300}, call("bash", {"command": "x" * 88})), usage=nothing)
    with calling([silent], charges=charges) as (_server, client):
        reply = client.send(Request([{"role": "user", "content": [{"type": "text", "text": "x" * 3000}]}]))
    assert reply.usage == charges.usage
    assert 1000 < reply.usage.input_tokens < 1050
    assert reply.usage.output_tokens == (300 + 88 + len('{"command": ""}')) // 3


def test_thinking_counts_in_an_estimate(charges: Charges) -> None:
    nothing = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    silent = Reply(({"type": "thinking", "thinking": "y" * 300},), usage=nothing)
    with calling([silent], charges=charges) as (_server, client):
        ask(client)
    assert charges.usage.output_tokens == 100


def test_stray_variables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer([HELLO]) as decoy, strict_server([HELLO]) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "stray-key")
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "stray-token")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", decoy.url)
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "Authorization: stray\nX-Stray: 1\nanthropic-beta: stray")
        monkeypatch.setenv("ANTHROPIC_PROFILE", "stray")
        monkeypatch.setenv("HTTP_PROXY", decoy.url)
        monkeypatch.setenv("http_proxy", decoy.url)
        monkeypatch.setenv("ALL_PROXY", decoy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with open_client(endpoint(server)) as client:
            assert ask(client) == "Hello."
    assert decoy.requests == []
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {API_CANARY}"
    assert "stray" not in json.dumps(dict(headers))


def test_an_endpoint_without_a_key_gets_no_authorization() -> None:
    with strict_server([HELLO], key=None, vendor=False) as server:
        model = endpoint(server, api_key=SecretStr(""), vendor_features=False, model="glm-5.2")
        with open_client(model) as client:
            assert ask(client) == "Hello."
    assert "authorization" not in server.requests[0].headers
    assert "x-api-key" not in server.requests[0].headers


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with ModelServer([HELLO]) as other:
        moved = Failure(status, headers={"location": f"{other.url}/v1/messages"})
        with (
            calling([moved]) as (_server, client),
            pytest.raises(Misconfigured, match="redirects the model API elsewhere"),
        ):
            ask(client)
    assert other.requests == []


def test_a_user_name_in_the_address_is_neither_shown_nor_sent() -> None:
    with strict_server([Failure(404)]) as server:
        model = endpoint(server.url.replace("//", "//someone:hidden@"))
        with open_client(model) as client, pytest.raises(Misconfigured) as caught:
            ask(client)
    assert "hidden" not in str(caught.value)
    assert server.requests[0].headers["authorization"] == f"Bearer {API_CANARY}"


def test_an_exit_by_signal_passes_through_a_call() -> None:
    class Cancelled(BaseException):
        pass

    def cancel(_body: Json) -> Reply:
        raised.set()
        return HELLO

    raised = threading.Event()

    class Raising(Charges):
        def __call__(self, usage: Usage) -> None:
            super().__call__(usage)
            raise Cancelled

    charges = Raising()
    with calling([cancel], charges=charges) as (_server, client), pytest.raises(Cancelled):
        ask(client)
    assert charges.calls == 1
    assert raised.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "model-watchdog"]


class Judgement(BaseModel):
    level: str
    tokens: int = Field(ge=0, le=1_000_000)
    notes: tuple[str, ...] = ()


GOOD = '{"level": "easy", "tokens": 20000}'


def test_a_structured_answer_of_the_vendor_goes_by_its_format_field(charges: Charges) -> None:
    with (
        strict_server([say(GOOD, when=wants_json)]) as server,
        open_client(endpoint(server), charges=charges) as client,
    ):
        assert client.structured("How hard?", Judgement) == Judgement(level="easy", tokens=20000)
    body = server.requests[0].body
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert body["max_tokens"] == 8_000
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "How hard?"}]}]
    assert charges.usage == total(server)


def test_a_structured_answer_of_a_compatible_server_goes_by_instructions() -> None:
    fenced = f"Sure!\n```json\n{GOOD}\n```\nHope that helps."
    with strict_server([say(fenced)], vendor=False) as server:
        model = endpoint(server, model="glm-5.2", vendor_features=False, max_output_tokens=4_000)
        with open_client(model) as client:
            assert client.structured("How hard?", Judgement).tokens == 20000
    body = server.requests[0].body
    assert sorted(body) == ["max_tokens", "messages", "model", "stream"]
    assert body["max_tokens"] == 4_000
    assert '"level"' in body["messages"][0]["content"][0]["text"]


@pytest.mark.parametrize("first", ["I think it is easy.", '{"level": "easy"}', '{"level": "easy", "tokens": -1}'])
def test_an_answer_of_another_shape_is_asked_for_once_more(first: str) -> None:
    with calling([say(first), say(GOOD)]) as (server, client):
        assert client.structured("How hard?", Judgement).level == "easy"
    assert "cannot be used" in server.requests[1].body["messages"][-1]["content"][0]["text"]


def test_answers_that_stay_of_another_shape_are_given_up() -> None:
    with (
        calling([say("No."), say('{"tokens": "many"}')]) as (_server, client),
        pytest.raises(UnusableAnswer, match="level: Field required; tokens: "),
    ):
        client.structured("How hard?", Judgement)


def test_a_refused_question_is_given_up_at_once() -> None:
    refusal = say(stop_reason="refusal", stop_details={"type": "refusal", "category": None})
    with calling([refusal]) as (_server, client), pytest.raises(UnusableAnswer, match="declined"):
        client.structured("How hard?", Judgement)


def test_planning_and_agent_calls_take_their_own_steps() -> None:
    script = [say("I work.", when=is_agent_call), say(GOOD, when=wants_json)]
    with calling(script) as (_server, client):
        assert client.structured("How hard?", Judgement).level == "easy"
        hello = Request([{"role": "user", "content": [{"type": "text", "text": "x"}]}], tools=Toolbox([]).definitions)
        assert client.send(hello).text == "I work."


def test_every_failure_is_one_of_the_four() -> None:
    assert issubclass(ContextOverflow, BudgetExceeded)
    assert issubclass(UnusableAnswer, Unreachable)
    kinds: list[Any] = [BudgetExceeded, Misconfigured, Unreachable]
    assert all(issubclass(kind, CoordinatorError) for kind in kinds)
