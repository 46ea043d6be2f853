"""Every request that a run sends to the forge, by name, and the flows that send them, for fault injection."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from coordinator.arguments import build_parser
from coordinator.cli import report_failure
from coordinator.commands.run import execute
from coordinator.errors import CoordinatorError
from coordinator.forge.gitea import GiteaForge
from coordinator.forge.http import RestClient
from tests.run.pull_requests import PullRequests
from tests.run.queueing import (
    IN_PROGRESS,
    ask_for,
    claims_of,
    close,
    dispatched,
    labels,
    mark,
    model,
    record,
    unassign,
)
from tests.run.support import BRANCH, Ended
from tests.small_project import bash, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import SecretStr

    from coordinator.demo.model_server import ModelServer
    from coordinator.environment import Environment
    from coordinator.forge.protocol import Forge
    from tests.run.support import Job
    from tests.standins.forge_http import Request

GREEN = {"coordinator": "success", "coordinator/lint": "success"}
WORK_REF = f"refs/heads/{BRANCH}"
STARTABLE = {
    ".gitea/workflows/coordinator.yml": "on: {workflow_dispatch: {inputs: {issue: {}, event: {}, signature: {}}}}\n"
}
WORK = bash("printf 'ONE = 1\\nTWO = 2\\n' > tool.py")
"""May be done again on top of itself."""
SILENCE_SECONDS = 0.5
"""How long the forge may say nothing in these tests."""


_VARIABLE = re.compile(r"([0-9a-f]{40}|(?<=/)\d+(?=/|$))")
_PREFIX = r"^(/api/v1/repos/acme/app|/api/v1|/acme/app\.git)"

# Requests.


@dataclass(frozen=True)
class ForgeCall:
    """One request of a run: the first of its method and route, or for git the n-th of its kind."""

    name: str
    route: str
    """Pattern of ``METHOD path``."""
    after: int = 0
    """So many that match come before it."""

    @property
    def is_git(self) -> bool:
        return "git-" in self.name


def calls_of(requests: Sequence[Request]) -> list[ForgeCall]:
    """Return the distinct calls among the requests of a run, in order. Requests of git are all distinct."""
    found: dict[str, ForgeCall] = {}
    seen: Counter[str] = Counter()
    for request in requests:
        is_git = "git-" in request.path
        parts = _VARIABLE.split(request.path if is_git else request.path.partition("?")[0])
        route = "".join(("N" if part.isdecimal() else "SHA") if odd % 2 else part for odd, part in enumerate(parts))
        name = f"{request.method} {re.sub(_PREFIX, '', route) or '/'}"
        pattern = "".join(
            (r"\d+" if part.isdecimal() else "[0-9a-f]{40}") if odd % 2 else re.escape(part)
            for odd, part in enumerate(parts)
        )
        shown = f"{name} #{seen[name] + 1}" if is_git else name
        if shown not in found:
            found[shown] = ForgeCall(shown, rf"^{request.method} {pattern}(\?|$)", seen[name] if is_git else 0)
        seen[name] += 1
    return list(found.values())


# Runs that need not wait long.


@contextmanager
def impatient_git(job: Job) -> Iterator[None]:
    """Let git give a silent server up after a second (git-config(1), ``http.lowSpeedTime``)."""
    folder = job.folder / "impatient"
    folder.mkdir(exist_ok=True)
    program = folder / "git"
    limits = "GIT_HTTP_LOW_SPEED_LIMIT=1 GIT_HTTP_LOW_SPEED_TIME=1"
    program.write_text(f'#!/bin/sh\n{limits} exec {shutil.which("git")} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    before = os.environ["PATH"]
    job.set(PATH=f"{folder}:{before}")
    try:
        yield
    finally:
        job.set(PATH=before)


@dataclass
class ImpatientRun:
    """A run of the job that gives a silent forge up soon, and that does not really wait between its tries."""

    job: Job
    waits: list[float] = field(default_factory=list)
    """Seconds that it would have waited."""

    def __call__(self) -> Ended:
        arguments = build_parser().parse_args(["run", "--format", "json"])
        self.job.capture.readouterr()
        with impatient_git(self.job):
            try:
                code = execute(arguments, open_forge=self._open_forge)
            except CoordinatorError as error:
                code = report_failure(error, as_json=True)
        out, err = self.job.capture.readouterr()
        self.job.said += [out, err]
        return Ended(code, out, err)

    def _open_forge(self, environment: Environment) -> Forge:
        assert environment.api_url
        assert environment.server_url
        assert environment.repository
        assert environment.token

        def connect(address: str, token: SecretStr) -> RestClient:
            return RestClient(address, token, silence_seconds=SILENCE_SECONDS, sleep=self.waits.append)

        return GiteaForge(
            environment.api_url,
            environment.server_url,
            environment.repository,
            environment.token,
            connect=connect,
        )


# The flows.


@dataclass(frozen=True)
class FlowCase:
    """One flow: the event that starts it, and what is there on the forge when it was done, once."""

    prepare: Callable[[Job], None]
    outcome: str
    done: Callable[[Job, str], None]
    """Fails unless all is there but for the one thing that is named, and nothing twice."""
    turns: int = 0
    """Of the model."""

    def model(self) -> ModelServer:
        """Serve the model for one undisturbed run."""
        return model(*([WORK, submit()] if self.turns else []))


def nothing_is_doubled(job: Job) -> None:
    """Fail where anything is there twice that is wanted once, finished or not."""
    by_bot = [len(job.comments), *(len(PullRequests(job, pull.number).comments) for pull in job.pulls)]
    assert max(by_bot) <= 1, "comments"
    assert len(job.pulls) <= 1, "pull requests"
    assert len(set(dispatched(job))) == len(dispatched(job)), "runs"
    assert job.git("for-each-ref", "--format=%(refname)", "refs/heads/coordinator").split() in ([], [WORK_REF])
    if job.branch():
        assert job.git("rev-list", "--count", f"main..{BRANCH}") == "1", "commits"


def worked(job: Job, but: str = "") -> None:
    """Fail unless the issue was worked on."""
    nothing_is_doubled(job)
    (pull,) = job.pulls
    assert not pull.title.startswith("WIP: ")
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    assert but == "statuses" or job.statuses(job.branch()) == GREEN
    assert "Done" in job.headline(), "in the one comment"
    assert record(job).claim is None
    assert record(job).runs[-1].outcome == "completed"
    assert (IN_PROGRESS in labels(job)) is (but == "mark")


def _left_behind(job: Job) -> None:
    claims_of(job, later=timedelta(hours=-1)).take(1, request=None, most_runs=None)
    mark(job)
    unassign(job)


def _released(job: Job, but: str) -> None:
    assert record(job).claim is None
    assert [run.outcome for run in record(job).runs] == ["lost"]
    assert (IN_PROGRESS in labels(job)) is (but == "mark")
    assert not job.comments


def _closed(job: Job) -> None:
    job.push(STARTABLE)
    ask_for(job, job.add_issue("Second"), job.add_issue("Third"))
    for number in (2, 3):
        job.forge.state.issues[number].blocked_by.append(1)
    claims_of(job, later=timedelta(hours=-1)).take(1, request=None, most_runs=None)
    mark(job)
    close(job)


def _unblocked(job: Job, but: str) -> None:
    assert dispatched(job) == (["2", "2", "3"] if but == "the answer" else ["2", "3"])
    assert [IN_PROGRESS in labels(job, number) for number in (1, 2, 3)] == [
        but == "old mark",
        but != "mark",
        True,
    ]
    assert record(job).claim is None
    assert all(record(job, number).dispatched_at for number in (2, 3))


def _queued(job: Job) -> None:
    job.push(STARTABLE)
    ask_for(job, 1, job.add_issue("Second"), job.add_issue("Third"))
    mark(job, 3)
    job.dispatch()


def _drained(job: Job, but: str) -> None:
    assert dispatched(job) == (["1", "1", "2"] if but == "the answer" else ["1", "2"])
    assert [IN_PROGRESS in labels(job, number) for number in (1, 2, 3)] == [
        but != "mark",
        True,
        but == "old mark",
    ]
    assert all(record(job, number).dispatched_at for number in (1, 2))


def _opened(job: Job) -> None:
    PullRequests(job).open({"tool.py": "ONE = 1\nTWO = 2\n"})


def _checked(job: Job, but: str) -> None:
    (pull,) = job.pulls
    comments = PullRequests(job, pull.number).comments
    if but == "all that is written":
        assert job.writes == []
        return
    assert job.statuses(job.branch("feature")) == GREEN
    assert len(comments) == 1
    assert "Accepted" in comments[0]


FLOWS = {
    "work": FlowCase(lambda job: job.assign(), "completed", worked, turns=2),
    "release": FlowCase(_left_behind, "released", _released),
    "unblock": FlowCase(_closed, "completed", _unblocked),
    "drain": FlowCase(_queued, "completed", _drained),
    "check": FlowCase(_opened, "completed", _checked),
}
