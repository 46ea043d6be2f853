"""The flow of one pull request: the gates on its head, by the rules of the branch that it is for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError, ExitCode
from coordinator.flows.comment import IssueComment
from coordinator.flows.confinement import check_confinement
from coordinator.flows.journal import CHECK_STEPS, FETCHED, GATES, READY, VERIFIED, Journal
from coordinator.gates.suite import build_suite, require_gates
from coordinator.report.models import (
    AttemptReport,
    Changes,
    Outcome,
    PullRequestReport,
    RunReport,
    StepState,
    is_accepted,
)
from coordinator.report.statuses import failed_statuses, pending_statuses, verdict_statuses
from coordinator.report.words import plural
from coordinator.signals import Terminated
from coordinator.workspace.export import export
from coordinator.workspace.paths import shown
from coordinator.workspace.pull_request import clone_pull_request

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from coordinator.events.models import EventPullRequest
    from coordinator.flows.parts import Parts
    from coordinator.forge.models import CommitStatus, PullRequest
    from coordinator.gates.environment import TargetEnvironment
    from coordinator.gates.protocol import Verdict
    from coordinator.report.redaction import CleanReport
    from coordinator.workspace.pull_request import PullRequestClone

CANCELLED = "The run was cancelled. Push again, or start it again"
FAULT = "A fault of the coordinator itself broke the check off; the log names the place. Please report it"
RULES = (".coordinator.yml", ".gitea/", ".forgejo/", ".github/")
"""What says how pull requests are judged: a change of it counts from the next pull request on."""


def check_pull_request(
    parts: Parts, pull: EventPullRequest, *, verified: str, event: str, read_only: bool
) -> CleanReport:
    """Judge the head of a pull request and return the record of how it ended, free of secrets.

    With `read_only` nothing is written to the forge: no status, no comment. Expected failures end in the record, and in
    the statuses, so that none stays pending; a fault of the coordinator itself is raised, after the same.
    """
    live = parts.forge.pull_request(pull.number)
    check = _Check(parts, pull, live, verified=verified, event=event, read_only=read_only)
    if live.head_commit != pull.head_commit:
        return check.skip(f"{pull.head_commit[:7]} is not the head any more; the newer push is checked by its own run")
    if parts.settings.dry_run:
        return check.skip(f"Dry run: the gates would judge {pull.head_commit[:7]}")
    try:
        check.go()
    except CoordinatorError as error:
        check.break_off(str(error), error.exit_code)
    except Terminated:
        check.break_off(f"{CANCELLED}.", ExitCode.RETRYABLE)
    except Exception:
        check.break_off(f"{FAULT}.", ExitCode.RETRYABLE)
        raise
    return check.journal.clean


class _Check:
    """One check, step by step."""

    def __init__(  # (what the flow was given)
        self,
        parts: Parts,
        pull: EventPullRequest,
        live: PullRequest,
        *,
        verified: str,
        event: str,
        read_only: bool,
    ) -> None:
        self._parts = parts
        self._pull = pull
        self._read_only = read_only
        self._url = live.url
        publisher = None if read_only else IssueComment(parts.forge, pull.number, parts.clock)
        report = _open_report(parts, pull, live, verified, event)
        self.journal = Journal(
            report,
            steps=CHECK_STEPS,
            progress=parts.progress,
            publisher=publisher,
            redact=parts.redact,
            now=parts.now,
        )

    def skip(self, reason: str) -> CleanReport:
        """End before anything was done. The comment is left as it is."""
        self.journal.stop_publishing()
        self.journal.record(outcome=Outcome.SKIPPED, reason=reason)
        return self.journal.clean

    def go(self) -> None:
        """Do everything, in order."""
        require_gates(self._parts.settings.configuration.gates)
        self._set(pending_statuses(self.journal.report.gates, target_url=self.journal.report.job_url))
        self.journal.step(VERIFIED, StepState.DONE, self.journal.report.verified)
        clone = self._fetch()
        check_confinement(self._parts, self.journal.warn)
        environment = self._prepare(clone)
        self.journal.step(GATES, StepState.CURRENT)
        started = time.monotonic()
        verdict = self._judge(clone, environment)
        self._conclude(verdict, time.monotonic() - started)

    def break_off(self, reason: str, code: ExitCode) -> None:
        """End a check that an error or a signal broke off."""
        self._set(failed_statuses(self.journal.report.gates, reason, target_url=self.journal.report.job_url))
        self.journal.record(outcome=Outcome.FAILED, reason=reason, exit_code=int(code))
        self.journal.show(last=True)

    def _set(self, statuses: Iterable[CommitStatus]) -> None:
        """Set statuses. Without them the verdict is the same."""
        if self._read_only:
            return
        try:
            self._parts.forge.set_statuses(self._pull.head_commit, tuple(statuses))
        except CoordinatorError as error:
            self.journal.warn(f"the commit statuses could not be set: {error}")

    def _fetch(self) -> PullRequestClone:
        parts = self._parts
        clone = clone_pull_request(
            parts.forge.git_remote(),
            parts.git,
            parts.folder / "pull-request" / "clone.git",
            number=self._pull.number,
            base_branch=self._pull.base,
        )
        changed = tuple(map(shown, clone.repository.changed_files(clone.merge_base, clone.head)))
        insertions, deletions = clone.repository.line_counts(clone.merge_base, clone.head)
        self.journal.step(
            FETCHED,
            StepState.DONE,
            f"{clone.head[:7]} on {self._pull.base}@{clone.merge_base[:7]}, {len(changed)} files changed",
            base=f"{self._pull.base}@{clone.merge_base[:7]}",
            changes=Changes(files=changed, insertions=insertions, deletions=deletions),
        )
        if any(path.startswith(RULES) for path in changed):
            self.journal.warn("It changes how pull requests are judged; this one was judged by the rules of its base")
        return clone

    def _prepare(self, clone: PullRequestClone) -> TargetEnvironment:
        """Prepare the environment from what was there before the pull request: its own set-up runs nowhere."""
        source = self._parts.folder / "base"
        export(clone.repository, clone.merge_base, source)
        environment = self._parts.keeper.environment_for(source, self._parts.person)
        for note in environment.notes:
            self.journal.warn(note)
        self.journal.step(READY, StepState.DONE, environment.origin)
        return environment

    def _judge(self, clone: PullRequestClone, environment: TargetEnvironment) -> Verdict:
        configuration = self._parts.settings.configuration

        def write(tree: str, folder: Path) -> None:
            export(clone.repository, tree, folder)

        suite = build_suite(
            export=write,
            tree=clone.repository.tree_of(clone.head),
            base=clone.merge_base,
            section=configuration.gates,
            sandbox=self._parts.gate_sandbox,
            environment=lambda _source: environment,
            network=configuration.sandbox.network,
        )
        return suite.judge()

    def _conclude(self, verdict: Verdict, seconds: float) -> None:
        attempt = AttemptReport(number=1, agent="", turns=0, seconds=round(seconds, 3), verdict=verdict)
        for gate in verdict.gates:
            word = "passed" if gate.passed else "FAILED"
            self.journal.say(f"  {word} {gate.gate} ({gate.seconds:.1f} s): {gate.message}")
        accepted = is_accepted(verdict)
        failed = ", ".join(gate.gate for gate in verdict.failed_gates()) or "the verdict"
        reason = f"accepted by {plural(len(verdict.gates), 'gate')}" if accepted else f"rejected by {failed}"
        outcome = Outcome.COMPLETED if accepted else Outcome.REJECTED
        self.journal.record(attempts=(attempt,), outcome=outcome, reason=reason, exit_code=int(outcome.exit_code))
        self.journal.step(GATES, StepState.DONE if accepted else StepState.FAILED, reason)
        self._set(verdict_statuses(verdict, redact=self._parts.redact, target_url=self._url))
        self.journal.show(last=True)


def _open_report(parts: Parts, pull: EventPullRequest, live: PullRequest, verified: str, event: str) -> RunReport:
    started = parts.now()
    environment = parts.settings.environment
    gates = parts.settings.configuration.gates
    return RunReport(
        run=str(environment.run_number or started.strftime("%Y%m%dT%H%M%S")),
        is_check=True,
        job_url=environment.run_url(),
        issue_number=pull.number,
        issue_title=live.title,
        event=event,
        verified=verified,
        commit=pull.head_commit,
        pull_request=PullRequestReport(number=live.number, url=live.url, draft=live.draft),
        gates=tuple(name for name in ("build", "lint", "test", "coverage") if getattr(gates, name).enabled),
        sandbox=parts.gate_sandbox.description,
        settings={name: str(value) for name, value in parts.settings.describe().items()},
        started_at=started,
        updated_at=started,
    )
