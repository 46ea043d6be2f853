"""What the tests of this room share: a clock, records, and the places where state is kept."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coordinator.agent.protocol import Usage
from coordinator.forge.models import GitRemote
from coordinator.state.claims import Claims, RunIdentity
from coordinator.state.folder import FolderStateStore
from coordinator.state.git_store import GitStateStore, RacePatience
from coordinator.state.records import IssueRecord, RunRecord, State
from coordinator.workspace.git import Git
from coordinator.workspace.remote import STATE_REF, RemoteLimits
from tests.support import commit_files, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coordinator.state.protocol import StateStore
    from tests.standins.forge_server import ForgeServer

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
QUICK = RacePatience(first_pause=0.05, longest_pause=0.5, seconds=60.0)
IMPATIENT = RemoteLimits(seconds=30, bytes=64 * 1024 * 1024, pauses=())


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    time: datetime = NOON

    def __call__(self) -> datetime:
        return self.time

    def pass_seconds(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Place(Protocol):
    """Where state is kept; each store is as if in a process of its own."""

    def open_store(self) -> StateStore: ...


@dataclass
class FolderPlace:
    folder: Path
    now: Callable[[], datetime] = field(default_factory=Clock)

    def open_store(self) -> FolderStateStore:
        return FolderStateStore(self.folder, now=self.now)


@dataclass
class GitPlace:
    """A repository that is reached by git; `folder` gets the clones."""

    remote: GitRemote
    folder: Path
    now: Callable[[], datetime] = field(default_factory=Clock)
    patience: RacePatience = QUICK
    limits: RemoteLimits = IMPATIENT

    def open_store(self) -> GitStateStore:
        folder = Path(tempfile.mkdtemp(prefix="store-", dir=self.folder))
        return GitStateStore(self.remote, Git(), folder, limits=self.limits, patience=self.patience, now=self.now)


def remote_of(server: ForgeServer, *, token: str | None = None) -> GitRemote:
    """Return the stand-in's repository as git sees it."""
    encoded = base64.b64encode(f"x:{server.token if token is None else token}".encode()).decode()
    return GitRemote(url=f"{server.url}/{server.repository}.git", authorization=f"Basic {encoded}")


def claims_of(
    place: Place, run: str, clock: Clock, *, attempt: int = 1, process: str = "", lease_seconds: float = 600.0
) -> Claims:
    """Return the claims in the name of a run, with a store of its own."""
    identity = RunIdentity(run, attempt=attempt, process=process, url=f"https://forge.invalid/runs/{run}")
    return Claims(place.open_store(), identity, now=clock, lease_seconds=lease_seconds)


def run_record(run: str = "1/work", *, at: datetime = NOON, cost: float = 0.0, **fields: object) -> RunRecord:
    about = {"started_at": at, "ended_at": at, "outcome": "completed", "usage": Usage(output_tokens=10), **fields}
    return RunRecord.model_validate({"run": run, "cost_usd": cost, **about})


def with_text(number: int, text: str) -> Callable[[State], State]:
    """Return a change of one issue."""

    def edit(state: State) -> State:
        issue = state.issues.get(number) or IssueRecord(number=number)
        changed = issue.model_copy(update={"text": text, "touched_at": NOON})
        return state.model_copy(update={"issues": {**state.issues, number: changed}})

    return edit


def push_state(bare: Path, folder: Path, files: Mapping[str, str]) -> str:
    """Set the state of a bare repository to what is in a repository, with these files, as a person could."""
    if not folder.exists():
        make_repository(folder, {})
    commit = commit_files(folder, files)
    git(folder, "push", "--quiet", "--force", str(bare), f"HEAD:{STATE_REF}")
    return commit
