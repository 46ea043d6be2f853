"""Finding issues, and labels: on the stand-ins of Gitea and Forgejo and, where one is given, on a real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import pytest

from coordinator.errors import Misconfigured
from coordinator.forge.gitea_api import PAGE_LIMIT, PAGE_SIZE
from coordinator.forge.models import Change
from tests.forge.labs import standin_lab
from tests.standins.forge_server import ForgeServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forge.labs import RestLab

HEAD = "coordinator/issue-1"
NOBODY = "nobody-of-that-name"


def _found(lab: RestLab, *, assignee: str = NOBODY, label: str = "no such label") -> list[int]:
    return [issue.number for issue in lab.forge.find_issues(assignee=assignee, label=label)]


def _label(lab: RestLab, name: str) -> int:
    return int(str(lab.ask("POST", "/labels", {"name": name, "color": "ededed"})["id"]))


def test_issues_of_an_account_and_with_a_label_are_found_once_each(rest_lab: RestLab) -> None:
    numbers = [rest_lab.add_issue(f"Issue {index}", "x") for index in range(5)]
    for number in (numbers[3], numbers[0], numbers[4]):
        rest_lab.assign(number, rest_lab.me)
    for number in (numbers[0], numbers[2]):
        rest_lab.ask("POST", f"/issues/{number}/labels", {"labels": ["agent"]})
    rest_lab.ask("PATCH", f"/issues/{numbers[4]}", {"state": "closed"})
    found = rest_lab.forge.find_issues(assignee=rest_lab.me, label="agent")
    assert found == tuple(rest_lab.forge.issue(number) for number in (numbers[0], numbers[2], numbers[3]))
    assert _found(rest_lab, assignee=rest_lab.me.upper()) == [numbers[0], numbers[3]]
    assert _found(rest_lab, label="agent") == [numbers[0], numbers[2]]


def test_an_unknown_account_or_label_finds_nothing(rest_lab: RestLab) -> None:
    number = rest_lab.add_issue("Of somebody", "x")
    rest_lab.assign(number, rest_lab.me)
    assert _found(rest_lab) == []
    assert _found(rest_lab, label="AGENT") == []
    assert _found(rest_lab, label="") == []
    assert _found(rest_lab, assignee="") == []


def test_pull_requests_are_no_issues(rest_lab: RestLab) -> None:
    rest_lab.push_branch(HEAD, {"new.txt": "new\n"})
    pull = rest_lab.forge.create_pull_request(head=HEAD, base="main", title="One", body="", draft=False)
    rest_lab.forge.add_label(pull.number, "agent")
    rest_lab.assign(pull.number, rest_lab.me)
    assert rest_lab.forge.issue(pull.number).labels == ("agent",)
    assert _found(rest_lab, assignee=rest_lab.me, label="agent") == []


@pytest.mark.parametrize("name", ["twice", "one, two"])
def test_a_label_that_the_server_cannot_filter_by_is_found_all_the_same(rest_lab: RestLab, name: str) -> None:
    first, second = _label(rest_lab, name), _label(rest_lab, name)
    numbers = [rest_lab.add_issue(f"Issue {index}", "x") for index in range(3)]
    rest_lab.ask("POST", f"/issues/{numbers[0]}/labels", {"labels": [second]})
    rest_lab.ask("POST", f"/issues/{numbers[2]}/labels", {"labels": [first]})
    assert _found(rest_lab, label=name) == [numbers[0], numbers[2]]


def test_more_issues_than_a_page_holds(rest_lab: RestLab) -> None:
    numbers = [rest_lab.add_issue(f"Issue {index}", "x") for index in range(PAGE_SIZE + 3)]
    for number in numbers:
        rest_lab.ask("POST", f"/issues/{number}/labels", {"labels": ["agent"]})
    assert _found(rest_lab, label="agent") == numbers


def test_the_pages_of_a_list_are_enough_for_a_long_queue() -> None:
    assert PAGE_LIMIT * PAGE_SIZE >= 50_000


@pytest.mark.parametrize("by", ["forge", "owner"])
def test_labels_of_the_organisation_are_put_on_and_found(organisation_lab: RestLab, by: str) -> None:
    organisation_lab.add_organisation_label("shared")
    number = organisation_lab.add_issue("One", "x")
    organisation_lab.add_issue("Two", "x")
    with organisation_lab.forge_of(organisation_lab.owner_token) as owner:
        forge = organisation_lab.forge if by == "forge" else owner
        forge.add_label(number, "shared")
        forge.add_label(number, "shared")
        assert [issue.number for issue in forge.find_issues(assignee=NOBODY, label="shared")] == [number]
        hidden = forge is organisation_lab.forge and forge.server().product == "forgejo"
    own = organisation_lab.owner.get("/labels").json()
    assert [one["name"] for one in own if one["name"] == "shared"] == (["shared"] if hidden else [])
    assert organisation_lab.forge.issue(number).labels == ("shared",)


def test_a_label_of_no_organisation_finds_nothing_in_one(organisation_lab: RestLab) -> None:
    organisation_lab.add_issue("One", "x")
    assert _found(organisation_lab) == []


def test_a_label_that_is_there_is_not_put_on_again(rest_lab: RestLab) -> None:
    number = rest_lab.add_issue("Labelled", "x")
    for _ in range(2):
        rest_lab.forge.add_label(number, "agent")
    assert [entry.change for entry in rest_lab.forge.history(number)] == [Change.LABELED]


def test_a_missing_label_is_made_once_by_all_who_need_it_at_once(rest_lab: RestLab) -> None:
    numbers = [rest_lab.add_issue(f"Issue {index}", "x") for index in range(4)]
    with ThreadPoolExecutor(len(numbers)) as pool:
        list(pool.map(lambda number: rest_lab.forge.add_label(number, "brand new"), numbers))
    made = [one["id"] for one in rest_lab.owner.get("/labels").json() if one["name"] == "brand new"]
    assert len(made) == 1
    assert _found(rest_lab, label="brand new") == numbers


def test_all_labels_of_a_name_are_taken_off(rest_lab: RestLab) -> None:
    number = rest_lab.add_issue("Labelled", "x")
    both = [_label(rest_lab, "twice"), _label(rest_lab, "twice")]
    rest_lab.ask("POST", f"/issues/{number}/labels", {"labels": [*both, _label(rest_lab, "kept")]})
    rest_lab.forge.remove_label(number, "twice")
    assert rest_lab.forge.issue(number).labels == ("kept",)


def test_a_label_that_is_deleted_meanwhile_is_off(standin: RestLab, server: ForgeServer) -> None:
    number, label = standin.add_issue("Labelled", "x"), _label(standin, "going")
    standin.forge.add_label(number, "going")
    server.before("DELETE .*/issues/", lambda: standin.ask("DELETE", f"/labels/{label}"))
    standin.forge.remove_label(number, "going")
    assert standin.forge.issue(number).labels == ()


@pytest.mark.parametrize(("flavour", "version"), [("gitea", "1.25.2"), ("gitea", "1.27.0"), ("forgejo", "")])
def test_a_job_token_takes_labels_off_everywhere(
    tmp_path: Path, flavour: Literal["gitea", "forgejo"], version: str
) -> None:
    with ForgeServer(tmp_path / "server", flavour=flavour, version=version) as server:
        lab = standin_lab(tmp_path, server)
        number = lab.add_issue("Labelled", "x")
        with lab.forge_of(server.job_token) as forge:
            for name in ("queued", "kept"):
                forge.add_label(number, name)
            forge.remove_label(number, "queued")
            assert forge.issue(number).labels == ("kept",)
        replaced = [request for request in server.requests if request.method == "PUT"]
        assert len(replaced) == (0 if version == "1.27.0" else 1)
        lab.close()


@pytest.mark.parametrize("status", [409, 422])
def test_a_server_that_refuses_a_second_label_of_a_name_is_understood(
    standin: RestLab, server: ForgeServer, status: int
) -> None:
    number = standin.add_issue("Labelled", "x")
    server.before("POST .*/app/labels$", lambda: server.add_label("raced"), status=status)
    standin.forge.add_label(number, "raced")
    assert standin.forge.issue(number).labels == ("raced",)
    server.fail("POST .*/app/labels$", status=status)
    with pytest.raises(Misconfigured, match="make the label other in acme/app"):
        standin.forge.add_label(number, "other")


def test_a_label_whose_making_got_no_answer_is_made_once(standin: RestLab, server: ForgeServer) -> None:
    number = standin.add_issue("Labelled", "x")
    server.stumble("POST .*/app/labels$", "lost")
    standin.forge.add_label(number, "once")
    assert [name for name in server.state.labels.values() if name == "once"] == ["once"]
    assert standin.forge.issue(number).labels == ("once",)


def test_a_label_of_ours_that_came_second_and_cannot_go_again_is_no_error(
    standin: RestLab, server: ForgeServer
) -> None:
    number = standin.add_issue("Labelled", "x")
    server.stumble("POST .*/app/labels$", "lost")
    server.fail("DELETE .*/app/labels/", status=403)
    standin.forge.add_label(number, "twice")
    assert standin.forge.issue(number).labels == ("twice",)
    assert _found(standin, label="twice") == [number]


def test_the_requests_grow_with_the_pages_of_what_is_found(standin: RestLab, server: ForgeServer) -> None:
    for index in range(60):
        server.add_issue(f"Issue {index}", labels=("agent",) if index < 10 else ())
    server.requests.clear()
    assert len(_found(standin, label="agent")) == 10
    lists = [request.path for request in server.requests if "/issues?" in request.path]
    assert [path.partition("?")[2].partition("=")[0] for path in lists] == ["assigned_by", "labels"]


def test_a_list_may_take_longer_than_one_answer(standin: RestLab, server: ForgeServer) -> None:
    for index in range(3 * PAGE_SIZE):
        server.add_issue(f"Issue {index}", labels=("agent",))
    server.fail(r"GET .*/issues\?", times=4, delay=0.6)
    with standin.forge_of(server.token, deadline_seconds=1.2) as forge:
        assert len(forge.find_issues(assignee=NOBODY, label="agent")) == 3 * PAGE_SIZE
