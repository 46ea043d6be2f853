"""Who gets in where no person starts the run: an earlier run of ours has, and the text may have become another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.run.queueing import take_back
from tests.run.verification import (
    ASSIGN,
    ASSIGNED,
    CLOSED,
    NOBODY_ASKS,
    OPEN_AGAIN,
    Row,
    as_job,
    assign,
    by_a_stranger,
    close,
    discuss,
    edit,
    first_attempt,
    history_of_old,
    judge,
    lose_access,
    loses_access,
    of,
    refused,
    starts,
)

if TYPE_CHECKING:
    from tests.run.support import Job


def by_somebody_who_left(job: Job) -> None:
    job.issue.author = job.forge.add_user("former", "write")
    loses_access(job, job.issue.author)


def dispatched_by_us(job: Job) -> None:
    job.dispatch(by=job.forge.bot, issue="1")


def dispatched_by_a_job(job: Job) -> None:
    as_job(job)
    job.dispatch(by=job.forge.state.users["gitea-actions"], issue="1")


def wait(job: Job) -> None:
    """Let a run for a person find that the issue has to wait, which keeps in mind what the person has seen."""
    job.assign()
    first_attempt(job)
    history_of_old(job)


def asked_by_a_stranger(job: Job) -> None:
    job.assign(by=job.forge.state.users["stranger"])


MAY_BE_ANOTHER = "issue #1 may have been edited since it was assigned by @maintainer, and its author may not start runs"
READ_IT = "Read it again, take the assignment or label away and put it back"
BY_US = f"dispatched by the coordinator, {ASSIGNED}"

UNATTENDED: dict[str, Row] = {
    "a stranger's text, assigned just now": starts(of(by_a_stranger, assign, dispatched_by_us), BY_US),
    "a stranger's text, changed since it was assigned": refused(
        of(by_a_stranger, assign, history_of_old, edit, dispatched_by_us), MAY_BE_ANOTHER, READ_IT, told=True
    ),
    "the same, dispatched with a job's token": refused(
        of(by_a_stranger, assign, history_of_old, edit, dispatched_by_a_job), MAY_BE_ANOTHER, READ_IT, told=True
    ),
    "the text of somebody who may not write any more": refused(
        of(by_somebody_who_left, assign, history_of_old, edit, dispatched_by_us), MAY_BE_ANOTHER, READ_IT, told=True
    ),
    "a maintainer's text, changed since it was assigned": starts(
        of(assign, history_of_old, edit, dispatched_by_us), BY_US
    ),
    "a stranger's text, as a person has seen it": starts(of(by_a_stranger, wait, discuss, dispatched_by_us), BY_US),
    "a stranger's text, not as a person has seen it": refused(
        of(by_a_stranger, wait, edit, dispatched_by_us), MAY_BE_ANOTHER, READ_IT, told=True
    ),
    "what a stranger alone asks for": refused(
        of(by_a_stranger, asked_by_a_stranger, dispatched_by_us),
        "issue #1 was assigned by @stranger, who may not start runs",
        "Read it, take the assignment or label away and put it back",
    ),
    "what is not asked for any more": refused(
        of(by_a_stranger, wait, take_back, dispatched_by_us), NOBODY_ASKS, ASSIGN
    ),
    "what somebody asks for who may not write any more": refused(
        of(assign, lose_access, dispatched_by_us), "issue #1 was assigned by @maintainer, who may not start runs", ""
    ),
    "what is closed by now": refused(of(assign, close, dispatched_by_us), CLOSED, OPEN_AGAIN),
}


@pytest.mark.parametrize("name", UNATTENDED)
def test_runs_that_no_person_starts(job: Job, name: str) -> None:
    judge(job, UNATTENDED[name])
