"""What servers tell of their models, and what they cannot make the coordinator do by it."""

from __future__ import annotations

import json
import time

import pytest

from coordinator.demo.model_rules import MODELS
from coordinator.demo.model_server import ModelServer
from coordinator.doctor.endpoint_card import LARGEST_LIST, Shelf, look_up
from tests.agent.support import endpoint
from tests.doctor.support import Answer, OddServer
from tests.doctor.test_endpoint_trial import HOUSE, SMALL, house
from tests.support import API_CANARY

ONE = "/v1/models/house%2Fmodel-7b"
LIST = "/v1/models"


def soon() -> float:
    return time.monotonic() + 10


def asked(answers: dict[str, Answer | None], *, seconds: float = 10) -> Shelf:
    with OddServer(answers) as server:
        return look_up(house(server.url), time.monotonic() + seconds)


def good(value: object) -> Answer:
    return 200, json.dumps(value).encode(), {}


def test_the_vendor_tells_of_one_model() -> None:
    with ModelServer([], key=API_CANARY) as server:
        shelf = look_up(endpoint(server), soon())
    assert shelf.card is not None
    assert (shelf.card.window, shelf.card.max_tokens, shelf.card.lifecycle) == (1_000_000, 128_000, "active")
    assert shelf.names == ()


def test_a_compatible_server_tells_of_all() -> None:
    with ModelServer([], models={**SMALL, **MODELS}, vendor=False) as server:
        shelf = look_up(house(server), soon())
    assert shelf.card is not None
    assert (shelf.card.window, shelf.card.max_tokens) == (128_000, None)
    assert shelf.names == (HOUSE, *MODELS)


def test_a_refused_key_tells_nothing() -> None:
    with ModelServer([], key="another-key-than-ours", models=SMALL, vendor=False) as server:
        assert look_up(endpoint(server), soon()) == Shelf()
        assert server.requests == []


def test_the_key_goes_into_one_header_and_only_where_there_is_one() -> None:
    with OddServer({}) as server:
        look_up(endpoint(server.url), soon())
        look_up(house(server.url), soon())
        headers = [request.headers for request in server.asked]
    assert [one.get("authorization") for one in headers] == [f"Bearer {API_CANARY}"] * 2 + [None] * 2
    assert str(headers).count(API_CANARY) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_gets_neither_key_nor_question(status: int) -> None:
    with OddServer({}) as other:
        away = {"location": f"{other.url}{LIST}"}
        with OddServer({LIST: (status, b"", away), "/v1/models/claude-sonnet-5-5": (status, b"", away)}) as server:
            assert look_up(endpoint(server.url), soon()) == Shelf()
        assert other.asked == []


def test_a_proxy_of_the_environment_does_not_read_the_key_over_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with OddServer({}) as proxy, OddServer({}) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        look_up(endpoint(server.url), soon())
        assert (len(server.asked), proxy.asked) == (2, [])


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<!doctype html><title>Log in</title>", {"content-type": "text/html"}),
        (200, b"", {}),
        (200, b"[1, 2]", {}),
        (200, b'{"data": 3}', {}),
        (200, b'{"data": [{"id": 3}]}', {}),
        (200, b'{"data": [{"id": "house/model-7b", "max_model_len": "many"}]}', {}),
        (200, b'{"data": [{"max_model_len": 1000}]}', {}),
        (200, b'{"data": []', {}),
        (200, b"x", {"content-length": "100"}),
        (200, b"{}", {"content-encoding": "gzip"}),
        (500, b'{"data": [{"id": "house/model-7b", "max_model_len": 1000}]}', {}),
    ],
)
def test_what_is_no_list_of_models_tells_nothing(answer: Answer) -> None:
    assert asked({LIST: answer, ONE: answer}) == Shelf()


def test_a_server_where_nobody_is_tells_nothing() -> None:
    assert look_up(house("http://127.0.0.1:1"), soon()) == Shelf()


def test_a_server_that_answers_everything_is_not_taken_for_one_that_knows_the_model() -> None:
    assert asked({ONE: good({"error": "no"}), LIST: good({"data": [{"id": "other"}]})}) == Shelf(None, ("other",))


def test_a_list_without_end_is_not_read_to_its_end() -> None:
    entries = {"data": [{"id": f"{number}-{'x' * 1000}"} for number in range(LARGEST_LIST // 900)]}
    assert asked({LIST: good(entries)}) == Shelf()


@pytest.mark.parametrize("seconds", [0.3, 0])
def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_deadline(seconds: float) -> None:
    started = time.monotonic()
    assert asked({ONE: None, LIST: None}, seconds=seconds) == Shelf()
    assert time.monotonic() - started < 3
