from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.events.models import Event, EventKind, EventRepository
from coordinator.events.standing import asked_by_event, standing_requests
from coordinator.forge.models import Account, Change, HistoryEntry, Issue

START = datetime(2026, 11, 20, tzinfo=UTC)
DEV = Account(id=2, login="dev")
STRANGER = Account(id=4, login="outsider")
BOT = Account(id=5, login="coordinator")


def history(*lines: str) -> list[HistoryEntry]:
    """Read a history from lines such as ``dev +@coordinator``, ``outsider -agent``, one minute apart."""
    accounts = {one.login: one for one in (DEV, STRANGER, BOT)}
    changes = {
        "+@": Change.ASSIGNED,
        "-@": Change.UNASSIGNED,
        "+": Change.LABELED,
        "-": Change.UNLABELED,
    }
    entries = []
    for minute, line in enumerate(lines):
        login, what = line.split(" ", 1)
        sign = what[:2] if what[:2] in changes else what[:1]
        subject = what.removeprefix(sign)
        entries.append(
            HistoryEntry(
                change=changes[sign],
                by=accounts[login],
                subject=subject,
                subject_id=accounts[subject].id if subject in accounts else None,
                at=START + timedelta(minutes=minute),
            )
        )
    return entries


def issue(*, assigned: bool = False, labelled: bool = False) -> Issue:
    assignees = (DEV, BOT) if assigned else (DEV,)
    return Issue(number=7, title="T", author=STRANGER, assignees=assignees, labels=("bug", "Agent")[: 1 + labelled])


@pytest.mark.parametrize(
    ("lines", "assigned", "labelled", "standing"),
    [
        ((), True, True, []),
        (("dev +@coordinator",), True, False, ["dev assigned"]),
        (("dev +@coordinator",), False, False, []),
        (("dev +agent",), False, True, ["dev labeled"]),
        (("dev +AGENT",), False, True, ["dev labeled"]),
        (("dev +agent",), False, False, []),
        (("dev +bug", "dev +@dev"), True, True, []),
        (("outsider +@coordinator", "dev +@dev"), True, False, ["outsider assigned"]),
        (("outsider +@coordinator", "dev +agent"), True, True, ["dev labeled", "outsider assigned"]),
        (("outsider +@coordinator", "dev -@coordinator", "dev +@coordinator"), True, False, ["dev assigned"]),
        (("dev +@coordinator", "dev -@coordinator"), True, False, []),
        (("dev +@coordinator", "dev +agent", "dev -agent"), True, True, []),
        (("dev +@coordinator", "dev +agent", "dev -@coordinator"), False, True, []),
        (("dev +@coordinator", "dev -@dev", "dev -bug"), True, False, ["dev assigned"]),
        (("dev +agent", "outsider +agent"), False, True, ["outsider labeled"]),
    ],
    ids=str,
)
def test_what_stands(lines: tuple[str, ...], assigned: bool, labelled: bool, standing: list[str]) -> None:
    found = standing_requests(
        issue(assigned=assigned, labelled=labelled),
        history(*lines),
        trigger_assignee="Coordinator",
        trigger_label="agent",
    )
    assert [f"{entry.by.login} {entry.change}" for entry in found] == standing


def test_the_id_counts_before_the_login() -> None:
    """A bot that was renamed keeps its requests, and an account that took its old name gets none."""
    renamed = HistoryEntry(change=Change.ASSIGNED, by=DEV, subject="old-name", subject_id=BOT.id, at=START)
    imitator = HistoryEntry(change=Change.ASSIGNED, by=STRANGER, subject="coordinator", subject_id=99, at=START)
    found = standing_requests(
        issue(assigned=True), [renamed, imitator], trigger_assignee="coordinator", trigger_label="agent"
    )
    assert found == (renamed,)


def test_the_login_counts_where_there_is_no_id() -> None:
    entry = HistoryEntry(change=Change.ASSIGNED, by=DEV, subject="COORDINATOR", at=START)
    found = standing_requests(issue(assigned=True), [entry], trigger_assignee="coordinator", trigger_label="agent")
    assert found == (entry,)


def event(action: str, **changes: object) -> Event:
    bare = Event(
        kind=EventKind.ISSUES, action=action, sender=DEV, repository=EventRepository(id=1, full_name="acme/app")
    )
    return bare.model_copy(update=changes)


def proof(action: str, **changes: object) -> HistoryEntry | None:
    return asked_by_event(event(action, **changes), trigger_assignee="coordinator", trigger_label="agent", now=START)


def test_an_event_proves_what_it_names_of_ours_and_nothing_else() -> None:
    labelled = proof("labeled", added_labels=("bug", "Agent"))
    assert labelled is not None
    assert (labelled.change, labelled.by) == (Change.LABELED, DEV)
    assigned = proof("assigned", assignee=BOT)
    assert assigned is not None
    assert (assigned.change, assigned.by, assigned.subject_id) == (Change.ASSIGNED, DEV, BOT.id)
    assert proof("labeled", added_labels=("bug",)) is None
    assert proof("labeled", removed_labels=("agent",)) is None
    assert proof("unlabeled", added_labels=("agent",)) is None
    assert proof("assigned", assignee=DEV) is None
    assert proof("assigned") is None
    assert proof("unassigned", assignee=BOT) is None
    assert proof("labeled", added_labels=("agent",), sender=None) is None
    assert proof("labeled", added_labels=("agent",), kind=EventKind.ISSUE_COMMENT) is None
