"""A project that is not in Python: worked on and checked without an environment for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.demo.model_server import ModelServer
from tests.run.pull_requests import PullRequests
from tests.small_project import bash, submit
from tests.support import API_CANARY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.run.support import Job

PROJECT = {
    "go.mod": "module example.org/toy\n\ngo 1.21\n",
    ".coordinator.yml": "escalate: false\nsetup: [echo made > made.txt]\ngates:\n  integrity: {enabled: false}\n"
    "  commands:\n  - {name: words, run: cat made.txt && grep -q two words.txt}\n",
    "words.txt": "one\n",
}
"""Judged by a command of its own; the set-up is for that command."""


def environments(tool_cache: Path) -> set[str]:
    return {path.name for path in tool_cache.glob("coordinator-environments/environment-*")}


def test_work_on_it_prepares_no_environment_for_python(job: Job, tool_cache: Path) -> None:
    job.push(PROJECT)
    before = environments(tool_cache)
    job.assign()
    write = bash("test -z \"$VIRTUAL_ENV\" && printf 'one\\ntwo\\n' > words.txt")
    with ModelServer([write, submit("Add two")], key=API_CANARY) as served:
        job.use(served)
        ended = job.run()
    assert ended.code == 0, ended.err
    assert environments(tool_cache) == before
    assert "environment of the project: none, as it is not in Python" in ended.err
    assert "the tools are those that the machine has" in str(served.requests[0])
    assert job.statuses(job.branch()) == {"coordinator": "success", "coordinator/words": "success"}


def test_the_check_of_a_pull_request_prepares_none_either_and_its_verdict_is_not_kept(
    job: Job, tool_cache: Path
) -> None:
    job.push(PROJECT)
    before = environments(tool_cache)
    pulls = PullRequests(job)
    pulls.open({"words.txt": "two\n"})
    for _ in range(2):
        ended = pulls.judge()
        assert ended.code == 0, ended.err
        assert "this tree was judged at" not in ended.err
    assert environments(tool_cache) == before
