"""What the model is given: one constant system prompt, and one first message about the task.

The system prompt stands in `system_prompt.md`. It holds no date, no name and no number that changes from run to run, so
that the provider's cache serves it across runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

from coordinator.agent.untrusted import Fence, bounded, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_TITLE = 300
LONGEST_BODY = 32_000
"""Characters of an issue."""
LONGEST_INSTRUCTIONS = 16_000
"""Characters of one file of instructions of the repository."""
LONGEST_REJECTION = 16_000


def system_prompt() -> str:
    """Return the system prompt."""
    return files(__package__).joinpath("system_prompt.md").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Task:
    """What the first message says. Titles, bodies, instructions and rejections are the text of others."""

    number: int
    title: str
    body: str
    base_branch: str
    plan: str = ""
    """The plan in one line: agent and reason."""
    gates: Sequence[str] = ()
    """One line for each gate: what has to hold, and the command that checks it."""
    facts: Sequence[str] = ()
    """One line for each fact on the repository: packages, interpreter, how to run the tests."""
    instructions: Mapping[str, str] = field(default_factory=dict)
    """Content of the files on the base branch that tell agents and people how to work, by path."""
    rejection: str = ""
    """What the gates said to an earlier run on the same issue, whose work is in the checkout."""


def task_message(task: Task, *, nonce: str = "") -> str:
    """Return the first message. The text of others stands between lines with a word that its authors cannot know."""
    fence = Fence(nonce)
    return "\n\n".join(part for part in _parts(task, fence) if part)


def _parts(task: Task, fence: Fence) -> list[str]:
    title = " ".join(bounded(visible(task.title), LONGEST_TITLE).split())
    body = bounded(visible(task.body), LONGEST_BODY).strip() or "(The issue has no text beyond its title.)"
    earlier = ", with the work of an earlier run on top" if task.rejection else ""
    return [
        f"Solve issue #{task.number} of this repository. The checkout is at the tip of `{task.base_branch}`{earlier}.",
        fence.around("issue", f"Title: {title}\n\n{body}"),
        _list("The quality gates:", task.gates),
        _list("About this repository:", task.facts),
        f"The plan: {task.plan}" if task.plan else "",
        *(_instructions(path, text, fence) for path, text in sorted(task.instructions.items())),
        _rejection(task.rejection, fence),
    ]


def _instructions(path: str, text: str, fence: Fence) -> str:
    shown = bounded(visible(text), LONGEST_INSTRUCTIONS).strip()
    name = " ".join(visible(path).split())
    return f"How this project wants to be worked on, from its file `{name}`:\n\n{fence.around('file', shown)}"


def _rejection(text: str, fence: Fence) -> str:
    if not text:
        return ""
    shown = bounded(visible(text), LONGEST_REJECTION).strip()
    return f"An earlier run was rejected by the gates. What they said:\n\n{fence.around('rejection', shown)}"


def _list(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"- {line}" for line in lines)]) if lines else ""
