"""Durations, money, shares and the one line that says how a run stands."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING

from coordinator.gates.judgement import State, needs_person
from coordinator.report.inert import code, inert_line, link
from coordinator.report.models import Outcome, is_accepted
from coordinator.report.states import MARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from coordinator.gates.protocol import Verdict
    from coordinator.report.models import CompactionReport
    from coordinator.report.redaction import CleanReport

_CENT = 0.01
_MINUTE, _HOUR = 60, 3600
REASON_LIMIT = 400
"""Characters of a reason in a heading."""


def duration(seconds: float) -> str:
    """Return ``0.4s``, ``12s``, ``11m 40s`` or ``2h 5m``."""
    if seconds < 10:  # noqa: PLR2004  (below ten seconds the tenth matters)
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE}s"
    return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE}m"


def clock(moment: datetime) -> str:
    """Return the time of day, ``12:04:31 UTC``."""
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def dollars(amount: float) -> str:
    """Return ``$0.91``; below a cent with four digits, as small models cost that little."""
    return f"${amount:.4f}" if 0 < amount < _CENT else f"${amount:.2f}"


def per_cent(share: float) -> str:
    """Return ``61 %``."""
    return f"{round(share * 100)} %"


def tokens(number: int) -> str:
    """Return a number of tokens with a comma for each thousand."""
    return f"{number:,}"


def plural(number: int, thing: str) -> str:
    """Return ``1 attempt`` or ``3 attempts``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def reset_line(reset: CompactionReport) -> str:
    """Return what became of a full context, as plain text."""
    sizes = f"{tokens(reset.tokens_before)} → {tokens(reset.tokens_after)} tokens"
    return f"context {reset.kind}: {sizes} ({per_cent(reset.reduction)} less), {dollars(reset.cost_usd)}"


def resets_in_words(report: CleanReport) -> str:
    """Return how often the context was full and how much of it was freed, as plain text; empty if it never was."""
    resets = report.compactions
    if not resets:
        return ""
    kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(reset.kind for reset in resets).items())
    freed = 1 - sum(reset.tokens_after for reset in resets) / sum(reset.tokens_before for reset in resets)
    return f"{kinds}, {per_cent(freed)} less"


def headline(report: CleanReport) -> str:
    """Return how the run stands, in one line of Markdown."""
    if report.is_check and report.outcome in _CHECKED:
        words = _CHECKED[report.outcome](report)
        return " · ".join(filter(None, [words, code((report.commit or "")[:7])]))
    if report.outcome is None:
        return _working(report)
    if report.queue is not None and report.outcome in _OF_SEVERAL:
        cost = dollars(report.cost_usd) if report.cost_usd else ""
        return " · ".join(filter(None, [f"{_OF_SEVERAL[report.outcome]}{_why(report)}", cost]))
    return _HEADLINES[report.outcome](report)


def verdict_words(verdict: Verdict) -> str:
    """Return ``accepted by 5 gates``, ``rejected by test, lint`` or ``needs a person: integrity``, as plain text."""
    if is_accepted(verdict):
        return f"accepted by {plural(len(verdict.gates), 'gate')}"
    failed = ", ".join(result.gate for result in verdict.failed_gates()) or "the verdict"
    return f"needs a person: {failed}" if needs_person(verdict) else f"rejected by {failed}"


def _working(report: CleanReport) -> str:
    attempt = report.activity.attempt if report.activity else len(report.attempts) + 1
    parts = [f"🟡 Working — attempt {attempt}"]
    if report.agent:
        note = f" ({inert_line(report.agent_note, 120)})" if report.agent_note else ""
        parts.append(f"agent {code(report.agent)}{note}")
    if report.job_url:
        parts.append(link("job", report.job_url))
    if report.branch:
        parts.append(link(code(report.branch), report.branch_url))
    return " · ".join(parts)


def _completed(report: CleanReport) -> str:
    verdict = report.verdict
    gates = f"{len(verdict.gates)}/{len(verdict.gates)} gates" if verdict else "no gates"
    if not report.accepted:  # a fault of ours must not look like success
        return f"⚠️ Not done — the run says completed, but its last verdict does not · {dollars(report.cost_usd)}"
    return f"✅ Done in {duration(report.seconds)} — {_where(report)} · {gates} · {dollars(report.cost_usd)}"


def _rejected(report: CleanReport) -> str:
    sign = _sign(report, "⚠️")
    return f"{sign} Not done — {_where(report)}, {_why(report)} · {dollars(report.cost_usd)}"


def _sign(report: CleanReport, sign: str) -> str:
    """Return the sign of what was not accepted: the hand where nothing but a person's word is missing."""
    return MARKS[State.ATTENTION] if report.verdict is not None and needs_person(report.verdict) else sign


def _waiting(report: CleanReport) -> str:
    blockers = report.plan.blocked_by if report.plan else ()
    named = ", ".join(f"#{number}" for number in blockers) or _why(report)
    return f"⏸ Waiting for {named}"


def _stopped(report: CleanReport) -> str:
    saved = f"; work saved on {link(code(report.branch), report.branch_url)}" if report.commit and report.branch else ""
    cost = f" · {dollars(report.cost_usd)}" if report.cost_usd else ""
    word = "Stopped" if report.outcome is Outcome.RELEASED else "Not done"
    return f"⛔ {word} — {_why(report)}{saved}{cost}"


def _where(report: CleanReport) -> str:
    """Say where the work is: a pull request, or a branch from which a person opens one."""
    if report.pull_request is not None:
        kind = "draft PR" if report.pull_request.draft else "PR"
        return link(f"{kind} #{report.pull_request.number}", report.pull_request.url)
    if report.branch is None or report.commit is None:
        return "nothing was pushed"
    branch = f"branch {link(code(report.branch), report.branch_url)}"
    return f"{branch} ({link('open the pull request', report.compare_url)})" if report.compare_url else branch


def _why(report: CleanReport) -> str:
    return inert_line(report.reason.rstrip(". "), REASON_LIMIT) or "no reason was given"


_OF_SEVERAL = {Outcome.COMPLETED: "✅ ", Outcome.REJECTED: "⚠️ Not done — "}
"""How the heading of a run for several issues begins, where it differs: it has no verdict of its own."""

_HEADLINES = {
    Outcome.COMPLETED: _completed,
    Outcome.REJECTED: _rejected,
    Outcome.BLOCKED: lambda report: f"⏸ Blocked — {_why(report)}",
    Outcome.WAITING: _waiting,
    Outcome.RELEASED: _stopped,
    Outcome.SKIPPED: lambda report: f"⏭ Skipped — {_why(report)}",
    Outcome.REFUSED: lambda report: f"❌ Not started — {_why(report)}",
    Outcome.FAILED: _stopped,
}


def _not_judged(report: CleanReport) -> str:
    return f"⚠️ Not judged — {_why(report)}"


def _passed(report: CleanReport) -> str:
    if not report.accepted:  # a fault of ours must not look like success
        return "⚠️ Not judged — the run says accepted, but its verdict does not"
    return f"✅ {_why(report).capitalize()} in {duration(report.seconds)}"


_CHECKED: Mapping[Outcome | None, Callable[[CleanReport], str]] = {
    None: lambda _: "🟡 The gates are running",
    Outcome.COMPLETED: _passed,
    Outcome.REJECTED: lambda report: f"{_sign(report, '❌')} {_why(report).capitalize()}",
    Outcome.REFUSED: _not_judged,
    Outcome.FAILED: _not_judged,
}
"""The heading for a pull request that was judged."""
