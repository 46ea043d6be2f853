"""Two thousand turns with everything that goes wrong in them, and at the end the right files and the right bill.

The agent is a process of its own that is killed by its own commands and started again; it works against the strict
stand-in over HTTP. Commands run as plain processes: what is shown here is the loop, and confinement costs most of the
time. Kills come while a command runs. One in the middle of a reply leaves a bill that nobody on this side has seen.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.agent.protocol import Usage
from coordinator.demo.model_script import Broken, Computed, Failure, Reply, call, say
from tests.agent.support import PRICE, asks_for_note, strict_server, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Step

ROOT = Path(__file__).resolve().parent.parent.parent
SEED = 20_261_121
TURNS = 2_000
MOST_LIVES = 40
LIFE_SECONDS = 150
KILLED = -9
BREAKS = ("eof", "cut", "reset", "bad_json", "error_event", "wrong_index")
"""Streams that have begun when they break: what is billed for them can be known."""
FAILURES = (
    Failure(429, "rate_limit_error", "Slow down", {"retry-after": "0.01"}),
    Failure(529, "overloaded_error", "Overloaded"),
    Failure(502, page="<h1>Bad gateway</h1>"),
    Failure(500, "api_error", "Internal server error"),
)
OVERFLOWS = (
    Failure(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
    Failure(400, "invalid_request_error", "This model's maximum context length is 20000 tokens"),
    Failure(413, "request_too_large", "Request exceeds the maximum size"),
)

NOTES: tuple[Reply | Failure | Broken, ...] = (
    say("All numbers so far are written. " * 20),
    say("All numbers so far are written. " * 20),
    say("No.", stop_reason="refusal"),
    say("I write on.", call("bash", {"command": "echo never >> log.txt"})),
    Failure(400, "invalid_request_error", "prompt is too long"),
    Broken("eof"),
)
STALLS = {TURNS // 4: "silence", TURNS // 2: "late_pings", TURNS * 3 // 4: "silence"}
"""Streams that begin and then bring nothing more, by the turn before: each takes as long as a silence may last."""
FAULTS: tuple[tuple[float, str, tuple[Failure | Broken, ...]], ...] = (
    (0.030, "failure", FAILURES),
    (0.070, "break", tuple(map(Broken, BREAKS))),
    (0.078, "overflow", OVERFLOWS),
)
"""What comes in place of a turn: up to which share of all requests, and what to choose from."""


@dataclass
class Model:
    """Wants every number from 1 on to be written once, by one call each; what it was told decides nothing."""

    chance: random.Random
    turns: int = 0
    number: int = 0
    written: list[int] = field(default_factory=list)
    """Numbers that a command appends to one file, in order."""
    edited: list[int] = field(default_factory=list)
    """Numbers that get a file of their own."""
    stalls: dict[int, str] = field(default_factory=lambda: dict(STALLS))
    seen: dict[str, int] = field(default_factory=dict)
    """How often each kind of thing has happened."""

    def __call__(self, body: Json) -> Reply | Failure | Broken:
        """Answer one request."""
        if asks_for_note(body):
            self.seen["note"] = self.seen.get("note", 0) + 1
            return self._note()
        if self.turns in self.stalls:
            return Broken(self.stalls.pop(self.turns))
        roll = self.chance.random()
        for limit, kind, choice in FAULTS:
            if roll < limit:
                self.seen[kind] = self.seen.get(kind, 0) + 1
                return self.chance.choice(choice)
        self.turns += 1
        return self._work()

    def _note(self) -> Reply | Failure | Broken:
        return self.chance.choice(NOTES)

    def _work(self) -> Reply:
        if self.turns > TURNS:
            return say(call("submit", {"summary": "All numbers are written."}))
        count = self.chance.choice((1, 1, 1, 1, 2))
        words = f"Turn {self.turns}. " * self.chance.choice((1, 1, 30))
        return say(words, *(self._call(may_kill=left == 1) for left in range(count, 0, -1)))

    def _call(self, *, may_kill: bool) -> Json:
        """Return one call. Only the last of a reply may kill: those behind it would not run, as they should not."""
        self.number += 1
        roll = self.chance.random()
        if roll < 0.04:
            self.edited.append(self.number)
            return call("edit", {"path": f"{self.number}.txt", "old": "", "new": f"{self.number}\n"})
        self.written.append(self.number)
        command = f"echo {self.number} >> log.txt"
        if may_kill and roll < 0.048:
            self.seen["kill"] = self.seen.get("kill", 0) + 1
            return call("bash", {"command": f"{command}; kill -9 $PPID"})
        return call("bash", {"command": f"{command}; seq {self.chance.choice((1, 5, 200))}"})


def spent(folder: Path) -> Usage:
    """What the life that has just ended says it has used; of one that was killed, what its transcript says."""
    report = folder / "spent.json"
    if report.exists():
        usage = Usage.model_validate_json(report.read_bytes())
        report.unlink()
        return usage
    last = Usage()
    for event in events(folder):
        if event["event"] == "start":
            last = Usage()
        elif event["event"] == "usage":
            last = Usage.model_validate({name: event[name] for name in Usage.model_fields})
    return last


def events(folder: Path) -> Iterator[dict[str, Any]]:
    for line in (folder / "transcript.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def live(folder: Path, url: str) -> int:
    """Let the agent work until it is killed or has ended; return its exit code."""
    command = [sys.executable, "-m", "tests.agent.soak", str(folder), url]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=LIFE_SECONDS).returncode


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A place in memory where there is one: on a disk most of the time would go into syncing the transcript."""
    memory = Path("/dev/shm")  # noqa: S108  (the folder in it is of a new name and nobody else's)
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.mark.slow
def test_whatever_goes_wrong_every_number_is_written_once_and_the_bill_is_right(folder: Path) -> None:
    (folder / "checkout").mkdir()
    model = Model(random.Random(SEED))  # noqa: S311  (the same run every time, and no secret)
    script: list[Step] = [Computed(model, repeat=True)]
    codes: list[int] = []
    recorded = Usage()
    with strict_server(script) as server:
        while not codes or (codes[-1] != 0 and len(codes) < MOST_LIVES):
            codes.append(live(folder, server.url))
            recorded += spent(folder)
        refused, billed = list(server.refused), total(server)
    assert refused == []
    assert codes[-1] == 0, codes
    assert set(codes) <= {0, 4, KILLED}
    written = [int(line) for line in (folder / "checkout" / "log.txt").read_text(encoding="utf-8").splitlines()]
    assert written == model.written, "no call has run twice, and none has not run"
    files = {path.name: path.read_text(encoding="utf-8") for path in (folder / "checkout").iterdir()}
    assert files.keys() - {"log.txt"} == {f"{number}.txt" for number in model.edited}
    assert all(files[f"{number}.txt"] == f"{number}\n" for number in model.edited)
    assert recorded == billed
    assert round(PRICE.cost(recorded), 2) == round(PRICE.cost(billed), 2) > 0
    assert codes.count(KILLED) == model.seen["kill"] >= 10
    kinds = [event["kind"] for event in events(folder) if event["event"] == "reset"]
    assert kinds.count("compacted") >= 10
    assert kinds.count("rotated") >= 10
    assert min(model.seen[kind] for kind in ("failure", "break", "overflow", "note")) >= 3
    assert (model.turns, model.stalls) == (TURNS + 1, {})
