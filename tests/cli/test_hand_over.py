"""Handing over to a forge that does not take everything: the work is never lost, and what is missing is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coordinator.commands.building import load_settings
from coordinator.commands.confining import cache_folder
from coordinator.commands.targets import Target
from coordinator.commands.work import work_on
from coordinator.errors import Unreachable
from coordinator.flows.journal import PULL_REQUEST
from coordinator.forge.local import LocalForge
from coordinator.forge.protocol import PullRequestForbidden
from coordinator.report.models import Outcome, StepState
from coordinator.settings import read_environment
from coordinator.workspace.objects import TrustedRepository
from tests.cli.support import BRANCH, Project, Shell, the_model
from tests.small_project import GOOD, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coordinator.demo.model_script import Reply
    from coordinator.forge.models import Comment, CommitStatus, Issue, PullRequest
    from coordinator.report.redaction import CleanReport

PAGE = "https://gitea.example/acme/app/compare"
TIRED = Unreachable("The forge is tired", mend="Run again")


class PoorForge(LocalForge):
    """A local forge whose token may do less, or that fails."""

    pulls: Exception | None = None
    rest: Exception | None = None
    """What is raised for every look at the issue or its comments, and for statuses: from then on all is well again."""

    def create_pull_request(self, *, head: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        if self.pulls is not None:
            raise self.pulls
        return super().create_pull_request(head=head, base=base, title=title, body=body, draft=draft)

    def set_statuses(self, commit: str, statuses: Sequence[CommitStatus]) -> None:
        error, self.rest = self.rest, None
        if error is not None:
            raise error
        super().set_statuses(commit, statuses)

    def update_comment(self, comment_id: int, body: str) -> Comment:
        if self.rest is not None:
            raise self.rest
        return super().update_comment(comment_id, body)

    def issue(self, number: int) -> Issue:
        if self.rest is not None:
            raise self.rest
        return super().issue(number)

    def compare_url(self, *, head: str, base: str) -> str:
        return f"{PAGE}/{base}...{head}"


def run(shell: Shell, project: Project, forge: PoorForge, *script: Reply | Callable[[Any], Reply]) -> CleanReport:
    """Work on the issue."""
    target = Target(
        project.folder, TrustedRepository.discover(project.folder), forge, forge.import_issue(project.issue)
    )
    with the_model(shell, *script):
        return work_on(target, load_settings(read_environment(shell.variables), forge))


def test_a_token_that_may_not_open_pull_requests_leaves_that_to_a_person(shell: Shell, project: Project) -> None:
    forge = PoorForge.of(project.folder)
    forge.pulls = PullRequestForbidden("The token may not", mend="Give it the right")
    report = run(shell, project, forge, GOOD, submit())
    assert (report.outcome, report.code) == (Outcome.COMPLETED, 0)
    page = f"{PAGE}/main...{BRANCH}"
    assert report.reason.endswith(f"open the pull request by hand: {page}")
    assert report.commit == project.branch()
    assert (report.pull_request, report.compare_url) == (None, page)
    step = next(step for step in report.steps if step.name == PULL_REQUEST)
    assert (step.state, step.detail) == (StepState.FAILED, "this token may not open one")
    assert any("a person can open the pull request" in note for note in report.notes)
    assert list((project.folder / ".git/coordinator/forge/statuses").glob(f"{report.commit}.json"))


def test_a_forge_that_fails_when_the_pull_request_is_due(shell: Shell, project: Project) -> None:
    forge = PoorForge.of(project.folder)
    forge.pulls = TIRED
    report = run(shell, project, forge, GOOD, submit())
    assert (report.outcome, report.code) == (Outcome.FAILED, 4)
    assert "The forge is tired" in report.reason
    assert report.commit == project.branch(), "the work is pushed all the same"
    assert report.attempts[0].verdict.passed


def test_statuses_comment_and_looks_at_the_issue_are_best_effort(shell: Shell, project: Project) -> None:
    forge = PoorForge.of(project.folder)

    def lose_it(_body: object) -> Reply:
        forge.rest = TIRED
        return submit()

    report = run(shell, project, forge, GOOD, lose_it)
    assert report.code == 0
    assert any("statuses could not be set: The forge is tired" in note for note in report.notes)
    assert any("comment is not kept up any more: The forge is tired" in note for note in report.notes)
    assert report.pull_request is not None
    assert project.headline().startswith("✅ Done"), "the last state is written as soon as the forge takes it"


def test_where_environments_are_kept(tmp_path: Path, shell: Shell) -> None:
    given = read_environment({"RUNNER_TOOL_CACHE": str(tmp_path)})
    assert cache_folder(given) == tmp_path / "coordinator-environments"
    home = Path(shell.variables["HOME"]) / ".cache" / "coordinator" / "environments"
    assert cache_folder(read_environment({})) == (home if os.geteuid() else Path("/var/cache/coordinator"))


def test_a_fault_of_our_own_is_raised_but_loses_no_work(shell: Shell, project: Project) -> None:
    forge = PoorForge.of(project.folder)

    def break_it(_body: object) -> Reply:
        forge.rest = RuntimeError("a bug")
        return submit()

    with pytest.raises(RuntimeError, match="a bug"):
        run(shell, project, forge, GOOD, break_it)
    assert "TWO" in project.show("tool.py")
    (pull,) = project.pulls()
    assert "draft: true" in pull
    assert "A fault of the coordinator itself" in pull
