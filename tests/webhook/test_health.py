from __future__ import annotations

import asyncio
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from coordinator.webhook.health import PATIENCE_SECONDS, ForgeHealth, forge_answers
from tests.standins.forge_server import ForgeServer
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = SecretStr(FORGE_CANARY)


def test_a_forge_that_answers(tmp_path: Path) -> None:
    with ForgeServer(tmp_path) as forge:
        assert forge_answers(forge.api_url, TOKEN)


@pytest.mark.parametrize("status", [401, 404, 500, 301])
def test_a_forge_that_would_not_do(tmp_path: Path, status: int) -> None:
    with ForgeServer(tmp_path) as forge:
        forge.fail("GET /api/v1/version", status=status)
        assert not forge_answers(forge.api_url, TOKEN)
        assert len(forge.requests) == 1


def test_no_forge_at_all() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    assert not forge_answers(f"http://127.0.0.1:{server.server_port}/api/v1", TOKEN)


def test_a_forge_that_hangs_is_given_up(tmp_path: Path) -> None:
    with ForgeServer(tmp_path) as forge:
        forge.fail("GET /api/v1/version", delay=PATIENCE_SECONDS + 2)
        started = time.monotonic()
        assert not forge_answers(forge.api_url, TOKEN)
        assert time.monotonic() - started < PATIENCE_SECONDS + 1.5


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_many_questions_ask_the_forge_once_until_the_answer_is_old() -> None:
    asked: list[float] = []
    clock = Clock()

    def ask() -> bool:
        asked.append(clock.now)
        time.sleep(0.05)
        return len(asked) == 1

    async def many() -> tuple[list[bool], bool, bool]:
        health = ForgeHealth(ask, clock=clock, fresh_seconds=15)
        first = await asyncio.gather(*(health.reachable() for _ in range(20)))
        clock.now += 14.9
        still = await health.reachable()
        clock.now += 0.2
        return first, still, await health.reachable()

    assert asyncio.run(many()) == ([True] * 20, True, False)
    assert asked == [1000.0, 1015.1]


def test_an_answer_is_kept_from_when_it_came() -> None:
    """A forge that answers slowly is not asked at once again."""
    clock = Clock()
    asked: list[float] = []

    def ask() -> bool:
        asked.append(clock.now)
        clock.now += 20
        return True

    async def twice() -> None:
        health = ForgeHealth(ask, clock=clock, fresh_seconds=15)
        await health.reachable()
        await health.reachable()

    asyncio.run(twice())
    assert len(asked) == 1
