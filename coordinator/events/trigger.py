"""Which flow an event asks for, and why: decided from the event alone, before anybody is asked anything."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from coordinator.errors import Misconfigured, Refused
from coordinator.events.models import EventKind, Skipped
from coordinator.events.text import fold
from coordinator.models import Frozen

if TYPE_CHECKING:
    from coordinator.events.models import Event
    from coordinator.forge.models import Issue


class Flow(StrEnum):
    """What a run does."""

    WORK_ISSUE = "work_issue"
    RELEASE_ISSUE = "release_issue"
    UNBLOCK_DEPENDENTS = "unblock_dependents"
    CHECK_PULL_REQUEST = "check_pull_request"
    DRAIN_QUEUE = "drain_queue"
    COMMAND = "command"


class Command(StrEnum):
    """What a comment may ask for: its first line is ``/coordinator`` and one of these words."""

    RUN = "run"
    STOP = "stop"
    PLAN = "plan"
    RETRY = "retry"


class Decision(Frozen):
    """The flow that an event asks for. Whether it may have it is for `coordinator.events.verify` to say."""

    flow: Flow
    reason: str
    """One line without text that a person wrote."""
    number: int | None = None
    """The issue or pull request; None for the queue."""
    command: Command | None = None
    """Only with `Flow.COMMAND`."""


_ISSUE_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_COMMANDS: Final = {f"/coordinator {command}": command for command in Command}
_CHECKED: Final = frozenset({"opened", "synchronize", "reopened"})


def decide(event: Event, *, trigger_assignee: str, trigger_label: str) -> Decision | Skipped:
    """Say which flow the event asks for.

    Raises `Misconfigured` for a dispatch whose ``issue`` is no issue number, and `Refused` for a relayed event that
    nobody has opened with its signature.
    """
    match event.kind:
        case EventKind.ISSUES:
            return _issue_event(event, _Trigger(assignee=trigger_assignee, label=trigger_label))
        case EventKind.ISSUE_COMMENT:
            return _comment(event)
        case EventKind.PULL_REQUEST:
            return _pull_request(event)
        case EventKind.WORKFLOW_DISPATCH:
            return _dispatch(event)
        case EventKind.SCHEDULE:
            return Decision(flow=Flow.DRAIN_QUEUE, reason="scheduled")


class _Trigger(Frozen):
    """The account and the label that make an issue ours."""

    assignee: str
    label: str

    def assigned(self, issue: Issue) -> bool:
        return any(self.names(account.login) for account in issue.assignees)

    def names(self, login: str) -> bool:
        return fold(login) == fold(self.assignee)

    def among(self, labels: tuple[str, ...]) -> bool:
        return fold(self.label) in map(fold, labels)


def _issue_event(event: Event, trigger: _Trigger) -> Decision | Skipped:
    issue = event.issue
    if issue is None or issue.is_pull_request:
        return Skipped(reason="a pull request, not an issue")
    if event.action == "closed":
        reason = f"issue #{issue.number} was closed"
        return Decision(flow=Flow.UNBLOCK_DEPENDENTS, reason=reason, number=issue.number)
    if issue.state == "closed":
        return Skipped(reason=f"issue #{issue.number} is closed")
    return _open_issue(event, issue, trigger)


def _open_issue(event: Event, issue: Issue, trigger: _Trigger) -> Decision | Skipped:
    match event.action:
        case "opened":
            return _opened(issue, trigger)
        case "assigned" | "unassigned":
            return _assignment(event, issue, trigger)
        case "labeled" | "unlabeled":
            return _labels(event, issue, trigger)
        case _:
            return Skipped(reason=f"an issue that is {event.action} asks for nothing; assign or label it")


def _opened(issue: Issue, trigger: _Trigger) -> Decision | Skipped:
    if trigger.assigned(issue):
        return _work(issue, f"opened assigned to @{trigger.assignee}")
    if trigger.among(issue.labels):
        return _work(issue, f"opened with the label {trigger.label}")
    return Skipped(
        reason=f"issue #{issue.number} is neither assigned to @{trigger.assignee} nor labelled {trigger.label}"
    )


def _assignment(event: Event, issue: Issue, trigger: _Trigger) -> Decision | Skipped:
    """GitHub names the assignee; elsewhere the list afterwards is all there is, and acting on it is idempotent."""
    if event.assignee and not trigger.names(event.assignee.login):
        return Skipped(reason=f"issue #{issue.number}: somebody other than @{trigger.assignee} was {event.action}")
    ours = trigger.assigned(issue)
    if event.action == "assigned" and ours:
        return _work(issue, f"assigned to @{trigger.assignee}")
    if event.action == "unassigned" and not ours:
        return _release(issue, f"not assigned to @{trigger.assignee} any more")
    state = "is still" if ours else "is not"
    return Skipped(reason=f"issue #{issue.number} {state} assigned to @{trigger.assignee}")


def _labels(event: Event, issue: Issue, trigger: _Trigger) -> Decision | Skipped:
    """Want the label in the event and in the list afterwards.

    Forgejo writes an event for every label of a replaced set, kept ones included (``services/issue/label.go``), so the
    event alone proves no change; and a webhook names no label at all, then the list alone has to do. An empty list
    proves nothing where labels were added: Gitea writes one after a replacement (``ReplaceIssueLabels`` in
    ``models/issues/issue_label.go``). What the issue has now is looked at before anything starts.
    """
    unknown = not event.added_labels and not event.removed_labels
    if trigger.among(issue.labels or event.added_labels):
        if unknown or trigger.among(event.added_labels):
            return _work(issue, f"labelled {trigger.label}")
    elif unknown or trigger.among(event.removed_labels):
        return _release(issue, f"not labelled {trigger.label} any more")
    return Skipped(reason=f"issue #{issue.number}: labels other than {trigger.label} changed")


def _work(issue: Issue, why: str) -> Decision:
    return Decision(flow=Flow.WORK_ISSUE, reason=f"issue #{issue.number} was {why}", number=issue.number)


def _release(issue: Issue, why: str) -> Decision:
    return Decision(flow=Flow.RELEASE_ISSUE, reason=f"issue #{issue.number} is {why}", number=issue.number)


def _comment(event: Event) -> Decision | Skipped:
    if event.issue is None or event.comment is None or event.issue.is_pull_request:
        return Skipped(reason="a comment on a pull request; commands belong on the issue")
    command = command_of(event.comment.body)
    if command is None:
        return Skipped(reason=f"a comment whose first line is none of: {', '.join(_COMMANDS)}")
    number = event.issue.number
    return Decision(
        flow=Flow.COMMAND, reason=f"issue #{number}: /coordinator {command}", number=number, command=command
    )


def command_of(body: str) -> Command | None:
    """Return what a comment asks for: its first line, and nothing else, is the command."""
    return _COMMANDS.get(body.partition("\n")[0].rstrip())


def _pull_request(event: Event) -> Decision | Skipped:
    pull = event.pull_request
    if pull is None or event.action not in _CHECKED:
        return Skipped(reason=f"a pull request that is {event.action} needs no check")
    return Decision(
        flow=Flow.CHECK_PULL_REQUEST, reason=f"pull request #{pull.number}: {event.action}", number=pull.number
    )


def is_relayed(event: Event) -> bool:
    """Whether a dispatch carries another event, to be opened by its signature."""
    return bool(event.inputs.get("event") or event.inputs.get("signature"))


def _dispatch(event: Event) -> Decision:
    if is_relayed(event):
        raise Refused(
            "Event refused: it carries a relayed event whose signature was not verified",
            mend="Give the action the input webhook-secret, the one that the relay signs with",
        )
    asked = event.inputs.get("issue", "")
    if not asked:
        return Decision(flow=Flow.DRAIN_QUEUE, reason="dispatched for the queue")
    if not _ISSUE_NUMBER.fullmatch(asked):
        raise Misconfigured(
            "Event refused: the dispatch input issue is no issue number",
            mend="Dispatch with issue set to a number such as 12, or leave it empty for the whole queue",
        )
    number = int(asked)
    return Decision(flow=Flow.WORK_ISSUE, reason=f"issue #{number} was dispatched", number=number)
