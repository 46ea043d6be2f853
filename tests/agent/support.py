"""The agent step with real parts: a real HTTP server, real processes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from coordinator.agent.bash import BashTool
from coordinator.agent.budget import Budget
from coordinator.agent.edit import EditTool
from coordinator.agent.loop import AgentLoop
from coordinator.agent.model import ModelClient, Patience
from coordinator.agent.notes import AGAIN, note_request
from coordinator.agent.output import OutputFiles
from coordinator.agent.prompt import system_prompt
from coordinator.agent.protocol import AgentResult, ModelEndpoint, Price, Submission, TurnReport, Usage, WorkState
from coordinator.agent.tools import Toolbox
from coordinator.agent.transcript import Transcript
from coordinator.configuration import ContextSection
from coordinator.demo.model_rules import MODELS, ModelLimits
from coordinator.demo.model_script import Reply, Step, call, say
from coordinator.demo.model_server import ModelServer
from coordinator.sandbox.protocol import Command, CommandResult, Network
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from coordinator.agent.compaction import CompactionResult
    from coordinator.sandbox.protocol import Sandbox

QUICK = Patience(tries=3, first_wait=0.01, longest_wait=0.02, stall=5.0)
PRICE = Price(input=2.0, output=10.0, cache_read=0.1, cache_write=2.5)
SMALL_MODELS = {**MODELS, "glm-5.2": ModelLimits(128_000, 32_000)}
DONE = say(call("submit", {"summary": "All done."}))


def redact(text: str) -> str:
    """Mask both canaries, as the coordinator's redaction masks its secrets."""
    return text.replace(API_CANARY, "***").replace(FORGE_CANARY, "***")


class ProcessSandbox:
    """A sandbox that confines nothing but behaves like one: clean environment, own session, limits, no leftovers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: list[Command] = []

    @property
    def description(self) -> str:
        return "processes without confinement, for tests"

    def give(self, folder: Path) -> None:
        """Everything belongs to the same account here."""

    def make_folder(self, prefix: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self.folder))

    def aside(self) -> Self:
        return self

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", **command.env}
        started = time.monotonic()
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(command.stdin)
            given.seek(0)
            with subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=environment,
                stdin=given,
                stdout=out,
                stderr=subprocess.STDOUT if command.merge_stderr else err,
                start_new_session=True,
            ) as process:
                timed_out = _wait(process, command.limits.seconds)
                os.killpg(process.pid, signal.SIGKILL)
            streams = [_read(file, command.limits.output_bytes) for file in (out, err)]
        code = process.returncode
        return CommandResult(
            exit_code=code if code >= 0 and not timed_out else None,
            signal=-code if code < 0 else None,
            timed_out=timed_out,
            stdout=streams[0][0],
            stderr=streams[1][0],
            truncated=streams[0][1] or streams[1][1],
            seconds=time.monotonic() - started,
        )


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait without reaping, so that the number of the process group stays ours until it is killed."""
    end = time.monotonic() + seconds
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > end:
            return True
        time.sleep(0.005)
    return False


def _read(file: Any, limit: int) -> tuple[bytes, bool]:
    file.seek(0)
    data = file.read(limit + 1)
    return data[:limit], len(data) > limit


def endpoint(server: ModelServer | str, **changes: Any) -> ModelEndpoint:
    """An endpoint of the scripted model; `changes` are fields of `ModelEndpoint`."""
    fields: dict[str, Any] = {
        "profile": "sonnet",
        "model": "claude-sonnet-5-5",
        "base_url": server if isinstance(server, str) else server.url,
        "api_key": SecretStr(API_CANARY),
        "context_limit": 200_000,
        "max_output_tokens": 32_000,
        "price": PRICE,
        "vendor_features": True,
        "api_key_env": "ANTHROPIC_API_KEY",
    }
    return ModelEndpoint(**{**fields, **changes})


@dataclass
class Judge:
    """Answers submissions from a list; records what it was asked."""

    answers: list[Submission] = field(
        default_factory=lambda: [Submission(accepted=True, final=False, text="Accepted.")]
    )
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, summary: str, turns: int) -> Submission:
        self.asked.append((summary, turns))
        return self.answers.pop(0)


@dataclass
class Bench:
    """One agent step, ready to run, with everything that can be looked at afterwards."""

    loop: AgentLoop
    budget: Budget
    checkout: Path
    transcript: Path
    sandbox: ProcessSandbox
    judge: Judge
    reports: list[TurnReport]
    resets: list[CompactionResult]

    def run(self, task: str = "Solve it.", **more: Any) -> AgentResult:
        return self.loop.run(task, **more)

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = self.transcript.read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


@contextmanager
def agent_step(
    folder: Path,
    model: ModelEndpoint,
    *,
    judge: Judge | None = None,
    watcher: Callable[[TurnReport], None] | None = None,
    patience: Patience = QUICK,
    context: ContextSection | None = None,
    work_state: Callable[[], WorkState] = lambda: WorkState(git="", verdict=""),
    confined: Sandbox | None = None,
    **limits: Any,
) -> Iterator[Bench]:
    """Build the agent step from its real parts. `limits` are those of `Budget`.

    Commands run as plain processes, or in a sandbox of the coordinator itself if one is given as `confined`.
    """
    bounds: dict[str, Any] = {"dollars": 5.0, "tokens": 5_000_000, "turns": 50, "deadline": time.monotonic() + 60}
    budget = Budget(**{**bounds, **limits}, price=model.price)
    sandbox = ProcessSandbox(folder)
    room: Sandbox = confined or sandbox
    checkout = room.make_folder("checkout-")
    reports: list[TurnReport] = []
    resets: list[CompactionResult] = []
    judge = judge or Judge()

    def watch(report: TurnReport) -> None:
        reports.append(report)
        if watcher is not None:
            watcher(report)

    path = folder / "transcript.jsonl"
    with (
        OutputFiles(room.make_folder("output-")) as files,
        Transcript(path, redact) as transcript,
        ModelClient(model, deadline=budget.deadline, charge=budget.charge, patience=patience) as client,
    ):
        bash = BashTool(
            room,
            checkout,
            files,
            environment={"PROJECT": "sample"},
            network=Network.NONE,
            remaining_seconds=lambda: budget.remaining_seconds,
            redact=redact,
        )
        tools = Toolbox([bash, EditTool(room, checkout, python=sys.executable)])
        loop = AgentLoop(
            client,
            tools,
            budget=budget,
            transcript=transcript,
            watcher=watch,
            judge=judge,
            system=system_prompt(),
            redact=redact,
            context=context or ContextSection(),
            work_state=work_state,
            on_reset=resets.append,
        )
        yield Bench(loop, budget, checkout, path, sandbox, judge, reports, resets)


@contextmanager
def strict_server(script: Sequence[Step | Callable[[Any], Reply]], **settings: Any) -> Iterator[ModelServer]:
    """Serve a script; afterwards no request may have been refused by the rules, and no step may be left."""
    with ModelServer(script, **{"key": API_CANARY, "models": SMALL_MODELS, **settings}) as server:
        yield server
    assert server.refused == []
    assert server.steps_left == 0


def asks_for_note(body: Any) -> bool:
    """Whether a request asks for a note on the work, for the first or the second time."""
    return body["messages"][-1]["content"][-1].get("text") in {note_request(), AGAIN}


def results(server: ModelServer, request: int = -1) -> list[dict[str, Any]]:
    """The tool results in the last message of a request."""
    content = server.requests[request].body["messages"][-1]["content"]
    return [block for block in content if block["type"] == "tool_result"]


def total(server: ModelServer) -> Usage:
    """What the server says it has billed."""
    bill = server.bill
    return Usage(
        input_tokens=bill.input_tokens,
        output_tokens=bill.output_tokens,
        cache_read_tokens=bill.cache_read_tokens,
        cache_write_tokens=bill.cache_write_tokens,
    )
