"""Whether a request has been answered already: one click on a forge starts several runs, and each costs money.

Gitea starts up to three runs for one new issue (``assigned``, ``opened``, ``label_updated``; go-gitea/gitea#34221). The
first that works says so in the comment; a later one finds that comment newer than the request. Two runs that begin in
the very same moment both find none: only a claim that is taken atomically can tell those apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.events.standing import standing_requests
from coordinator.report.comment import find_own

if TYPE_CHECKING:
    from coordinator.forge.models import Comment, Issue
    from coordinator.forge.protocol import Forge


def answer_to(issue: Issue, forge: Forge, *, trigger_assignee: str, trigger_label: str) -> Comment | None:
    """Return our comment on the issue when it is newer than everything that asks for the work; None otherwise.

    Whoever wants another run takes the assignment or label away and puts it back. Raises what the forge raises.
    """
    own = find_own(forge.comments(issue.number), forge.myself(), issue.number)
    if own is None:
        return None
    history = forge.history(issue.number)
    requests = standing_requests(issue, history, trigger_assignee=trigger_assignee, trigger_label=trigger_label)
    return own if requests and own.updated_at >= requests[0].at else None
