"""Whether this run may start. Everything that is not proven is refused, in one line that names the mend.

The sender is judged by numeric id and by what the forge says about it now; the text that will be worked on is the text
that the sender saw; and where an issue is ours by its state, the history must show that somebody allowed made it so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from coordinator.events.freshness import check_age, check_comment, check_text, precedes, refused
from coordinator.events.models import Event, EventKind, EventPullRequest, Skipped
from coordinator.events.permission import Permissions, Right
from coordinator.events.requests import check_dispatched_again, check_unattended, done, newest_allowed
from coordinator.events.standing import asked_by_event, concerning, standing_requests
from coordinator.events.text import fold, one_line
from coordinator.events.trigger import Command, Decision, Flow
from coordinator.forge.models import Account, HistoryEntry, Issue
from coordinator.models import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coordinator.forge.protocol import Forge

ACTIONS_USER: Final = {"gitea": -2, "github": 41898282}
"""The account behind a job's own token: ``gitea-actions`` or ``forgejo-actions``, and ``github-actions[bot]``."""


class Verified(Frozen):
    """What may be done, on what, and who is answerable for it."""

    flow: Flow
    why: str
    """One line for the comment, such as ``assigned by @dev (dev has write access by /assignees)``."""
    sender: Account | None
    """None for a schedule."""
    number: int | None = None
    """The issue or pull request; None for the queue."""
    command: Command | None = None
    issue: Issue | None = None
    """The issue as it is now, with the very text that was asked for. Work on this text, not on a later reading."""
    asked_at: datetime | None = None
    """When the assignment, the label or the command was made; None for a person's dispatch, which tells no time."""
    pull_request: EventPullRequest | None = None
    unattended: bool = False
    """Whether no person has started this run: a run of ours has, for what somebody allowed asks for."""
    read_only: bool = False
    """A pull request of somebody who may not write here: run the gates, write nothing to the forge."""


def verify(
    event: Event,
    *,
    decision: Decision,
    forge: Forge,
    allow: Sequence[int | str],
    trigger_assignee: str,
    trigger_label: str,
    expected_repository: str,
    expected_repository_id: int | None,
    run_attempt: int,
    now: datetime,
    seen_text: Callable[[int], str],
) -> Verified | Skipped:
    """Say whether what the event asks for may be done.

    `expected_repository` is the job's own ``owner/name``, `allow` the logins and ids of the configuration,
    `run_attempt` counts from 1, `now` has a time zone, `seen_text` returns the digest of an issue's text when a person
    last started a run for it, empty for none. Raises `Refused`, and whatever the forge raises when it cannot
    be asked about the repository or the issue.
    """
    _check_repository(event, forge, expected_repository, expected_repository_id)
    return _Verification(
        event=event,
        decision=decision,
        forge=forge,
        permissions=Permissions(forge, allow),
        assignee=trigger_assignee,
        label=trigger_label,
        run_attempt=run_attempt,
        now=now,
        seen_text=seen_text,
    ).run()


def _check_repository(event: Event, forge: Forge, expected: str, expected_id: int | None) -> None:
    actual = forge.repository()
    names = {fold(event.repository.full_name), fold(expected), fold(actual.full_name)}
    ids = {event.repository.id, expected_id, actual.id} - {None}
    if len(names) > 1 or len(ids) > 1:
        raise refused(
            f"it is of {one_line(event.repository.full_name)}, and this job is of {one_line(expected)}",
            "Let the workflow of that repository handle it, and give the action the token and address of its own",
        )


def _login(account: Account) -> str:
    return f"@{one_line(account.login)}"


@dataclass(frozen=True, kw_only=True)
class _Verification:
    """The rules for one event: one method for each flow, then what they share."""

    event: Event
    decision: Decision
    forge: Forge
    permissions: Permissions
    assignee: str
    label: str
    run_attempt: int
    now: datetime
    seen_text: Callable[[int], str]

    def run(self) -> Verified | Skipped:
        sender = self.event.sender
        if sender is None:
            return self.granted("scheduled")
        if sender.id in {self.forge.myself().id, ACTIONS_USER.get(self.forge.kind)}:
            return self.by_ourselves(sender)
        rules: dict[Flow, Callable[[Account], Verified | Skipped]] = {
            Flow.WORK_ISSUE: self.dispatched if self.is_dispatch else self.asked_by_state,
            Flow.COMMAND: self.commanded,
            Flow.RELEASE_ISSUE: self.released,
            Flow.UNBLOCK_DEPENDENTS: self.closed,
            Flow.CHECK_PULL_REQUEST: self.pull_request,
            Flow.DRAIN_QUEUE: self.drained,
        }
        return rules[self.decision.flow](sender)

    def by_ourselves(self, sender: Account) -> Verified | Skipped:
        """Break the loop: with a bot's token its own comments, labels and pushes come back as events.

        A dispatch is how a run of ours starts another one. It needs write access to Actions, so no stranger sends one;
        but it names no person, so it starts only what somebody allowed has asked for.
        """
        if not self.is_dispatch:
            return Skipped(reason=f"{_login(sender)} is the coordinator's own account, and its doings start nothing")
        if self.decision.flow is Flow.DRAIN_QUEUE:
            return self.granted("dispatched by the coordinator", unattended=True)
        issue = self.open_issue()
        request, why = self.request(issue)
        check_unattended(issue, request, self.permissions, seen=self.seen_text(issue.number))
        return self.granted(f"dispatched by the coordinator, {why}", issue, asked_at=request.at, unattended=True)

    def drained(self, sender: Account) -> Verified:
        return self.granted(f"dispatched by {_login(sender)} ({self.allowed(sender).reason})")

    def dispatched(self, sender: Account) -> Verified:
        """Start what a person asked for by number: such an issue need be neither assigned nor labelled."""
        right = self.allowed(sender)
        issue = self.open_issue()
        if self.run_attempt > 1:
            check_dispatched_again(issue, self.permissions, seen=self.seen_text(issue.number))
        return self.granted(f"dispatched by {_login(sender)} ({right.reason})", issue)

    def asked_by_state(self, sender: Account) -> Verified | Skipped:
        """Start what this event made ours.

        A trusted sender does not clear an untrusted assignment, nor does a later click on something else renew a
        trusted one: the text may have become another in between.
        """
        self.allowed(sender)
        issue = self.open_issue()
        check_age(self.event, self.now, live=issue)
        request, why = self.request(issue)
        if precedes(request, self.event):
            return Skipped(
                reason=f"issue #{issue.number} was {done(request)} before this event, which asks for nothing"
            )
        check_text(self.event, issue)
        return self.granted(why, issue, asked_at=request.at)

    def commanded(self, sender: Account) -> Verified:
        right = self.allowed(sender)
        check_age(self.event, self.now)
        issue = self.open_issue()
        if self.run_attempt > 1:
            check_comment(self.event, self.forge.comments(issue.number))
        if self.decision.command is not Command.STOP:
            check_text(self.event, issue)
        asked_at = self.event.comment.created_at if self.event.comment else None
        return self.granted(f"asked by {_login(sender)} in a comment ({right.reason})", issue, asked_at=asked_at)

    def released(self, sender: Account) -> Verified | Skipped:
        """Give back what is not asked for any more. That starts nothing, so the state decides and not the sender."""
        issue = self.forge.issue(self.number)
        if issue.state == "open" and self.standing(issue):
            still = f"still assigned to @{self.assignee} or labelled {self.label}"
            return Skipped(reason=f"issue #{issue.number} is {still}")
        return self.granted(f"taken back by {_login(sender)}", issue)

    def closed(self, sender: Account) -> Verified | Skipped:
        """Let only somebody allowed start what waited; a stranger may close his own issue, which is no offence.

        Where that cannot be found out, the run is refused: nobody would look at a green one, and what waited would wait
        for ever.
        """
        right = self.permissions.of(sender)
        if right.known and not right.allowed:
            return Skipped(reason=f"closed by {_login(sender)}, who may not start runs: {right.reason}")
        self.allowed(sender)
        issue = self.forge.issue(self.number)
        if issue.state == "open":
            return Skipped(reason=f"issue #{issue.number} is open again")
        return self.granted(f"closed by {_login(sender)} ({right.reason})", issue)

    def pull_request(self, sender: Account) -> Verified | Skipped:
        """Check anybody's head, but write only about what somebody who may write here has pushed here."""
        check_age(self.event, self.now)
        if self.forge.issue(self.number).state == "closed":
            return Skipped(reason=f"pull request #{self.number} is closed by now")
        pull = self.event.pull_request
        right = self.permissions.of(sender)
        done_by = f"{'pushed' if self.event.action == 'synchronize' else self.event.action} by {_login(sender)}"
        if pull is None or pull.fork:
            return self.granted(f"{done_by} (from a fork: gates only)", read_only=True)
        reach = right.reason if right.allowed else f"gates only: {right.reason}"
        return self.granted(f"{done_by} ({reach})", read_only=not right.allowed)

    @property
    def is_dispatch(self) -> bool:
        return self.event.kind is EventKind.WORKFLOW_DISPATCH

    @property
    def number(self) -> int:
        if self.decision.number is None:
            message = f"{self.decision.flow} needs a number"
            raise ValueError(message)
        return self.decision.number

    def granted(
        self,
        why: str,
        issue: Issue | None = None,
        *,
        asked_at: datetime | None = None,
        unattended: bool = False,
        read_only: bool = False,
    ) -> Verified:
        return Verified(
            flow=self.decision.flow,
            why=why,
            sender=self.event.sender,
            number=self.decision.number,
            command=self.decision.command,
            issue=issue,
            asked_at=asked_at,
            pull_request=self.event.pull_request,
            unattended=unattended,
            read_only=read_only,
        )

    def allowed(self, account: Account) -> Right:
        right = self.permissions.of(account)
        if not right.allowed:
            raise refused(f"{_login(account)} may not start runs: {right.reason}", right.mend)
        return right

    def open_issue(self) -> Issue:
        issue = self.forge.issue(self.number)
        if issue.is_pull_request:
            raise refused(f"#{issue.number} is a pull request", "Name an issue; no agent works on a pull request")
        if issue.state == "closed":
            raise refused(f"issue #{issue.number} is closed", "Open it again and trigger it again")
        return issue

    def standing(self, issue: Issue) -> tuple[HistoryEntry, ...]:
        """Return the requests that hold; the event itself counts where the history has not caught up with it."""
        history = self.forge.history(issue.number)
        names = {"trigger_assignee": self.assignee, "trigger_label": self.label}
        if not concerning(issue, history, **names):
            shown = asked_by_event(self.event, **names, now=self.now)
            history = (shown,) if shown else ()
        return standing_requests(issue, history, **names)

    def request(self, issue: Issue) -> tuple[HistoryEntry, str]:
        """Return the newest request of somebody allowed, and in words; refuse where nobody allowed asks."""
        names = {"trigger_assignee": self.assignee, "trigger_label": self.label}
        return newest_allowed(issue, self.standing(issue), self.permissions, **names)
