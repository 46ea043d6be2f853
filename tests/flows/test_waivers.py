"""Who may waive what, and by which lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coordinator.errors import Unreachable
from coordinator.events.permission import Permissions
from coordinator.flows.waivers import MOST_WAIVERS, WaiverDesk, issue_of, waiver_lines
from coordinator.forge.models import Access, Account, Change, Comment, Issue, Permission, PullRequest
from coordinator.gates.integrity.findings import Waiver
from tests.events.memory_forge import BOT, JOB_TOKEN, MAINTAINER, OUTSIDER, READER, MemoryForge

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LINE = "Gate-Allow: noqa src/a.py"
LABELED, UNLABELED = Change.LABELED, Change.UNLABELED


class Desk:
    """A forge with the issue 1, and what a waiver desk says about it."""

    def __init__(
        self, forge: MemoryForge | None = None, *, kind: str = "gitea", allow: tuple[int | str, ...] = ()
    ) -> None:
        self.forge = forge or MemoryForge(kind=kind)
        self.warnings: list[str] = []
        self.put()
        self.desk = WaiverDesk(self.forge, Permissions(self.forge, allow), self.warnings.append)

    def put(
        self, number: int = 1, *history: tuple[Change, Account, str, datetime], labels: tuple[str, ...] = ()
    ) -> None:
        self.forge.put(Issue(number=number, title="", author=OUTSIDER, labels=labels), *history)

    def comment(self, author: Account, body: str, number: int = 1) -> None:
        known = self.forge.known_comments.setdefault(number, [])
        known.append(Comment(id=len(known) + 1, author=author, body=body, created_at=NOW, updated_at=NOW))

    def read(self, *numbers: int) -> list[tuple[str, str, str]]:
        found = self.desk.read(numbers or (1,))
        return [(waiver.kind, waiver.what, waiver.by) for waiver in found]


def test_who_may_write_waives_by_a_line() -> None:
    desk = Desk()
    desk.comment(MAINTAINER, f"Fine with me.\n\n{LINE}\n- Gate-Allow: skip tests/test_a.py::test_b[1 2]\n")
    assert desk.read() == [("noqa", "src/a.py", "maintainer"), ("skip", "tests/test_a.py::test_b[1 2]", "maintainer")]
    assert desk.warnings == []


@pytest.mark.parametrize("account", [READER, OUTSIDER])
def test_who_may_not_write_waives_nothing_and_it_is_said(account: Account) -> None:
    desk = Desk()
    desk.comment(account, LINE)
    assert desk.read() == []
    (warning,) = desk.warnings
    assert warning.startswith(f"A waiver of @{account.login} does not count: ")


def test_who_is_listed_may_waive() -> None:
    desk = Desk(allow=(READER.id,))
    desk.comment(READER, LINE)
    assert desk.read() == [("noqa", "src/a.py", "reader")]


@pytest.mark.parametrize("account", [BOT, JOB_TOKEN])
def test_the_coordinator_itself_never_waives(account: Account) -> None:
    desk = Desk(allow=(BOT.id, "coordinator"))
    desk.forge.rights[JOB_TOKEN.id] = Access(permission=Permission.ADMIN, reason="")
    desk.comment(account, LINE)
    assert desk.read() == []
    assert "the account that the coordinator itself writes with" in desk.warnings[0]


@pytest.mark.parametrize("kind", ["gitea", "local"])
def test_what_the_coordinator_wrote_to_be_copied_is_no_waiver(kind: str) -> None:
    desk = Desk(kind=kind)
    desk.comment(BOT, f"<!-- coordinator:v1 issue=1 -->\n```\n{LINE}\n```\n")
    desk.comment(MAINTAINER, f"\n<!-- coordinator:v1 issue=2 run=7 -->\n{LINE}\n")
    assert desk.read() == []
    assert desk.warnings == []


def test_on_a_persons_own_machine_the_account_is_the_persons() -> None:
    desk = Desk(kind="local")
    desk.comment(BOT, LINE)
    desk.comment(OUTSIDER, LINE)
    assert desk.read() == [("noqa", "src/a.py", "coordinator")]
    assert desk.warnings == ["A waiver of @outsider does not count: not the account of this machine"]


def test_rights_that_cannot_be_found_out_are_none() -> None:
    desk = Desk()
    desk.forge.rights[MAINTAINER.id] = Unreachable("The forge is away", mend="Wait")
    desk.comment(MAINTAINER, LINE)
    assert desk.read() == []
    assert "cannot be found out: The forge is away" in desk.warnings[0]


def test_nobody_is_asked_about_who_waives_nothing() -> None:
    desk = Desk()
    desk.comment(OUTSIDER, "A question about Gate-Allow: how?\n> Gate-Allow: noqa src/a.py")
    assert desk.read() == []
    assert (desk.forge.asked, desk.warnings) == ([], [])


def test_a_label_waives_everything_for_whom_may_write() -> None:
    desk = Desk()
    desk.put(1, (LABELED, MAINTAINER, "gate-allow", NOW), labels=("bug", "Gate-Allow"))
    assert desk.read() == [("*", "*", "maintainer")]


@pytest.mark.parametrize(
    ("labels", "history"),
    [
        (("gate-allow",), []),
        ((), [(LABELED, MAINTAINER, "gate-allow", NOW)]),
        (("gate-allow",), [(LABELED, MAINTAINER, "gate-allow", NOW), (UNLABELED, MAINTAINER, "gate-allow", NOW)]),
        (("gate-allow",), [(LABELED, MAINTAINER, "gate-allow", NOW), (LABELED, OUTSIDER, "gate-allow", NOW)]),
        (("gate-allow",), [(LABELED, BOT, "gate-allow", NOW)]),
        (("gate-allow",), [(LABELED, MAINTAINER, "bug", NOW)]),
        (("gate-allow",), [(Change.ASSIGNED, MAINTAINER, "gate-allow", NOW)]),
        (("gate-allow-not",), [(LABELED, MAINTAINER, "gate-allow", NOW)]),
    ],
    ids=["no-history", "not-there", "taken-away", "last-by-stranger", "by-us", "another", "no-label", "longer"],
)
def test_a_label_counts_by_who_put_it_on_last(
    labels: tuple[str, ...], history: list[tuple[Change, Account, str, datetime]]
) -> None:
    desk = Desk()
    desk.put(1, *history, labels=labels)
    assert desk.read() == []


def test_several_places_are_read_each_once() -> None:
    desk = Desk()
    desk.put(2)
    desk.comment(MAINTAINER, LINE)
    desk.comment(MAINTAINER, "Gate-Allow: cast b.py", number=2)
    assert desk.read(2, 1, 2) == [("cast", "b.py", "maintainer"), ("noqa", "src/a.py", "maintainer")]


def test_a_forge_that_cannot_be_asked_has_no_waivers_and_a_warning() -> None:
    desk = Desk()
    desk.comment(MAINTAINER, LINE)
    assert desk.read(1, 99) == []
    assert desk.warnings == [
        "Waivers could not be read, so none counts: There is no issue #99 in acme/app. Name one that exists."
    ]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("Gate-Allow: noqa a.py", [("noqa", "a.py")]),
        ("  Gate-Allow:   noqa    a b.py  \r\n", [("noqa", "a b.py")]),
        ("`Gate-Allow: noqa a.py`", [("noqa", "a.py")]),
        ("* Gate-Allow: noqa src/*", [("noqa", "src/*")]),
        ("```\nGate-Allow: noqa a.py\nGate-Allow: any b.py\n```", [("noqa", "a.py"), ("any", "b.py")]),
        ("> Gate-Allow: noqa a.py", []),
        ("I would Gate-Allow: noqa a.py", []),
        ("Gate-Allow: noqa", []),
        ("Gate-Allow:", []),
        ("Gate-Allow: NOQA a.py", []),
        ("Gate-Allow: * *", []),
        ("gate-allow: noqa a.py", []),
        ("", []),
    ],
)
def test_the_form_of_a_line(body: str, lines: list[tuple[str, str]]) -> None:
    assert list(waiver_lines(body)) == lines


def test_very_many_lines_are_cut() -> None:
    assert len(waiver_lines(f"{LINE}\n" * (MOST_WAIVERS + 5))) == MOST_WAIVERS


@pytest.mark.parametrize(
    ("branch", "issue"),
    [
        ("coordinator/issue-7", 7),
        ("coordinator/issue-07", None),
        ("coordinator/issue-", None),
        ("coordinator/issue-x", None),
        ("mine/issue-7", None),
        ("coordinator/issue-\u0667", None),
        ("main", None),
    ],
)
def test_the_issue_of_a_work_branch(branch: str, issue: int | None) -> None:
    assert issue_of(branch) == issue


class Unfinding(MemoryForge):
    """Cannot be asked for pull requests."""

    def find_pull_request(self, *, head: str, base: str) -> PullRequest | None:
        del head, base
        raise Unreachable("The forge is away", mend="Wait")


def test_without_an_answer_about_the_pull_request_those_of_the_issue_count() -> None:
    desk = Desk(Unfinding())
    desk.comment(MAINTAINER, LINE)
    assert len(desk.desk.of_work(1, head="coordinator/issue-1", base="main")) == 1
    assert desk.warnings == ["Waivers on the pull request could not be read, so none counts: The forge is away. Wait."]


def test_the_work_on_an_issue_has_the_waivers_of_its_pull_request_too() -> None:
    desk = Desk()
    desk.comment(MAINTAINER, LINE)
    assert desk.desk.of_work(1, head="coordinator/issue-1", base="main") == (
        Waiver(kind="noqa", what="src/a.py", by="maintainer"),
    )
    assert desk.desk.of_work(None, head="coordinator/issue-1", base="main") == ()
