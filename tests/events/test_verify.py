from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Misconfigured, Refused, Unreachable
from coordinator.events.freshness import digest
from coordinator.events.models import Event, EventKind, EventRepository, Skipped
from coordinator.events.read import read_event
from coordinator.events.trigger import Command, Decision, Flow, decide
from coordinator.events.verify import Verified, verify
from coordinator.forge.models import Access, Account, Change, Comment, Issue, Permission
from tests.events.memory_forge import BOT, JOB_TOKEN, MAINTAINER, OUTSIDER, READER, MemoryForge
from tests.events.payload_files import event_name, payload_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THEN = datetime(2026, 11, 20, 23, 58, 53, tzinfo=UTC)
NOW = THEN + timedelta(minutes=12)


def read(name: str) -> Event:
    event = read_event(event_name(name), payload_path(name), repository="acme/app")
    assert isinstance(event, Event)
    return event


def run(
    event: Event,
    forge: MemoryForge,
    *,
    allow: Sequence[int | str] = (),
    now: datetime = NOW,
    run_attempt: int = 1,
    expected_repository: str = "acme/app",
    expected_repository_id: int | None = 1,
    seen: str = "",
) -> Verified | Skipped:
    """Decide and verify as a run does; whatever comes out, nothing was written."""
    decision = decide(event, trigger_assignee="coordinator", trigger_label="agent")
    assert isinstance(decision, Decision)
    try:
        return verify(
            event,
            decision=decision,
            forge=forge,
            allow=allow,
            trigger_assignee="coordinator",
            trigger_label="agent",
            expected_repository=expected_repository,
            expected_repository_id=expected_repository_id,
            run_attempt=run_attempt,
            now=now,
            seen_text=lambda _number: seen,
        )
    finally:
        assert forge.writes == []


def granted(result: Verified | Skipped) -> Verified:
    assert isinstance(result, Verified)
    assert result.why.isprintable()
    return result


def skipped(result: Verified | Skipped) -> str:
    assert isinstance(result, Skipped)
    assert result.reason.isprintable()
    return result.reason


def refusal(event: Event, forge: MemoryForge, **options: object) -> Refused:
    """Return the refusal of an event, which always says `refused` and how to mend it, in one line."""
    with pytest.raises(Refused) as caught:
        run(event, forge, **options)  # type: ignore[arg-type]  # passed on as they are
    assert "refused" in str(caught.value)
    assert caught.value.mend
    assert str(caught.value).isprintable()
    return caught.value


def live_issue(event: Event, **changes: object) -> Issue:
    """Return the issue of an event as the forge has it once the event is written."""
    assert event.issue is not None
    return event.issue.model_copy(update={"updated_at": event.issue.updated_at or THEN, **changes})


def prepared(
    name: str, *, by: Account = MAINTAINER, live: Mapping[str, object] | None = None
) -> tuple[Event, MemoryForge]:
    """Return an event file of a real server with a forge in the state behind it: assigned and labelled by `by`."""
    event, forge = read(name), MemoryForge()
    moment = (event.issue.updated_at if event.issue else None) or THEN
    forge.put(
        live_issue(event, **(live or {})), (Change.ASSIGNED, by, BOT, moment), (Change.LABELED, by, "agent", moment)
    )
    return event, forge


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gitea/issues.assigned", "labelled by @maintainer (write access by /assignees)"),
        ("gitea/issues.opened", "labelled by @maintainer (write access by /assignees)"),
        ("gitea/issues.label_updated.added", "labelled by @maintainer (write access by /assignees)"),
        ("forgejo/issues.label_updated", "labelled by @maintainer (write access by /assignees)"),
    ],
)
def test_a_maintainer_starts_a_run(name: str, why: str) -> None:
    event, forge = prepared(name)
    verified = granted(run(event, forge))
    assert (verified.flow, verified.number, verified.why) == (Flow.WORK_ISSUE, 1, why)
    assert verified.sender == MAINTAINER
    assert verified.issue == forge.issues[1]
    assert not verified.read_only


def test_an_assignment_alone_says_who_assigned() -> None:
    event, forge = prepared("gitea/issues.assigned", live={"labels": ()})
    assert granted(run(event, forge)).why == "assigned by @maintainer (write access by /assignees)"


# Who sent it (G1 to G6)


@pytest.mark.parametrize("name", ["gitea/issues.assigned.by-stranger", "gitea/issues.assigned", "gitea/issues.opened"])
@pytest.mark.parametrize("sender", [READER, OUTSIDER])
def test_a_sender_who_may_not_write_starts_nothing(name: str, sender: Account) -> None:
    event, forge = prepared(name, by=sender)
    error = refusal(event.model_copy(update={"sender": sender}), forge)
    assert f"@{sender.login} may not start runs" in error.what
    assert "write access" in error.mend


def test_a_sender_who_may_not_write_starts_nothing_even_where_a_maintainer_had_asked() -> None:
    event, forge = prepared("gitea/issues.label_updated.added", by=MAINTAINER)
    error = refusal(event.model_copy(update={"sender": READER}), forge)
    assert "@reader may not start runs: read access" in error.what


@pytest.mark.parametrize(
    "failure",
    [
        Access(permission=Permission.UNKNOWN, reason="403: the token may not ask", mend="Give a token of an admin"),
        Misconfigured("404: no such account", mend="Give a token of an admin"),
        Unreachable("500 from gitea.example after 3 tries", mend="Give a token of an admin"),
        Unreachable("gitea.example: timed out", mend="Give a token of an admin"),
        Unreachable("gitea.example: the answer is no JSON", mend="Give a token of an admin"),
    ],
    ids=str,
)
def test_a_right_that_cannot_be_found_out_is_none(failure: Access | Misconfigured | Unreachable) -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.rights[MAINTAINER.id] = failure
    error = refusal(event, forge)
    assert (failure.reason if isinstance(failure, Access) else failure.what) in error.what
    assert error.mend == "Give a token of an admin"


@pytest.mark.parametrize("permission", [Permission.NONE, Permission.READ, Permission.UNKNOWN])
def test_only_write_and_admin_are_enough(permission: Permission) -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.rights[MAINTAINER.id] = Access(permission=permission, reason="")
    error = refusal(event, forge)
    assert permission.value in error.what
    assert "list 2 under allow" in error.mend
    forge.rights[MAINTAINER.id] = Access(permission=Permission.ADMIN, reason="admin")
    granted(run(event, forge))


@pytest.mark.parametrize("allow", [(2,), ("maintainer",), ("MAINTAINER",), (99, "somebody", "Maintainer")])
def test_the_list_allows_by_id_and_by_login(allow: tuple[int | str, ...]) -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.rights.clear()
    assert granted(run(event, forge, allow=allow)).why == "labelled by @maintainer (listed under allow)"
    assert forge.asked == []


@pytest.mark.parametrize("login", ["adm\u0131n", "Admin", "admin[bot]", "admin ", "\u0430dmin", "ADMIN", "admin\n"])
def test_who_only_looks_like_a_listed_account_is_not_it(login: str) -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    impostor = Account(id=66, login=login)
    forge.accounts.append(Account(id=1, login="admin"))
    assert event.issue is not None
    forge.put(live_issue(event), (Change.LABELED, impostor, "agent", THEN))
    refusal(event.model_copy(update={"sender": impostor}), forge, allow=["admin"])


def test_a_listed_login_that_another_account_has_now_is_not_it() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.rights.clear()
    forge.accounts = [Account(id=77, login="maintainer")]
    refusal(event, forge, allow=["maintainer"])
    granted(run(event, forge, allow=[2]))


def test_a_listed_login_that_cannot_be_looked_up_is_not_it() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.rights.clear()
    forge.account_error = Misconfigured("403: the token lacks read:user", mend="x")
    refusal(event, forge, allow=["maintainer"])


def test_an_app_is_listed_by_id_and_never_by_name() -> None:
    event, forge = prepared("github/issues.labeled")
    app = Account(id=900, login="helper[bot]")
    forge.accounts.append(app)
    event = event.model_copy(
        update={"sender": app, "repository": EventRepository(id=1, full_name="acme/app", default_branch="main")}
    )
    forge.put(live_issue(event), (Change.LABELED, app, "agent", event_time(event)))
    when = event_time(event) + timedelta(minutes=1)
    refusal(event, forge, allow=["helper[bot]"], now=when)
    granted(run(event, forge, allow=[900], now=when))


def event_time(event: Event) -> datetime:
    assert event.issue is not None
    assert event.issue.updated_at is not None
    return event.issue.updated_at


def test_true_is_no_id() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    one = Account(id=1, login="first")
    forge.put(live_issue(event), (Change.LABELED, one, "agent", THEN))
    refusal(event.model_copy(update={"sender": one}), forge, allow=[True])


def test_a_ghost_is_never_allowed_though_it_is_listed() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    ghost = Account(id=-1, login="Ghost")
    forge.accounts.append(ghost)
    error = refusal(event.model_copy(update={"sender": ghost}), forge, allow=["ghost", -1])
    assert "no person's account" in error.what


@pytest.mark.parametrize("name", ["gitea/issues.assigned", "gitea/issues.label_updated.added", "gitea/issues.closed"])
@pytest.mark.parametrize("sender", [BOT, JOB_TOKEN])
def test_our_own_doings_start_nothing_and_are_no_offence(name: str, sender: Account) -> None:
    event, forge = prepared(name)
    assert "own account" in skipped(run(event.model_copy(update={"sender": sender}), forge))


def test_our_own_pull_request_and_comment_start_nothing() -> None:
    forge = MemoryForge()
    assert "own account" in skipped(run(read("gitea/pull_request.opened"), forge))
    assert "own account" in skipped(run(command_event(sender=BOT), forge))
    assert forge.asked == []


def test_the_actions_user_is_told_by_its_id_and_not_by_its_name() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    imitator = Account(id=88, login="gitea-actions")
    refusal(event.model_copy(update={"sender": imitator}), forge)
    forgejo = Account(id=-2, login="forgejo-actions")
    skipped(run(event.model_copy(update={"sender": forgejo}), forge))


# Who made it ours (the rule on assignments and labels)


def test_a_maintainers_later_click_does_not_clear_a_strangers_assignment() -> None:
    """The stranger's own event is refused, and so is the maintainer's, who only assigned himself."""
    stranger, forge = prepared("gitea/issues.assigned.by-stranger", by=OUTSIDER)
    refusal(stranger, forge)
    assert stranger.issue is not None
    both = stranger.issue.model_copy(
        update={"assignees": (*stranger.issue.assignees, MAINTAINER), "updated_at": THEN + timedelta(minutes=5)}
    )
    forge.put(
        both,
        (Change.ASSIGNED, OUTSIDER, BOT, THEN),
        (Change.LABELED, OUTSIDER, "agent", THEN),
        (Change.ASSIGNED, MAINTAINER, MAINTAINER, THEN + timedelta(minutes=5)),
        (Change.LABELED, MAINTAINER, "bug", THEN + timedelta(minutes=5)),
    )
    error = refusal(stranger.model_copy(update={"sender": MAINTAINER, "issue": both}), forge)
    assert "by @outsider, who may not start runs" in error.what
    assert "put it back" in error.mend


def test_a_maintainer_who_puts_the_label_back_vouches_for_it() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.put(
        live_issue(event),
        (Change.ASSIGNED, OUTSIDER, BOT, THEN - timedelta(hours=1)),
        (Change.LABELED, OUTSIDER, "agent", THEN - timedelta(hours=1)),
        (Change.UNLABELED, MAINTAINER, "agent", THEN - timedelta(minutes=1)),
        (Change.LABELED, MAINTAINER, "agent", THEN),
    )
    assert granted(run(event, forge)).why.startswith("labelled by @maintainer")


def test_a_kept_label_that_forgejo_repeats_is_no_new_one() -> None:
    event, forge = prepared("forgejo/issues.label_updated")
    forge.put(live_issue(event), (Change.LABELED, OUTSIDER, "agent", THEN - timedelta(hours=1)))
    error = refusal(event, forge)
    assert "labelled by @outsider" in error.what


def test_a_request_from_before_the_event_is_not_renewed_by_it() -> None:
    """Asked for long ago, edited by a stranger since, and now somebody trusted is assigned as well."""
    event, forge = prepared("gitea/issues.assigned")
    later = THEN + timedelta(minutes=10)
    issue = live_issue(event, body="rewritten by its author", updated_at=later, assignees=(BOT, MAINTAINER))
    forge.put(issue, (Change.ASSIGNED, MAINTAINER, BOT, THEN), (Change.ASSIGNED, MAINTAINER, MAINTAINER, later))
    reason = skipped(run(event.model_copy(update={"issue": issue}), forge))
    assert "assigned by @maintainer before" in reason


def test_without_a_request_in_the_history_nothing_starts() -> None:
    event, forge = prepared("gitea/issues.opened")
    forge.put(live_issue(event))
    error = refusal(event, forge)
    assert "nobody asks" in error.what
    assert "@coordinator" in error.mend


@pytest.mark.parametrize("name", ["github/issues.labeled", "github/issues.assigned"])
def test_an_event_that_names_its_doing_counts_before_the_history_has_it(name: str) -> None:
    event, forge = read(name), MemoryForge(kind="github")
    event = event.model_copy(update={"repository": EventRepository(id=1, full_name="acme/app"), "sender": MAINTAINER})
    forge.put(live_issue(event), (Change.LABELED, OUTSIDER, "bug", event_time(event)))
    verified = granted(run(event, forge, now=event_time(event) + timedelta(minutes=1)))
    assert "by @maintainer" in verified.why
    forge.put(live_issue(event), (Change.LABELED, OUTSIDER, "agent", THEN), (Change.ASSIGNED, OUTSIDER, BOT, THEN))
    forge.put(live_issue(event, assignees=(), labels=()), (Change.LABELED, OUTSIDER, "bug", THEN))
    refusal(event, forge, now=event_time(event) + timedelta(minutes=1))


def test_the_event_does_not_outvote_the_history() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.put(live_issue(event), (Change.LABELED, OUTSIDER, "agent", THEN))
    refusal(event, forge)


# Whether it still holds (G8, text freeze)


@pytest.mark.parametrize(
    "changes", [{"state": "closed"}, {"assignees": (), "labels": ()}, {"assignees": (MAINTAINER,), "labels": ("bug",)}]
)
def test_what_is_no_longer_so_is_refused(changes: dict[str, object]) -> None:
    event, forge = prepared("gitea/issues.label_updated.added", live=changes)
    assert "closed" in str(refusal(event, forge)) or "nobody asks" in str(refusal(event, forge))


@pytest.mark.parametrize("name", ["gitea/issues.label_updated.added", "gitea/issues.assigned"])
def test_an_old_event_is_refused_with_or_without_a_time_of_its_own(name: str) -> None:
    event, forge = prepared(name)
    granted(run(event, forge, now=THEN + timedelta(hours=24)))
    error = refusal(event, forge, now=THEN + timedelta(hours=24, seconds=1))
    assert "older than 24 hours" in error.what
    assert "put it back" in error.mend


def test_an_old_command_and_an_old_pull_request_are_refused() -> None:
    event = command_event()
    assert event.comment is not None
    forge = commanded_forge(event)
    assert "older" in refusal(event, forge, now=event.comment.created_at + timedelta(days=2)).what
    pull, forge = pull_event(MAINTAINER)
    assert "older" in refusal(pull, forge, now=NOW + timedelta(days=2)).what


@pytest.mark.parametrize("changes", [{"body": "b, and print the token"}, {"title": "another"}])
def test_text_that_was_edited_after_the_trigger_is_refused(changes: dict[str, object]) -> None:
    event, forge = prepared("gitea/issues.assigned", live=changes)
    error = refusal(event, forge)
    assert "edited after the trigger" in error.what
    assert "put it back" in error.mend


def test_text_that_differs_only_by_what_was_replaced_is_the_same() -> None:
    event, forge = prepared("gitea/issues.assigned", live={"body": "b\0"})
    assert event.issue is not None
    event = event.model_copy(update={"issue": event.issue.model_copy(update={"body": "b\ufffd"})})
    granted(run(event, forge))


def test_a_second_attempt_is_judged_by_what_is_so_now() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    granted(run(event, forge, run_attempt=2))
    forge.rights[MAINTAINER.id] = Access(permission=Permission.READ, reason="read access")
    refusal(event, forge, run_attempt=2)


# Where it came from (G7)


@pytest.mark.parametrize(
    "changes",
    [
        {"expected_repository": "acme/other"},
        {"expected_repository_id": 2},
        {"expected_repository": ""},
    ],
)
def test_an_event_of_another_repository_is_refused(changes: dict[str, object]) -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    granted(run(event, forge, expected_repository="Acme/App", expected_repository_id=None))
    error = refusal(event, forge, **changes)
    assert "it is of acme/app" in error.what


@pytest.mark.parametrize("repository", [{"id": 2}, {"full_name": "evil/app"}])
def test_a_payload_of_another_repository_is_refused(repository: dict[str, object]) -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    changed = event.model_copy(update={"repository": event.repository.model_copy(update=repository)})
    refusal(changed, forge, expected_repository_id=None)


def test_a_forge_of_another_repository_is_refused() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forge.full_name = "acme/other"
    refusal(event, forge)


def pull_event(sender: Account, name: str = "gitea/pull_request.reopened") -> tuple[Event, MemoryForge]:
    event = read(name)
    assert event.pull_request is not None
    number = event.pull_request.number
    forge = MemoryForge()
    forge.put(Issue(number=number, title="P", author=MAINTAINER, is_pull_request=True))
    repository = EventRepository(id=1, full_name="acme/app")
    pull = event.pull_request.model_copy(update={"updated_at": NOW})
    return event.model_copy(update={"sender": sender, "repository": repository, "pull_request": pull}), forge


def test_a_pull_request_of_somebody_allowed() -> None:
    event, forge = pull_event(MAINTAINER)
    verified = granted(run(event, forge))
    assert (verified.flow, verified.number, verified.read_only) == (Flow.CHECK_PULL_REQUEST, 6, False)
    assert verified.pull_request == event.pull_request
    assert verified.issue is None
    assert verified.why == "reopened by @maintainer (write access by /assignees)"


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (MAINTAINER, "github/pull_request.opened.fork"),
        (OUTSIDER, "github/pull_request.opened.fork"),
        (MAINTAINER, "github/pull_request.reopened.fork-gone"),
        (OUTSIDER, "derived/pull_request.opened.agit"),
        (MAINTAINER, "derived/pull_request.opened.agit"),
        (READER, "gitea/pull_request.reopened"),
    ],
)
def test_nothing_is_written_about_a_head_that_a_stranger_may_have_made(sender: Account, name: str) -> None:
    event, forge = pull_event(sender, name)
    verified = granted(run(event, forge))
    assert verified.read_only
    assert "gates only" in verified.why


def test_a_pull_request_that_is_closed_by_now_needs_no_check() -> None:
    event, forge = pull_event(MAINTAINER)
    forge.put(Issue(number=6, title="P", author=MAINTAINER, is_pull_request=True, state="closed"))
    assert "closed" in skipped(run(event, forge))


# Commands


def command_event(body: str = "/coordinator run", sender: Account = MAINTAINER) -> Event:
    event = read("gitea/issue_comment.created")
    assert event.comment is not None
    comment = event.comment.model_copy(update={"body": body, "author": sender})
    return event.model_copy(update={"comment": comment, "sender": sender})


def commanded_forge(event: Event, **changes: object) -> MemoryForge:
    forge = MemoryForge()
    forge.put(live_issue(event, assignees=(), labels=(), **changes))
    assert event.comment is not None
    forge.known_comments[4] = [event.comment]
    return forge


@pytest.mark.parametrize("command", list(Command))
def test_a_command_of_somebody_allowed_needs_neither_assignment_nor_label(command: Command) -> None:
    event = command_event(f"/coordinator {command}")
    verified = granted(run(event, commanded_forge(event)))
    assert (verified.flow, verified.command, verified.number) == (Flow.COMMAND, command, 4)
    assert verified.why == "asked by @maintainer in a comment (write access by /assignees)"


@pytest.mark.parametrize("sender", [READER, OUTSIDER])
def test_a_command_of_anybody_else_is_refused(sender: Account) -> None:
    event = command_event(sender=sender)
    assert "may not start runs" in refusal(event, commanded_forge(event)).what


def test_a_command_on_text_that_was_edited_since_is_refused_but_stop_always_works() -> None:
    event = command_event()
    error = refusal(event, commanded_forge(event, body="another"))
    assert "edited" in error.what
    assert "Write the command again" in error.mend
    stop = command_event("/coordinator stop")
    granted(run(stop, commanded_forge(stop, body="another")))


@pytest.mark.parametrize("body", ["/coordinator stop", None])
def test_a_rerun_of_a_command_that_was_edited_or_deleted_is_refused(body: str | None) -> None:
    event = command_event()
    forge = commanded_forge(event)
    granted(run(event, forge, run_attempt=2))
    assert event.comment is not None
    forge.known_comments[4] = [event.comment.model_copy(update={"body": body})] if body else []
    forge.known_comments[4].append(event.comment.model_copy(update={"id": 999}))
    assert "edited or deleted" in refusal(event, forge, run_attempt=2).what


def test_a_command_on_a_closed_issue_is_refused() -> None:
    event = command_event()
    assert "closed" in refusal(event, commanded_forge(event, state="closed")).what


# Dispatches and schedules


def dispatch(sender: Account, **inputs: str) -> Event:
    return read("gitea/workflow_dispatch").model_copy(update={"sender": sender, "inputs": inputs})


def test_a_person_dispatches_an_issue_that_nobody_assigned() -> None:
    forge = MemoryForge()
    forge.put(Issue(number=7, title="T", author=OUTSIDER))
    verified = granted(run(dispatch(MAINTAINER, issue="7"), forge))
    assert (verified.number, verified.issue) == (7, forge.issues[7])
    assert verified.why == "dispatched by @maintainer (write access by /assignees)"
    refusal(dispatch(READER, issue="7"), forge)


@pytest.mark.parametrize("sender", [BOT, JOB_TOKEN])
def test_we_dispatch_only_what_somebody_allowed_asks_for(sender: Account) -> None:
    event = dispatch(sender, issue="7")
    forge = MemoryForge()
    issue = Issue(number=7, title="T", author=OUTSIDER, assignees=(BOT,), updated_at=THEN - timedelta(days=9))
    forge.put(issue, (Change.ASSIGNED, MAINTAINER, BOT, THEN - timedelta(days=9)))
    verified = granted(run(event, forge))
    assert verified.why == "dispatched by the coordinator, assigned by @maintainer (write access by /assignees)"
    assert verified.unattended
    assert verified.asked_at == THEN - timedelta(days=9)
    forge.put(issue, (Change.ASSIGNED, OUTSIDER, BOT, THEN))
    assert "assigned by @outsider" in refusal(event, forge).what
    forge.put(issue.model_copy(update={"assignees": ()}))
    assert "nobody asks" in refusal(event, forge).what


def test_what_was_edited_while_it_waited_is_not_worked_on_unless_a_person_has_seen_it() -> None:
    event, forge = dispatch(JOB_TOKEN, issue="7"), MemoryForge()
    issue = Issue(number=7, title="T", author=OUTSIDER, assignees=(BOT,), updated_at=THEN)
    forge.put(issue, (Change.ASSIGNED, MAINTAINER, BOT, THEN - timedelta(days=9)))
    assert "may have been edited" in refusal(event, forge).what
    assert "may have been edited" in refusal(event, forge, seen=digest(issue.model_copy(update={"body": "x"}))).what
    granted(run(event, forge, seen=digest(issue)))
    forge.put(issue.model_copy(update={"author": MAINTAINER}), (Change.ASSIGNED, MAINTAINER, BOT, THEN))
    granted(run(event, forge))


def test_the_time_of_the_request_is_that_of_the_assignment_or_the_comment() -> None:
    event, forge = prepared("gitea/issues.assigned", live={"labels": ()})
    assert granted(run(event, forge)).asked_at == forge.histories[1][0].at
    assert not granted(run(event, forge)).unattended
    command = command_event()
    assert command.comment is not None
    assert granted(run(command, commanded_forge(command))).asked_at == command.comment.created_at


def test_the_job_token_of_github_is_ours_too_and_on_a_folder_nobody_is() -> None:
    actions = Account(id=41898282, login="github-actions[bot]")
    granted(run(dispatch(actions), MemoryForge(kind="github")))
    refusal(dispatch(actions), MemoryForge(kind="gitea"))
    refusal(dispatch(JOB_TOKEN), MemoryForge(kind="local"))


def test_the_queue_is_drained_for_somebody_allowed_for_ourselves_and_on_schedule() -> None:
    assert granted(run(dispatch(MAINTAINER), MemoryForge())).flow is Flow.DRAIN_QUEUE
    assert granted(run(dispatch(JOB_TOKEN), MemoryForge())).why == "dispatched by the coordinator"
    scheduled = granted(run(read("forgejo/schedule"), MemoryForge()))
    assert (scheduled.flow, scheduled.why, scheduled.sender) == (Flow.DRAIN_QUEUE, "scheduled", None)
    refusal(dispatch(OUTSIDER), MemoryForge())


def test_a_dispatch_names_an_open_issue_that_exists() -> None:
    forge = MemoryForge()
    with pytest.raises(Misconfigured, match="no issue #7"):
        run(dispatch(MAINTAINER, issue="7"), forge)
    forge.put(Issue(number=7, title="T", author=MAINTAINER, is_pull_request=True))
    assert "pull request" in refusal(dispatch(MAINTAINER, issue="7"), forge).what
    forge.put(Issue(number=7, title="T", author=MAINTAINER, state="closed"))
    assert "closed" in refusal(dispatch(MAINTAINER, issue="7"), forge).what


# Giving back and unblocking (G11)


def test_what_nobody_asks_for_any_more_is_given_back_whoever_took_it_away() -> None:
    event = read("gitea/issues.unassigned")
    forge = MemoryForge()
    asked = (Change.ASSIGNED, MAINTAINER, BOT, THEN)
    forge.put(live_issue(event), asked, (Change.UNASSIGNED, MAINTAINER, BOT, NOW))
    verified = granted(run(event.model_copy(update={"sender": READER}), forge))
    assert (verified.flow, verified.number) == (Flow.RELEASE_ISSUE, 1)
    forge.put(live_issue(event, assignees=(BOT,)), asked)
    assert "still assigned" in skipped(run(event, forge))


def test_unassigning_somebody_else_gives_nothing_back() -> None:
    event = read("gitea/issues.unassigned")
    forge = MemoryForge()
    forge.put(
        live_issue(event),
        (Change.LABELED, MAINTAINER, "agent", THEN),
        (Change.UNASSIGNED, MAINTAINER, MAINTAINER, NOW),
    )
    assert "labelled agent" in skipped(run(event, forge))


def test_a_closed_issue_frees_what_waited_for_it_only_by_somebody_allowed() -> None:
    event = read("gitea/issues.closed")
    forge = MemoryForge()
    forge.put(live_issue(event))
    verified = granted(run(event, forge))
    assert (verified.flow, verified.number) == (Flow.UNBLOCK_DEPENDENTS, 2)
    assert "closed by @maintainer" in verified.why
    assert "may not start runs" in skipped(run(event.model_copy(update={"sender": OUTSIDER}), forge))
    forge.put(live_issue(event, state="open"))
    assert "open again" in skipped(run(event, forge))


def test_a_decision_without_a_number_is_a_bug_and_not_a_run() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    with pytest.raises(ValueError, match="work_issue needs a number"):
        verify(
            event,
            decision=Decision(flow=Flow.WORK_ISSUE, reason="x"),
            forge=forge,
            allow=(),
            trigger_assignee="coordinator",
            trigger_label="agent",
            expected_repository="acme/app",
            expected_repository_id=None,
            run_attempt=1,
            now=NOW,
            seen_text=lambda _number: "",
        )


def test_each_account_is_asked_about_once() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    granted(run(event, forge))
    assert forge.asked == [MAINTAINER]


def test_a_forged_login_makes_no_second_line() -> None:
    event, forge = prepared("gitea/issues.label_updated.added")
    forged = Account(id=66, login="x\n::set-output name=a::b")
    assert "\n" not in str(refusal(event.model_copy(update={"sender": forged}), forge))


def test_a_comment_without_its_issue_cannot_be_commanded() -> None:
    bare = Event(
        kind=EventKind.ISSUE_COMMENT,
        action="created",
        sender=MAINTAINER,
        repository=EventRepository(id=1, full_name="acme/app"),
        comment=Comment(id=1, author=MAINTAINER, body="/coordinator run", created_at=NOW, updated_at=NOW),
    )
    assert isinstance(decide(bare, trigger_assignee="coordinator", trigger_label="agent"), Skipped)
