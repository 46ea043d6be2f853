"""Handing the work over: branch, pull request, statuses. Also work that was not accepted, which says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError, Refused
from coordinator.flows.journal import PULL_REQUEST
from coordinator.flows.line_comments import LineComments
from coordinator.forge.protocol import PullRequestForbidden
from coordinator.report.models import PullRequestReport, StepState
from coordinator.report.pull_request import pull_request_body, pull_request_title
from coordinator.report.statuses import verdict_statuses
from coordinator.workspace.paths import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coordinator.flows.journal import Journal
    from coordinator.flows.parts import Parts
    from coordinator.workspace.protocol import Candidate
    from coordinator.workspace.workspace import Workspace


def refuse_secrets(workspace: Workspace, candidate: Candidate, secrets: Sequence[str]) -> None:
    """Raise `Refused` when a changed file holds a secret of this run: nobody may read it on the forge."""
    wanted = [secret.encode() for secret in secrets]
    for path in workspace.repository.changed_files(candidate.base, candidate.commit):
        content = workspace.repository.read_file(candidate.commit, path) or b""
        if any(secret in content for secret in wanted):
            raise Refused(
                f"The work was refused: {shown(path)} holds one of the secrets of this run",
                mend="Find out how the agent came by it (does the issue name it?), and replace the secret",
            )


def push_work(workspace: Workspace, candidate: Candidate, journal: Journal) -> None:
    """Push the candidate to the work branch. Raises what `Workspace.push` raises."""
    workspace.push(candidate)
    journal.record(branch=workspace.branch, commit=candidate.commit)
    journal.note(f"pushed {candidate.commit[:7]} to {workspace.branch}")


def hand_over(parts: Parts, workspace: Workspace, candidate: Candidate, journal: Journal) -> None:
    """Open or update the pull request and set the statuses of the pushed commit.

    A pull request that is not accepted is a draft. Statuses are best effort: without them the verdict is the same.
    Raises what the forge raises for the pull request, except that the token may not open one. In both cases the record
    has the page where a person can.
    """
    try:
        _open_pull_request(parts, workspace, journal)
    except PullRequestForbidden as error:
        journal.warn(str(error))
        _leave_to_a_person(parts, workspace, journal, "this token may not open one")
    except CoordinatorError as error:
        _leave_to_a_person(parts, workspace, journal, error.what)
        raise
    finally:
        set_statuses(parts, candidate, journal)
    _show_on_lines(parts, workspace, candidate, journal)


def _open_pull_request(parts: Parts, workspace: Workspace, journal: Journal) -> None:
    report = journal.clean
    pull = parts.forge.create_pull_request(
        head=workspace.branch,
        base=workspace.base_branch,
        title=pull_request_title(report),
        body=pull_request_body(report),
        draft=not report.accepted,
    )
    opened = PullRequestReport(number=pull.number, url=pull.url, draft=pull.draft)
    draft = " (draft)" if pull.draft else ""
    journal.note(f"pull request #{pull.number}{draft}: {pull.url}")
    journal.step(PULL_REQUEST, StepState.DONE, f"#{pull.number}{draft}", pull_request=opened)


def _leave_to_a_person(parts: Parts, workspace: Workspace, journal: Journal, why: str) -> None:
    page = parts.forge.compare_url(head=workspace.branch, base=workspace.base_branch)
    if page:
        journal.warn(f"The branch is pushed; a person can open the pull request: {page}")
    journal.step(PULL_REQUEST, StepState.FAILED, why, compare_url=page)


def _show_on_lines(parts: Parts, workspace: Workspace, candidate: Candidate, journal: Journal) -> None:
    """Show what the gates found on the lines of the pull request, where there is one."""
    verdict, pull = journal.report.verdict, journal.report.pull_request
    if pull is not None and verdict is not None and verdict.tree == candidate.tree:
        comments = LineComments(parts.forge, pull.number, parts.redact, journal.warn)
        comments.show(verdict, workspace.repository, candidate.base, candidate.commit)


def set_statuses(parts: Parts, candidate: Candidate, journal: Journal) -> None:
    """Set one status per gate and one for the whole on the judged commit."""
    verdict = journal.report.verdict
    if verdict is None or verdict.tree != candidate.tree:
        return
    url = journal.report.pull_request.url if journal.report.pull_request else journal.report.job_url
    try:
        parts.forge.set_statuses(candidate.commit, verdict_statuses(verdict, redact=parts.redact, target_url=url))
    except CoordinatorError as error:
        journal.warn(f"the commit statuses could not be set: {error}")
