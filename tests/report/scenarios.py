"""One report per outcome, as a run would make it. `python -m tests.report.scenarios` writes the golden files anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.agent.protocol import Usage
from coordinator.errors import ExitCode
from coordinator.gates.protocol import GateResult, Verdict
from coordinator.planning.models import ContextEstimate, Difficulty, IssueMetadata, Plan
from coordinator.report.comment import comment_body
from coordinator.report.models import (
    Activity,
    AttemptReport,
    Changes,
    Outcome,
    PullRequestReport,
    QueueReport,
    RunReport,
    Step,
    StepState,
    TakenIssue,
    TimelineEntry,
)
from coordinator.report.pull_request import pull_request_body, pull_request_title
from coordinator.report.redaction import Redactor, clean_report
from coordinator.report.summary import job_summary
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from pydantic import JsonValue

    from coordinator.report.redaction import CleanReport

GOLDEN = Path(__file__).parent / "golden"
START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
REDACT = Redactor([API_CANARY, FORGE_CANARY])


def gate(name: str, message: str = "fine", *, passed: bool = True, **details: JsonValue) -> GateResult:
    state = "passed" if passed else "failed"
    return GateResult(gate=name, passed=passed, message=message, details={"state": state, **details}, seconds=6.1)


FINDING: dict[str, JsonValue] = {
    "path": "tests/test_parser.py",
    "line": 31,
    "column": 0,
    "code": "test_empty",
    "message": "assert parse('') is None\nAssertionError: assert '' is None",
}

WEAKENED = GateResult(
    gate="integrity",
    passed=False,
    message="needs a person: 2 findings, first at tests/test_a.py:3: skip: a new skip",
    details={
        "state": "attention",
        "findings": [
            {
                "path": "tests/test_a.py", "line": 3, "column": 0, "code": "skip", "kind": "skip",
                "what": "tests/test_a.py", "severity": "attention",
                "message": "a new skip: let it run", "waiver": "Gate-Allow: skip tests/test_a.py",
            },
            {
                "path": "tests/test_b.py", "line": 9, "column": 0, "code": "skip", "kind": "skip",
                "what": "tests/test_b.py", "severity": "attention", "message": "another",
                "waiver": "Gate-Allow: skip tests/test_b.py",
            },
        ],
        "waived": [
            {
                "path": "tests/test_c.py", "line": 3, "column": 0, "code": "skip", "kind": "skip", "by": "dev",
                "what": "tests/test_c.py", "severity": "attention", "message": "let pass",
                "waiver": "Gate-Allow: skip tests/test_c.py",
            }
        ],
        "findings_total": 2,
    },
    seconds=0.2,
)  # fmt: skip
"""What only a person can let pass."""

ACCEPTING = Verdict(
    passed=True,
    tree="4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    gates=(
        gate("build", "mypy --strict finds nothing in 12 files"),
        gate("lint", "ruff finds nothing in 20 files"),
        gate("test", "311 tests passed"),
        gate("coverage", "91.4 % of the lines"),
    ),
)
REJECTING = Verdict(
    passed=False,
    tree="9daeafb9864cf43055ae93beb0afd6c7d144bfa4",
    gates=(
        gate("build", "mypy --strict finds nothing in 12 files"),
        gate("lint", "ruff finds nothing in 20 files"),
        gate(
            "test",
            "1 of 311 tests failed: tests/test_parser.py::test_empty",
            passed=False,
            findings=[FINDING],
            findings_total=1,
        ),
        gate("coverage", "91.0 % of the lines"),
    ),
)
FIRST = AttemptReport(number=1, agent="haiku", turns=9, seconds=201.0, verdict=REJECTING)
SECOND = AttemptReport(number=2, agent="haiku", turns=5, seconds=120.4, verdict=ACCEPTING)

THIRD = AttemptReport(
    number=2,
    agent="haiku",
    turns=5,
    seconds=120.4,
    verdict=ACCEPTING.model_copy(update={"passed": False, "gates": (*ACCEPTING.gates, WEAKENED)}),
)
"""Nothing but policy findings is left."""

PLAN = Plan(
    number=42,
    title="Parser fails on empty input",
    metadata=IssueMetadata(difficulty=Difficulty.EASY, source={"difficulty": "section"}),
    estimate=ContextEstimate(tokens=38_000, reason="counted 38k"),
    agent="haiku",
    reason="haiku: cheapest ($0.20 per million tokens) of 3 that take easy issues and hold 2 x 38k tokens",
    ready=True,
)


def steps(done: int, current: str = "") -> tuple[Step, ...]:
    """The checklist with the first `done` steps done."""
    named = (
        ("Event verified", "label agent by @dev, write access"),
        ("Planned", "difficulty easy, about 38k tokens, blocked by none"),
        ("Branch ready", "base main@1a2b3c4"),
        ("Implement", ""),
        ("Gates", ""),
        ("Pull request", ""),
    )

    def state(position: int, name: str) -> StepState:
        if position < done:
            return StepState.DONE
        return StepState.CURRENT if name == current else StepState.OPEN

    return tuple(
        Step(name=name, state=state(position, name), detail=detail if position < done else "")
        for position, (name, detail) in enumerate(named)
    )


BASE = RunReport(
    run="1187",
    job_url="https://forge.example/acme/app/actions/runs/1187",
    issue_number=42,
    issue_title="Parser fails on empty input",
    event="issues labeled",
    verified="label agent by @dev, write access",
    plan=PLAN,
    agent="haiku",
    base="main@1a2b3c4",
    branch="coordinator/issue-42",
    branch_url="https://forge.example/acme/app/src/branch/coordinator/issue-42",
    gates=("build", "lint", "test", "coverage"),
    attempt_limit=3,
    steps=steps(3, "Implement"),
    sandbox="uid 64123, clean environment",
    how_to_stop="remove the label or the assignee",
    started_at=START,
    updated_at=START + timedelta(seconds=271),
)

_WORKED = BASE.model_copy(
    update={
        "commit": "c0ffee254729296a45a3885639ac7e10f9d54979",
        "usage": Usage(input_tokens=12_345, output_tokens=6_789, cache_read_tokens=400_000, cache_write_tokens=30_000),
        "cost_usd": 0.91,
        "peak_context_share": 0.61,
        "changes": Changes(files=("app/parser.py", "tests/test_parser.py"), insertions=24, deletions=3),
        "timeline": (
            TimelineEntry(at=START, text="verified"),
            TimelineEntry(at=START + timedelta(seconds=20), text="attempt 1: rejected by test", seconds=201.0),
        ),
        "settings": {"attempts": "3", "trigger.label": "agent"},
        "updated_at": START + timedelta(seconds=700),
    }
)
_PULL_REQUEST = PullRequestReport(number=57, url="https://forge.example/acme/app/pulls/57", draft=False)

REPORTS: dict[str, RunReport] = {
    "working": BASE.model_copy(
        update={
            "attempts": (FIRST,),
            "activity": Activity(
                attempt=2,
                turn=14,
                turn_limit=60,
                context_share=0.61,
                cost_usd=0.42,
                cost_limit=3.0,
                text="bash: pytest -q",
            ),
            "agent_note": "was sonnet: budget",
        }
    ),
    "completed": _WORKED.model_copy(
        update={
            "outcome": Outcome.COMPLETED,
            "reason": "accepted by 4 gates",
            "pull_request": _PULL_REQUEST,
            "attempts": (FIRST, SECOND),
            "steps": steps(6),
            "summary": "Return `None` for empty input.\n\n- changed `parse()`\n- a test\n\nThanks @dev, closes #9!",
        }
    ),
    "rejected": _WORKED.model_copy(
        update={
            "outcome": Outcome.REJECTED,
            "reason": "test still fails after 1 attempt",
            "pull_request": _PULL_REQUEST.model_copy(update={"draft": True}),
            "attempts": (FIRST,),
            "steps": steps(4),
            "refused_files": (".gitea/workflows/ci.yml: protected",),
            "notes": ("the issue asks for opus, but it cannot be called, as ANTHROPIC_API_KEY is not set",),
            "summary": "I could not make test_empty pass.",
        }
    ),
    "needs-person": _WORKED.model_copy(
        update={
            "gates": (*BASE.gates, "integrity"),
            "outcome": Outcome.REJECTED,
            "reason": "It needs a person: 2 findings that only somebody with write access can waive",
            "pull_request": _PULL_REQUEST.model_copy(update={"draft": True}),
            "attempts": (FIRST, THIRD),
            "steps": steps(4),
            "summary": "The two tests need a server that the runner does not have, so they are skipped there.",
        }
    ),
    "blocked": BASE.model_copy(
        update={
            "outcome": Outcome.BLOCKED,
            "reason": "needs 2 x 180k tokens of context, the largest agent (opus) takes 200k: split the issue",
            "branch": None,
            "agent": "",
            "steps": steps(1),
        }
    ),
    "waiting": BASE.model_copy(
        update={
            "outcome": Outcome.WAITING,
            "reason": "waits for #40",
            "plan": PLAN.model_copy(update={"blocked_by": (40,), "ready": False}),
            "branch": None,
            "steps": steps(2),
        }
    ),
    "released": _WORKED.model_copy(update={"outcome": Outcome.RELEASED, "reason": "unassigned by @dev"}),
    "failed": _WORKED.model_copy(
        update={
            "outcome": Outcome.FAILED,
            "reason": "The budget of $3.00 is spent. Raise budget.run.dollars in .coordinator.yml.",
            "exit_code": int(ExitCode.NOT_ACCEPTED),
            "attempts": (FIRST,),
            "cost_usd": 3.0,
        }
    ),
    "refused": BASE.model_copy(
        update={
            "outcome": Outcome.REFUSED,
            "reason": "refused: stranger (id 9) has no write access. Add them to allow.",
            "branch": None,
            "agent": "",
            "plan": None,
            "verified": "",
            "steps": (),
        }
    ),
}


_CHECK = RunReport(
    run="1190",
    is_check=True,
    job_url="https://forge.example/acme/app/actions/runs/1190",
    issue_number=58,
    issue_title="Return None for empty input | @dev",
    event="pull_request synchronize",
    verified="pushed by @dev (write access by /assignees)",
    commit="c0ffee254729296a45a3885639ac7e10f9d54979",
    pull_request=PullRequestReport(number=58, url="https://forge.example/acme/app/pulls/58", draft=False),
    gates=("build", "lint", "test", "coverage"),
    steps=(
        Step(name="Event verified", state=StepState.DONE, detail="pushed by @dev (write access by /assignees)"),
        Step(name="Head fetched", state=StepState.DONE, detail="c0ffee2 on main@1a2b3c4, 2 files changed"),
        Step(name="Environment ready", state=StepState.DONE, detail="prepared"),
        Step(name="Gates", state=StepState.CURRENT),
    ),
    sandbox="uid 64123, clean environment",
    started_at=START,
    updated_at=START + timedelta(seconds=12),
)
_CHECKED = _CHECK.model_copy(
    update={
        "base": "main@1a2b3c4",
        "changes": Changes(files=("app/parser.py", "tests/test_parser.py"), insertions=24, deletions=3),
        "settings": {"platform": "gitea"},
        "updated_at": START + timedelta(seconds=71),
    }
)
_TWO_FAILED = Verdict(
    passed=False,
    tree=REJECTING.tree,
    gates=(
        REJECTING.gates[0],
        gate(
            "lint",
            "1 finding: app/parser.py:3:8: F401",
            passed=False,
            findings=[{"path": "app/parser.py", "line": 3, "column": 8, "code": "F401", "message": "unused import"}],
        ),
        *REJECTING.gates[2:],
    ),
)

CHECKS: dict[str, RunReport] = {
    "check-running": _CHECK,
    "check-completed": _CHECKED.model_copy(
        update={
            "outcome": Outcome.COMPLETED,
            "reason": "accepted by 4 gates",
            "attempts": (AttemptReport(number=1, agent="", turns=0, seconds=50.0, verdict=ACCEPTING),),
        }
    ),
    "check-rejected": _CHECKED.model_copy(
        update={
            "outcome": Outcome.REJECTED,
            "reason": "rejected by lint, test",
            "attempts": (AttemptReport(number=1, agent="", turns=0, seconds=50.0, verdict=_TWO_FAILED),),
            "notes": (
                "Judged by the rules of the base branch; this changes them: .coordinator.yml",
                "ruff.toml: not in the base, so its rules for the gates do not count",
            ),
        }
    ),
    "check-failed": _CHECK.model_copy(
        update={
            "outcome": Outcome.FAILED,
            "reason": "forge.example failed when asked to read pull request 58. Run again when it answers.",
            "exit_code": int(ExitCode.RETRYABLE),
        }
    ),
}
"""Of pull requests that were judged."""


QUEUE = RunReport(
    job_url="https://forge.example/acme/app/actions/runs/1191",
    outcome=Outcome.REJECTED,
    reason="Queue: #61 accepted, #58 rejected (found: 2 ready, 1 waiting)",
    exit_code=int(ExitCode.NOT_ACCEPTED),
    cost_usd=1.31,
    queue=QueueReport(
        processed_count=2,
        success_count=1,
        rejection_count=1,
        states={"ready": 2, "waiting": 1, "blocked": 0, "working": 0, "answered": 0},
        issues=(
            TakenIssue(
                number=61,
                state="accepted",
                reason="The quality gates accepted the work",
                pull_request=PullRequestReport(number=70, url="https://forge.example/acme/app/pulls/70", draft=False),
            ),
            TakenIssue(number=58, state="rejected", reason="The budget | of $5 is spent; [see](http://x)"),
        ),
    ),
    started_at=START,
    updated_at=START + timedelta(seconds=700),
)
"""Of a run that has worked through the queue itself."""


def clean(report: RunReport) -> CleanReport:
    return clean_report(report, REDACT)


def golden_texts() -> dict[str, str]:
    """File name to what it should hold."""
    texts = {f"comment-{name}.md": comment_body(clean(report)) for name, report in {**REPORTS, **CHECKS}.items()}
    texts["summary-queue.md"] = job_summary(clean(QUEUE))
    texts["summary-check-rejected.md"] = job_summary(clean(CHECKS["check-rejected"]))
    for name in ("completed", "rejected", "needs-person", "failed"):
        report = clean(REPORTS[name])
        texts[f"pull-request-{name}.md"] = f"{pull_request_title(report)}\n\n{pull_request_body(report)}"
        texts[f"summary-{name}.md"] = job_summary(report)
    return texts


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for file_name, text in golden_texts().items():
        (GOLDEN / file_name).write_text(text, encoding="utf-8")
