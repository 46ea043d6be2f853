"""What is special to GitHub: what its API does otherwise than the others, and what a plan or a token lacks."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.models import Account, Change, CommitStatus, Permission, Server, StatusState
from coordinator.forge.protocol import DispatchUnavailable, Missing, PullRequestForbidden
from tests.forge.labs import account, git_with
from tests.standins.github_lab import GithubLab
from tests.standins.github_server import GithubServer
from tests.standins.github_state import JOB_USER_ID, IssueState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from coordinator.forge.models import Facility
    from coordinator.forge.protocol import Forge
    from tests.standins.github_state import Json, User

HEAD = "coordinator/issue-1"
WORKFLOW = """
on:
  workflow_dispatch:
    inputs:
      issue: {type: string}
jobs: {}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GithubServer]:
    with GithubServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, server: GithubServer) -> Iterator[GithubLab]:
    made = GithubLab(tmp_path, server)
    yield made
    made.close()


def _open(forge: Forge, *, draft: bool = True) -> int:
    return forge.create_pull_request(head=HEAD, base="main", title="Add", body="b", draft=draft).number


def _ask(lab: GithubLab, user: User) -> Permission:
    return lab.forge.access(Account(id=user.id, login=user.login)).permission


# Accounts and rights


@pytest.mark.parametrize(
    ("level", "expected"),
    [("none", Permission.READ), ("read", Permission.READ), ("write", Permission.WRITE), ("admin", Permission.ADMIN)],
)
def test_the_permission_endpoint_says_what_an_account_may_do(
    lab: GithubLab, server: GithubServer, level: str, expected: Permission
) -> None:
    user = server.add_user("someone", level)
    access = lab.forge.access(Account(id=user.id, login=user.login))
    assert access.permission is expected
    assert bool(access.mend) is not expected.may_write


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_a_token_that_may_not_ask_knows_nothing_and_says_so(
    lab: GithubLab, server: GithubServer, *, private: bool
) -> None:
    server.state.private = private
    reader = server.add_user("reader", "read")
    with lab.forge_of(reader.token) as forge:
        access = forge.access(Account(id=server.owner.id, login=server.owner.login))
        assert access.permission is Permission.UNKNOWN
        assert ("404" if private else "403") in access.reason
        assert "allow:" in access.mend
        assert forge.access(Account(id=4711, login="nobody-there")).permission is Permission.NONE
        assert forge.access(Account(id=4711, login=server.owner.login)).permission is Permission.NONE


def test_an_answer_about_somebody_else_is_none_at_all(lab: GithubLab, server: GithubServer) -> None:
    """The account was renamed, and another has its login now."""
    victim = server.add_user("maintainer", "write")
    assert _ask(lab, victim) is Permission.WRITE
    assert lab.forge.access(Account(id=victim.id + 500, login="maintainer")).permission is Permission.NONE
    server.fail("GET .*/permission", status=200, body=b'{"permission": "admin", "user": null}')
    assert _ask(lab, victim) is Permission.NONE


def test_a_permission_that_is_not_known_is_no_right(lab: GithubLab, server: GithubServer) -> None:
    user = server.add_user("someone", "write")
    body = json.dumps({"permission": "superhuman", "user": {"id": user.id, "login": user.login}})
    server.fail("GET .*/permission", status=200, body=body.encode())
    assert _ask(lab, user) is Permission.UNKNOWN


@pytest.mark.parametrize("login", ["", "a/b", "..", "a b", "x[bot]y", "a?b", "acme\n"])
def test_what_is_no_login_is_not_asked_about(lab: GithubLab, server: GithubServer, login: str) -> None:
    asked = len(server.requests)
    assert lab.forge.account(login) is None
    assert lab.forge.access(Account(id=1, login=login)).permission is Permission.NONE
    assert lab.forge.access(Account(id=-1, login="ghost")).permission is Permission.NONE
    assert len(server.requests) == asked


def test_an_app_is_an_account_too(lab: GithubLab) -> None:
    assert account(lab.forge, "github-actions[bot]").id == JOB_USER_ID


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_renamed_account_is_nobodys_login(lab: GithubLab, server: GithubServer, status: int) -> None:
    server.fail("GET .*/users/", status=status, headers={"Location": f"{server.api_url}/user/1"})
    assert lab.forge.account("old-name") is None


@pytest.mark.parametrize("known", [True, False], ids=["told-by-graphql", "taken-for-a-job"])
def test_a_job_token_is_the_account_of_jobs(lab: GithubLab, server: GithubServer, *, known: bool) -> None:
    server.state.viewer_known = known
    with lab.forge_of(server.job_token) as forge:
        assert forge.myself() == Account(id=41898282, login="github-actions[bot]")
        assert forge.myself() == Account(id=41898282, login="github-actions[bot]")
    assert len([one for one in server.requests if one.path == "/api/graphql"]) == 1


def test_another_app_is_not_taken_for_a_job(lab: GithubLab, server: GithubServer) -> None:
    """Comments of the right account are to be found again."""
    server.fail("GET /api/v3/user", status=403, body=b'{"message": "Resource not accessible by integration"}')
    assert lab.forge.myself() == Account(id=server.bot.id, login=server.bot.login)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_without_graphql_a_token_that_is_nobodys_is_a_jobs(lab: GithubLab, server: GithubServer, status: int) -> None:
    server.fail("POST /api/graphql", status=status, body=b'{"message": "no"}')
    with lab.forge_of(server.job_token) as forge:
        assert forge.myself().id == JOB_USER_ID


# Issues


def test_only_the_assigner_has_assigned(lab: GithubLab, server: GithubServer) -> None:
    """The actor of the event is the one who was assigned, so that it would look as if he had done it himself."""
    number = lab.add_issue("Ours", "x")
    lab.assign(number, server.bot)
    lab.assign(number)
    events = [(one.change, one.by.login, one.subject, one.subject_id) for one in lab.forge.history(number)]
    bot, owner = server.bot, server.owner
    assert events == [
        (Change.ASSIGNED, owner.login, bot.login, bot.id),
        (Change.UNASSIGNED, owner.login, bot.login, bot.id),
    ]


def test_an_assignment_by_nobody_who_is_named_is_nobodys(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("Ours")
    server.state.set_assignees(issue, [server.bot], server.owner)
    issue.events[0].pop("assigner")
    server.state.add_event(issue, "assigned", server.bot, assignee=None, assigner=None)
    server.state.add_event(issue, "labeled", server.owner, label=None)
    server.state.add_event(issue, "renamed", server.owner, rename={"from": "a", "to": "b"})
    (entry,) = lab.forge.history(issue.number)
    assert entry.by == Account(id=-1, login="ghost")


def test_the_history_has_labels_and_every_page(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("Busy")
    for _ in range(120):
        server.state.add_labels(issue, ["agent"], server.owner)
        server.state.remove_label(issue, "agent", server.bot)
    entries = lab.forge.history(issue.number)
    assert len(entries) == 240
    assert (entries[0].change, entries[0].by.id, entries[0].subject) == (Change.LABELED, server.owner.id, "agent")
    assert (entries[-1].change, entries[-1].by.id) == (Change.UNLABELED, server.bot.id)
    pages = [one.path for one in server.requests if "/events" in one.path]
    assert [path.partition("?")[2] for path in pages] == [f"per_page=100&page={page}" for page in (1, 2, 3)]


def test_a_full_single_page_is_the_end_where_the_next_is_empty(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("Talk")
    issue.comments.extend(_comment(server, text) for text in range(100))
    assert len(lab.forge.comments(issue.number)) == 100


def test_a_page_without_links_is_followed_while_it_is_full(lab: GithubLab, server: GithubServer) -> None:
    """A proxy may take the header away; nothing may be lost by that."""
    issue = server.add_issue("Talk")
    issue.comments.extend(_comment(server, text) for text in range(130))
    first = lab.owner.get(f"/issues/{issue.number}/comments?per_page=100")
    server.fail("GET .*/comments", status=200, body=first.content)
    assert len(lab.forge.comments(issue.number)) == 130


def _comment(server: GithubServer, text: int) -> dict[str, Json]:
    when = "2026-01-02T03:04:05Z"
    return {"id": server.state.new_id(), "user": None, "body": str(text), "created_at": when, "updated_at": when}


def test_comments_of_the_deleted_are_the_ghosts(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("Talk")
    issue.comments.append(_comment(server, 1))
    assert lab.forge.comments(issue.number)[0].author == Account(id=-1, login="ghost")


def test_a_list_without_an_end_ends(lab: GithubLab, server: GithubServer) -> None:
    server.fail("GET .*/comments", status=200, body=b"[]", headers={"Link": '<x>; rel="next"'}, times=10_000)
    with pytest.raises(Misconfigured, match="no end"):
        lab.forge.comments(server.add_issue("Talk").number)
    assert len([one for one in server.requests if "/comments" in one.path]) == 100


def test_an_issue_has_what_it_has(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("Ours")
    server.state.add_labels(issue, ["agent", "bug"], server.owner)
    server.state.set_assignees(issue, [server.bot, server.owner], server.owner)
    issue.comments.append(_comment(server, 1))
    found = lab.forge.issue(issue.number)
    assert found.labels == ("agent", "bug")
    assert [one.login for one in found.assignees] == [server.bot.login, server.owner.login]
    assert (found.body, found.comment_count) == ("", 1)


def test_a_deleted_issue_is_missing(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("Gone")
    issue.deleted = True
    for method in (lab.forge.issue, lab.forge.history, lab.forge.dependencies, lab.forge.comments):
        with pytest.raises(Missing, match="deleted"):
            method(issue.number)


def _ours(server: GithubServer, *, label: str = "", assignee: User | None = None) -> IssueState:
    issue = server.add_issue("Ours")
    if label:
        server.state.add_labels(issue, [label], server.owner)
    if assignee:
        server.state.set_assignees(issue, [assignee], server.owner)
    return issue


def test_open_issues_are_found_by_label_and_by_assignee_and_each_once(lab: GithubLab, server: GithubServer) -> None:
    labelled, both = _ours(server, label="Agent"), _ours(server, label="agent", assignee=server.bot)
    _ours(server)
    assigned = _ours(server, assignee=server.bot)
    _ours(server, label="agent").state = "closed"
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    server.state.add_labels(server.state.issues[_open(lab.forge)], ["agent"], server.owner)
    found = lab.forge.find_issues(assignee=server.bot.login, label="agent")
    assert [one.number for one in found] == [labelled.number, both.number, assigned.number]


def test_issues_are_found_on_every_page(lab: GithubLab, server: GithubServer) -> None:
    for _ in range(205):
        _ours(server, label="agent")
    assert len(lab.forge.find_issues(assignee="nobody-there", label="agent")) == 205
    lists = [one.path for one in server.requests if "/issues?" in one.path]
    assert len(lists) == 4


@pytest.mark.parametrize("assignee", ["none", "*", "nobody-there", "", "a,b"])
def test_an_account_that_is_none_finds_nothing(lab: GithubLab, server: GithubServer, assignee: str) -> None:
    _ours(server)
    _ours(server, assignee=server.bot)
    assert lab.forge.find_issues(assignee=assignee, label="") == ()
    assert lab.forge.find_issues(assignee=assignee, label="no such label") == ()


def test_two_labels_are_not_one_with_a_comma(lab: GithubLab, server: GithubServer) -> None:
    issue = _ours(server, label="agent")
    server.state.add_labels(issue, ["bug"], server.owner)
    assert lab.forge.find_issues(assignee="", label="agent,bug") == ()


def test_native_dependencies_go_both_ways_and_elsewhere(lab: GithubLab, server: GithubServer) -> None:
    first, second, third = (server.add_issue(title) for title in "abc")
    second.blocked_by, third.blocked_by = [first.number], [second.number]
    second.foreign_blockers = [("acme/lib", 7)]
    found = lab.forge.dependencies(second.number)
    assert (found.blocked_by, found.blocks) == ((first.number,), (third.number,))
    assert found.foreign == ("acme/lib#7",)


def test_a_server_without_dependencies_has_none(lab: GithubLab, server: GithubServer) -> None:
    server.state.dependencies = False
    found = lab.forge.dependencies(server.add_issue("a").number)
    assert (found.blocked_by, found.blocks, found.foreign) == ((), (), ())
    with pytest.raises(Missing, match="issue 99"):
        lab.forge.dependencies(99)


def test_a_blocker_whose_repository_is_not_told_is_elsewhere(lab: GithubLab, server: GithubServer) -> None:
    issue = server.add_issue("a")
    issue.foreign_blockers = [("", 0)]
    assert lab.forge.dependencies(issue.number).foreign == ("?#0",)


def test_labels_are_made_by_putting_them_on(lab: GithubLab, server: GithubServer) -> None:
    number = lab.add_issue("Ours", "x")
    for _ in range(2):
        lab.forge.add_label(number, "a/new one: 1")
    lab.forge.add_label(number, "agent")
    assert lab.forge.issue(number).labels == ("a/new one: 1", "agent")
    for _ in range(2):
        lab.forge.remove_label(number, "a/new one: 1")
    assert lab.forge.issue(number).labels == ("agent",)
    assert "a/new one: 1" in server.state.labels


def test_a_label_on_a_missing_issue_is_missing(lab: GithubLab) -> None:
    for method in (lab.forge.add_label, lab.forge.remove_label):
        with pytest.raises(Missing, match="issue 99"):
            method(99, "agent")


@pytest.mark.parametrize("name", ["", ".", "..", " "])
def test_a_name_that_is_none_never_takes_all_labels_off(lab: GithubLab, server: GithubServer, name: str) -> None:
    issue = _ours(server, label="agent")
    with pytest.raises(Misconfigured, match="name"):
        lab.forge.remove_label(issue.number, name)
    assert issue.labels == ["agent"]


# Files and branches


def test_a_file_is_read_as_it_is(lab: GithubLab) -> None:
    lab.push_main({"data.json": '{"a": 1}\n'})
    assert lab.forge.read_file("data.json", ref="main") == b'{"a": 1}\n'


def test_a_folder_is_no_file(lab: GithubLab) -> None:
    assert lab.forge.read_file("docs", ref="main") is None
    assert lab.forge.read_file("docs/none.md", ref="main") is None


def test_the_tip_of_a_branch_is_asked_of_git(lab: GithubLab, server: GithubServer) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    assert lab.forge.branch_commit(HEAD) == commit
    for name in ("coordinator", "nope", "../heads/main", "", "a//b"):
        assert lab.forge.branch_commit(name) is None
    body = json.dumps({"ref": f"refs/heads/{HEAD}-more", "object": {"sha": commit}})
    server.fail("GET .*/git/ref/", status=200, body=body.encode())
    assert lab.forge.branch_commit(HEAD) is None


def test_a_repository_without_a_commit_has_no_branch(lab: GithubLab, server: GithubServer) -> None:
    server.state.default_branch = "trunk"
    assert lab.forge.branch_commit("main") is None
    with pytest.raises(Missing, match="trunk"):
        lab.forge.read_file("README.md", ref="trunk")


# Pull requests


def test_a_draft_is_a_flag_and_changed_later_all_the_same(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    opened = lab.forge.create_pull_request(head=HEAD, base="main", title="WIP: Add", body="b", draft=True)
    assert (opened.title, opened.draft) == ("WIP: Add", True)
    ready = lab.forge.update_pull_request(opened.number, title="Add", body="", draft=False)
    assert (ready.title, ready.draft) == ("Add", False)
    assert lab.forge.pull_request(opened.number) == ready
    back = lab.forge.update_pull_request(opened.number, title="Add", body="", draft=True)
    assert lab.forge.pull_request(opened.number) == back
    assert back.draft
    assert len([one for one in server.requests if one.path == "/api/graphql"]) == 2


def test_a_job_may_not_change_the_draft_state_and_carries_on(
    lab: GithubLab, server: GithubServer, caplog: pytest.LogCaptureFixture
) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    with lab.forge_of(server.job_token) as forge:
        number = _open(forge)
        with caplog.at_level(logging.WARNING, "coordinator"):
            changed = forge.update_pull_request(number, title="Done", body="b", draft=False)
    assert (changed.title, changed.draft) == ("Done", True)
    assert "stays as it is" in caplog.text
    assert "Resource not accessible by integration" in caplog.text


def test_a_refusal_of_graphql_as_a_whole_changes_nothing_else(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    number = _open(lab.forge)
    server.fail("POST /api/graphql", status=403, body=b'{"message": "no"}')
    assert lab.forge.update_pull_request(number, title="Done", body="b", draft=False).draft


def test_without_drafts_it_is_opened_ready_for_review_and_said(
    lab: GithubLab, server: GithubServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.state.private, server.state.drafts = True, False
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    with caplog.at_level(logging.WARNING, "coordinator"):
        opened = lab.forge.create_pull_request(head=HEAD, base="main", title="Add", body="b", draft=True)
    assert not opened.draft
    assert "Draft pull requests are not supported" in caplog.text


@pytest.mark.parametrize("allowed", [True, False])
def test_a_job_opens_pull_requests_where_the_repository_lets_it(
    lab: GithubLab, server: GithubServer, *, allowed: bool
) -> None:
    server.state.jobs_may_open_pulls = allowed
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    with lab.forge_of(server.job_token) as forge:
        if allowed:
            assert _open(forge) == 1
            return
        with pytest.raises(PullRequestForbidden, match="not permitted to create") as caught:
            _open(forge)
        assert "Allow GitHub Actions" in caught.value.mend
        assert forge.compare_url(head=HEAD, base="main") == f"{server.url}/acme/app/compare/main...{HEAD}"


def test_a_token_without_the_right_may_not_open_pull_requests(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    server.state.job_rights.discard("pulls")
    with lab.forge_of(server.job_token) as forge, pytest.raises(PullRequestForbidden, match="not accessible"):
        _open(forge)


def test_an_archived_repository_is_said_to_be_archived(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    number = lab.add_issue("x", "y")
    server.state.archived = True
    acts: tuple[Callable[[], object], ...] = (
        lambda: _open(lab.forge),
        lambda: lab.forge.create_comment(number, "text"),
    )
    for act in acts:
        with pytest.raises(Misconfigured, match="archived") as caught:
            act()
        assert "Unarchive" in caught.value.mend
        assert not isinstance(caught.value, PullRequestForbidden)


def test_what_is_wrong_with_a_pull_request_is_said(lab: GithubLab) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    with pytest.raises(Misconfigured, match="Validation Failed: title is too long"):
        lab.forge.create_pull_request(head=HEAD, base="main", title="x" * 257, body="", draft=False)
    with pytest.raises(Misconfigured, match="Validation Failed: No commits between main and main"):
        lab.forge.create_pull_request(head="main", base="main", title="x", body="", draft=True)


def test_a_fork_with_a_branch_of_our_name_is_not_ours(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    theirs = [server.add_fork_pull(HEAD, repository=number) for number in (2, 0)]
    assert lab.forge.find_pull_request(head=HEAD, base="main") is None
    assert _open(lab.forge) not in theirs
    assert lab.forge.pull_request(theirs[0]).title == "From a fork"


def test_a_pull_request_is_found_when_the_server_does_not_filter(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    ours = _open(lab.forge)
    for _ in range(120):
        server.add_fork_pull("theirs")
    unfiltered = lab.owner.get("/pulls?per_page=100").content
    server.fail("GET .*/pulls", status=200, body=unfiltered)
    found = lab.forge.find_pull_request(head=HEAD, base="main")
    assert found is not None
    assert found.number == ours


def test_a_merged_pull_request_says_so(lab: GithubLab, server: GithubServer) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    number = _open(lab.forge)
    issue = server.state.issues[number]
    assert issue.pull is not None
    issue.state, issue.pull.merged_at = "closed", "2026-01-02T03:04:05Z"
    found = lab.forge.pull_request(number)
    assert (found.state, found.merged) == ("closed", True)
    assert lab.forge.find_pull_request(head=HEAD, base="main") is None
    assert lab.forge.issue(number).is_pull_request


def test_an_issue_is_no_pull_request(lab: GithubLab) -> None:
    number = lab.add_issue("x", "y")
    with pytest.raises(Missing, match=f"pull request {number}"):
        lab.forge.pull_request(number)


# Statuses and Actions


def test_statuses_fit_githubs_rules(lab: GithubLab, server: GithubServer) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    status = CommitStatus(context="coordinator/build", state=StatusState.PENDING, description="x" * 141)
    linked = status.model_copy(update={"target_url": "https://git.example/run/1", "state": StatusState.FAILURE})
    lab.forge.set_statuses(commit, [status, linked])
    kept = [(one["state"], one["context"], one["description"], one["target_url"]) for one in server.state.statuses]
    assert kept == [
        ("pending", "coordinator/build", "x" * 140, ""),
        ("failure", "coordinator/build", "x" * 140, "https://git.example/run/1"),
    ]


def test_a_status_that_is_refused_says_why(lab: GithubLab) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    odd = CommitStatus(context="c", state=StatusState.ERROR, description="", target_url="file:///tmp")
    with pytest.raises(Misconfigured, match=r"Validation Failed: target_url must use http\(s\) scheme"):
        lab.forge.set_statuses(commit, [odd])


def test_a_workflow_is_started_with_its_inputs(lab: GithubLab, server: GithubServer) -> None:
    lab.push_main({".github/workflows/coordinator.yml": WORKFLOW})
    lab.forge.dispatch("coordinator.yml", ref="main", inputs={"issue": "7"})
    with lab.forge_of(server.job_token) as forge:
        forge.dispatch("coordinator.yml", ref="main", inputs={})
    assert [(one["sender"], one["inputs"]) for one in server.state.dispatched] == [
        ("coordinator-bot", {"issue": "7"}),
        ("github-actions[bot]", {}),
    ]


@pytest.mark.parametrize(
    ("workflow", "ref", "inputs", "said"),
    [
        ("other.yml", "main", {}, "no such thing"),
        ("coordinator.yml", "nope", {}, "No ref found for: nope"),
        ("coordinator.yml", "main", {"event": "x"}, "Unexpected inputs provided"),
        ("push.yml", "main", {}, "does not have 'workflow_dispatch'"),
    ],
)
def test_a_workflow_that_cannot_be_started_says_why(
    lab: GithubLab, *, workflow: str, ref: str, inputs: dict[str, str], said: str
) -> None:
    files = {".github/workflows/coordinator.yml": WORKFLOW, ".github/workflows/push.yml": "on: {push: {}}\n"}
    lab.push_main(files)
    with pytest.raises(DispatchUnavailable, match=said) as caught:
        lab.forge.dispatch(workflow, ref=ref, inputs=inputs)
    assert f"start the workflow {workflow} of acme/app on {ref}" in caught.value.what
    assert "workflow" in caught.value.mend
    assert lab.server.state.dispatched == []


def test_a_job_without_the_right_is_told_which_one_it_needs(lab: GithubLab, server: GithubServer) -> None:
    lab.push_main({".github/workflows/coordinator.yml": WORKFLOW})
    server.state.job_rights.discard("actions")
    with lab.forge_of(server.job_token) as forge, pytest.raises(DispatchUnavailable) as caught:
        forge.dispatch("coordinator.yml", ref="main", inputs={})
    assert "actions: write" in caught.value.mend


def test_a_workflow_is_named_by_a_file_only(lab: GithubLab) -> None:
    with pytest.raises(Misconfigured, match="name"):
        lab.forge.dispatch("..", ref="main", inputs={})


def test_a_run_is_cancelled_when_it_ended_so(lab: GithubLab, server: GithubServer) -> None:
    server.state.runs = {7: "cancelled", 8: None, 9: "failure"}
    asked: list[int | None] = [7, 8, 9, 10, None]
    assert [lab.forge.run_is_cancelled(run_id=one, run_number=7) for one in asked] == [True, *[False] * 4]
    server.fail("GET .*/actions/runs/7", status=403, body=b'{"message": "Resource not accessible by integration"}')
    assert lab.forge.run_is_cancelled(run_id=7, run_number=None) is False


def test_the_names_of_secrets_are_the_repositorys_and_the_organisations(lab: GithubLab, server: GithubServer) -> None:
    server.state.secrets = [f"OWN_{number:03}" for number in range(101)]
    with lab.forge_of(server.owner.token) as forge:
        assert forge.secret_names() == tuple(server.state.secrets)
        server.state.organization_secrets = ["ANTHROPIC_API_KEY", "OWN_000"]
        assert forge.secret_names() == ("ANTHROPIC_API_KEY", *server.state.secrets)


def test_whoever_may_not_see_secrets_knows_none(lab: GithubLab, server: GithubServer) -> None:
    server.state.secrets = ["ANTHROPIC_API_KEY"]
    assert lab.forge.secret_names() is None
    with lab.forge_of(server.job_token) as forge:
        assert forge.secret_names() is None


def test_the_server_is_asked_for_its_version_once(lab: GithubLab, server: GithubServer) -> None:
    for _ in range(2):
        assert lab.forge.server() == Server(product="github", version="3.17.2")
    assert len([one for one in server.requests if one.path.endswith("/meta")]) == 1


def _facilities(forge: Forge) -> dict[str, Facility]:
    return {one.name: one for one in forge.facilities()}


def test_a_users_token_is_offered_most(lab: GithubLab, server: GithubServer) -> None:
    server.add_issue("a")
    found = _facilities(lab.forge)
    assert {name for name, one in found.items() if one.available is not True} == set()


def test_a_jobs_token_is_told_what_it_lacks(lab: GithubLab, server: GithubServer) -> None:
    server.add_issue("a")
    server.state.dependencies, server.state.private = False, True
    with lab.forge_of(server.job_token) as forge:
        found = _facilities(forge)
    assert {name: one.available for name, one in found.items()} == {
        "start workflows": None,
        "ask what an account may do": True,
        "native dependencies": False,
        "open pull requests": None,
        "draft pull requests": None,
        "change the draft state of a pull request": False,
        "start workflows by what the coordinator does": False,
        "job summary": True,
    }
    assert all(
        one.effect and (one.mend or name == "draft pull requests") for name, one in found.items() if not one.available
    )


def test_facilities_are_looked_up_without_writing(lab: GithubLab, server: GithubServer) -> None:
    asked = len(server.requests)
    for token in (server.token, server.job_token, server.owner.token):
        with lab.forge_of(token) as forge:
            forge.facilities()
    assert {one.method for one in server.requests[asked:] if one.path != "/api/graphql"} == {"GET"}


def test_what_jobs_may_open_is_known_to_whoever_may_ask(lab: GithubLab, server: GithubServer) -> None:
    """An app with the right to see the settings of Actions."""
    server.state.job_rights.add("admin")
    for allowed in (True, False):
        server.state.jobs_may_open_pulls = allowed
        with lab.forge_of(server.job_token) as forge:
            assert _facilities(forge)["open pull requests"].available is allowed


def test_facilities_of_a_repository_where_actions_and_issues_are_off(lab: GithubLab, server: GithubServer) -> None:
    reader = server.add_user("reader", "read")
    server.fail("GET .*/actions/workflows", status=404, body=b"{}")
    server.fail("GET .*/issues", status=410, body=b'{"message": "Issues are disabled for this repo"}')
    with lab.forge_of(reader.token) as forge:
        found = _facilities(forge)
    assert found["start workflows"].available is False
    assert found["native dependencies"].available is None
    assert found["ask what an account may do"].available is False
    assert found["open pull requests"].available is None


def test_git_takes_the_token_of_a_job_by_its_own_name(lab: GithubLab, server: GithubServer, tmp_path: Path) -> None:
    with lab.forge_of(server.job_token) as forge:
        remote = forge.git_remote()
    assert remote.url == f"{server.url}/acme/app.git"
    assert "refs/heads/main" in git_with(remote, tmp_path, "ls-remote", remote.url)
