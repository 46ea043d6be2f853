"""The other side of `benchmarks/agent.py`: the strict stand-in for the Messages API, in a process of its own.

It asks for one command per turn, of a fixed round, writes a note when it is asked for one, and submits at the end. Its
first line is its address; when its standard input ends, it prints what it has billed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from coordinator.agent.notes import note_request
from coordinator.demo.model_rules import MODELS, ModelLimits
from coordinator.demo.model_script import Computed, Reply, call, say
from coordinator.demo.model_server import ModelServer

if TYPE_CHECKING:
    from coordinator.demo.model_prompt import Json

LINES = {
    "even": (40, 120, 400, 80, 600, 20, 240, 60, 500, 160),
    "real": (12, 90, 700, 40, 1_500, 250, 20, 2_600, 400, 12_000),
}
"""Lines that the commands of one round print. `real` has what a listing, a search, a file, a run of the tests and a
whole log print, the last of 60 KB; `even` has the shorter ones of these, so that 300 turns fit into one window."""
NOTE = "What is done, what was decided and what is left, as the model writes it down.\n" + "- One finding more.\n" * 60
PEER_END = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


class Script:
    """Says what comes next, by the number of the turn."""

    def __init__(self, turns: int, lines: tuple[int, ...]) -> None:
        self.turns = turns
        self.lines = lines
        self.turn = 0
        self._note_request = note_request()

    def __call__(self, body: Json) -> Reply:
        """Answer one request."""
        tools = {str(tool["name"]) for tool in body["tools"]}
        if _last_text(body) == self._note_request:
            return say(NOTE)
        self.turn += 1
        if self.turn > self.turns:
            last = call("submit", {"summary": "Done."}) if "submit" in tools else call("bash", {"command": PEER_END})
            return say(last)
        count = self.lines[self.turn % len(self.lines)]
        return say(f"I look at part {self.turn} next.", call("bash", {"command": f"echo {self.turn}; seq {count}"}))


def _last_text(body: Json) -> str:
    content = body["messages"][-1]["content"]
    last = content if isinstance(content, str) else content[-1]
    return last if isinstance(last, str) else str(last.get("text", ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, required=True)
    parser.add_argument("--lines", choices=sorted(LINES), required=True)
    options = parser.parse_args()
    script = Script(options.turns, LINES[options.lines])
    models = {name: ModelLimits(100_000_000, limits.max_output) for name, limits in MODELS.items()}

    def answer(body: Json) -> Reply:
        server.requests.clear()  # they hold the whole history each
        return script(body)

    server = ModelServer([Computed(answer, repeat=True)], models=models)
    with server:
        print(json.dumps({"url": server.url}), flush=True)
        sys.stdin.read()
    print(json.dumps({**asdict(server.bill), "refused": server.refused}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
