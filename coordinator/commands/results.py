"""Showing how a run ended: on standard output, in a page, and to the runner."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from coordinator.report.console import harmless_anywhere, harmless_json
from coordinator.report.document import json_report
from coordinator.report.forecast import escalation
from coordinator.report.models import Outcome, RunReport
from coordinator.report.outputs import action_outputs, write_outputs, write_summary
from coordinator.report.page import report_page
from coordinator.report.redaction import CleanReport, Redactor, clean_report
from coordinator.report.summary import job_summary
from coordinator.report.words import dollars

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from coordinator.environment import Environment
    from coordinator.errors import ExitCode

REPORT_PAGE = "report.html"


def plain_report(
    environment: Environment,
    outcome: Outcome,
    reason: str,
    code: ExitCode | None = None,
    *,
    about: Mapping[str, object] | None = None,
) -> CleanReport:
    """Return the record of a run that has not worked on an issue itself. `about` are further fields of `RunReport`."""
    now = datetime.now(UTC)
    report = RunReport(
        outcome=outcome,
        reason=reason,
        exit_code=None if code is None else int(code),
        job_url=environment.run_url(),
        started_at=now,
        updated_at=now,
    ).model_copy(update=about)
    return clean_report(report, Redactor(environment.all_secrets()))


def print_json(document: JsonValue) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(harmless_json(document, indent=2) + "\n")


def save_page(report: CleanReport, folder: Path) -> CleanReport:
    """Write the report page into a folder and return the report with its path.

    A page that cannot be written is one line in the log: what was done is done all the same.
    """
    path = folder / REPORT_PAGE
    try:
        path.write_text(report_page(report), encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"coordinator: warning: the report page {path} cannot be written ({error.strerror})\n")
        return report
    return CleanReport(report.model_copy(update={"report_path": str(path)}))


def tell_runner(environment: Environment, report: CleanReport) -> None:
    """Write the step's outputs and the job summary, where the runner gives a place for them.

    A place that cannot be written is one line in the log: what was done is done all the same.
    """
    try:
        if environment.output_file is not None:
            write_outputs(environment.output_file, action_outputs(report))
        if environment.summary_file is not None:
            write_summary(environment.summary_file, job_summary(report))
    except OSError as error:
        what = f"{error.filename} cannot be written ({error.strerror}), so later steps do not see how the run ended"
        sys.stderr.write(f"coordinator: warning: {what}. Let GITHUB_OUTPUT and GITHUB_STEP_SUMMARY name files.\n")


def show_result(report: CleanReport, *, as_json: bool) -> int:
    """Print how the run ended and where to look; return the exit code.

    What was not done is one line on standard error as well, so that nobody takes it for done.
    """
    if as_json:
        print_json(json_report(report))
    else:
        sys.stdout.write(harmless_anywhere("\n".join(_result_lines(report))) + "\n")
    if report.outcome is not Outcome.COMPLETED:
        sys.stderr.write(harmless_anywhere(f"coordinator: {report.outcome or 'failed'}: {report.reason}") + "\n")
    return report.code


def _result_lines(report: CleanReport) -> list[str]:
    pull = report.pull_request
    rows = [
        ("outcome", f"{report.outcome}: {report.reason}"),
        *([] if report.is_check else _lines_of_work(report)),
        ("pull request", f"{pull.url}{' (draft)' if pull.draft else ''}" if pull else report.compare_url),
        ("report", report.report_path or ""),
    ]
    return [f"{name + ':':<14}{value}" for name, value in rows if value]


def _lines_of_work(report: CleanReport) -> list[tuple[str, str]]:
    return [
        ("issue", f"#{report.issue_number} {report.issue_title}" if report.issue_number else ""),
        ("agent", f"{report.agent} ({escalation(report)})" if report.escalated_from else report.agent),
        ("attempts", "; ".join(f"{attempt.number} {_verdict(attempt.verdict.passed)}" for attempt in report.attempts)),
        ("cost", dollars(report.cost_usd) if report.attempts or report.cost_usd else ""),
        ("branch", f"{report.branch} ({(report.commit or '')[:7]})" if report.branch else ""),
    ]


def _verdict(passed: bool) -> str:
    return "accepted" if passed else "rejected"
