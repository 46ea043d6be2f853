from __future__ import annotations

import json
import re
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from coordinator.webhook.relay import Relay, Taken
from coordinator.webhook.signature import sign
from tests.webhook.support import (
    SECRET,
    UUID,
    WEBHOOK_CANARY,
    Recorder,
    Served,
    body_of,
    document,
    issue_body,
    make_relay,
    serving,
    signed,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MARK = "mark-8d1f6c"
"""Stands in bodies; it may come out in no answer and no line of the log."""


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def served(recorder: Recorder) -> Iterator[Served]:
    with serving(make_relay(recorder)) as server:
        yield server


def test_a_signed_event_is_taken_and_passed_on_as_it_came(served: Served, recorder: Recorder) -> None:
    body = issue_body(7)
    response = served.deliver(body)
    assert response.status_code == 200
    assert response.json()["status"] == "queued"
    wait_until(lambda: recorder.seen)
    (delivery,) = recorder.seen
    assert (delivery.body, delivery.signature) == (body, sign(body, SECRET))
    assert (delivery.repository, delivery.number) == ("acme/app", 7)


def test_nothing_is_taken_without_the_signature(served: Served, recorder: Recorder) -> None:
    body = issue_body()
    unsigned = {name: value for name, value in signed(body).items() if "Signature" not in name}
    wrong = signed(body, X_Gitea_Signature="0" * 64)
    answers = [served.deliver(body, headers) for headers in (unsigned, wrong)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content
    time.sleep(0.1)
    assert recorder.begun == []


def test_a_changed_body_is_refused(served: Served) -> None:
    body = issue_body()
    assert served.deliver(body.replace(b'"number": 1', b'"number": 2'), signed(body)).status_code == 401


def test_the_signature_is_asked_for_before_the_body_is_looked_at(served: Served) -> None:
    assert served.deliver(b"{", {"Content-Type": "application/json"}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"action":"assigned","issue":{"number":1}}',
        b"\xff\xfe{\x00}\x00",
        '{"sender":{"id":1,"login":"a"}}'.encode("utf-16"),
        b"[" * 5000,
        body_of(document(issue={"number": MARK})),
        body_of(document(action=None)),
        body_of(document(action={"a": MARK})),
        body_of(document(sender=MARK)),
        body_of(document(repository={"id": 1, "full_name": f"../{MARK}"})),
        body_of(document(repository={"id": 1, "full_name": "acme/.."})),
        body_of(document(repository={"id": 1, "full_name": f"{MARK}/app/../x"})),
        body_of(document(repository={"id": 1, "full_name": f"acme/app?{MARK}"})),
        body_of(document(repository={"id": True, "full_name": "acme/app"})),
    ],
)
def test_a_signed_body_that_is_no_event(
    served: Served, recorder: Recorder, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    response = served.deliver(body)
    assert response.status_code == 422
    assert response.json()["detail"].startswith("Relayed event: ")
    assert MARK not in response.text + caplog.text
    assert recorder.begun == []


@pytest.mark.parametrize(
    "body",
    [
        body_of(
            {"ref": "refs/heads/main", "commits": [], **{key: document()[key] for key in ("repository", "sender")}}
        ),
        body_of(document(action="milestoned")),
        body_of(document("gitea/pull_request.opened")),
        body_of(document("gitea/issue_comment.created")),
    ],
)
def test_what_asks_for_nothing_is_ignored_and_said_so(served: Served, recorder: Recorder, body: bytes) -> None:
    response = served.deliver(body)
    assert response.status_code == 200
    assert response.json()["status"] == "ignored"
    assert response.json()["reason"]
    time.sleep(0.05)
    assert recorder.begun == []


def test_the_same_body_again_is_a_duplicate_whatever_its_delivery_id(served: Served, recorder: Recorder) -> None:
    body = issue_body()
    served.deliver(body)
    again = served.deliver(body, signed(body, X_Gitea_Delivery="00000000-0000-0000-0000-000000000000"))
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")
    wait_until(lambda: recorder.seen)
    assert len(recorder.begun) == 1


def test_a_full_backlog_turns_deliveries_away_and_takes_them_later() -> None:
    recorder = Recorder(gate=threading.Event())
    with serving(make_relay(recorder, workers=1, limit=1)) as served:
        assert served.deliver(issue_body(1)).status_code == 200
        wait_until(lambda: recorder.begun)
        assert served.deliver(issue_body(2)).status_code == 200
        full = served.deliver(issue_body(3))
        assert full.status_code == 503
        assert int(full.headers["Retry-After"]) > 0
        assert "detail" in full.json()
        assert recorder.gate is not None
        recorder.gate.set()
        wait_until(lambda: len(recorder.seen) == 2)
        assert served.deliver(issue_body(3)).json()["status"] == "queued"
        wait_until(lambda: len(recorder.seen) == 3)


def test_the_answer_does_not_wait_for_what_is_done() -> None:
    recorder = Recorder(gate=threading.Event())
    with serving(make_relay(recorder, workers=1)) as served:
        for number in range(1, 6):
            started = time.monotonic()
            assert served.deliver(issue_body(number)).status_code == 200
            assert time.monotonic() - started < 10
        assert recorder.seen == []
        assert recorder.gate is not None
        recorder.gate.set()


# Bodies that are too large, too slow, or of another type.


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1024 * 1024])
def test_a_body_over_the_limit(served: Served, caplog: pytest.LogCaptureFixture, size: int) -> None:
    assert served.deliver(b" " * size).status_code == 413
    assert f"delivery {UUID}: turned away: the body is larger than 65536 bytes" in caplog.text


def test_a_body_at_the_limit_is_read(served: Served) -> None:
    body = issue_body()
    assert served.deliver(body + b" " * (64 * 1024 - len(body))).json()["status"] == "queued"


def raw(served: Served, head: str, *parts: bytes) -> bytes:
    """Send a request byte by byte as it is; return the answer."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(f"POST /webhook/gitea HTTP/1.1\r\nHost: relay\r\n{head}\r\n".encode())
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while b"\r\n\r\n" not in answer and (chunk := connection.recv(65536)):
            answer += chunk
        return answer


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part)


def head_of(body: bytes, **more: str) -> str:
    headers = {**signed(body), **{name.replace("_", "-"): value for name, value in more.items()}}
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def test_a_claimed_length_over_the_limit_is_refused_before_the_body_comes(served: Served) -> None:
    started = time.monotonic()
    assert b" 413 " in raw(served, head_of(b"", Content_Length=str(10**12)))
    assert time.monotonic() - started < 2


def test_chunks_are_counted_as_they_come(served: Served) -> None:
    """The stream never ends: whoever waited for the end, or for a length, would read on."""
    assert b" 413 " in raw(served, head_of(b"", Transfer_Encoding="chunked"), *[chunk(b" " * 8192)] * 9)


def test_a_chunked_body_without_a_length_is_taken(served: Served) -> None:
    body = issue_body()
    answer = raw(served, head_of(body, Transfer_Encoding="chunked"), chunk(body[:100]), chunk(body[100:]), chunk(b""))
    assert b" 200 " in answer


def test_a_body_that_is_longer_than_it_claims_is_cut_where_it_said(served: Served) -> None:
    body = issue_body()
    assert b" 401 " in raw(served, head_of(body, Content_Length=str(len(body) - 1)), body)


@pytest.mark.parametrize("length", ["-1", "x", "1, 2"])
def test_a_length_that_is_none(served: Served, length: str) -> None:
    assert b" 400 " in raw(served, head_of(b"", Content_Length=length), b"{}")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with serving(make_relay(Recorder()), read_seconds=0.2) as served:
        started = time.monotonic()
        assert b" 408 " in raw(served, head_of(b"", Content_Length="100"), b"{")
        assert time.monotonic() - started < 3


def test_a_sender_who_goes_away_harms_nothing(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        head = head_of(b"", Content_Length="100")
        connection.sendall(f"POST /webhook/gitea HTTP/1.1\r\nHost: relay\r\n{head}\r\n{{".encode())
    assert served.deliver(issue_body()).status_code == 200
    assert "internal error" not in caplog.text


@pytest.mark.parametrize("given", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_only_json_is_taken(served: Served, given: str) -> None:
    body = issue_body()
    response = served.deliver(body, signed(body, Content_Type=given))
    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


def test_a_content_type_may_have_parameters(served: Served) -> None:
    body = issue_body()
    assert served.deliver(body, signed(body, Content_Type="Application/JSON; charset=utf-8")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhook/gitea", 405),
        ("PUT", "/webhook/gitea", 405),
        ("POST", "/health", 405),
        ("POST", "/webhook/gitea/", 404),
        ("POST", "/webhook/github", 404),
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("GET", "/openapi.json", 404),
    ],
)
def test_there_is_nothing_else(served: Served, method: str, path: str, status: int) -> None:
    response = served.client.request(method, path)
    assert response.status_code == status
    assert set(response.json()) == {"detail"}
    assert "server" not in response.headers


class BrokenRelay(Relay):
    """A relay with a bug, whose message could say anything."""

    def take(self, name: str, headers: Sequence[tuple[str, str]], body: bytes) -> Taken:
        raise KeyError(MARK, name, headers, body)


def test_a_bug_is_named_by_its_type_only(caplog: pytest.LogCaptureFixture) -> None:
    relay = BrokenRelay(Recorder(), secret=SECRET, workers=1)
    with serving(relay) as served:
        response = served.deliver(issue_body())
    assert (response.status_code, response.json()) == (500, {"detail": "internal error"})
    assert "internal error: KeyError" in caplog.text
    assert MARK not in caplog.text


# The log.


def test_one_line_for_each_delivery_and_nothing_of_body_or_signature(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="coordinator")
    body = issue_body(7, commit_id=MARK)
    headers = signed(body, X_Gitea_Delivery="0f-1")
    served.deliver(body, headers)
    wait_until(lambda: "remembered" in caplog.text)
    served.deliver(body, headers)
    served.deliver(body, {**headers, "X-Gitea-Signature": MARK})
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("coordinator")]
    assert lines == [
        "delivery 0f-1: acme/app issues assigned #7: remembered",
        "delivery 0f-1: acme/app issues assigned #7: ignored: it was taken before",
        "delivery 0f-1: refused: the signature is missing or wrong",
    ]
    assert not re.search(rf"{MARK}|{WEBHOOK_CANARY}|{sign(body, SECRET)}", caplog.text)


@pytest.mark.parametrize("given", ["a b", "x" * 65, "", "\x1b[31m", "ü"])
def test_a_delivery_id_that_is_none_stays_out_of_the_log(
    served: Served, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    head = f"Content-Type: application/json\r\nX-Gitea-Delivery: {given}\r\nContent-Length: 2\r\n"
    answer = raw(served, head, b"{}")
    assert b" 400 " in answer or "delivery -: refused" in caplog.text


def test_forgejos_delivery_id_is_known(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.deliver(b"{}", {"Content-Type": "application/json", "X-Forgejo-Delivery": "0f-2"})
    assert "delivery 0f-2: refused" in caplog.text


# Health.


def test_health_tells_version_uptime_and_the_forge() -> None:
    seconds = iter(range(100, 100000, 5))
    with serving(make_relay(Recorder()), clock=lambda: next(seconds)) as served:
        response = served.client.get("/health")
    assert response.status_code == 200
    found = response.json()
    assert (found["status"], found["version"], found["forge_reachable"]) == ("ok", "1.2.3", True)
    assert found["uptime_seconds"] > 0
    assert set(found) == {"status", "version", "uptime_seconds", "forge_reachable"}


def test_health_is_well_while_the_forge_is_away() -> None:
    with serving(make_relay(Recorder()), ask=lambda: False) as served:
        response = served.client.get("/health")
    assert (response.status_code, response.json()["forge_reachable"]) == (200, False)


def test_a_hanging_forge_holds_up_no_delivery() -> None:
    gate = threading.Event()
    recorder = Recorder()
    with serving(make_relay(recorder), ask=lambda: gate.wait(20)) as served:
        asking = threading.Thread(target=lambda: served.client.get("/health"))
        asking.start()
        time.sleep(0.1)
        started = time.monotonic()
        assert served.deliver(issue_body()).status_code == 200
        assert time.monotonic() - started < 10
        gate.set()
        asking.join()


def test_answers_are_json(served: Served) -> None:
    for response in (served.deliver(issue_body()), served.deliver(b"{}"), served.client.get("/health")):
        assert response.headers["content-type"] == "application/json"
        json.loads(response.text)
