"""One job of `benchmarks/agent.py`, in a process of its own: the agent loop against an address, and what it took.

Commands run as plain processes, as those of the other agent do; their processor time is not in the figures. With
`--unbounded` the history is only ever appended to, and the output of commands is told whole.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from coordinator.agent.bash import DESCRIPTION, BashInput, BashTool
from coordinator.agent.budget import Budget
from coordinator.agent.loop import AgentLoop
from coordinator.agent.model import ModelClient
from coordinator.agent.output import OutputFiles
from coordinator.agent.prompt import system_prompt
from coordinator.agent.protocol import Ending, ModelEndpoint, Price, Submission, WorkState
from coordinator.agent.tools import Tool, Toolbox, ToolResult, define
from coordinator.agent.transcript import Transcript
from coordinator.configuration import ContextSection
from coordinator.sandbox.protocol import Network
from tests.agent.support import ProcessSandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from coordinator.agent.compaction import CompactionResult
    from coordinator.agent.protocol import TurnReport
    from coordinator.agent.reply import Block

TASK = "Find out why the report of the nightly job is empty, and mend it. " * 40
SECONDS = 200.0
WINDOW, OUTPUT = 200_000, 32_000
"""Tokens: the limits of a profile as they come."""


class WholeOutput:
    """Runs a command and tells all that it printed."""

    name = "bash"

    @property
    def definition(self) -> Block:
        """The same as that of the agent's own tool."""
        return define(self.name, DESCRIPTION, BashInput)

    def run(self, arguments: Mapping[str, JsonValue]) -> ToolResult:
        """Run it."""
        command = str(arguments["command"])
        return ToolResult(subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout)  # noqa: S607  (bash is looked up as the agent's own tool does)


class Figures:
    """What each turn took of this process: processor time since the start, in seconds, and memory, in bytes."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.memory: list[int] = []
        self.reductions: list[float] = []

    def turn(self, report: TurnReport) -> None:  # noqa: ARG002  (a watcher is told what it looks at)
        """Take the figures of a turn that begins to be answered."""
        self.cpu.append(time.process_time())
        self.memory.append(resident())

    def reset(self, result: CompactionResult) -> None:
        """Take note of a new conversation."""
        self.reductions.append(result.reduction)


def resident() -> int:
    """Return the memory that this process holds now; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * 4096


def endpoint(url: str, *, unbounded: bool) -> ModelEndpoint:
    """Return the stand-in as a profile."""
    price = Price(input=2.0, output=10.0, cache_read=0.1, cache_write=2.5)
    window = 50_000_000 if unbounded else WINDOW
    return ModelEndpoint("sonnet", "claude-sonnet-5-5", url, SecretStr("key"), window, OUTPUT, price, True)


def work(folder: Path, url: str, turns: int, *, unbounded: bool) -> Figures:
    """Do the job."""
    figures, model = Figures(), endpoint(url, unbounded=unbounded)
    budget = Budget(dollars=1e6, tokens=10**12, turns=turns + 9, deadline=time.monotonic() + SECONDS, price=model.price)
    sandbox = ProcessSandbox(folder)
    with (
        ModelClient(model, deadline=budget.deadline, charge=budget.charge) as client,
        Transcript(folder / "transcript.jsonl", str) as transcript,
        OutputFiles(sandbox.make_folder("output-")) as files,
    ):
        bounded = BashTool(
            sandbox,
            sandbox.make_folder("checkout-"),
            files,
            environment={},
            network=Network.NONE,
            remaining_seconds=lambda: budget.remaining_seconds,
            redact=str,
        )
        tool: Tool = WholeOutput() if unbounded else bounded
        loop = AgentLoop(
            client,
            Toolbox([tool]),
            budget=budget,
            transcript=transcript,
            watcher=figures.turn,
            judge=lambda _summary, _turns: Submission(accepted=True, final=True, text="Accepted."),
            system=system_prompt(),
            redact=str,
            context=ContextSection(),
            work_state=lambda: WorkState(git=" M report.py\n report.py | 4 ++--", verdict=""),
            on_reset=figures.reset,
        )
        result = loop.run(TASK)
    if result.ending is not Ending.ACCEPTED or result.turns != turns + 1:
        raise SystemExit(f"the job ended after {result.turns} turns: {result.ending}, {result.reason}")
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--turns", type=int, required=True)
    parser.add_argument("--unbounded", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = work(Path(folder), options.url, options.turns, unbounded=options.unbounded)
    print(json.dumps(vars(figures)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
