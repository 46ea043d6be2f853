"""Who gets in, by the attacks on the gate: each row is one event, and how the run ends that it starts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.run.pull_requests import PullRequests
from tests.run.queueing import BLOCKED_BY_1, WORKFLOW, ask_for, claims_of, close
from tests.run.support import BODY, TITLE
from tests.run.verification import (
    ASK,
    NOT_ON,
    days_later,
    ignored,
    judge,
    listing,
    pretend,
    reader,
    refused,
    rejected,
    starts,
)
from tests.small_project import LINT_ONLY

if TYPE_CHECKING:
    from tests.run.support import Job
    from tests.run.verification import Row

NO_ACCESS = f"@reader may not start runs: reader {NOT_ON}"
OWN = "@coordinator is the coordinator's own account, and its doings start nothing"
GREEN = {"tool.py": "ONE = 1\nTWO = 2\n"}


# G1, G2: what is assigned or labelled is not asked for yet.


def opened_by_a_reader(job: Job, file: str, *labels: str) -> None:
    who = reader(job)
    number = job.forge.add_issue("Mine", BODY, author=who, assignees=() if labels else (job.forge.bot,), labels=labels)
    job.issue_event(file, sender=who, issue=number)


# G4: who only looks like somebody who is listed.


def listed_admin_is_imitated(job: Job, login: str, number: int = 990) -> None:
    job.forge.add_user("admin", "read")
    listing(job, "admin")
    job.comment("/coordinator run", by=pretend(login, number))


def admin_in_capitals(job: Job) -> None:
    admin = job.forge.add_user("admin", "read")
    listing(job, "ADMIN")
    job.comment("/coordinator run", by=pretend("Admin", admin.id))


# G5: what we do ourselves.


def labelled_by(job: Job, login: str) -> None:
    job.label(by=job.forge.state.users[login])


def pushed_by_us(job: Job) -> None:
    job.event("push", {"ref": "refs/heads/coordinator/issue-1", "sender": {"id": job.forge.bot.id}})


# G6: another bot.


def listed_bot(job: Job, *, by_id: bool) -> None:
    bot = job.forge.add_user("renovate[bot]", "read")
    listing(job, bot.id if by_id else bot.login)
    job.comment("/coordinator run", by=bot)


# G7: pull requests of others.


def event_beside_pull_request(job: Job, name: str) -> None:
    PullRequests(job).open_fork(GREEN)
    job.set(GITHUB_EVENT_NAME=name)


def command_on_fork(job: Job) -> None:
    pulls = PullRequests(job)
    pulls.open_fork(GREEN)
    entry = job.forge.state.add_entry(pulls.state, job.maintainer, "comment", body="/coordinator run")
    job.issue_event(
        "issue_comment.created.json", sender=job.maintainer, issue=pulls.number, comment=entry, is_pull=True
    )


# G8: old events.


def old_assignment(job: Job) -> None:
    job.assign()
    days_later(job, "issue", "updated_at")


def old_command(job: Job) -> None:
    job.comment("/coordinator run", by=job.maintainer)
    days_later(job, "comment", "created_at")


def old_pull_request(job: Job) -> None:
    PullRequests(job).open(GREEN)
    days_later(job, "pull_request", "updated_at")


# G9: too many runs.


def fourth_run(job: Job) -> None:
    job.push({".coordinator.yml": f"{LINT_ONLY}budget: {{issue: {{runs: 3}}}}\n"})
    for hours in (3, 2, 1):
        claims_of(job, f"{hours}/work", later=timedelta(hours=-hours)).take(1, request=None, most_runs=None)
    job.assign()


def second_run_at_once(job: Job) -> None:
    claims_of(job).take(1, request=None, most_runs=None)
    job.assign()


# G11: closing.


def closed_and_never_worked_on(job: Job) -> None:
    job.push(WORKFLOW)
    ask_for(job, 1)
    close(job)


def closed_by_a_reader(job: Job) -> None:
    job.push(WORKFLOW)
    ask_for(job, job.add_issue(TITLE, BLOCKED_BY_1))
    close(job, by=reader(job))


NUMBER = "the dispatch input issue is no issue number"
A_NUMBER = "Dispatch with issue set to a number such as 12"
GONE_BY = "older than 24 hours"

ROWS: dict[str, Row] = {
    "G1 a reader opens an issue assigned to us": refused(
        lambda job: opened_by_a_reader(job, "issues.assigned.by-stranger.json"), NO_ACCESS, ASK
    ),
    "G1 the second event of that click": refused(
        lambda job: opened_by_a_reader(job, "issues.opened.json"), NO_ACCESS, ASK
    ),
    "G2 a template labels a reader's issue": refused(
        lambda job: opened_by_a_reader(job, "issues.label_updated.added.json", "agent"), NO_ACCESS, ASK
    ),
    "G4 admin with a dotless i": refused(lambda job: listed_admin_is_imitated(job, "adm\u0131n"), NOT_ON, ASK),
    "G4 admin with a Cyrillic a": refused(lambda job: listed_admin_is_imitated(job, "\u0430dmin"), NOT_ON, ASK),
    "G4 admin in full width": refused(
        lambda job: listed_admin_is_imitated(job, "\uff41\uff44\uff4d\uff49\uff4e"), NOT_ON, ASK
    ),
    "G4 admin with a space behind": refused(lambda job: listed_admin_is_imitated(job, "admin "), NOT_ON, ASK),
    "G4 admin with a line end behind": refused(lambda job: listed_admin_is_imitated(job, "admin\n"), NOT_ON, ASK),
    "G4 admin with nothing visible in it": refused(
        lambda job: listed_admin_is_imitated(job, "ad\u200bmin"), NOT_ON, ASK
    ),
    "G4 admin as an app": refused(lambda job: listed_admin_is_imitated(job, "admin[bot]"), NOT_ON, ASK),
    "G4 the very login, and another id": refused(lambda job: listed_admin_is_imitated(job, "admin"), NOT_ON, ASK),
    "G4 the login in capitals, and another id": refused(
        lambda job: listed_admin_is_imitated(job, "ADMIN"), NOT_ON, ASK
    ),
    "G4 the login in capitals, and its id": starts(admin_in_capitals, "asked by @Admin in a comment (listed under"),
    "G5 our own comment": ignored(lambda job: job.comment("/coordinator run", by=job.forge.bot), OWN),
    "G5 our own label": ignored(lambda job: labelled_by(job, "coordinator"), OWN),
    "G5 our own closing": ignored(lambda job: close(job, by=job.forge.bot), OWN),
    "G5 our own pull request": ignored(lambda job: PullRequests(job).open(GREEN, by=job.forge.bot), OWN),
    "G5 our own push": ignored(pushed_by_us, "the event push is none that the coordinator handles"),
    "G5 a label by a job's token": ignored(
        lambda job: labelled_by(job, "gitea-actions"), "@gitea-actions is the coordinator's own account"
    ),
    "G6 a bot that is listed by name": refused(
        lambda job: listed_bot(job, by_id=False), "@renovate[bot] may not start runs", "list the account under `allow:`"
    ),
    "G6 a bot that is listed by id": starts(
        lambda job: listed_bot(job, by_id=True), "asked by @renovate[bot] in a comment (listed under allow)"
    ),
    "G7 pull_request_target": ignored(
        lambda job: event_beside_pull_request(job, "pull_request_target"), "the event pull_request_target is none"
    ),
    "G7 a review": ignored(
        lambda job: event_beside_pull_request(job, "pull_request_review"), "the event pull_request_review is none"
    ),
    "G7 a comment in a review": ignored(
        lambda job: event_beside_pull_request(job, "pull_request_review_comment"),
        "the event pull_request_review_comment is none",
    ),
    "G7 a command on a pull request": ignored(command_on_fork, "a comment on a pull request"),
    "G8 an assignment of three days ago": refused(old_assignment, GONE_BY, "Take the assignment or label away"),
    "G8 a command of three days ago": refused(old_command, GONE_BY, "Write the command again"),
    "G8 a pull request of three days ago": refused(old_pull_request, GONE_BY, "Close the pull request and open it"),
    "G9 a fourth run where three are allowed": rejected(
        fourth_run, "Issue #1 has had 3 runs, and budget.issue.runs allows 3", "Raise budget", code=1, told=True
    ),
    "G9 two runs at once": ignored(second_run_at_once, "run 99/work (https://forge.invalid/runs/99/work) works on"),
    "G10 a number and a command": rejected(lambda job: job.dispatch(issue="1; id"), NUMBER, A_NUMBER),
    "G10 a path": rejected(lambda job: job.dispatch(issue="../../x"), NUMBER, A_NUMBER),
    "G10 a negative number": rejected(lambda job: job.dispatch(issue="-1"), NUMBER, A_NUMBER),
    "G10 a number in other digits": rejected(lambda job: job.dispatch(issue="\u0661"), NUMBER, A_NUMBER),
    "G10 ten megabytes": rejected(lambda job: job.dispatch(issue="1" * 10_000_000), NUMBER, A_NUMBER),
    "G10 a list": rejected(lambda job: dispatch_raw(job, ["1"]), "inputs.issue", "Let the job's runner write"),
    "G10 inputs that nobody knows": starts(
        lambda job: job.dispatch(issue="1", command="id", sender="admin"), "dispatched by @maintainer"
    ),
    "G10 somebody who only reads": refused(lambda job: job.dispatch(by=reader(job), issue="1"), NO_ACCESS, ASK),
    "G10 the queue, by somebody who only reads": refused(lambda job: job.dispatch(by=reader(job)), NO_ACCESS, ASK),
    "G11 closing what was never worked on": ignored(
        closed_and_never_worked_on, "nothing that could start was waiting for issue #1"
    ),
    "G11 a reader closes what others wait for": ignored(
        closed_by_a_reader, "closed by @reader, who may not start runs"
    ),
}


def dispatch_raw(job: Job, issue: list[str]) -> None:
    job.event(
        "workflow_dispatch", {**job.payload("workflow_dispatch.json", job.maintainer), "inputs": {"issue": issue}}
    )


@pytest.mark.parametrize("name", ROWS)
def test_the_gate(job: Job, name: str) -> None:
    judge(job, ROWS[name])


@pytest.mark.parametrize("whose", ["a stranger's", "a maintainer's"])
def test_g7_a_fork_that_says_it_is_none(job: Job, whose: str) -> None:
    """CVE-2026-71184: the flag says no, the ids differ. Nor does it count that a maintainer has opened it again."""
    pulls = PullRequests(job)
    commit = pulls.open_fork(GREEN)
    who = job.forge.state.users["stranger"] if whose == "a stranger's" else job.maintainer
    pulls.happens("reopened", commit, by=who, head={"repo_id": 2, "repo": {"id": 2, "fork": False}})
    ended = pulls.judge("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "completed"), ended.err
    assert f"reopened by @{who.login} (from a fork: gates only)" in ended.err
    assert not job.writes
