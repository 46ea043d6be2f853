"""Issues that several runs are about: who asks for them, who works on them, and what is remembered of it."""

from __future__ import annotations

import base64
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from coordinator.demo.model_script import Computed, Failure, is_agent_call
from coordinator.demo.model_server import ModelServer
from coordinator.forge.models import GitRemote
from coordinator.state.claims import LEASE_SECONDS, Claims, RunIdentity
from coordinator.state.git_store import GitStateStore
from coordinator.workspace.git import Git
from tests.run.support import BODY
from tests.small_project import bash, submit
from tests.support import API_CANARY

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Reply
    from coordinator.state.records import IssueRecord
    from tests.run.support import Job
    from tests.standins.forge_state import User

WORKFLOW = {".gitea/workflows/coordinator.yml": "on:\n  workflow_dispatch:\n    inputs:\n      issue: {type: string}\n"}
BLOCKED_BY_1 = f"{BODY}\n## Blocked by\n\n- #1\n"
IN_PROGRESS = "in progress"
LONG_AGO = "2026-01-01T00:00:00Z"
INPUTS = TypeAdapter(dict[str, str])


# The model.


def model(*script: Reply | Computed | Failure) -> ModelServer:
    """Serve a scripted model that wants the job's key."""
    return ModelServer(list(script), key=API_CANARY)


def willing_model() -> ModelServer:
    """Serve a model that does any issue's work in one command, however many conversations there are."""

    def work(body: Json) -> Reply:
        worked = any(message["role"] == "assistant" for message in body["messages"])
        return submit() if worked else bash("printf 'TWO = 2\\n' >> tool.py")

    return model(Computed(work, when=is_agent_call, repeat=True))


def during(act: Callable[[], object], reply: Reply) -> Computed:
    """Let something happen while the model thinks about this reply."""

    def answer(_body: object) -> Reply:
        act()
        return reply

    return Computed(answer)


# The people.


def ask_for(job: Job, *numbers: int, by: User | None = None) -> None:
    """Assign issues without an event that anybody would see."""
    for number in numbers:
        job.forge.state.set_assignees(job.forge.state.issues[number], [job.forge.bot], by or job.maintainer)


def take_back(job: Job, number: int = 1, *, by: User | None = None) -> None:
    """Take the assignment away without an event."""
    job.forge.state.set_assignees(job.forge.state.issues[number], [], by or job.maintainer)


def unassign(job: Job, number: int = 1, *, by: User | None = None) -> None:
    """Take the assignment away, and write the event."""
    take_back(job, number, by=by)
    job.issue_event("issues.unassigned.json", sender=by or job.maintainer, issue=number)


def say_on(job: Job, text: str, *, by: User | None = None, number: int = 1) -> None:
    """Comment on an issue without an event."""
    job.forge.state.add_entry(job.forge.state.issues[number], by or job.maintainer, "comment", body=text)


def close(job: Job, number: int = 1, *, by: User | None = None) -> None:
    """Close an issue, and write the event."""
    job.forge.state.issues[number].state = "closed"
    job.issue_event("issues.closed.json", sender=by or job.maintainer, issue=number)


def long_ago(job: Job, number: int = 1) -> None:
    """Let all that has happened to an issue have happened long ago: the forge counts in seconds."""
    issue = job.forge.state.issues[number]
    for entry in issue.timeline:
        entry.update(created_at=LONG_AGO, updated_at=LONG_AGO)
    issue.created_at = issue.updated_at = LONG_AGO


# What is remembered.


def claims_of(
    job: Job, run: str = "99/work", *, later: timedelta = timedelta(), lease: float = LEASE_SECONDS
) -> Claims:
    """Return the claims in the name of another run, whose clock may be ahead."""
    encoded = base64.b64encode(f"x:{job.forge.token}".encode()).decode()
    remote = GitRemote(url=f"{job.forge.url}/{job.forge.repository}.git", authorization=f"Basic {encoded}")
    store = GitStateStore(remote, Git(), Path(tempfile.mkdtemp(prefix="claims-", dir=job.folder)))
    identity = RunIdentity(run, url=f"https://forge.invalid/runs/{run}")
    return Claims(store, identity, now=lambda: datetime.now(UTC) + later, lease_seconds=lease)


def record(job: Job, number: int = 1) -> IssueRecord:
    """Return what is remembered of an issue."""
    return claims_of(job).record(number)


def dispatched(job: Job) -> list[str]:
    """Return the issues for which a run was started, in order."""
    return [INPUTS.validate_python(one["inputs"])["issue"] for one in job.forge.state.dispatched]


def labels(job: Job, number: int = 1) -> set[str]:
    """Return the names of an issue's labels."""
    return {job.forge.state.labels[label] for label in job.forge.state.issues[number].labels}


def mark(job: Job, number: int = 1) -> None:
    """Put the label of work in progress on an issue, as a run does that works on it."""
    state = job.forge.state
    known = next((label for label, name in state.labels.items() if name == IN_PROGRESS), None)
    label = known or job.forge.add_label(IN_PROGRESS)
    state.set_labels(state.issues[number], [*state.issues[number].labels, label], job.forge.bot)
