"""The parts of which comment, pull request and job summary are made, each as Markdown; empty when there is nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coordinator.report.evidence import every_note, evidence_lines
from coordinator.report.inert import code, fenced, inert_block, inert_cell, inert_line, one_line
from coordinator.report.models import StepState
from coordinator.report.states import gate_mark, is_unfinished
from coordinator.report.words import dollars, duration, per_cent, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from coordinator.gates.protocol import GateResult, Verdict
    from coordinator.report.models import Activity, AttemptReport, Step
    from coordinator.report.redaction import CleanReport

MARKER = "<!-- coordinator:v1"
"""How every text begins, or ends, that the coordinator writes on a forge."""
SHOWN_ATTEMPTS = 4
"""Columns of the gate table: the last attempts."""
SHOWN_GATES = 40
SHOWN_ITEMS = 20
SUMMARY_LIMIT = 4_000
"""Characters of the agent's own words."""
_CELL_LIMIT = 120

_MARKS = {StepState.OPEN: "[ ]", StepState.CURRENT: "[ ]", StepState.DONE: "[x]", StepState.FAILED: "[ ]"}


def checklist(report: CleanReport) -> str:
    """Return the steps as a task list; the current one bold, with what the agent does."""
    return "\n".join(_step(step, report.activity) for step in report.steps)


def _step(step: Step, activity: Activity | None) -> str:
    name = inert_line(step.name, 80)
    details = [inert_line(step.detail, 300)] if step.detail else []
    if step.state is StepState.CURRENT:
        name = f"**{name}**"
        details += [_activity(activity)] if activity else []
    if step.state is StepState.FAILED:
        name = f"❌ {name}"
    return f"- {_MARKS[step.state]} {name}{' — ' if details else ''}{', '.join(details)}"


def _activity(activity: Activity) -> str:
    spent = f"{dollars(activity.cost_usd)} of {dollars(activity.cost_limit)}"
    context = f"context {per_cent(activity.context_share)}"
    if activity.resets:
        context += f" after {plural(activity.resets, 'reset')}"
    return f"turn {activity.turn} of {activity.turn_limit}, {context}, {spent}"


def gate_table(report: CleanReport) -> str:
    """Return the gates with the last attempts side by side, and a column for the one that is being worked on."""
    shown = report.attempts[-SHOWN_ATTEMPTS:]
    names = _gate_names(report, shown)
    if not names:
        return ""
    pending = report.activity is not None and report.activity.attempt > len(report.attempts)
    heads = [_attempt_head(attempt, shown) for attempt in shown]
    if pending and report.activity is not None:
        heads.append(f"attempt {report.activity.attempt}")
    if not heads:
        return ""
    rows = [
        [inert_cell(name, 40), *(_gate_cell(attempt.verdict, name) for attempt in shown), *["…"] * pending]
        for name in names
    ]
    return table(["gate", *heads], rows)


def _gate_names(report: CleanReport, shown: Sequence[AttemptReport]) -> list[str]:
    judged = (result.gate for attempt in shown for result in attempt.verdict.gates)
    return list(dict.fromkeys([*report.gates, *judged]))[:SHOWN_GATES]


def _attempt_head(attempt: AttemptReport, shown: Sequence[AttemptReport]) -> str:
    several = len({other.agent for other in shown}) > 1
    return f"attempt {attempt.number}" + (f" ({inert_cell(attempt.agent, 32)})" if several else "")


def _gate_cell(verdict: Verdict, name: str) -> str:
    result = next((result for result in verdict.gates if result.gate == name), None)
    if result is None:
        return "–"  # noqa: RUF001  (an empty cell, not a minus)
    if result.passed:
        return f"✅ {duration(result.seconds)}"
    return f"{gate_mark(result)} {inert_cell(result.message, _CELL_LIMIT)}"


def verdict_table(verdict: Verdict) -> str:
    """Return one verdict as a table with the gates' own messages."""
    rows = [
        [
            inert_cell(result.gate, 40),
            f"{gate_mark(result)} {inert_cell(result.message, 300)}",
            duration(result.seconds),
        ]
        for result in verdict.gates[:SHOWN_GATES]
    ]
    return table(["gate", "result", "time"], rows) if rows else ""


def failure_details(attempt: AttemptReport, most: int = SHOWN_ITEMS) -> str:
    """Return the evidence of the first gate that failed, folded."""
    failed = _proven(attempt.verdict)
    if not failed:
        return ""
    return folded(
        f"First failure of attempt {attempt.number}: {failed[0].gate}",
        fenced("\n".join(evidence_lines(failed[0], most))),
    )


def every_failure(verdict: Verdict, most: int = SHOWN_ITEMS) -> str:
    """Return the evidence of each gate that failed, folded."""
    return "\n\n".join(
        folded(f"{result.gate}: why it failed", fenced("\n".join(evidence_lines(result, most))))
        for result in _proven(verdict)[:SHOWN_GATES]
    )


def _proven(verdict: Verdict) -> list[GateResult]:
    """Return the gates that did not pass, without those that were ended before they could say anything."""
    return [result for result in verdict.failed_gates() if not is_unfinished(result)]


def folded(title: str, content: str) -> str:
    """Return content under a line that opens it. Markdown is not read in that line, so its words are reduced."""
    words = re.sub(r"[^\w .:-]", "", one_line(title, 100))
    return f"<details><summary>{words}</summary>\n\n{content}\n\n</details>"


def bullet_list(items: Iterable[str], *, limit: int = 300) -> str:
    """Return foreign lines as a list, the first ones of many."""
    shown = list(items)
    lines = [f"- {inert_line(item, limit)}" for item in shown[:SHOWN_ITEMS]]
    if len(shown) > SHOWN_ITEMS:
        lines.append(f"- and {len(shown) - SHOWN_ITEMS} more")
    return "\n".join(lines)


def left_out(report: CleanReport) -> str:
    """Return what was kept out of the commit and why."""
    if not report.refused_files:
        return ""
    return f"Kept out of the commit:\n\n{bullet_list(report.refused_files)}"


def notes(report: CleanReport) -> str:
    """Return what a person should know besides."""
    found = every_note(report)
    return f"Notes:\n\n{bullet_list(found)}" if found else ""


def agent_words(report: CleanReport) -> str:
    """Return the agent's summary below a rule, as a quotation that does nothing."""
    if not report.summary.strip():
        return ""
    return f"---\n\nThe agent's own words, not checked:\n\n{inert_block(report.summary, SUMMARY_LIMIT)}"


def cost_line(report: CleanReport) -> str:
    """Return attempts, turns, time and money in one line."""
    turns = sum(attempt.turns for attempt in report.attempts)
    parts = [plural(len(report.attempts), "attempt"), plural(turns, "turn"), duration(report.seconds)]
    parts.append(dollars(report.cost_usd))
    if report.agent:
        parts.insert(0, f"agent {code(report.agent)}")
    return " · ".join(parts)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table. Cells are inert already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def marker(report: CleanReport) -> str:
    """Return the hidden line by which a comment or pull request is found again."""
    run = "".join(character for character in report.run if character.isalnum() or character in "._")[:64]
    return f"{marker_start(report.issue_number)}{f' run={run}' if run else ''} -->"


def marker_start(issue_number: int | None) -> str:
    """Return the beginning of the marker, which is the same for all runs on one issue."""
    return f"{MARKER} issue={issue_number or 0}"


def join_within(limit: int, sections: Sequence[str], optional: Sequence[int]) -> str:
    """Join the sections that are not empty by blank lines; drop `optional` ones, in that order, until it fits."""
    kept = dict(enumerate(sections))
    for index in (None, *optional):
        if index is not None:
            kept[index] = ""
        text = "\n\n".join(section for section in kept.values() if section) + "\n"
        if len(text) <= limit:
            return text
    return text[:limit]
