"""What holds of every forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.models import Account, Change, CommitStatus, LineNote, Permission, StatusState
from coordinator.forge.protocol import DispatchUnavailable, Missing
from tests.forge.labs import account, git_with

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.forge.protocol import Forge
    from tests.forge.labs import Lab, RealGitea

HEAD = "coordinator/issue-1"


def test_knows_itself_and_its_repository(lab: Lab) -> None:
    forge: Forge = lab.forge
    assert forge.kind in {"local", "gitea"}
    assert forge.myself().login == lab.me
    assert forge.myself().id > 0
    repository = forge.repository()
    assert repository.default_branch == "main"
    assert repository.full_name.endswith("/app")
    assert repository.html_url.startswith(("http://", "https://", "file:///"))
    assert forge.repository() == repository


def test_the_server_says_what_it_is(lab: Lab) -> None:
    server = lab.forge.server()
    assert server.product in {"local", "gitea", "forgejo", "github"}
    assert lab.forge.server() == server


def test_what_is_missing_or_unsure_has_an_effect_that_is_said(lab: Lab) -> None:
    facilities = lab.forge.facilities()
    assert len({facility.name for facility in facilities}) == len(facilities)
    assert all(facility.name for facility in facilities)
    assert all(facility.effect for facility in facilities if not facility.available)


def test_secrets_have_names_only(lab: Lab) -> None:
    names = lab.forge.secret_names()
    assert names is None or all(isinstance(name, str) for name in names)


def test_a_branch_has_a_commit_and_what_is_none_has_not(lab: Lab) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    assert lab.forge.branch_commit(HEAD) == commit
    assert lab.forge.branch_commit("main") not in {commit, None}
    for name in ("nope", f"{HEAD}~1", commit, "--all", "HEAD", f"refs/heads/{HEAD}"):
        assert lab.forge.branch_commit(name) is None, name


def test_a_label_is_put_on_and_taken_off_and_the_others_stay(lab: Lab) -> None:
    number = lab.add_issue("Labelled", "x")
    for name in ("queued", "in progress", "queued"):
        lab.forge.add_label(number, name)
    assert sorted(lab.forge.issue(number).labels) == ["in progress", "queued"]
    lab.forge.remove_label(number, "queued")
    lab.forge.remove_label(number, "queued")
    lab.forge.remove_label(number, "never there")
    assert lab.forge.issue(number).labels == ("in progress",)


def test_issues_are_found_by_their_label_in_the_order_of_their_numbers(lab: Lab) -> None:
    numbers = [lab.add_issue(f"Issue {index}", "x") for index in range(3)]
    for number in (numbers[2], numbers[0]):
        lab.forge.add_label(number, "mine")
    found = lab.forge.find_issues(assignee="nobody-of-that-name", label="mine")
    of_these = [issue for issue in found if "mine" in issue.labels]
    assert [issue.number for issue in of_these] == [numbers[0], numbers[2]]
    assert of_these[0] == lab.forge.issue(numbers[0])
    assert [issue.number for issue in found] == sorted(issue.number for issue in found)


def test_a_workflow_that_is_not_there_cannot_be_started(lab: Lab) -> None:
    with pytest.raises(DispatchUnavailable, match=r"nope\.yml") as caught:
        lab.forge.dispatch("nope.yml", ref="main", inputs={"issue": "1"})
    assert caught.value.mend


def test_a_run_that_nobody_cancelled_is_not_cancelled(lab: Lab) -> None:
    assert not lab.forge.run_is_cancelled(run_id=None, run_number=None)
    assert not lab.forge.run_is_cancelled(run_id=41, run_number=7)


def test_git_clones_and_pushes_with_the_remote(lab: Lab, tmp_path: Path) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    remote = lab.forge.git_remote()
    assert git_with(remote, tmp_path, "ls-remote", remote.url, f"refs/heads/{HEAD}").split()[0] == commit
    assert remote.authorization not in repr(remote) or not remote.authorization


def test_reads_files_of_a_branch_and_of_a_commit(lab: Lab) -> None:
    commit = lab.push_branch(HEAD, {"src/app.py": "X = 2\n"})
    assert lab.forge.read_file("src/app.py", ref="main") == b"X = 1\n"
    assert lab.forge.read_file("src/app.py", ref=HEAD) == b"X = 2\n"
    assert lab.forge.read_file("src/app.py", ref=commit) == b"X = 2\n"
    assert lab.forge.read_file("docs/a b.md", ref="main") == b"spaced\n"


@pytest.mark.parametrize("path", ["nope.md", "src", "src/nope.py", "", "/README.md", "src/../README.md", "./README.md"])
def test_a_path_that_is_no_file_is_none(lab: Lab, path: str) -> None:
    assert lab.forge.read_file(path, ref="main") is None


@pytest.mark.parametrize("ref", ["nope", "no/pe", "1" * 40, "--all"])
def test_an_unknown_branch_is_missing_and_never_an_absent_file(lab: Lab, ref: str) -> None:
    with pytest.raises(Missing):
        lab.forge.read_file("README.md", ref=ref)


def test_an_issue_comes_back_as_it_was_made(lab: Lab) -> None:
    number = lab.add_issue("Add a switch", "Some *text*\n\n- ü\n")
    issue = lab.forge.issue(number)
    assert (issue.number, issue.title, issue.state, issue.is_pull_request) == (number, "Add a switch", "open", False)
    assert issue.body.endswith("Some *text*\n\n- ü\n")
    assert issue.author.id > 0
    assert issue.updated_at is not None
    assert issue.html_url
    assert lab.add_issue("Second", "x") == number + 1


@pytest.mark.parametrize("number", [999, 0])
def test_a_missing_issue_is_missing_in_every_method(lab: Lab, number: int) -> None:
    for method in (lab.forge.issue, lab.forge.comments, lab.forge.history, lab.forge.dependencies):
        with pytest.raises(Missing, match=str(number)):
            method(number)
    with pytest.raises(Missing, match=str(number)):
        lab.forge.create_comment(number, "text")
    with pytest.raises(Missing, match=str(number)):
        lab.forge.update_pull_request(number, title="t", body="b", draft=False)
    with pytest.raises(Missing, match=str(number)):
        lab.forge.pull_request(number)
    with pytest.raises(Missing, match=str(number)):
        lab.forge.add_label(number, "queued")
    with pytest.raises(Missing, match=str(number)):
        lab.forge.remove_label(number, "queued")


def test_comments_are_added_in_order_and_changed_in_place(lab: Lab) -> None:
    number = lab.add_issue("Talk", "x")
    assert lab.forge.comments(number) == ()
    first = lab.forge.create_comment(number, "first\n---\n| a | b |\n")
    second = lab.forge.create_comment(number, "second 🙂")
    assert first.id != second.id
    assert first.author == lab.forge.myself()
    assert lab.forge.update_comment(first.id, "  changed\r\n\n").id == first.id
    assert [comment.body for comment in lab.forge.comments(number)] == ["  changed\r\n\n", "second 🙂"]
    assert lab.forge.comments(number)[1] == second


def test_many_comments_come_whole(lab: Lab) -> None:
    number = lab.add_issue("Talk", "x")
    for text in range(55):
        lab.forge.create_comment(number, f"c{text}")
    assert [comment.body for comment in lab.forge.comments(number)] == [f"c{text}" for text in range(55)]


def test_a_missing_comment_is_missing(lab: Lab) -> None:
    with pytest.raises(Missing):
        lab.forge.update_comment(424242, "text")


def test_a_pull_request_is_opened_found_and_updated(lab: Lab) -> None:
    lab.add_issue("Work", "x")
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    assert lab.forge.find_pull_request(head=HEAD, base="main") is None
    opened = lab.forge.create_pull_request(head=HEAD, base="main", title="Add it", body="Why", draft=True)
    assert (opened.title, opened.body, opened.draft, opened.state) == ("Add it", "Why", True, "open")
    assert (opened.head, opened.base, opened.head_commit, opened.merged) == (HEAD, "main", commit, False)
    assert opened.url
    assert lab.forge.find_pull_request(head=HEAD, base="main") == opened
    assert lab.forge.pull_request(opened.number) == opened
    assert lab.forge.find_pull_request(head="main", base=HEAD) is None
    changed = lab.forge.update_pull_request(opened.number, title="Added", body="", draft=False)
    assert (changed.number, changed.title, changed.body, changed.draft) == (opened.number, "Added", "", False)


def test_opening_a_second_time_updates_the_open_one(lab: Lab) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    first = lab.forge.create_pull_request(head=HEAD, base="main", title="One", body="1", draft=False)
    second = lab.forge.create_pull_request(head=HEAD, base="main", title="Two", body="2", draft=True)
    assert (second.number, second.title, second.body, second.draft) == (first.number, "Two", "2", True)
    assert lab.forge.find_pull_request(head=HEAD, base="main") == second


def test_a_pull_request_of_missing_branches_is_missing(lab: Lab) -> None:
    for head, base in (("nope", "main"), ("main", "nope")):
        with pytest.raises(Missing, match="nope"):
            lab.forge.create_pull_request(head=head, base=base, title="t", body="b", draft=False)


def test_a_pull_request_into_itself_is_refused(lab: Lab) -> None:
    with pytest.raises(Misconfigured):
        lab.forge.create_pull_request(head="main", base="main", title="t", body="b", draft=False)


def test_a_pull_request_has_comments_like_an_issue(lab: Lab) -> None:
    lab.push_branch(HEAD, {"new.txt": "new\n"})
    opened = lab.forge.create_pull_request(head=HEAD, base="main", title="One", body="1", draft=False)
    lab.forge.create_comment(opened.number, "checked")
    assert [comment.body for comment in lab.forge.comments(opened.number)] == ["checked"]
    issue = lab.forge.issue(opened.number)
    assert (issue.is_pull_request, issue.title, issue.body) == (True, "One", "1")
    assert lab.forge.history(opened.number) == ()


def test_statuses_are_taken_for_a_commit_that_exists(lab: Lab) -> None:
    commit = lab.push_branch(HEAD, {"new.txt": "new\n"})
    status = CommitStatus(context="coordinator", state=StatusState.PENDING, description="d" * 300)
    lab.forge.set_statuses(commit, [status, status.model_copy(update={"context": "coordinator/build"})])
    lab.forge.set_statuses(commit, [status.model_copy(update={"state": StatusState.SUCCESS})])
    with pytest.raises(Missing, match="1" * 12):
        lab.forge.set_statuses("1" * 40, [status])


def test_an_issue_without_dependencies_has_none(lab: Lab) -> None:
    number = lab.add_issue("Alone", "x")
    dependencies = lab.forge.dependencies(number)
    assert (dependencies.blocked_by, dependencies.blocks, dependencies.foreign) == ((), (), ())


def test_accounts_are_known_by_login(lab: Lab) -> None:
    assert account(lab.forge, lab.me) == lab.forge.myself()
    assert lab.forge.account("nobody-of-that-name") is None


def test_the_account_itself_may_write_and_an_unknown_one_not(lab: Lab) -> None:
    access = lab.forge.access(lab.forge.myself())
    assert access.permission.may_write
    assert access.reason
    stranger = lab.forge.access(Account(id=98765, login="nobody-of-that-name"))
    assert stranger.permission is Permission.NONE
    assert stranger.reason
    assert stranger.mend


def test_whoever_has_a_known_login_with_another_id_may_nothing(lab: Lab) -> None:
    access = lab.forge.access(Account(id=98765, login=lab.me))
    assert access.permission is Permission.NONE


def test_the_history_says_who_assigned_the_issue(lab: Lab) -> None:
    number = lab.add_issue("Ours", "x")
    for entry in lab.forge.history(number):
        assert entry.change is Change.ASSIGNED
        assert entry.by == lab.forge.myself()


def test_a_branch_can_be_compared_by_a_person_or_need_not_be(lab: Lab) -> None:
    url = lab.forge.compare_url(head=HEAD, base="main")
    assert not url or url.endswith(f"/compare/main...{HEAD}")


def test_a_real_server_keeps_the_contract_too(real_gitea: RealGitea, tmp_path: Path) -> None:
    lab = real_gitea.lab(tmp_path)
    assert lab.forge.repository().full_name == lab.full_name
    lab.close()


def test_lines_are_commented_on_and_the_comments_taken_away(lab: Lab) -> None:
    commit = lab.push_branch(HEAD, {"src/app.py": "X = 1\nY = 2\nZ = 3\n"})
    forge = lab.forge
    number = forge.create_pull_request(head=HEAD, base="main", title="T", body="", draft=False).number
    assert forge.line_comments(number) == ()
    forge.comment_on_lines(number, commit, ())
    assert forge.line_comments(number) == ()
    notes = [LineNote(path="src/app.py", line=line, body=f"line {line}\n\n<!-- x -->") for line in (2, 3)]
    forge.comment_on_lines(number, commit, notes)
    forge.comment_on_lines(number, commit, [notes[0].model_copy(update={"body": "once more"})])
    found = forge.line_comments(number)
    assert [(one.path, one.body) for one in found] == [
        ("src/app.py", "line 2\n\n<!-- x -->"),
        ("src/app.py", "line 3\n\n<!-- x -->"),
        ("src/app.py", "once more"),
    ]
    assert {one.author.id for one in found} == {forge.myself().id}
    assert not any(one.answered for one in found)
    assert forge.comments(number) == ()
    forge.remove_line_comment(number, found[0])
    forge.remove_line_comment(number, found[0])
    assert [one.id for one in forge.line_comments(number)] == [found[1].id, found[2].id]
    for one in found[1:]:
        forge.remove_line_comment(number, one)
    assert forge.line_comments(number) == ()


def test_lines_of_no_pull_request_are_missing(lab: Lab) -> None:
    with pytest.raises(Missing):
        lab.forge.line_comments(987_654)
    with pytest.raises(Missing):
        lab.forge.comment_on_lines(987_654, "0" * 40, [LineNote(path="a", line=1, body="b")])
