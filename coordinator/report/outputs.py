"""What the runner reads from the step: outputs and the job summary."""

from __future__ import annotations

import json
import os
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coordinator.report.redaction import CleanReport

OUTPUT_LIMIT = 200_000
"""Characters of one output. GitHub allows 1 MiB for all of a job; a longer verdict loses its details."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


def action_outputs(report: CleanReport) -> dict[str, str]:
    """Return the outputs of the action by name. What a run did not come to is empty."""
    return {
        "outcome": report.outcome.value if report.outcome else "",
        "issue": "" if report.is_check else str(report.issue_number or ""),
        "agent": report.agent,
        "branch": report.branch or "",
        "pull-request": str(report.pull_request.number) if report.pull_request else "",
        "verdict": _verdict(report),
        "input-tokens": str(report.usage.prompt_tokens),
        "output-tokens": str(report.usage.output_tokens),
        "cost-usd": f"{report.cost_usd:.6f}",
        "report": report.report_path or "",
    }


def _verdict(report: CleanReport) -> str:
    if report.verdict is None:
        return ""
    full = json.dumps(report.verdict.model_dump(mode="json"), separators=(",", ":"))
    if len(full) <= OUTPUT_LIMIT:
        return full
    brief = report.verdict.model_dump(mode="json", exclude={"gates": {"__all__": {"details"}}})
    return json.dumps(brief, separators=(",", ":"))


def write_outputs(
    path: Path,
    outputs: Mapping[str, str],
    *,
    make_delimiter: Callable[[], str] = lambda: secrets.token_hex(16),
) -> None:
    """Write the step's outputs, each between lines of a random word that no value can know.

    The file is emptied first: on Gitea's runner anybody on the machine may append to it (``act/runner/step.go``
    creates it with mode 0666). Call it when no confined command is alive any more. Raises `OSError`.
    """
    _write(path, "".join(_entry(name, value, make_delimiter) for name, value in outputs.items()))


def _entry(name: str, value: str, make_delimiter: Callable[[], str]) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an output")
    delimiter = make_delimiter()
    while delimiter in value:
        delimiter = make_delimiter()
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def write_summary(path: Path, text: str) -> None:
    """Write the job summary in place of what is there. Raises `OSError`."""
    _write(path, text)


def _write(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(text.encode(errors="replace"))
