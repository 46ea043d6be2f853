"""One issue whose runs are killed again and again, each on a machine of its own, until it is done.

Nothing of a run outlives its kill but what the forge has. The model keeps no account of its own either: it goes on from
the last number that it is told of, so conversation and files have to agree after every kill.
"""

from __future__ import annotations

import json
import random
import re
import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import Computed, Failure, say
from tests.agent.support import asks_for_note
from tests.run.processes import RunProcess, outcome
from tests.run.queueing import model, record
from tests.run.support import BRANCH
from tests.small_project import LINT_ONLY, bash, submit

if TYPE_CHECKING:
    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Reply
    from tests.run.support import Job

SEED = 20_261_121
NUMBERS = 200
MOST_KILLS = 10
LEAST_TURNS = 10
"""Between two kills: fewer would be over before the context is full for the first time."""
SMALL_WINDOW = (
    "agents: {haiku: {context_limit: 44000, max_output_tokens: 4000}, sonnet: {enabled: false}, "
    "opus: {enabled: false}}\nbudget: {issue: {runs: 1000}, run: {turns: 1000}}\n"
)
"""The context is full after some fifteen turns, and with every reset the run leaves what the next one needs."""
CHECKPOINT = "refs/coordinator/runs/issue-1"


@dataclass
class Killer:
    """Wants every number to be written once, and kills the run now and then: at once, or a moment later."""

    chance: random.Random
    process: RunProcess | None = None
    kills: int = 0
    since: int = 0
    """Turns since the last kill."""
    timers: list[threading.Timer] = field(default_factory=list)

    def __call__(self, body: Json) -> Reply | Failure:
        """Answer one request."""
        if asks_for_note(body):
            return say("The numbers are in log.txt.")
        self.since += 1
        assert self.process is not None
        pending = any(timer.is_alive() for timer in self.timers)
        if self.kills < MOST_KILLS and self.since > LEAST_TURNS and not pending and self.chance.random() < 0.1:
            self.kills += 1
            self.since = 0
            if self.chance.random() < 0.5:
                self.process.kill()
                return Failure(529, "overloaded_error", "Nobody is there to read it")
            self.timers.append(threading.Timer(self.chance.random(), self.process.kill))
            self.timers[-1].start()
        told = re.findall(r"written: (\d+)", json.dumps(body["messages"]))
        last = int(told[-1]) if told else 0
        if last == NUMBERS:
            return submit()
        return bash(f"echo {last + 1} >> log.txt && seq 2000 && echo written: {last + 1}")


@pytest.mark.slow
def test_whenever_the_runs_are_killed_the_work_is_done_once(job: Job) -> None:
    job.push({".coordinator.yml": LINT_ONLY + SMALL_WINDOW})
    job.assign()
    killer = Killer(random.Random(SEED))  # noqa: S311  (the same every time, and no secret)
    codes: list[int] = []
    with model(Computed(killer, repeat=True)) as served:
        job.use(served)
        while not codes or codes[-1] == -signal.SIGKILL:
            with RunProcess(job, "41", {"GITHUB_RUN_ATTEMPT": str(len(codes) + 1)}) as killer.process:
                ended = killer.process.wait()
            for timer in killer.timers:
                timer.cancel()
                timer.join()
            codes.append(ended.code)
    assert served.refused == []
    assert outcome(ended) == (0, "completed"), ended.err
    killed = codes[:-1]
    assert set(killed) == {-signal.SIGKILL}
    assert len(killed) in {killer.kills, killer.kills - 1}, "all but the last, which may have come after the end"
    assert len(killed) >= MOST_KILLS // 2
    assert job.git("show", f"{BRANCH}:log.txt").split() == [str(number) for number in range(1, NUMBERS + 1)]
    assert job.git("for-each-ref", "--format=%(refname)", "refs/heads/coordinator") == f"refs/heads/{BRANCH}"
    assert not job.forge.state.repository.commit(CHECKPOINT)
    assert (len(job.pulls), len(job.comments)) == (1, 1)
    assert record(job).claim is None
