"""Going on where an earlier run on the same issue was broken off, as far as that is still true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.opening import Circumstances, make_opening
from coordinator.agent.replay import read_transcript
from coordinator.events.freshness import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.agent.opening import Opening
    from coordinator.agent.protocol import ModelEndpoint, WorkState
    from coordinator.agent.replay import Replay
    from coordinator.flows.journal import Journal
    from coordinator.forge.models import Issue
    from coordinator.workspace.workspace import Workspace


def read_earlier(workspace: Workspace, journal: Journal) -> Replay | None:
    """Return what an earlier run has left of its conversation; None for nothing. What cannot be read is said."""
    restored = workspace.restored
    if restored.warning:
        journal.warn(restored.warning)
    if restored.checkpoint is None:
        return None
    replay = read_transcript(restored.checkpoint.transcript)
    for warning in replay.warnings if replay else ("it holds no conversation",):
        journal.warn(f"The transcript of the earlier run could not be read completely: {warning}")
    return replay


def open_conversation(
    replay: Replay | None,
    task: str,
    *,
    issue: Issue,
    workspace: Workspace,
    endpoint: ModelEndpoint,
    binding: str,
    state: Callable[[], WorkState],
    journal: Journal,
) -> Opening:
    """Return how the agent step begins, and say how the earlier run is gone on with, if there was one.

    `task` is the first message of a new conversation, `binding` a digest of what this one is bound to.
    """
    restored = workspace.restored
    if restored.checkpoint is None:
        return make_opening(None, task, since=Circumstances(), state=state, endpoint=endpoint)
    about = restored.checkpoint.about
    since = Circumstances(moved=restored.moved, rewritten=about.text != digest(issue), rebound=about.binding != binding)
    opening = make_opening(replay, task, since=since, state=state, endpoint=endpoint)
    journal.note(f"resumed from run {about.run}, saved at {about.saved_at:%Y-%m-%d %H:%M} UTC: {opening.how}")
    return opening
