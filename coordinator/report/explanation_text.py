"""The explanation of a tree's gates for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.report.console import harmless_anywhere

if TYPE_CHECKING:
    from coordinator.gates.explain import ExplainedGate, Explanation


def explanation_text(explanation: Explanation) -> str:
    """Return each gate with its command, where its rules come from and why it is there; then what is left out."""
    lines = [line for gate in explanation.gates for line in _gate(gate)]
    if explanation.setup:
        lines += ["before the commands run:", *(f"  {line}" for line in explanation.setup), ""]
    if explanation.left_out:
        width = max(len(each.gate) for each in explanation.left_out)
        lines += ["left out:", *(f"  {each.gate:<{width}}  {each.why}" for each in explanation.left_out), ""]
    if explanation.notes:
        lines += ["notes:", *(f"  {note}" for note in explanation.notes), ""]
    base = f", by the rules of {explanation.base[:12]}" if explanation.base else ""
    lines.append(f"nothing was run: tree {explanation.tree[:12]}{base}")
    return "\n".join(harmless_anywhere(line) for line in lines)


def _gate(gate: ExplainedGate) -> list[str]:
    rows = [("runs", gate.command), ("rules", gate.configuration), ("why", gate.why)]
    return [gate.gate, *(f"  {name:<5}  {value}" for name, value in rows if value), ""]
