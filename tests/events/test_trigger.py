from __future__ import annotations

import pytest

from coordinator.errors import Misconfigured, Refused
from coordinator.events.models import Event, EventKind, EventPullRequest, EventRepository, Skipped
from coordinator.events.read import read_event
from coordinator.events.trigger import Command, Decision, Flow, decide
from coordinator.forge.models import Account, Issue
from tests.events.payload_files import FLOWS, event_name, payload_path

DEV = Account(id=2, login="dev")
BOT = Account(id=5, login="coordinator")
REPOSITORY = EventRepository(id=1, full_name="acme/app", default_branch="main")


def issue_event(
    action: str,
    *,
    assignees: tuple[Account, ...] = (),
    labels: tuple[str, ...] = (),
    added: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
    assignee: Account | None = None,
    issue: Issue | None = None,
) -> Event:
    return Event(
        kind=EventKind.ISSUES,
        action=action,
        sender=DEV,
        repository=REPOSITORY,
        issue=issue or Issue(number=7, title="T", author=DEV, assignees=assignees, labels=labels),
        added_labels=added,
        removed_labels=removed,
        assignee=assignee,
    )


def judge(event: Event, *, assignee: str = "coordinator", label: str = "agent") -> Decision | Skipped:
    return decide(event, trigger_assignee=assignee, trigger_label=label)


def flow_of(event: Event) -> Flow | None:
    decision = judge(event)
    return decision.flow if isinstance(decision, Decision) else None


def read(name: str) -> Event | Skipped:
    return read_event(event_name(name), payload_path(name), repository="acme/app")


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_every_payload_file_asks_for_its_flow_with_a_reason_of_one_line(name: str) -> None:
    event = read(name)
    decision = judge(event) if isinstance(event, Event) else event
    assert decision.reason
    assert decision.reason.isprintable()
    assert (decision.flow if isinstance(decision, Decision) else None) == FLOWS[name]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("gitea/issues.assigned", 1),
        ("gitea/issues.closed", 2),
        ("gitea/pull_request.opened", 6),
        ("gitea/workflow_dispatch", 1),
        ("github/workflow_dispatch", 12),
        ("github/issue_comment.created", 12),
        ("github/workflow_dispatch.queue", None),
        ("forgejo/schedule", None),
    ],
)
def test_the_decision_names_the_issue_or_pull_request(name: str, number: int | None) -> None:
    event = read(name)
    assert isinstance(event, Event)
    decision = judge(event)
    assert isinstance(decision, Decision)
    assert decision.number == number


@pytest.mark.parametrize("login", ["Coordinator", "COORDINATOR", "coordinator"])
def test_the_assignee_is_matched_without_regard_to_case(login: str) -> None:
    assert flow_of(issue_event("assigned", assignees=(Account(id=5, login=login),))) is Flow.WORK_ISSUE


@pytest.mark.parametrize(
    "login", ["coord\u0131nator", "coordinator ", "coordinator[bot]", "\u0441oordinator", "coordinator2"]
)
def test_look_alikes_are_not_the_assignee(login: str) -> None:
    assert flow_of(issue_event("assigned", assignees=(Account(id=6, login=login),))) is None


@pytest.mark.parametrize(
    ("event", "flow"),
    [
        (issue_event("opened"), None),
        (issue_event("opened", labels=("Agent",)), Flow.WORK_ISSUE),
        (issue_event("opened", assignees=(BOT,)), Flow.WORK_ISSUE),
        (issue_event("assigned", assignees=(DEV,)), None),
        (issue_event("assigned", assignees=(DEV, BOT)), Flow.WORK_ISSUE),
        (issue_event("assigned", assignees=(DEV, BOT), assignee=DEV), None),
        (issue_event("assigned", assignees=(DEV,), labels=("agent",)), None),
        (issue_event("unassigned", assignees=(DEV,)), Flow.RELEASE_ISSUE),
        (issue_event("unassigned", assignees=(BOT,)), None),
        (issue_event("unassigned", assignee=DEV), None),
        (issue_event("labeled", labels=("agent", "bug"), added=("bug",)), None),
        (issue_event("labeled", labels=("AGENT",), added=("AGENT",)), Flow.WORK_ISSUE),
        (issue_event("labeled", labels=("bug",), added=("agent",)), None),
        (issue_event("labeled", labels=(), added=("agent",)), Flow.WORK_ISSUE),  # what Gitea writes for a replacement
        (issue_event("labeled", labels=("bug",), added=("bug",), removed=("agent",)), Flow.RELEASE_ISSUE),
        (issue_event("unlabeled", labels=("agent",), removed=("agent",)), None),
        (issue_event("unlabeled", labels=("bug",), removed=("agent",)), Flow.RELEASE_ISSUE),
        (issue_event("unlabeled", labels=(), removed=("bug",)), None),
        (issue_event("edited", assignees=(BOT,)), None),
        (issue_event("reopened", assignees=(BOT,)), None),
        (issue_event("closed"), Flow.UNBLOCK_DEPENDENTS),
    ],
    ids=lambda value: value.action if isinstance(value, Event) else str(value),
)
def test_issue_events(event: Event, flow: Flow | None) -> None:
    assert flow_of(event) is flow


def test_other_names_for_the_trigger() -> None:
    event = issue_event("opened", assignees=(Account(id=9, login="helper"),), labels=("robot",))
    assert isinstance(judge(event, assignee="helper"), Decision)
    assert isinstance(judge(event, label="Robot"), Decision)
    assert isinstance(judge(event), Skipped)


@pytest.mark.parametrize("action", ["assigned", "labeled", "opened"])
def test_a_closed_issue_and_a_pull_request_start_nothing(action: str) -> None:
    closed = Issue(number=7, title="T", author=DEV, assignees=(BOT,), labels=("agent",), state="closed")
    pull = Issue(number=7, title="T", author=DEV, assignees=(BOT,), labels=("agent",), is_pull_request=True)
    for issue in (closed, pull):
        assert flow_of(issue_event(action, issue=issue, added=("agent",))) is None
    assert flow_of(issue_event("closed", issue=pull)) is None


def comment_event(body: str, name: str = "github/issue_comment.created") -> Event:
    event = read(name)
    assert isinstance(event, Event)
    assert event.comment is not None
    return event.model_copy(update={"comment": event.comment.model_copy(update={"body": body})})


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/coordinator run", Command.RUN),
        ("/coordinator stop\r\nplease", Command.STOP),
        ("/coordinator plan  \nmore", Command.PLAN),
        ("/coordinator retry\n", Command.RETRY),
    ],
)
def test_commands(body: str, command: Command) -> None:
    decision = judge(comment_event(body))
    assert isinstance(decision, Decision)
    assert (decision.flow, decision.command, decision.number) == (Flow.COMMAND, command, 12)


@pytest.mark.parametrize(
    "body",
    [
        "",
        " /coordinator run",
        "\n/coordinator run",
        "> /coordinator run",
        "/coordinator",
        "/coordinator  run",
        "/coordinator run now",
        "/coordinator Run",
        "/coordinator merge",
        "/coordinator run\u2028x",
        "Please\n/coordinator run",
    ],
)
def test_anything_else_is_a_comment_between_people(body: str) -> None:
    skipped = judge(comment_event(body))
    assert isinstance(skipped, Skipped)
    assert "/coordinator run" in skipped.reason


def test_a_command_on_a_pull_request_is_skipped() -> None:
    skipped = judge(comment_event("/coordinator run", "github/issue_comment.created.on-pull-request"))
    assert isinstance(skipped, Skipped)
    assert "pull request" in skipped.reason


def dispatch(**inputs: str) -> Event:
    return Event(kind=EventKind.WORKFLOW_DISPATCH, action="", sender=DEV, repository=REPOSITORY, inputs=inputs)


@pytest.mark.parametrize("issue", ["1", "7", "999999999"])
def test_a_dispatch_with_an_issue_works_on_it(issue: str) -> None:
    decision = judge(dispatch(issue=issue, mode="anything"))
    assert isinstance(decision, Decision)
    assert (decision.flow, decision.number) == (Flow.WORK_ISSUE, int(issue))


@pytest.mark.parametrize(
    "issue",
    [
        "1; id",
        "../../x",
        "-1",
        "0",
        "007",
        "1000000000",
        "1.0",
        "+1",
        " 1",
        "1\n",
        "#1",
        "\u0661",
        "\uff11",
        "1" * 10_000_000,
    ],
    ids=range(14),
)
def test_a_dispatch_with_anything_but_a_number_is_refused_without_repeating_it(issue: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        judge(dispatch(issue=issue))
    assert "refused" in caught.value.what
    assert "number such as 12" in caught.value.mend
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_a_dispatch_without_an_issue_drains_the_queue() -> None:
    assert flow_of(dispatch()) is Flow.DRAIN_QUEUE
    assert flow_of(dispatch(issue="", event="", signature="")) is Flow.DRAIN_QUEUE


@pytest.mark.parametrize("inputs", [{"event": "{}"}, {"signature": "00"}, {"event": "{}", "issue": "7"}])
def test_a_relayed_event_that_nobody_opened_is_refused(inputs: dict[str, str]) -> None:
    with pytest.raises(Refused, match=r"refused.*signature"):
        judge(dispatch(**inputs))


def test_a_closed_pull_request_needs_no_check() -> None:
    pull = EventPullRequest(
        number=3,
        head_commit="b" * 40,
        head="x",
        base="main",
        head_repository_id=1,
        base_repository_id=1,
        author=DEV,
    )
    event = Event(kind=EventKind.PULL_REQUEST, action="closed", sender=DEV, repository=REPOSITORY, pull_request=pull)
    assert flow_of(event) is None
    assert flow_of(event.model_copy(update={"action": "reopened"})) is Flow.CHECK_PULL_REQUEST
