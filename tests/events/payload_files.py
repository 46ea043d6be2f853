"""Every event file of `tests/payloads`, and what it asks for."""

from __future__ import annotations

from pathlib import Path

from coordinator.events.trigger import Flow

PAYLOADS = Path(__file__).parent.parent / "payloads"

FLOWS: dict[str, Flow | None] = {
    "derived/issue_comment.created.on-pull-request": None,
    "derived/issues.label_cleared.webhook": Flow.RELEASE_ISSUE,
    "derived/issues.label_updated.replaced": Flow.WORK_ISSUE,
    "derived/issues.label_updated.webhook": Flow.WORK_ISSUE,
    "derived/pull_request.opened.agit": Flow.CHECK_PULL_REQUEST,
    "derived/schedule": Flow.DRAIN_QUEUE,
    "forgejo/issues.label_cleared": Flow.RELEASE_ISSUE,
    "forgejo/issues.label_cleared.kept": None,
    "forgejo/issues.label_updated": Flow.WORK_ISSUE,
    "forgejo/issues.label_updated.other": None,
    "forgejo/schedule": Flow.DRAIN_QUEUE,
    "forgejo/workflow_dispatch.queue": Flow.DRAIN_QUEUE,
    "gitea/issue_comment.created": None,
    "gitea/issues.assigned": Flow.WORK_ISSUE,
    "gitea/issues.assigned.by-stranger": Flow.WORK_ISSUE,
    "gitea/issues.closed": Flow.UNBLOCK_DEPENDENTS,
    "gitea/issues.edited": None,
    "gitea/issues.label_updated.added": Flow.WORK_ISSUE,
    "gitea/issues.label_updated.removed": Flow.RELEASE_ISSUE,
    "gitea/issues.opened": Flow.WORK_ISSUE,
    "gitea/issues.reopened": None,
    "gitea/issues.unassigned": Flow.RELEASE_ISSUE,
    "gitea/pull_request.opened": Flow.CHECK_PULL_REQUEST,
    "gitea/pull_request.reopened": Flow.CHECK_PULL_REQUEST,
    "gitea/pull_request.synchronized": Flow.CHECK_PULL_REQUEST,
    "gitea/workflow_dispatch": Flow.WORK_ISSUE,
    "gitea/workflow_dispatch.by-job-token": Flow.WORK_ISSUE,
    "github/issue_comment.created": Flow.COMMAND,
    "github/issue_comment.created.chat": None,
    "github/issue_comment.created.on-pull-request": None,
    "github/issue_comment.edited": None,
    "github/issues.assigned": Flow.WORK_ISSUE,
    "github/issues.assigned.other": None,
    "github/issues.closed": Flow.UNBLOCK_DEPENDENTS,
    "github/issues.deleted": None,
    "github/issues.edited": None,
    "github/issues.labeled": Flow.WORK_ISSUE,
    "github/issues.labeled.other": None,
    "github/issues.opened": Flow.WORK_ISSUE,
    "github/issues.opened.plain": None,
    "github/issues.pinned": None,
    "github/issues.reopened": None,
    "github/issues.unassigned": Flow.RELEASE_ISSUE,
    "github/issues.unlabeled": Flow.RELEASE_ISSUE,
    "github/pull_request.closed": None,
    "github/pull_request.labeled": None,
    "github/pull_request.opened": Flow.CHECK_PULL_REQUEST,
    "github/pull_request.opened.fork": Flow.CHECK_PULL_REQUEST,
    "github/pull_request.reopened.fork-gone": Flow.CHECK_PULL_REQUEST,
    "github/pull_request.synchronize": Flow.CHECK_PULL_REQUEST,
    "github/schedule": Flow.DRAIN_QUEUE,
    "github/workflow_dispatch": Flow.WORK_ISSUE,
    "github/workflow_dispatch.queue": Flow.DRAIN_QUEUE,
}


def payload_path(name: str) -> Path:
    """Return the file of a case."""
    return PAYLOADS / f"{name}.json"


def event_name(name: str) -> str:
    """Return the event's name, as the runner would give it."""
    return name.partition("/")[2].partition(".")[0]
