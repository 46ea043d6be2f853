from __future__ import annotations

import pytest

from coordinator.errors import Misconfigured
from coordinator.events.models import EventKind, Skipped
from coordinator.events.read import load_payload
from coordinator.events.relay import relayed_event
from coordinator.events.trigger import Decision, Flow, decide
from coordinator.webhook.delivery import Delivery, read_delivery, why_not
from tests.events.payload_files import FLOWS, event_name, payload_path
from tests.webhook.support import DOCUMENT, body_of, delivery, document, issue_body

_BY_ISSUE = sorted(name for name in FLOWS if event_name(name) in {"issues", "issue_comment"})


def read(body: bytes) -> Delivery | Skipped:
    return read_delivery("-", body, "0" * 64)


@pytest.mark.parametrize("name", _BY_ISSUE)
def test_nothing_is_ignored_that_asks_for_a_flow(name: str) -> None:
    """Whatever the configuration says about account and label: the relay knows neither."""
    event = relayed_event(load_payload(payload_path(name).read_bytes(), "test"))
    if isinstance(event, Skipped):
        assert FLOWS[name] is None
        return
    people = [account.login for account in event.issue.assignees] if event.issue else []
    labels = event.issue.labels if event.issue else ()
    decisions = [
        decide(event, trigger_assignee=assignee, trigger_label=label)
        for assignee in (*people, "coordinator", "nobody-else")
        for label in (*labels, "agent", "no-other")
    ]
    asked = any(isinstance(decision, Decision) for decision in decisions)
    assert not (asked and why_not(event)), why_not(event)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gitea/issues.reopened", "reopened"),
        ("gitea/issues.edited", "edited"),
        ("github/issues.opened.plain", "neither assigned nor labelled"),
        ("gitea/pull_request.opened", "checked by the workflow itself"),
        ("github/issue_comment.created.on-pull-request", "pull request"),
        ("github/issue_comment.created.chat", "no command"),
        ("github/issue_comment.edited", "asks for work"),
    ],
)
def test_why_an_event_is_ignored(name: str, reason: str) -> None:
    found = read(payload_path(name).read_bytes())
    assert isinstance(found, Skipped)
    assert reason in found.reason


def test_an_assignment_of_a_closed_issue_is_ignored_and_its_closing_is_not() -> None:
    issue = DOCUMENT.validate_python(document()["issue"])
    found = read(body_of(document(issue={**issue, "state": "closed"})))
    assert isinstance(found, Skipped)
    assert "closed" in found.reason
    assert isinstance(read(payload_path("gitea/issues.closed").read_bytes()), Delivery)


def test_what_a_workflow_does_starts_nothing() -> None:
    """Webhooks are sent for the actions user too, while workflows are not started by it."""
    for login in ("gitea-actions", "forgejo-actions", "dev"):
        found = read(issue_body(sender={"id": -2, "login": login}))
        assert isinstance(found, Skipped)
        assert "workflow" in found.reason


def test_a_command_in_a_comment_is_passed_on() -> None:
    found = read(payload_path("github/issue_comment.created").read_bytes())
    assert isinstance(found, Delivery)
    assert found.event.kind is EventKind.ISSUE_COMMENT


def test_a_label_webhook_without_changes_is_passed_on() -> None:
    assert FLOWS["derived/issues.label_updated.webhook"] is Flow.WORK_ISSUE
    assert isinstance(read(payload_path("derived/issues.label_updated.webhook").read_bytes()), Delivery)


def test_when_all_labels_are_cleared_none_is_left_whatever_the_list_says() -> None:
    """The webhook of Gitea 1.26 lists the labels as they were before (``ClearIssueLabels`` does not read them anew)."""
    issue = DOCUMENT.validate_python(document("derived/issues.label_cleared.webhook")["issue"])
    found = delivery(7, "derived/issues.label_cleared.webhook", issue={**issue, "labels": [{"id": 1, "name": "agent"}]})
    decision = decide(found.event, trigger_assignee="coordinator", trigger_label="agent")
    assert isinstance(decision, Decision)
    assert decision.flow is Flow.RELEASE_ISSUE


def test_the_name_of_a_repository_leads_nowhere_else() -> None:
    for name in ("acme", "acme/app/x", "/app", "acme/", "acme/..", "./app", "acme/app\n", "acmé/app", "a" * 101 + "/b"):
        with pytest.raises(Misconfigured, match="full_name"):
            read(issue_body(repository={"id": 1, "full_name": name}))
    for name in ("acme/..app", "a.b/c.d", "-/_"):
        assert isinstance(read(issue_body(repository={"id": 1, "full_name": name})), Delivery)


def test_a_delivery_shows_neither_body_nor_signature() -> None:
    given = delivery(7)
    shown = repr(given) + str(given) + given.describe()
    assert given.signature not in shown
    assert "title" not in shown
    assert given.describe() == "delivery -: acme/app issues assigned #7"
