"""A small project with one thing to do, and what a scripted model says that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.demo.model_script import call, say

if TYPE_CHECKING:
    from coordinator.demo.model_script import Reply

LINT_ONLY = (
    "escalate: false\ngates:\n  build: {enabled: false}\n  test: {enabled: false}\n  coverage: {enabled: false}\n"
    "  integrity: {enabled: false}\n"
)
FILES = {".coordinator.yml": LINT_ONLY, "tool.py": "ONE = 1\n", "README.md": "# Tool\n"}
FOREIGN = ("GITHUB_", "GITEA_", "FORGEJO_", "INPUT_", "RUNNER_", "ANTHROPIC_", "GLM_", "MINIMAX_", "GIT_", "ACTIONS_")
"""What belongs to a job, a server or a person, and may have no say in a test."""


def bash(command: str) -> Reply:
    """Let the agent run a command."""
    return say(call("bash", {"command": command}))


def submit(summary: str = "Add TWO") -> Reply:
    """Let the agent hand in its work."""
    return say(call("submit", {"summary": summary}))


GOOD = bash("printf 'TWO = 2\\n' >> tool.py")
BAD = bash("printf 'import os\\n' >> tool.py")
MEND = bash("printf 'ONE = 1\\nTWO = 2\\n' > tool.py")
