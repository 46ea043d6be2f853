from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.errors import Refused
from coordinator.events.freshness import SAME_MOMENT, digest
from coordinator.events.permission import Permissions
from coordinator.events.requests import check_unattended, newest_allowed, request_to_start
from coordinator.forge.models import Account, Change, HistoryEntry, Issue
from tests.events.memory_forge import BOT, MAINTAINER, OUTSIDER, MemoryForge

ASKED = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = {"trigger_assignee": "coordinator", "trigger_label": "agent"}


def issue(*, author: Account = OUTSIDER, edited: timedelta | None = timedelta(0), body: str = "Do it") -> Issue:
    """An issue that is assigned to us and was last changed `edited` after it was asked for; None: unknown."""
    updated = None if edited is None else ASKED + edited
    return Issue(number=1, title="T", body=body, author=author, assignees=(BOT,), updated_at=updated)


def asked(by: Account = MAINTAINER, *, at: datetime = ASKED) -> HistoryEntry:
    return HistoryEntry(change=Change.ASSIGNED, by=by, subject=BOT.login, subject_id=BOT.id, at=at)


def permissions(forge: MemoryForge | None = None) -> Permissions:
    return Permissions(forge or MemoryForge(), ())


def test_a_text_that_nobody_could_have_changed_since_is_worked_on() -> None:
    check_unattended(issue(edited=SAME_MOMENT), asked(), permissions(), seen="")


@pytest.mark.parametrize("edited", [SAME_MOMENT + timedelta(seconds=1), timedelta(days=3), None])
def test_a_text_that_its_author_may_have_changed_since_is_refused(edited: timedelta | None) -> None:
    with pytest.raises(Refused, match="may have been edited since it was assigned by @maintainer") as caught:
        check_unattended(issue(edited=edited), asked(), permissions(), seen="")
    assert "take the assignment or label away and put it back" in caught.value.mend


def test_the_text_that_a_person_has_seen_is_worked_on_however_late() -> None:
    late = issue(edited=timedelta(days=3))
    check_unattended(late, asked(), permissions(), seen=digest(late))


@pytest.mark.parametrize("changes", [{"title": "T2"}, {"body": "Do something else"}])
def test_another_text_than_the_person_has_seen_is_refused(changes: dict[str, str]) -> None:
    seen = digest(issue())
    edited = issue(edited=timedelta(days=3)).model_copy(update=changes)
    with pytest.raises(Refused, match="may have been edited"):
        check_unattended(edited, asked(), permissions(), seen=seen)


def test_an_author_who_may_start_runs_may_edit_as_well() -> None:
    check_unattended(issue(author=MAINTAINER, edited=timedelta(days=3)), asked(), permissions(), seen="other")


def test_title_and_body_do_not_run_into_each_other_in_the_digest() -> None:
    one = issue().model_copy(update={"title": "ab", "body": "c"})
    other = issue().model_copy(update={"title": "a", "body": "bc"})
    assert digest(one) != digest(other)
    assert digest(one) == digest(one.model_copy(update={"updated_at": None, "state": "closed"}))


def test_the_newest_request_of_somebody_allowed_counts() -> None:
    entry, why = newest_allowed(issue(), [asked(OUTSIDER), asked()], permissions(), **NAMES)
    assert entry == asked()
    assert why == "assigned by @maintainer (write access by /assignees)"


def test_without_a_request_nothing_is_started() -> None:
    with pytest.raises(Refused, match="nobody asks for work on issue #1") as caught:
        newest_allowed(issue(), [], permissions(), **NAMES)
    assert "Assign @coordinator" in caught.value.mend


def test_a_request_of_a_stranger_starts_nothing() -> None:
    with pytest.raises(Refused, match="assigned by @outsider, who may not start runs"):
        newest_allowed(issue(), [asked(OUTSIDER)], permissions(), **NAMES)


def test_a_run_that_no_person_starts_needs_both_the_request_and_the_text() -> None:
    forge = MemoryForge()
    forge.put(issue(), (Change.ASSIGNED, MAINTAINER, BOT, ASKED))
    entry, why = request_to_start(forge.issues[1], forge, permissions(forge), seen="", **NAMES)
    assert entry.at == ASKED
    assert "maintainer" in why
    forge.put(issue(edited=timedelta(hours=1)), (Change.ASSIGNED, MAINTAINER, BOT, ASKED))
    with pytest.raises(Refused, match="may have been edited"):
        request_to_start(forge.issues[1], forge, permissions(forge), seen="", **NAMES)
    forge.put(issue(), (Change.ASSIGNED, MAINTAINER, BOT, ASKED), (Change.UNASSIGNED, OUTSIDER, BOT, ASKED))
    with pytest.raises(Refused, match="nobody asks"):
        request_to_start(forge.issues[1], forge, permissions(forge), seen="", **NAMES)
