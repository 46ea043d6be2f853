"""What is special about Gitea, on the stand-in and, where one is given, on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.models import Change, CommitStatus, Permission, StatusState
from coordinator.forge.protocol import Missing
from tests.forge.labs import account, git_with
from tests.support import FORGE_CANARY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forge.labs import RestLab

HEAD = "coordinator/issue-1"


def test_the_history_tells_who_did_what_oldest_first(rest_lab: RestLab) -> None:
    number = rest_lab.add_issue("Ours", "x")
    rest_lab.ask("PATCH", f"/issues/{number}", {"assignees": [rest_lab.me]})
    rest_lab.ask("POST", f"/issues/{number}/labels", {"labels": ["agent"]})
    rest_lab.forge.create_comment(number, "talk in between")
    rest_lab.ask("PUT", f"/issues/{number}/labels", {"labels": []})
    rest_lab.ask("PATCH", f"/issues/{number}", {"assignees": []})
    owner = account(rest_lab.forge, rest_lab.full_name.split("/")[0])
    me = rest_lab.forge.myself()
    entries = rest_lab.forge.history(number)
    assert [(entry.change, entry.subject, entry.subject_id) for entry in entries] == [
        (Change.ASSIGNED, me.login, me.id),
        (Change.LABELED, "agent", None),
        (Change.UNLABELED, "agent", None),
        (Change.UNASSIGNED, me.login, me.id),
    ]
    assert {entry.by for entry in entries} == {owner}
    assert all(entry.at.tzinfo is not None for entry in entries)


def test_a_long_history_is_read_to_its_end(rest_lab: RestLab) -> None:
    number = rest_lab.add_issue("Long", "x")
    for text in range(53):
        rest_lab.forge.create_comment(number, f"c{text}")
    rest_lab.ask("PATCH", f"/issues/{number}", {"assignees": [rest_lab.me]})
    assert [entry.change for entry in rest_lab.forge.history(number)] == [Change.ASSIGNED]


def test_an_issue_has_its_assignees_labels_and_state(rest_lab: RestLab) -> None:
    number = rest_lab.add_issue("Ours", "x")
    rest_lab.ask("PATCH", f"/issues/{number}", {"assignees": [rest_lab.me]})
    rest_lab.ask("POST", f"/issues/{number}/labels", {"labels": ["agent"]})
    rest_lab.ask("PATCH", f"/issues/{number}", {"state": "closed"})
    issue = rest_lab.forge.issue(number)
    assert (issue.assignees, issue.labels, issue.state) == ((rest_lab.forge.myself(),), ("agent",), "closed")


def test_dependencies_are_read_both_ways(rest_lab: RestLab) -> None:
    numbers = [rest_lab.add_issue(f"Issue {index}", "x") for index in range(4)]
    owner, name = rest_lab.full_name.split("/")
    for blocker in numbers[1:3]:
        rest_lab.ask("POST", f"/issues/{numbers[0]}/dependencies", {"owner": owner, "repo": name, "index": blocker})
    rest_lab.ask("POST", f"/issues/{numbers[3]}/dependencies", {"owner": owner, "repo": name, "index": numbers[0]})
    found = rest_lab.forge.dependencies(numbers[0])
    assert (sorted(found.blocked_by), found.blocks, found.foreign) == (numbers[1:3], (numbers[3],), ())


def test_more_dependencies_than_a_page_holds(rest_lab: RestLab) -> None:
    numbers = [rest_lab.add_issue(f"Issue {index}", "x") for index in range(53)]
    owner, name = rest_lab.full_name.split("/")
    for blocker in numbers[1:]:
        rest_lab.ask("POST", f"/issues/{numbers[0]}/dependencies", {"owner": owner, "repo": name, "index": blocker})
    assert sorted(rest_lab.forge.dependencies(numbers[0]).blocked_by) == numbers[1:]


def test_a_draft_is_a_prefix_of_the_title_that_is_never_doubled(rest_lab: RestLab) -> None:
    rest_lab.push_branch(HEAD, {"new.txt": "new\n"})
    opened = rest_lab.forge.create_pull_request(head=HEAD, base="main", title="[WIP] wip: Add", body="b", draft=True)
    assert (opened.title, opened.draft) == ("Add", True)
    assert rest_lab.ask("GET", f"/pulls/{opened.number}")["title"] == "WIP: Add"
    ready = rest_lab.forge.update_pull_request(opened.number, title="WIP: Add", body="b", draft=False)
    assert (ready.title, ready.draft) == ("Add", False)
    assert rest_lab.ask("GET", f"/pulls/{opened.number}")["title"] == "Add"


def test_a_closed_pull_request_is_not_found_and_not_taken_over(rest_lab: RestLab) -> None:
    rest_lab.push_branch(HEAD, {"new.txt": "new\n"})
    first = rest_lab.forge.create_pull_request(head=HEAD, base="main", title="One", body="", draft=False)
    rest_lab.ask("PATCH", f"/pulls/{first.number}", {"state": "closed"})
    assert rest_lab.forge.find_pull_request(head=HEAD, base="main") is None
    second = rest_lab.forge.create_pull_request(head=HEAD, base="main", title="Two", body="", draft=False)
    assert second.number > first.number


def test_the_last_status_of_a_context_counts(rest_lab: RestLab) -> None:
    commit = rest_lab.push_branch(HEAD, {"new.txt": "new\n"})
    status = CommitStatus(context="coordinator/build", state=StatusState.PENDING, description="x" * 141)
    rest_lab.forge.set_statuses(commit, [status])
    rest_lab.forge.set_statuses(commit, [status.model_copy(update={"state": StatusState.FAILURE})])
    reply = rest_lab.owner.get(f"/commits/{commit}/statuses")
    found = [(one["context"], one["status"], len(one["description"])) for one in reply.json()]
    assert sorted(found) == [("coordinator/build", "failure", 140), ("coordinator/build", "pending", 140)]


def test_whoever_may_not_ask_finds_writers_among_the_assignees(rest_lab: RestLab) -> None:
    owner = account(rest_lab.forge, rest_lab.full_name.split("/")[0])
    access = rest_lab.forge.access(owner)
    assert access.permission is Permission.WRITE
    assert "/assignees" in access.reason


def test_an_owner_is_told_the_permission_itself(rest_lab: RestLab) -> None:
    owner_token = rest_lab.owner.headers["authorization"].removeprefix("token ")
    with rest_lab.forge_of(owner_token) as forge:
        assert forge.access(forge.myself()).permission is Permission.ADMIN
        access = forge.access(rest_lab.forge.myself())
        assert (access.permission, access.mend) == (Permission.WRITE, "")


def test_a_wrong_token_is_named_and_not_shown(rest_lab: RestLab) -> None:
    with rest_lab.forge_of(FORGE_CANARY[::-1]) as forge, pytest.raises(Misconfigured, match="token") as caught:
        forge.myself()
    assert "`token`" in caught.value.mend
    assert FORGE_CANARY[::-1] not in str(caught.value)


def test_a_missing_repository_is_missing(rest_lab: RestLab) -> None:
    token = rest_lab.owner.headers["authorization"].removeprefix("token ")
    with rest_lab.forge_of(token, "no-such-owner/app") as forge, pytest.raises(Missing, match="no-such-owner/app"):
        forge.repository()


def test_git_takes_the_token_as_a_basic_password_only_from_the_header(rest_lab: RestLab, tmp_path: Path) -> None:
    remote = rest_lab.forge.git_remote()
    assert remote.url == f"{rest_lab.server_url}/{rest_lab.full_name}.git"
    assert remote.authorization.startswith("Basic ")
    assert remote.authorization not in f"{remote!r} {remote}"
    assert "refs/heads/main" in git_with(remote, tmp_path, "ls-remote", remote.url)
