"""A plan as a document for machines and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.planning.accuracy import accuracy_json, accuracy_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from coordinator.planning.accuracy import Accuracy
    from coordinator.planning.models import Plan

MOST_NAMED = 20
"""Issues that one line names: a person reads no more, and a forge cuts what is longer."""


def plan_json(plan: Plan, accuracy: Accuracy | None = None) -> dict[str, JsonValue]:
    """Return the document that ``coordinator plan --format json`` prints. `accuracy` is of earlier estimates."""
    return {
        "issue": {"number": plan.number, "title": plan.title},
        "metadata": plan.metadata.model_dump(mode="json"),
        "estimate": {
            **plan.estimate.model_dump(mode="json"),
            "cost_usd": None if plan.predicted_cost_usd is None else round(plan.predicted_cost_usd, 6),
            "so_far": accuracy_json(accuracy),
        },
        "blocked_by": list(plan.blocked_by),
        "blocks": list(plan.blocks),
        "agent": plan.agent,
        "reason": plan.reason,
        "ready": plan.ready,
    }


def plan_text(plan: Plan, accuracy: Accuracy | None = None) -> str:
    """Return the plan for people, a line per fact. Control characters of the issue do not reach the terminal."""
    metadata = plan.metadata
    so_far = accuracy_text(accuracy) if accuracy else ""
    rows = [
        ("issue", f"#{plan.number} {plan.title}"),
        ("difficulty", f"{metadata.difficulty.value} ({metadata.source.get('difficulty', 'default')})"),
        ("context", f"about {thousands(plan.estimate.tokens)} tokens ({plan.estimate.reason})"),
        ("blocked by", ", ".join([*map(_hash, plan.blocked_by), *plan.foreign]) or "nothing"),
        ("blocks", hashes(plan.blocks) or "nothing"),
        ("agent", plan.agent or "none"),
        ("why", plan.reason),
        *([("cost", f"about ${plan.predicted_cost_usd:.2f}")] if plan.predicted_cost_usd is not None else []),
        *([("so far", so_far)] if so_far else []),
        ("ready", "yes" if plan.ready else "no"),
        *(("note", note) for note in metadata.notes),
    ]
    return "\n".join(f"{name + ':':<12}{_printable(text)}" for name, text in rows)


def _printable(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def thousands(tokens: int) -> str:
    """Return a number of tokens as people say it: ``38k``."""
    return f"{round(tokens / 1000)}k" if tokens >= 1_000 else str(tokens)  # noqa: PLR2004  (the meaning of k)


def hashes(numbers: Sequence[int]) -> str:
    """Return numbers as references: ``#9, #10``. Of very many only the first are named."""
    rest = len(numbers) - MOST_NAMED
    return ", ".join(map(_hash, numbers[:MOST_NAMED])) + (f" and {rest} more" if rest > 0 else "")


def cycle_text(cycle: Sequence[int]) -> str:
    """Return a cycle as one can follow it: ``#1 → #2 → #1``. Of a very long one only its ends are named."""
    names = [_hash(number) for number in cycle]
    if len(names) > MOST_NAMED:
        half = MOST_NAMED // 2
        names[half:-half] = [f"({len(names) - 2 * half} more)"]
    return " → ".join([*names, names[0]])


def _hash(number: int) -> str:
    return f"#{number}"
