"""Workflows to be looked at, and what is found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.doctor.workflow_file import find_workflow
from coordinator.init.workflow import workflow_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coordinator.doctor.models import Finding
    from coordinator.doctor.workflow_file import Workflow

PATH = ".gitea/workflows/coordinator.yml"
OURS = workflow_text(None, None)


def changed(*changes: tuple[str, str]) -> str:
    """The workflow that `coordinator init` writes, with texts in it replaced; each has to be there."""
    text = OURS
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def workflow(text: str | bytes, *, path: str = PATH, product: str = "gitea") -> Workflow:
    """The workflow, as a forge of that product reads the one file."""
    raw = text.encode() if isinstance(text, str) else text
    return find_workflow({path: raw}.get, product, "main")


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """State and message of what was found."""
    return [(finding.state.value, finding.message) for finding in findings]
