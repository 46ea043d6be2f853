"""Events that start work: from the event file to the pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.demo.model_server import ModelServer
from tests.run.support import BAD, BRANCH, GOOD, MEND, Job, submit
from tests.support import API_CANARY


def test_an_assigned_issue_becomes_a_checked_pull_request(job: Job) -> None:
    base = job.branch("main")
    job.assign()
    with ModelServer([BAD, submit("First try"), MEND, submit("Add TWO\n\nIt was missing.")], key=API_CANARY) as model:
        job.use(model)
        ended = job.run()
    print(ended.out, ended.err)
    assert ended.code == 0, ended.err
    print(job.comments, job.pulls, job.outputs(), job.writes)
    print(job.git("log", "--format=fuller", BRANCH))
    assert 0
