"""Reading the queue, the blockers of one issue, and the dependents of a closed one from a server over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Unreachable
from coordinator.events.permission import Permissions
from coordinator.flows.dependencies import MOST_FOLLOWED, DependencyReader
from coordinator.flows.queue import find_dependents, read_queue
from tests.standins.github_lab import GithubLab
from tests.standins.github_server import GithubServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.planning.dependencies import Blockers
    from coordinator.planning.queue import Queue

NAMES = {"assignee": "coordinator-bot", "label": "agent"}


class Ground:
    """A repository whose issues are written in one line each."""

    def __init__(self, lab: GithubLab) -> None:
        self.server = lab.server
        self.forge = lab.forge

    def add(self, body: str = "", *, ours: bool = True, native: tuple[int, ...] = (), state: str = "open") -> int:
        """Add an issue: what it says, whether it has our label, what it waits for on the forge."""
        issue = self.server.add_issue("Do it")
        issue.body = body
        issue.state = state
        issue.labels = ["agent"] if ours else []
        issue.blocked_by = list(native)
        return issue.number

    def queue(self, **working: str) -> Queue:
        runs = {int(key[1:]): why for key, why in working.items()}
        permissions = Permissions(self.forge, ())
        return read_queue(
            self.forge, assignee=NAMES["assignee"], label=NAMES["label"], permissions=permissions, working=runs
        )

    def states(self) -> dict[int, str]:
        return {entry.number: entry.state.value for entry in self.queue().entries}

    def blockers(self, number: int) -> Blockers:
        return DependencyReader(self.forge, **NAMES, permissions=Permissions(self.forge, ())).blockers(
            self.forge.issue(number)
        )

    def asked(self, ending: str) -> list[str]:
        """The paths of the requests that end so."""
        paths = [request.path.partition("?")[0] for request in self.server.requests]
        return [path for path in paths if path.endswith(ending)]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with GithubServer(tmp_path / "server") as server:
        lab = GithubLab(tmp_path, server)
        yield Ground(lab)
        lab.close()


def test_the_queue_of_a_server(ground: Ground) -> None:
    ground.add("Blocked by: #2")
    ground.add("Blocks: #3")
    ground.add()
    ground.add(ours=False)
    ground.add(native=(4,))
    ground.add("Blocked by: #77")
    ground.add()
    ground.server.state.issues[7].foreign_blockers = [("org/lib", 5)]
    queue = ground.queue(_2="run 9 works on it")
    assert [(entry.number, entry.state.value, entry.reason) for entry in queue.entries] == [
        (2, "working", "run 9 works on it"),
        (1, "waiting", "waits for #2"),
        (3, "waiting", "waits for #2"),
        (5, "waiting", "waits for #4"),
        (6, "blocked", "#77 does not exist: correct the dependencies of the issue"),
        (7, "blocked", queue.entries[5].reason),
    ]
    assert queue.entries[5].foreign == ("org/lib#5",)


def test_what_strangers_write_holds_up_nothing(ground: Ground) -> None:
    number = ground.add()
    ground.add(f"Blocks: #{number}", ours=False)
    assert ground.states() == {number: "ready"}
    assert not ground.blockers(number).any
    ground.add(f"Blocks: #{number}")
    assert ground.states()[number] == "waiting"
    assert ground.blockers(number).reason == "waits for #3"


def test_the_repository_by_its_name_is_not_another_one(ground: Ground) -> None:
    ground.add("Blocked by: acme/app#2")
    ground.add(ours=False)
    assert ground.queue().entries[0].blocked_by == (2,)
    assert ground.blockers(1).reason == "waits for #2"


def test_each_issue_is_asked_for_once(ground: Ground) -> None:
    outside = [ground.add(ours=False) for _ in range(3)]
    text = "Blocked by: " + ", ".join(f"#{number}" for number in [*outside, 99])
    ours = [ground.add(text) for _ in range(20)]
    ground.server.requests.clear()
    assert len(ground.queue().entries) == 20
    assert ground.asked("/dependencies/blocked_by") == [
        f"/api/v3/repos/acme/app/issues/{number}/dependencies/blocked_by" for number in ours
    ]
    for number in (*outside, 99):
        assert len(ground.asked(f"/issues/{number}")) == 1
    assert not [path for number in ours for path in ground.asked(f"/issues/{number}")]


def test_a_server_that_fails_is_no_missing_issue(ground: Ground) -> None:
    ground.add("Blocked by: #2")
    ground.add(ours=False)
    ground.server.fail(r"GET /api/v3/repos/acme/app/issues/2$", times=99, status=500)
    with pytest.raises(Unreachable):
        ground.queue()
    with pytest.raises(Unreachable):
        ground.blockers(1)


def test_issues_without_dependencies_on_the_server_have_those_of_their_text(ground: Ground) -> None:
    ground.server.state.dependencies = False
    ground.add("Blocked by: #2")
    ground.add()
    assert ground.states() == {2: "ready", 1: "waiting"}


def test_an_issue_that_is_gone_meanwhile_has_no_dependencies(ground: Ground) -> None:
    ground.add()
    reader = DependencyReader(ground.forge, **NAMES, permissions=Permissions(ground.forge, ()))
    ground.server.state.issues[1].deleted = True
    assert reader.native(1).blocked_by == ()


@pytest.mark.parametrize("ours", [True, False])
def test_one_issue_sees_a_cycle_through_issues_of_anybody(ground: Ground, *, ours: bool) -> None:
    ground.add("Blocked by: #2")
    ground.add("Blocked by: #4, #3", ours=ours)
    ground.add(native=(1,), ours=ours)
    ground.add(ours=ours)
    found = ground.blockers(1)
    assert all(len(ground.asked(f"/issues/{number}")) <= 1 for number in (2, 3, 4))
    assert found.cycle == (1, 2, 3)
    assert found.reason == "cycle #1 → #2 → #3 → #1: remove one of these dependencies"
    assert ground.blockers(4).any is False


def test_one_issue_that_waits_for_a_cycle_only_waits(ground: Ground) -> None:
    ground.add("Blocked by: #2")
    ground.add("Blocked by: #3")
    ground.add("Blocked by: #2")
    found = ground.blockers(1)
    assert (found.cycle, found.for_good, found.reason) == ((), False, "waits for #2")


def test_a_cycle_through_a_closed_issue_is_none(ground: Ground) -> None:
    ground.add("Blocked by: #2")
    ground.add("Blocked by: #3")
    ground.add("Blocked by: #1", state="closed")
    assert ground.blockers(1).cycle == ()
    assert ground.blockers(3).cycle == ()


def test_a_chain_is_not_followed_for_ever(ground: Ground) -> None:
    length = MOST_FOLLOWED + 20
    for number in range(1, length + 1):
        ground.add(f"Blocked by: #{number % length + 1}", ours=False)
    ground.server.requests.clear()
    assert ground.blockers(1).cycle == ()
    assert len(ground.asked("/blocked_by")) == MOST_FOLLOWED
    short = [ground.add(f"Blocked by: #{length + number % 20 + 1}", ours=False) for number in range(1, 21)]
    assert ground.blockers(short[0]).cycle == tuple(short)


def test_what_an_issue_blocks_is_seen_from_both_sides(ground: Ground) -> None:
    ground.add("Blocks: #2")
    ground.add()
    ground.add("Blocked by: #1")
    ground.add(native=(1,))
    ground.add("Blocked by: #1", ours=False)
    assert ground.blockers(1).blocks == (4, 2, 3)


def test_a_closed_blocker_elsewhere_does_not_block(ground: Ground) -> None:
    number = ground.add()
    user = '{"id": 77, "login": "other"}'
    issue = f'"number": 5, "title": "x", "body": null, "user": {user}, "labels": [], "assignees": [], "html_url": ""'
    where = '"repository_url": "https://api.github.com/repos/org/lib"'
    times = '"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "comments": 0'
    for state, held in (("closed", False), ("open", True)):
        body = f'[{{{issue}, {where}, {times}, "state": "{state}"}}]'.encode()
        ground.server.fail(r"GET .*/dependencies/blocked_by", status=200, body=body)
        assert ground.blockers(number).any is held


def test_what_waited_for_a_closed_issue_is_found(ground: Ground) -> None:
    closed = ground.add("Blocks: #3, #4, #88", state="closed")
    ground.add(f"Blocked by: #{closed}")
    ground.add()
    ground.add("Blocked by: #6", ours=False)
    ground.add(native=(closed, 6))
    ground.add(ours=False)
    ground.add()
    found = find_dependents(
        ground.forge, ground.forge.issue(closed), **NAMES, permissions=Permissions(ground.forge, ())
    )
    assert [(one.number, one.held_up, one.reason) for one in found] == [
        (2, False, ""),
        (3, False, ""),
        (5, True, "waits for #6"),
    ]


def test_an_issue_that_was_opened_again_holds_up_as_before(ground: Ground) -> None:
    number = ground.add()
    ground.add(f"Blocked by: #{number}")
    closed = ground.forge.issue(number).model_copy(update={"state": "closed"})
    (dependent,) = find_dependents(ground.forge, closed, **NAMES, permissions=Permissions(ground.forge, ()))
    assert (dependent.number, dependent.held_up, dependent.reason) == (2, True, f"waits for #{number}")


def test_what_a_stranger_says_that_his_issue_blocks_holds_nobody_up(ground: Ground) -> None:
    victim = ground.add()
    strangers = ground.add(f"Blocks: #{victim}")
    issue = ground.server.state.issues[strangers]
    assert ground.states()[victim] == "waiting", "somebody who may write has written it"
    issue.author = ground.server.add_user("stranger")
    assert ground.states()[victim] == "ready"
    assert not ground.blockers(victim).any
