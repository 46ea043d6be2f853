"""Ten thousand events through the real command: an outcome each, and nothing done that nobody allowed has asked for."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
from hypothesis import HealthCheck, given, settings

from coordinator.cli import main
from coordinator.demo.model_server import ModelServer
from coordinator.errors import ExitCode
from coordinator.report.models import Outcome
from tests.events.mutations import COMMAND, EventFile, event_files
from tests.run.pull_requests import PullRequests
from tests.run.queueing import ask_for, close
from tests.run.support import Ended, Job
from tests.standins.forge_state import JOB_USER_ID
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.events.mutations import Value

PAYLOADS = 10_000
SEEN = 10
"""How often each outcome is seen at least: a generator that draws nothing but rubbish shows nothing."""
SECRET = "the-relays-secret"
EXPECTED = ("completed", "waiting", "blocked", "skipped", "refused", "failed")
"""What these events end with: every issue waits for another one, or for one that is not there."""
LIVE_COMMAND = re.compile(rf"(?m)^\s*::[^\n]*{COMMAND}|##\[[^\n]*{COMMAND}")
"""What Gitea's runner obeys at the beginning of a line, and GitHub's anywhere."""
RUN_SECONDS = 30.0


@pytest.fixture
def model(job: Job) -> Iterator[ModelServer]:
    """Serve a model that nobody may ask."""
    with ModelServer([], key=API_CANARY) as served:
        job.use(served)
        yield served


@dataclass
class Forge:
    """A forge on which every issue waits for one that nobody is to work on, and the events that are about it."""

    job: Job
    head: str
    repository: str
    issues: list[str]
    people: list[str]
    """As JSON; of the people the last three may start runs."""
    pull_request: int
    """Its number."""
    counts: Counter[str] = field(default_factory=Counter)

    def adopt(self, name: str, document: dict[str, Value], number: Callable[[int], int]) -> None:
        """Let an event file be about this forge, mostly; by somebody who may not start runs, mostly."""
        if number(10) == 9:
            return
        document["repository"] = json.loads(self.repository)
        if name == "schedule" and number(20):
            document["repository"] = {**json.loads(self.repository), "id": 2}
        if "sender" in document:
            document["sender"] = json.loads(self.people[number(len(self.people))])
        if isinstance(document.get("issue"), dict):
            document["issue"] = json.loads(self.issues[number(len(self.issues))])
        now = datetime.now(UTC).isoformat()
        if isinstance(comment := document.get("comment"), dict):
            comment |= {"created_at": now, "body": f"/coordinator {('run', 'stop', 'plan', 'retry')[number(4)]}"}
        if isinstance(pull := document.get("pull_request"), dict):
            branch: dict[str, Value] = {"ref": "feature", "sha": self.head, "repo_id": 1, "repo": {"id": 1}}
            moment = "2026-01-01T00:00:00Z" if number(40) else now
            pull |= {
                "number": self.pull_request,
                "updated_at": moment,
                "head": branch,
                "base": {**branch, "ref": "main"},
            }
        if name == "workflow_dispatch":
            document["inputs"] = self._inputs(number)

    def _inputs(self, number: Callable[[int], int]) -> dict[str, Value]:
        kind = number(8)
        if kind:
            return {"issue": str(number(9)), "event": "", "signature": ""}
        event = json.dumps({"action": "opened", "issue": {"number": number(9)}})
        signature = hmac.new(SECRET.encode(), event.encode(), hashlib.sha256).hexdigest()
        return {"issue": "", "event": event, "signature": signature if number(2) else "0" * 64}

    def run(self, file: EventFile) -> None:
        """Let a job find this event, and see how it ends."""
        job = self.job
        job.event(file.name, file.raw)
        for name in ("output", "summary"):
            (job.folder / name).write_bytes(b"")
        job.forge.requests.clear()
        job.capture.readouterr()
        started = time.monotonic()
        code = main(["run", "--format", "json"])
        assert time.monotonic() - started < RUN_SECONDS
        ended = Ended(code, *job.capture.readouterr())
        self.counts[self._outcome_of(ended)] += 1
        self._look_at_log(ended)
        self._look_at_writes(file, ended)

    def _outcome_of(self, ended: Ended) -> str:
        outcome, reason = ended.document["outcome"], ended.document["reason"]
        assert isinstance(outcome, str)
        assert isinstance(reason, str)
        assert reason.isprintable()
        assert ended.document["exit_code"] == ended.code == _exit_code(Outcome(outcome))
        word = "error" if outcome == "failed" else outcome
        assert outcome == "completed" or f"coordinator: {word}: " in ended.err
        assert self.job.outputs()["outcome"] == outcome
        return outcome

    def _look_at_log(self, ended: Ended) -> None:
        said = ended.out + ended.err
        assert "Traceback" not in said
        assert "internal error" not in said
        assert not LIVE_COMMAND.search(said)
        assert not LIVE_COMMAND.search(self.job.summary)
        assert FORGE_CANARY not in said
        assert SECRET not in said

    def _look_at_writes(self, file: EventFile, ended: Ended) -> None:
        writes = [write.removeprefix("POST ").removeprefix("PATCH ") for write in self.job.writes]
        if not writes:
            return
        self.counts["writing"] += 1
        assert ended.document["outcome"] == "released" or self._may_write(file), (writes, ended)
        told = all(
            re.fullmatch(r"/api/v1/repos/acme/app/issues/(\d+/comments|comments/\d+)", write) for write in writes
        )
        assert told or ended.document["outcome"] not in {"skipped", "refused", "failed"}, writes

    def _may_write(self, file: EventFile) -> bool:
        """Whether somebody allowed is behind it, or nobody sends it."""
        document = json.loads(file.raw)
        sender = (document.get("sender") or {}).get("id")
        allowed = {self.job.maintainer.id, self.job.forge.owner.id, self.job.forge.bot.id, JOB_USER_ID}
        return file.name == "schedule" or sender in allowed


def _exit_code(outcome: Outcome) -> int:
    """What fails here does so by the event: nothing is broken that would mend itself."""
    return int(ExitCode.MISUSE if outcome is Outcome.FAILED else outcome.exit_code)


def make_forge(job: Job) -> Forge:
    """Fill the forge of a job: nothing on it can be started, so that no run lasts long."""
    forge, state = job.forge, job.forge.state
    people = [forge.add_user(name) for name in ("stranger", "maintainer[bot]", "ma\u0131ntainer", "gitea-actions")]
    people = [*people, forge.add_user("reader", "read")]
    people += [forge.bot, state.users["gitea-actions"], job.maintainer]
    forge.add_issue("Of a stranger", "do it", author=people[0], assignees=(forge.bot,), labels=("agent",))
    for title in ("Plain", "Closed"):
        job.add_issue(title)
    job.add_issue("Waits for what is not there", "## Blocked by\n\n- #999\n")
    for number in (1, 2, 3):
        forge.block(number, by=5)
    ask_for(job, 1, 5)
    close(job, 4)
    head = PullRequests(job).open({"tool.py": "ONE = 1\nTWO = 2\n"})
    issues = [json.dumps(state.issue_json(state.issues[number])) for number in (5, *state.issues, 5)]
    everybody = [json.dumps(state.user_json(one)) for one in people]
    return Forge(job, head, json.dumps(state.repository_json()), issues, everybody, max(state.issues))


def test_ten_thousand_payloads(job: Job, model: ModelServer) -> None:
    forge = make_forge(job)
    authorities = job.folder / "authorities.pem"
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
    authorities.write_text(first + end, encoding="utf-8")
    job.set(INPUT_WEBHOOK_SECRET=SECRET, SSL_CERT_FILE=authorities)

    @settings(
        max_examples=PAYLOADS, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(event_files(forge.adopt))
    def check(file: EventFile) -> None:
        forge.run(file)

    check()
    assert not model.requests
    assert forge.counts.total() >= PAYLOADS
    assert min(forge.counts[outcome] for outcome in EXPECTED) > SEEN, forge.counts
    assert forge.counts["writing"] > SEEN, "some of them are to be somebody's who may start runs"
