"""`coordinator serve` as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from coordinator.commands.serve import run_environment
from tests.standins.forge_server import ForgeServer
from tests.support import API_CANARY, FORGE_CANARY, git, make_repository
from tests.webhook.support import DOCUMENT, WEBHOOK_CANARY, body_of, document, signed, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-P", "-m", "coordinator", "serve")
WORKFLOW = {".gitea/workflows/coordinator.yml": "on: workflow_dispatch\n"}


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of an operator: complete, with everything secret in it."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": "/nonexistent",
        "GITEA_URL": "http://127.0.0.1:1",
        "GITEA_TOKEN": FORGE_CANARY,
        "GITEA_WEBHOOK_SECRET": WEBHOOK_CANARY,
        "ANTHROPIC_API_KEY": API_CANARY,
        "HOST": "127.0.0.1",
        **variables,
    }


@dataclass
class Process:
    """A relay in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    log: Path

    def post(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.address}/webhook/gitea", content=body, headers=signed(body), trust_env=False)

    def health(self) -> httpx.Response:
        return httpx.get(f"{self.address}/health", trust_env=False, timeout=20)

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def announcement(process: subprocess.Popen[str]) -> str:
    """Read the one document that is printed at the start."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    return "".join(lines)


@contextmanager
def relay(folder: Path, *arguments: str, **variables: str) -> Iterator[Process]:
    """Run the command until the end of the block, on a free port."""
    log = folder / "log.txt"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", "--format", "json", *arguments],
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with process:
        try:
            yield Process(process, json.loads(announcement(process))["address"], log)
        finally:
            process.kill()


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[ForgeServer]:
    with ForgeServer(tmp_path / "server") as server:
        source = make_repository(tmp_path / "source", WORKFLOW)
        git(source, "push", "--quiet", str(server.bare_repository), "main")
        yield server


def event(forge: ForgeServer, name: str, issue: int, login: str) -> bytes:
    """Return the body of a webhook about an issue of the stand-in."""
    payload, state = document(name), forge.state
    told = DOCUMENT.validate_python(payload["issue"])
    return body_of(
        {
            **payload,
            "issue": {**told, **state.issue_json(state.issues[issue])},
            "repository": state.repository_json(),
            "sender": state.user_json(state.users[login]),
        }
    )


# What has to be there: the rest of it is tested in the process.


@pytest.mark.parametrize("name", ["fastapi", "uvicorn"])
def test_without_the_extra(name: str) -> None:
    """As on a machine where only the main dependencies are installed."""
    script = f"import sys; sys.modules[{name!r}] = None; from coordinator.cli import main; sys.exit(main(['serve']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"coordinator: error: The relay needs {name}. Install coordinator[webhook].\n"


def test_its_memory_and_environment_are_closed_to_others() -> None:
    """Before anything else: 3 is PR_GET_DUMPABLE (prctl(2))."""
    script = "import ctypes; from coordinator.cli import main; main(['serve']); print(ctypes.CDLL(None).prctl(3))"
    env = {**environment(), "GITEA_URL": ""}
    done = subprocess.run([sys.executable, "-P", "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "0\n"


# At work.


def test_an_assignment_becomes_a_dispatch(forge: ForgeServer, tmp_path: Path) -> None:
    issue = forge.add_issue("Do it", author=forge.owner, assignees=(forge.bot,))
    body = event(forge, "gitea/issues.assigned", issue, forge.owner.login)
    with relay(tmp_path, GITEA_URL=f"{forge.url}/") as served:
        assert served.post(body).json()["status"] == "queued"
        wait_until(lambda: forge.state.dispatched)
        assert served.post(body).json()["status"] == "duplicate"
        health = served.health().json()
        assert health["forge_reachable"] is True
        wait_until(lambda: served.said("dispatched coordinator.yml"))
        assert served.end() == 0
    log = (tmp_path / "log.txt").read_text()
    assert len(forge.state.dispatched) == 1
    assert log.splitlines()[0].endswith(
        f"listening on {served.address} for {forge.url}; starts the workflow of the repository"
    )
    assert log.splitlines()[-1].endswith("ended in order")
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error) \S", line) for line in log.splitlines())
    assert not [secret for secret in (FORGE_CANARY, WEBHOOK_CANARY, API_CANARY) if secret in log]


def test_a_hanging_forge_holds_up_no_answer(forge: ForgeServer, tmp_path: Path) -> None:
    """Gitea gives a webhook five seconds."""
    forge.fail("/api/v1/", times=1000, delay=3)
    with relay(tmp_path, GITEA_URL=forge.url) as served:
        for number in range(6):
            issue = forge.add_issue(f"Issue {number}", assignees=(forge.bot,))
            started = time.monotonic()
            answer = served.post(event(forge, "gitea/issues.assigned", issue, forge.owner.login))
            assert (answer.status_code, answer.json()["status"]) == (200, "queued")
            assert time.monotonic() - started < 2.5
        started = time.monotonic()
        assert served.health().status_code == 200
        assert time.monotonic() - started < 5


def test_a_message_of_the_forge_brings_no_secret_into_the_log(forge: ForgeServer, tmp_path: Path) -> None:
    told = json.dumps({"message": f"{WEBHOOK_CANARY} {FORGE_CANARY[::-1]}"}).encode()
    forge.fail("/dispatches", times=9, status=422, body=told)
    issue = forge.add_issue("Do it", assignees=(forge.bot,))
    with relay(tmp_path, GITEA_URL=forge.url) as served:
        served.post(event(forge, "gitea/issues.assigned", issue, forge.owner.login))
        wait_until(lambda: served.said("failed: "))
    log = (tmp_path / "log.txt").read_text()
    assert WEBHOOK_CANARY not in log
    assert FORGE_CANARY not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_the_end_what_is_queued_is_passed_on(forge: ForgeServer, tmp_path: Path, number: signal.Signals) -> None:
    forge.fail("/api/v1/user", times=9, delay=1)
    with relay(tmp_path, GITEA_URL=forge.url) as served:
        for count in range(3):
            issue = forge.add_issue(f"Issue {count}", assignees=(forge.bot,))
            served.post(event(forge, "gitea/issues.assigned", issue, forge.owner.login))
        started = time.monotonic()
        assert served.end(number) == 0
        assert time.monotonic() - started < 10
    assert len(forge.state.dispatched) == 3


def test_a_forge_that_hangs_does_not_keep_it_from_ending(forge: ForgeServer, tmp_path: Path) -> None:
    forge.fail("/api/v1/user", times=9, delay=12)
    issue = forge.add_issue("Do it", assignees=(forge.bot,))
    with relay(tmp_path, GITEA_URL=forge.url) as served:
        served.post(event(forge, "gitea/issues.assigned", issue, forge.owner.login))
        wait_until(lambda: any(request.path == "/api/v1/user" for request in forge.requests))
        started = time.monotonic()
        assert served.end() == 0
        assert time.monotonic() - started < 10
    assert "not finished when the relay ended" in (tmp_path / "log.txt").read_text()


def test_a_signal_before_it_answers_ends_it_too() -> None:
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--format", "json"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}


# Working on issues here.


def test_work_is_done_by_a_run_that_verifies_the_sender_again(forge: ForgeServer, tmp_path: Path) -> None:
    """A good signature says that the forge sent it, not that the sender may start runs."""
    stranger = forge.add_user("stranger")
    issue = forge.add_issue("Take the keys", author=stranger, assignees=(forge.bot,))
    with relay(
        tmp_path, "--work", GITEA_URL=forge.url, RUNNER_TEMP=str(tmp_path / "temp"), TMPDIR=str(tmp_path)
    ) as served:
        assert served.post(event(forge, "gitea/issues.assigned", issue, "stranger")).json()["status"] == "queued"
        wait_until(lambda: served.said("#1: refused by the run here, exit code 3"), 60)
        assert served.end() == 0
    log = (tmp_path / "log.txt").read_text()
    assert "coordinator: refused: " in log
    assert "works on the issues here" in log
    assert forge.state.dispatched == []
    assert not list(tmp_path.glob("coordinator-event-*"))
    assert not [secret for secret in (FORGE_CANARY, WEBHOOK_CANARY, API_CANARY) if secret in log]


def test_a_closed_issue_is_seen_to_here(forge: ForgeServer, tmp_path: Path) -> None:
    issue = forge.add_issue("Done")
    forge.state.issues[issue].state = "closed"
    with relay(tmp_path, "--work", GITEA_URL=forge.url, TMPDIR=str(tmp_path), HOME=str(tmp_path)) as served:
        served.post(event(forge, "gitea/issues.closed", issue, forge.owner.login))
        wait_until(lambda: served.said("issues closed #1: done here, exit code 0"), 60)


def test_a_run_gets_what_is_listed_and_nothing_else() -> None:
    given = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "ANTHROPIC_API_KEY": API_CANARY,
        "GLM_BASE_URL": "https://glm.example",
        "HOUSE_API_KEY": "house",
        "HTTPS_PROXY": "http://proxy.example",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "INPUT_TRIGGER_LABEL": "agent",
        "RUNNER_TOOL_CACHE": "/cache",
        "GITEA_WEBHOOK_SECRET": WEBHOOK_CANARY,
        "INPUT_WEBHOOK_SECRET": WEBHOOK_CANARY,
        "GITEA_TOKEN": "another",
        "GITHUB_TOKEN": "another",
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": "/output",
        "GITHUB_EVENT_PATH": "/other.json",
        "INPUT_EVENT": "{}",
        "AWS_SECRET_ACCESS_KEY": "aws",
        "DATABASE_PASSWORD": "db",
        "PYTHONSTARTUP": "/x.py",
        "LD_PRELOAD": "/x.so",
    }
    found = run_environment(given, "https://gitea.example", SecretStr(FORGE_CANARY), "debug")
    passed = dict(list(given.items())[:9])
    assert found == {
        **passed,
        "GITEA_URL": "https://gitea.example",
        "INPUT_TOKEN": FORGE_CANARY,
        "LOG_LEVEL": "debug",
    }
