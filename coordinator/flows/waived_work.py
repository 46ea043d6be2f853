"""Work that lacked nothing but a person's word, judged again before a model is asked: it may have been given since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.protocol import AgentResult, Ending, Usage
from coordinator.agent.replay import read_transcript
from coordinator.agent.tools import SUBMIT
from coordinator.events.freshness import digest

if TYPE_CHECKING:
    from coordinator.agent.reply import Message
    from coordinator.flows.submissions import SubmissionDesk
    from coordinator.forge.models import Issue
    from coordinator.workspace.workspace import Workspace

ACCEPTED = "The quality gates accepted the work of the earlier run, with what a person has waived since"


def accept_waived(workspace: Workspace, issue: Issue, desk: SubmissionDesk) -> AgentResult | None:
    """Return the end of an agent step that needed no agent; None where one has to work.

    The work counts as done when its agent had submitted it, for the issue as it is worded now, and its run ended by a
    rejection; so work that was broken off never slips through. Only a waiver makes it worth the time of the gates.
    """
    summary = _submitted(workspace, issue)
    if summary is None or not desk.waivers() or not desk.accepts(summary):
        return None
    return AgentResult(
        ending=Ending.ACCEPTED, reason=ACCEPTED, summary=summary, turns=0, usage=Usage(), cost_usd=0.0, seconds=0.0
    )


def _submitted(workspace: Workspace, issue: Issue) -> str | None:
    """Return the summary of the last submission of an earlier run that was rejected in the end."""
    restored = workspace.restored
    if restored.checkpoint is None or restored.moved or restored.checkpoint.about.text != digest(issue):
        return None
    replay = read_transcript(restored.checkpoint.transcript)
    if replay is None or replay.ending is not Ending.REJECTED:
        return None
    return next(filter(None, map(_summary, reversed(replay.messages))), None)


def _summary(message: Message) -> str:
    """Return what a message submits; empty for one that submits nothing."""
    calls = (block for block in message["content"] if block.get("type") == "tool_use" and block.get("name") == SUBMIT)
    inputs = (call.get("input") for call in calls)
    return next((str(given.get("summary", "")) for given in inputs if isinstance(given, dict)), "")
