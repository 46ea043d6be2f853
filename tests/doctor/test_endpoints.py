"""All models at once: in order, each with its own deadline, none in the way of another."""

from __future__ import annotations

import signal
import socket
import threading
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_rules import MODELS, ModelLimits
from coordinator.demo.model_script import Broken, call, say
from coordinator.demo.model_server import ModelServer
from coordinator.doctor.endpoints import GRACE_SECONDS, endpoint_examinations
from coordinator.doctor.examining import examine
from coordinator.doctor.subject import Subject
from coordinator.forge.local import LocalForge
from coordinator.settings import read_environment
from tests.support import API_CANARY, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from coordinator.agent.protocol import ModelEndpoint
    from coordinator.doctor.endpoint_trial import Trial
    from coordinator.doctor.models import Check

GOOD = say(call("echo", {"text": "ready"}), repeat=True)
OWN = ModelLimits(128_000, 32_000)
VENDOR_OFF = "opus: {enabled: false}, sonnet: {enabled: false}, haiku: {enabled: false}"


class Case:
    """A repository with a configuration, and the variables of a shell."""

    def __init__(self, folder: Path, agents: str = "", **variables: str) -> None:
        make_repository(folder / "project", {".coordinator.yml": f"agents: {{{agents}}}\n"})
        environment = read_environment(variables)
        local = folder / "project"
        self.subject = Subject(environment, lambda: LocalForge.of(local), is_local=True)

    def checks(self, *, seconds: float = 20.0) -> Iterator[Check]:
        """Try all models."""
        return examine(endpoint_examinations(self.subject, seconds=seconds))


def told(checks: list[Check], name: str) -> tuple[str, str]:
    [found] = [check for check in checks if check.name == name]
    return found.state.value, found.message


@contextmanager
def dripping() -> Iterator[str]:
    """Serve the header of an answer byte by byte: each read is quick, and the end never comes."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
                    while not stop.wait(0.05):
                        connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def test_profiles_are_told_in_their_order_whichever_answers_first(tmp_path: Path) -> None:
    slow = ModelServer([GOOD], pace=0.05)
    quick = ModelServer([GOOD], models={"m": OWN}, vendor=False)
    with slow, quick:
        agents = f"house: {{model: m, base_url: '{quick.url}'}}, haiku: {{enabled: false}}"
        case = Case(tmp_path, agents, ANTHROPIC_API_KEY=API_CANARY, ANTHROPIC_BASE_URL=slow.url)
        checks = list(case.checks())
    names = list(dict.fromkeys(check.name.split()[0] for check in checks))
    assert names == ["opus", "sonnet", "glm", "minimax", "house"]
    assert {check.group for check in checks} == {"models"}
    assert {check.state for check in checks} == {"ok"}
    assert told(checks, "glm") == ("ok", "not configured: GLM_BASE_URL is not set")
    assert told(checks, "minimax") == ("ok", "not configured: MINIMAX_BASE_URL is not set")
    assert sorted(request.body["model"] for request in slow.requests) == ["claude-opus-5-5", "claude-sonnet-5-5"]
    assert API_CANARY not in repr(checks)


def test_profiles_are_tried_at_the_same_time(tmp_path: Path) -> None:
    with ModelServer([Broken("mute", repeat=True)]) as server:
        case = Case(tmp_path, ANTHROPIC_API_KEY=API_CANARY, ANTHROPIC_BASE_URL=server.url)
        started = time.monotonic()
        checks = list(case.checks(seconds=1.0))
        assert time.monotonic() - started < 2.5, "one after the other it takes three seconds"
        assert sorted(request.body["model"] for request in server.requests) == sorted(MODELS)
    assert {told(checks, f"{name} endpoint")[0] for name in ("opus", "sonnet", "haiku")} == {"error"}


def test_one_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    with ModelServer([GOOD], models={"m": OWN}, vendor=False) as server:
        agents = f"dead: {{model: m, base_url: 'http://127.0.0.1:1'}}, live: {{model: m, base_url: '{server.url}'}}"
        checks = list(Case(tmp_path, f"{agents}, {VENDOR_OFF}").checks())
    assert told(checks, "dead endpoint")[0] == "error"
    assert told(checks, "live tool call")[0] == "ok"


def test_an_answer_that_drips_is_given_up_when_the_time_is_over(tmp_path: Path) -> None:
    with dripping() as url:
        started = time.monotonic()
        checks = list(Case(tmp_path, f"slow: {{model: m, base_url: '{url}'}}, {VENDOR_OFF}").checks(seconds=0.5))
        assert time.monotonic() - started < 0.5 + GRACE_SECONDS + 2
    assert told(checks, "slow endpoint") == ("error", "there was no end after 0.5 s")
    for thread in threading.enumerate():
        if thread.name == "trial-slow":
            assert thread.daemon
            thread.join()


def test_a_fault_in_the_trial_itself_is_told_with_its_place_and_without_its_text(tmp_path: Path) -> None:
    def fail(endpoint: ModelEndpoint, *, deadline: float) -> Trial:
        raise LookupError(f"{endpoint.api_key.get_secret_value()} {deadline}")

    case = Case(tmp_path, ANTHROPIC_API_KEY=API_CANARY)
    checks = list(examine(endpoint_examinations(case.subject, attempt=fail)))
    assert told(checks, "opus endpoint")[1].startswith("the check itself failed: LookupError in endpoints.py:")
    assert len([check for check in checks if check.state == "error"]) == 3
    assert API_CANARY not in repr(checks)


def test_an_address_that_none_can_be_is_a_line_of_its_own(tmp_path: Path) -> None:
    agents = f"odd: {{model: m, base_url: 'http://999.999.999.999'}}, {VENDOR_OFF}"
    checks = list(Case(tmp_path, agents).checks())
    said = "The address 999.999.999.999 of profile odd is none that can be called"
    assert told(checks, "odd endpoint") == ("error", said)


def test_a_configuration_that_is_wrong_is_told_elsewhere(tmp_path: Path) -> None:
    [check] = Case(tmp_path, "house: {modell: m}").checks()
    assert (check.name, check.state) == ("trials", "warning")
    assert check.message == "not checked, because the configuration is not known"


def test_input_that_comes_as_a_string_leaves_no_warning_and_no_filter(tmp_path: Path) -> None:
    before = list(warnings.filters)
    odd = say(call("echo", '{"text": "ready"}'), repeat=True)
    with ModelServer([odd], pace=0.01) as server:
        checks = list(Case(tmp_path, ANTHROPIC_API_KEY=API_CANARY, ANTHROPIC_BASE_URL=server.url).checks())
    assert {check.state for check in checks} == {"ok"}
    assert warnings.filters == before


def test_a_signal_ends_the_waiting(tmp_path: Path) -> None:
    class Told(BaseException):
        """What the handler raises."""

    def tell(_number: int, _frame: FrameType | None) -> None:
        raise Told

    with ModelServer([Broken("mute", repeat=True)]) as server:
        case = Case(tmp_path, ANTHROPIC_API_KEY=API_CANARY, ANTHROPIC_BASE_URL=server.url)
        before = signal.signal(signal.SIGALRM, tell)
        started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.7)
        try:
            with pytest.raises(Told):
                list(case.checks(seconds=3.0))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert time.monotonic() - started < 2
    for thread in threading.enumerate():
        if thread.name.startswith("trial-"):
            assert thread.daemon, "the end of the process does not wait for it"
            thread.join()
