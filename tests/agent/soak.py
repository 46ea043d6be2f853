"""One life of an agent that is killed again and again: ``python -m tests.agent.soak FOLDER URL``.

It goes on with the transcript that it finds in the folder, as the agent step of a run does. Exits with 0 when its work
was accepted, and with 4 when it ended in another way; in both cases what it has spent stands in
``spent.json``. When it is killed that is in the transcript and nowhere else.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from coordinator.agent.bash import BashTool
from coordinator.agent.budget import Budget
from coordinator.agent.edit import EditTool
from coordinator.agent.loop import AgentLoop
from coordinator.agent.model import ModelClient, Patience
from coordinator.agent.opening import Circumstances, make_opening
from coordinator.agent.output import OutputFiles
from coordinator.agent.prompt import system_prompt
from coordinator.agent.protocol import Ending, ModelEndpoint, WorkState
from coordinator.agent.replay import read_transcript
from coordinator.agent.tools import Toolbox
from coordinator.agent.transcript import Transcript
from coordinator.configuration import ContextSection
from coordinator.sandbox.protocol import Network
from tests.agent.support import PRICE, Judge, ProcessSandbox
from tests.support import API_CANARY

if TYPE_CHECKING:
    from coordinator.agent.protocol import TurnReport

TASK = "Write every number once."
WINDOW, OUTPUT = 24_000, 4_000
"""Tokens: small, so that the context is full every few dozen turns."""
PATIENCE = Patience(tries=4, first_wait=0.01, longest_wait=0.02, stall=4.0)
SECONDS = 150.0


def state() -> WorkState:
    """Return what a new conversation is told of the checkout."""
    return WorkState(git="nothing but numbers", verdict="")


def watch(report: TurnReport) -> None:
    """Nobody looks."""


def main(folder: Path, url: str) -> int:
    key = SecretStr(API_CANARY)
    model = ModelEndpoint("sonnet", "claude-sonnet-5-5", url, key, WINDOW, OUTPUT, PRICE, vendor_features=True)
    budget = Budget(dollars=1e6, tokens=10**10, turns=10_000, deadline=time.monotonic() + SECONDS, price=PRICE)
    sandbox, checkout, path = ProcessSandbox(folder), folder / "checkout", folder / "transcript.jsonl"
    replay = read_transcript(path.read_bytes()) if path.exists() else None
    with (
        ModelClient(model, deadline=budget.deadline, charge=budget.charge, patience=PATIENCE) as client,
        Transcript(path, str) as transcript,
        OutputFiles(sandbox.make_folder("output-")) as files,
    ):
        bash = BashTool(
            sandbox,
            checkout,
            files,
            environment={},
            network=Network.NONE,
            remaining_seconds=lambda: budget.remaining_seconds,
            redact=str,
        )
        loop = AgentLoop(
            client,
            Toolbox([bash, EditTool(sandbox, checkout, python=sys.executable)]),
            budget=budget,
            transcript=transcript,
            watcher=watch,
            judge=Judge(),
            system=system_prompt(),
            redact=str,
            context=ContextSection(),
            work_state=state,
        )
        opening = make_opening(replay, TASK, since=Circumstances(), state=state, endpoint=model)
        if replay and opening.messages:
            transcript.write("resumed", how=opening.how, note=opening.note, verdict=replay.verdict)
        result = loop.run(TASK, opening=opening.messages, note=opening.note)
    (folder / "spent.json").write_text(result.usage.model_dump_json(), encoding="utf-8")
    return 0 if result.ending is Ending.ACCEPTED else 4


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
