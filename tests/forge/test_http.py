"""The REST client: what it tries again, what it never does twice, and where its token never goes."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import traceback
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, TypeAdapter

from coordinator.errors import CoordinatorError, Misconfigured, Unreachable
from coordinator.forge import http as module
from coordinator.forge.credentials import basic_authorization, checked_address, checked_token
from coordinator.forge.http import Call, RestClient, Uncertain
from coordinator.forge.protocol import Missing
from tests.forge.labs import basic
from tests.standins.forge_server import ForgeServer
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = Call("GET", "/version", "read the version")
POST = Call("POST", "/repos/acme/app/issues", "open an issue", json={"title": "t"})
ANSWER = TypeAdapter(dict[str, str])


class Pauses(list[float]):
    """Stands for `time.sleep` and the clock: waiting takes no time and is written down."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)

    def clock(self) -> float:
        return time.monotonic() + sum(self)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def client(server: ForgeServer, pauses: Pauses) -> Iterator[RestClient]:
    with RestClient(server.api_url, SecretStr(FORGE_CANARY), sleep=pauses, clock=pauses.clock) as made:
        yield made


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("fault", [{"status": 502}, {"status": 429}, {"drop": "before"}, {"drop": "after"}])
def test_what_may_be_repeated_is_tried_again(
    client: RestClient, server: ForgeServer, pauses: Pauses, method: str, fault: dict[str, str]
) -> None:
    server.fail("/version", times=2, status=int(fault.get("status", 0)), drop=str(fault.get("drop", "")))
    assert client.send(Call(method, "/version", "x", json={}, accept=(405,))).status in {200, 405}
    assert len(server.requests) == 3
    assert len(pauses) == 2
    assert all(0 <= pause <= 8 for pause in pauses)


def test_a_post_is_not_sent_twice_when_it_may_have_been_done(client: RestClient, server: ForgeServer) -> None:
    for drop in ("before", "after"):
        server.fail("POST", drop=drop)
        with pytest.raises(Uncertain):
            client.send(POST)
    server.fail("POST", status=500)
    with pytest.raises(Uncertain, match="status 500"):
        client.send(POST)
    assert len(server.requests) == 3


def test_a_post_that_the_server_turned_away_is_sent_again(client: RestClient, server: ForgeServer) -> None:
    server.fail("POST", status=429)
    server.fail("POST", status=503, headers={"Retry-After": "3"})
    assert client.send(POST).status == 201
    assert len(server.state.issues) == 1


def test_a_post_without_a_connection_is_sent_again(tmp_path: Path, pauses: Pauses) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    started: list[ForgeServer] = []

    def start_at_the_second_pause(seconds: float) -> None:
        pauses(seconds)
        if len(pauses) == 2:
            started.append(ForgeServer(tmp_path, port=port).__enter__())

    address = f"http://127.0.0.1:{port}/api/v1"
    with RestClient(address, SecretStr(FORGE_CANARY), sleep=start_at_the_second_pause) as client:
        assert client.send(POST).status == 201
    assert len(started[0].state.issues) == 1
    started[0].__exit__()


def test_nobody_there_is_unreachable_after_the_tries(pauses: Pauses) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            RestClient(f"http://{host}/api/v1", SecretStr(FORGE_CANARY), sleep=pauses) as client,
            pytest.raises(Unreachable, match=rf"{host} failed when asked to open an issue: ConnectError") as caught,
        ):
            client.send(POST)
    assert not isinstance(caught.value, Uncertain)
    assert len(pauses) == 4
    assert "reachable" in caught.value.mend


def test_the_tries_end_with_the_last_cause(client: RestClient, server: ForgeServer, pauses: Pauses) -> None:
    server.fail("/version", times=99, status=502, body=b'{"message": "no backend"}')
    with pytest.raises(Unreachable, match="read the version: status 502 no backend"):
        client.send(VERSION)
    assert (len(server.requests), len(pauses)) == (5, 4)


@pytest.mark.parametrize("as_date", [False, True])
def test_the_server_is_given_the_time_it_asks_for(
    client: RestClient, server: ForgeServer, pauses: Pauses, *, as_date: bool
) -> None:
    header = formatdate(time.time() + 20, usegmt=True) if as_date else "20"
    server.fail("/version", status=503, headers={"Retry-After": header})
    client.send(VERSION)
    assert 15 <= pauses[0] <= 20


def test_nobody_waits_past_the_deadline(client: RestClient, server: ForgeServer, pauses: Pauses) -> None:
    server.fail("/version", status=429, headers={"Retry-After": "61"})
    with pytest.raises(Unreachable, match="429"):
        client.send(VERSION)
    assert pauses == []
    server.fail("/version", status=429, headers={"Retry-After": "25"}, times=9)
    with pytest.raises(Unreachable, match="429"):
        client.send(VERSION)
    assert pauses == [25, 25]


@pytest.mark.parametrize("header", ["soon", "", "-5", formatdate(0, usegmt=True)])
def test_a_retry_after_that_means_nothing_is_none(
    client: RestClient, server: ForgeServer, pauses: Pauses, header: str
) -> None:
    server.fail("/version", status=503, headers={"Retry-After": header})
    client.send(VERSION)
    assert pauses[0] <= 8


def test_a_silent_server_is_given_up_at_the_deadline(server: ForgeServer) -> None:
    server.fail("/version", delay=4, times=9)
    begun = time.monotonic()
    with (
        RestClient(server.api_url, SecretStr(FORGE_CANARY), deadline_seconds=0.4) as client,
        pytest.raises(Unreachable, match="ReadTimeout"),
    ):
        client.send(VERSION)
    assert time.monotonic() - begun < 3.5


def test_a_server_that_drips_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_drip, args=(listener,))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        begun = time.monotonic()
        with (
            RestClient(address, SecretStr(FORGE_CANARY), deadline_seconds=0.5, tries=1) as client,
            pytest.raises(Unreachable, match=r"no complete answer within 0\.5 s"),
        ):
            client.send(VERSION)
        assert time.monotonic() - begun < 2
        thread.join()


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            for _ in range(100):
                connection.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            return


def test_an_endless_answer_is_refused(server: ForgeServer) -> None:
    server.fail("/version", status=200, body=b" " * (module.BODY_LIMIT + 1))
    with RestClient(server.api_url, SecretStr(FORGE_CANARY)) as client, pytest.raises(Misconfigured, match="more than"):
        client.send(VERSION)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed_and_no_credential_leaves_the_host(
    client: RestClient, server: ForgeServer, tmp_path: Path, status: int, method: str
) -> None:
    with ForgeServer(tmp_path / "other") as other:
        target = f"http://user:{FORGE_CANARY}@{other.url.removeprefix('http://')}/api/v1/version?token={FORGE_CANARY}"
        server.fail("", status=status, headers={"Location": target})
        with pytest.raises(Misconfigured, match="redirects are not followed") as caught:
            client.send(Call(method, "/version", "read the version", json=None))
        assert other.requests == []
        assert f"{other.url}/api/v1/version" in caught.value.what
        assert FORGE_CANARY not in str(caught.value)
        assert "user:" not in str(caught.value)
        assert "address" in caught.value.mend


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, Misconfigured, "refuses to read the version: status 400 (no)"),
        (401, Misconfigured, "does not accept the token (no)"),
        (403, Misconfigured, "the token may not read the version"),
        (404, Missing, "cannot read the version"),
        (409, Misconfigured, "status 409"),
        (422, Misconfigured, "status 422"),
        (423, Misconfigured, "the repository is archived"),
    ],
)
def test_each_refusal_names_what_and_the_mend(
    client: RestClient, server: ForgeServer, status: int, kind: type[Misconfigured], expected: str
) -> None:
    server.fail("/version", status=status, body=b'{"message": "no."}')
    with pytest.raises(kind) as caught:
        client.send(VERSION)
    assert expected in caught.value.what
    assert client.host in caught.value.what
    assert caught.value.mend
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message": 7}', b'{"error": "x"}', b"\xff"])
def test_a_refusal_without_a_message_is_still_one(client: RestClient, server: ForgeServer, body: bytes) -> None:
    server.fail("/version", status=422, body=body)
    with pytest.raises(Misconfigured) as caught:
        client.send(VERSION)
    assert caught.value.what.endswith("status 422")


def test_the_servers_words_are_one_short_line(client: RestClient, server: ForgeServer) -> None:
    message = json.dumps({"message": "a\nb\x1b[31m\u0085c" + "x" * 1000})
    server.fail("/version", status=422, body=message.encode())
    with pytest.raises(Misconfigured) as caught:
        client.send(VERSION)
    assert "(a b [31m cxxx" in caught.value.what
    assert len(caught.value.what) < 300


@pytest.mark.parametrize("status", [401, 403, 404, 422, 502])
@pytest.mark.parametrize("echo", [FORGE_CANARY, basic(FORGE_CANARY), f"https://x:{FORGE_CANARY}@host"])
def test_a_token_that_the_server_echoes_is_shown_to_nobody(
    client: RestClient, server: ForgeServer, caplog: pytest.LogCaptureFixture, status: int, echo: str
) -> None:
    caplog.set_level(logging.INFO)
    server.fail("/version", status=status, body=json.dumps({"message": f"bad {echo}"}).encode(), times=9)
    with pytest.raises(CoordinatorError) as caught:
        client.send(VERSION)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
    for secret in (FORGE_CANARY, basic(FORGE_CANARY)):
        assert secret not in shown
    assert "bad" in str(caught.value) or status == 404


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b'{"a": 1}', b"", b"null", b"\xff\xfe"])
def test_an_answer_that_is_not_the_promised_one_is_unreachable(
    client: RestClient, server: ForgeServer, body: bytes
) -> None:
    server.fail("/version", status=200, body=body)
    with pytest.raises(Unreachable, match="asked to read the version") as caught:
        client.send(VERSION).parse(ANSWER)
    assert "API address" in caught.value.mend
    assert "welcome" not in str(caught.value)


def test_a_good_answer_is_parsed(client: RestClient) -> None:
    assert client.send(VERSION).parse(ANSWER) == {"version": "1.26.0"}
    assert FORGE_CANARY not in repr(client)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "git.example",
        "ftp://git.example",
        "file:///etc/passwd",
        "https://",
        "https://user:password@git.example",
        "https://user@git.example",
        "https://git.example/?token=x",
        "https://git.example/#x",
        "https://git example",
        "https://git.example:99999",
        "https://git.example:0",
        "https://[::1",
        "https://git.example/\nHost: x",
    ],
)
def test_an_address_that_is_not_plain_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(Misconfigured, match="the API address of the forge is not a plain") as caught:
        checked_address(address, "API")
    assert "password" not in caught.value.what


def test_an_address_loses_its_last_slash() -> None:
    assert checked_address(" https://git.example:3000/x/ ", "API") == "https://git.example:3000/x"


@pytest.mark.parametrize(
    ("token", "why"), [("", "empty"), (" \n", "empty"), ("a\nb", "characters"), ("é", "characters")]
)
def test_a_token_that_cannot_stand_in_a_header_is_refused(token: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why) as caught:
        checked_token(SecretStr(token))
    assert "`token`" in caught.value.mend


def test_a_token_from_a_file_may_end_with_a_newline() -> None:
    assert checked_token(SecretStr("abc\n")).get_secret_value() == "abc"
    assert basic_authorization(SecretStr("abc")) == f"Basic {basic('abc')}"
