"""The job summary: the whole run on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.report.forecast import forecast_rows
from coordinator.report.inert import code, inert_cell, link
from coordinator.report.sections import (
    agent_words,
    every_failure,
    folded,
    gate_table,
    join_within,
    left_out,
    notes,
    table,
    verdict_table,
)
from coordinator.report.words import clock, dollars, duration, headline, per_cent, plural, resets_in_words, tokens

if TYPE_CHECKING:
    from coordinator.report.redaction import CleanReport

SUMMARY_BYTES = 1024 * 1024
"""GitHub and Gitea refuse a longer file (docs.github.com, "Workflow commands", step isolation and limits)."""
_CHARACTERS = SUMMARY_BYTES // 4
"""So many characters fit whatever they are: UTF-8 takes up to four bytes."""
_EVIDENCE_LINES = 50
_TIMELINE_ENTRIES = 200


def job_summary(report: CleanReport) -> str:
    """Return the summary as Markdown, below `SUMMARY_BYTES` in UTF-8."""
    sections = [
        f"## {headline(report)}",
        _facts(report),
        _issues(report),
        gate_table(report) if len(report.attempts) > 1 else "",
        verdict_table(report.verdict) if report.verdict else "",
        _timeline(report),
        left_out(report),
        notes(report),
        _evidence(report),
        _settings(report),
        agent_words(report),
    ]
    return join_within(_CHARACTERS, sections, optional=(9, 5, 8, 10))


def facts(report: CleanReport) -> list[tuple[str, str]]:
    """Return the table of the run as pairs of plain text; what is not known is left out."""
    pairs = _facts_of_check(report) if report.is_check else _facts_of_work(report)
    return [(name, value) for name, value in pairs if value]


def _facts_of_check(report: CleanReport) -> list[tuple[str, str]]:
    """Return what is known of a pull request that was judged: nobody worked on it, and it cost nothing."""
    return [
        ("event", report.event),
        ("verified", report.verified),
        ("base", report.base),
        ("commit", report.commit or ""),
        ("time", duration(report.seconds)),
        ("confinement", report.sandbox),
        ("change", _change(report)),
        *_queue(report),
    ]


def _facts_of_work(report: CleanReport) -> list[tuple[str, str]]:
    usage = report.usage
    issue = f"#{report.issue_number} {report.issue_title}" if report.issue_number else ""
    peak = per_cent(report.peak_context_share) if report.peak_context_share is not None else ""
    return [
        ("issue", issue),
        ("event", report.event),
        ("verified", report.verified),
        ("agent", report.agent),
        ("why this agent", report.plan.reason if report.plan else ""),
        ("base", report.base),
        ("branch", report.branch or ""),
        ("commit", report.commit or ""),
        ("attempts", _attempts(report)),
        ("turns", str(sum(attempt.turns for attempt in report.attempts)) if report.attempts else ""),
        ("tokens in", tokens(usage.input_tokens) if usage.total_tokens else ""),
        ("tokens out", tokens(usage.output_tokens) if usage.total_tokens else ""),
        ("tokens from and to the cache", _cache(report) if usage.total_tokens else ""),
        ("cost", dollars(report.cost_usd)),
        ("peak context", peak),
        ("context resets", resets_in_words(report)),
        *forecast_rows(report),
        ("time", duration(report.seconds)),
        ("confinement", report.sandbox),
        ("change", _change(report)),
        *_queue(report),
    ]


def _queue(report: CleanReport) -> list[tuple[str, str]]:
    queue = report.queue
    if queue is None:
        return []
    found = ", ".join(f"{number} {state}" for state, number in queue.states.items() if number)
    return [
        ("queue", found or "empty" if queue.states else ""),
        ("processed_count", str(queue.processed_count)),
        ("success_count", str(queue.success_count)),
        ("rejection_count", str(queue.rejection_count)),
    ]


def _issues(report: CleanReport) -> str:
    """Return what became of each issue that was taken out of several."""
    rows = [
        [
            f"#{issue.number}",
            issue.state,
            inert_cell(issue.reason, 200),
            link(f"#{issue.pull_request.number}", issue.pull_request.url) if issue.pull_request else "",
        ]
        for issue in (report.queue.issues if report.queue else ())
    ]
    return table(["issue", "what became of it", "why", "pull request"], rows) if rows else ""


def _attempts(report: CleanReport) -> str:
    if not report.attempts:
        return ""
    return f"{len(report.attempts)} of {report.attempt_limit}" if report.attempt_limit else str(len(report.attempts))


def _cache(report: CleanReport) -> str:
    return f"{tokens(report.usage.cache_read_tokens)} and {tokens(report.usage.cache_write_tokens)}"


def _change(report: CleanReport) -> str:
    changes = report.changes
    if not changes.files:
        return ""
    return f"{plural(len(changes.files), 'file')}, +{changes.insertions} −{changes.deletions}"  # noqa: RUF001  (a minus sign)


def _facts(report: CleanReport) -> str:
    rows = [[name, inert_cell(value, 500)] for name, value in facts(report)]
    if report.pull_request is not None:
        named = link(f"#{report.pull_request.number}", report.pull_request.url)
        title = inert_cell(report.issue_title, 200) if report.is_check else ""
        rows.append(["pull request", f"{named} {title}".rstrip()])
    return table(["", ""], rows)


def _timeline(report: CleanReport) -> str:
    rows = [
        [
            clock(entry.at),
            inert_cell(entry.text, 200),
            duration(entry.seconds) if entry.seconds is not None else "",
        ]
        for entry in report.timeline[-_TIMELINE_ENTRIES:]
    ]
    return table(["time", "what", "took"], rows) if rows else ""


def _evidence(report: CleanReport) -> str:
    """Return the last evidence of every gate that did not pass, folded."""
    return every_failure(report.verdict, _EVIDENCE_LINES) if report.verdict else ""


def _settings(report: CleanReport) -> str:
    if not report.settings:
        return ""
    rows = [[code(name).replace("|", r"\|"), inert_cell(value, 300)] for name, value in report.settings.items()]
    return folded("Configuration of this run", table(["key", "value"], rows))
