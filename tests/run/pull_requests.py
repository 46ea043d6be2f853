"""Pull requests of people and of strangers, as the tests of their check need them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.demo.model_server import ModelServer
from tests.run.support import DOCUMENT, Document, Ended, Job
from tests.standins.forge_routes import refresh_pull_refs
from tests.standins.forge_state import IssueState, Pull
from tests.support import API_CANARY, git

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.standins.forge_state import User

HEAD = "feature"
ROOT = Path(__file__).parents[2]


@dataclass
class PullRequests:
    """One pull request on the forge of a job, and the events that are about it."""

    job: Job
    number: int = 0

    def open(
        self, files: Mapping[str, str], *, by: User | None = None, base: str = "main", onto: str | None = None
    ) -> str:
        """Push a branch and open a pull request for it; return the commit.

        The branch starts at `onto`, by default where `base` is; an empty one goes on from what was pushed last.
        """
        job = self.job
        commit = self.push(files, base=base if onto is None else onto)
        state = job.forge.state
        self.number = state.next_number()
        pull = Pull(HEAD, base)
        state.issues[self.number] = IssueState(self.number, "Add TWO", "", by or job.maintainer, pull=pull)
        refresh_pull_refs(state)
        self.happens("opened", commit, by=by)
        return commit

    def open_fork(self, files: Mapping[str, str], *, agit: bool = False) -> str:
        """Let a stranger open one from a fork, or by a push to ``refs/for/main``; return the commit."""
        job = self.job
        commit = self.push(files)
        git(job.forge.bare_repository, "branch", "-D", HEAD)
        self.number = job.forge.add_fork_pull(HEAD)
        ref = f"refs/pull/{self.number}/head"
        job.forge.state.repository.update_ref(ref, commit)
        head: Document = {"ref": ref} if agit else {"repo_id": 2, "repo": {"id": 2, "full_name": "stranger/app"}}
        self.happens("opened", commit, by=job.forge.state.users["stranger"], head=head)
        return commit

    def push(self, files: Mapping[str, str], *, base: str = "") -> str:
        """Push to the branch, after starting it anew at `base` where one is named; the pull request moves along."""
        job = self.job
        source = job.folder / "source"
        if base:
            git(source, "fetch", "--quiet", str(job.forge.bare_repository), base)
            git(source, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        commit = job.push(files, HEAD)
        refresh_pull_refs(job.forge.state)
        return commit

    def happens(self, action: str, commit: str, *, by: User | None = None, head: Document | None = None) -> None:
        """Write the event."""
        job, pull = self.job, self.state.pull
        assert pull is not None
        event = job.payload(f"pull_request.{action}.json", by or job.maintainer)
        told = DOCUMENT.validate_python(event["pull_request"])
        there = {**DOCUMENT.validate_python(told["head"]), "ref": HEAD, "sha": commit, "repo_id": 1, **(head or {})}
        base = {**DOCUMENT.validate_python(told["base"]), "ref": pull.base, "repo_id": 1}
        now = datetime.now(UTC).isoformat()
        told |= {"number": self.number, "head": there, "base": base, "updated_at": now}
        job.event("pull_request", {**event, "number": self.number, "pull_request": told})

    @property
    def state(self) -> IssueState:
        """The pull request on the forge."""
        return self.job.forge.state.issues[self.number]

    @property
    def comments(self) -> list[str]:
        """The texts of the coordinator's comments on the pull request."""
        bot = self.job.forge.state.user_json(self.job.forge.bot)
        return [str(entry["body"]) for entry in self.state.comments if entry["user"] == bot]

    @property
    def comment(self) -> str:
        """The one comment."""
        (comment,) = self.comments
        return comment

    @property
    def heading(self) -> str:
        """How the check stands, by the one comment."""
        return self.comment.splitlines()[1].removeprefix("### ")

    def judge(self, *arguments: str) -> Ended:
        """Run what the event asks for. A model that is asked for anything fails the test."""
        with ModelServer([], key=API_CANARY) as model:
            self.job.use(model)
            ended = self.job.run(*arguments)
        assert not model.requests
        return ended

    def judge_in_a_process(self) -> int:
        """Do the same in a process of its own, whose environment holds the secrets; return its exit code."""
        command = [sys.executable, "-m", "coordinator", "run"]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.job.said += [ended.stdout, ended.stderr]
        return ended.returncode
