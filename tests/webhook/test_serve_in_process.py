"""`coordinator serve` as a function: what has to be there before it listens, and that it ends in order."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from coordinator.cli import main
from tests.standins.forge_server import ForgeServer
from tests.support import git, make_repository
from tests.webhook.support import signed, wait_until
from tests.webhook.test_serve import WORKFLOW, environment, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    SetVariable = Callable[[str, str], None]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment of the process: that of an operator, and nothing of the machine's."""
    with monkeypatch.context() as patch:
        given = environment()
        for name in [name for name in os.environ if not name.startswith(("PYTEST_", "COV"))]:
            patch.delenv(name)
        for name, value in given.items():
            patch.setenv(name, value)
        yield given


@pytest.fixture
def set_variable(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> SetVariable:
    assert variables
    return monkeypatch.setenv


def error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command, which has to end by itself with exit code 2; return its one line."""
    assert main(["serve", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


@pytest.mark.parametrize(
    ("variable", "mend"),
    [
        ("GITEA_WEBHOOK_SECRET", "Set GITEA_WEBHOOK_SECRET"),
        ("GITEA_URL", "Set GITEA_URL"),
        ("GITEA_TOKEN", "Set GITEA_TOKEN"),
    ],
)
@pytest.mark.parametrize("value", ["", " "])
def test_it_does_not_start_without(
    set_variable: SetVariable, capsys: pytest.CaptureFixture[str], variable: str, mend: str, value: str
) -> None:
    set_variable(variable, value)
    assert mend in error(capsys)


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        ((), {"PORT": "0"}, "PORT"),
        ((), {"GITEA_URL": "gitea.example"}, "GITEA_URL"),
        ((), {"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        (("--port", "65536"), {}, "65536 is no port"),
        (("--port", "-1"), {}, "-1 is no port"),
        (("--parallel", "0"), {}, "--parallel 0"),
        (("--host", "host.invalid"), {}, "Cannot listen on port 8000 of host.invalid"),
        (("--host", "::ffff:256"), {}, "Cannot listen on"),
        (("--work",), {"RUNNER_TEMP": "/dev/null/x"}, "The folder /dev/null/x cannot be made"),
    ],
)
def test_wrong_use(
    set_variable: SetVariable,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    given: dict[str, str],
    says: str,
) -> None:
    set_variable("PORT", "8000")
    for name, value in given.items():
        set_variable(name, value)
    assert says in error(capsys, *arguments)


def test_a_port_in_use(set_variable: SetVariable, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        set_variable("PORT", str(port))
        line = error(capsys)
    assert f"port {port} of 127.0.0.1" in line
    assert "--port" in line


def test_an_error_as_json(set_variable: SetVariable, capsys: pytest.CaptureFixture[str]) -> None:
    set_variable("GITEA_URL", "")
    assert main(["serve", "--format", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_code"] == 2


# Serving.


def free_port(host: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        return int(listening.getsockname()[1])


def serve(talk: Callable[[httpx.Client], None], *arguments: str, host: str = "127.0.0.1") -> None:
    """Serve in this thread while `talk` talks to it in another one, which then tells the process to end."""
    port = free_port(host)
    failures: list[BaseException] = []

    def visit() -> None:
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        try:
            with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
                wait_until(lambda: is_up(client))
                talk(client)
        except BaseException as error:  # noqa: BLE001  (shown by the test's own thread)
            failures.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    visitor = threading.Thread(target=visit)
    visitor.start()
    before = signal.getsignal(signal.SIGTERM)
    assert main(["serve", "--port", str(port), *arguments]) == 0
    visitor.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert failures == []


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.ConnectError:
        return False


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[ForgeServer]:
    with ForgeServer(tmp_path / "server") as server:
        source = make_repository(tmp_path / "source", WORKFLOW)
        git(source, "push", "--quiet", str(server.bare_repository), "main")
        yield server


def test_an_event_is_dispatched(
    set_variable: SetVariable, forge: ForgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    set_variable("GITEA_URL", f"{forge.url}/api/v1")
    body = event(forge, "gitea/issues.assigned", forge.add_issue("Do it", assignees=(forge.bot,)), "acme")
    handlers = list(logging.getLogger("coordinator").handlers)

    def talk(client: httpx.Client) -> None:
        assert client.get("/health").json()["forge_reachable"] is True
        assert client.post("/webhook/gitea", content=body, headers=signed(body)).status_code == 200
        wait_until(lambda: forge.state.dispatched)

    serve(talk, "--format", "json")
    out, err = capsys.readouterr()
    assert json.loads(out)["mode"] == "dispatch"
    assert "ended in order" in err
    assert logging.getLogger("coordinator").handlers == handlers


@pytest.mark.parametrize("temp", ["", "given"])
def test_an_event_is_worked_on_by_a_child(
    set_variable: SetVariable, forge: ForgeServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], temp: str
) -> None:
    """A text edited after the trigger: the run, and nobody before it, can see that."""
    set_variable("GITEA_URL", forge.url)
    set_variable("TMPDIR", str(tmp_path))
    set_variable("RUNNER_TEMP", temp and str(tmp_path / temp / "deep"))
    issue = forge.add_issue("Do it", "This", assignees=(forge.bot,))
    body = event(forge, "gitea/issues.assigned", issue, "acme")
    forge.state.issues[issue].body = "That"

    def talk(client: httpx.Client) -> None:
        assert client.post("/webhook/gitea", content=body, headers=signed(body)).status_code == 200
        said = ""
        for _ in range(600):
            said += capfd.readouterr().err
            if "refused by the run here, exit code 3" in said:
                return
            threading.Event().wait(0.1)
        pytest.fail(said)

    serve(talk, "--work")
    if temp:
        assert (tmp_path / temp / "deep/acme/app").is_dir()


def test_an_address_of_the_newer_kind(variables: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert variables
    try:
        free_port("::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    serve(lambda _client: None, "--host", "::1", host="::1")
    assert "listening on http://[::1]:" in capsys.readouterr().err


def test_lines_are_as_loud_as_asked_for(set_variable: SetVariable, capsys: pytest.CaptureFixture[str]) -> None:
    set_variable("LOG_LEVEL", "error")
    serve(lambda _client: None)
    assert capsys.readouterr().err == ""
