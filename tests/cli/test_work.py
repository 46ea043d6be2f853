"""`coordinator work`: from an issue to a branch and a pull request, whichever way it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.demo.model_server import ModelServer
from tests.cli.support import BAD, BRANCH, GOOD, MEND, Project, Shell, persons_own, submit
from tests.support import API_CANARY, git


def test_an_issue_file_becomes_a_checked_pull_request(shell: Shell, project: Project) -> None:
    with ModelServer([BAD, submit("First try"), MEND, submit("Add TWO\n\nIt was missing.")], key=API_CANARY) as model:
        shell.set(ANTHROPIC_BASE_URL=model.url)
        before = persons_own(project)
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
    assert ended.code == 0, ended.err
    assert persons_own(project) == before
    print(ended.out, ended.err)
