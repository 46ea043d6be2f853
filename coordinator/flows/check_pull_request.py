"""The flow of one pull request: the gates on its head, by the rules of the branch that it is for."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from coordinator.configuration_file import load_configuration
from coordinator.errors import CoordinatorError, ExitCode, Refused, Unreachable
from coordinator.events.permission import Permissions
from coordinator.flows.confinement import check_confinement
from coordinator.flows.journal import CHECK_STEPS, ENVIRONMENT, FETCHED, GATES, VERIFIED, Journal
from coordinator.flows.judging import judge
from coordinator.flows.line_comments import LineComments
from coordinator.flows.preparing import environment_of
from coordinator.flows.pull_request_display import HeadComment, HeadStatuses
from coordinator.flows.pull_request_notes import about_changes, about_rejection, about_tree
from coordinator.flows.waivers import WaiverDesk, issue_of
from coordinator.gates.cache.result_cache import kept_at
from coordinator.gates.choice import gate_names
from coordinator.gates.suite import require_gates
from coordinator.report.models import (
    AttemptReport,
    Changes,
    Outcome,
    PullRequestReport,
    RunReport,
    StepState,
    is_accepted,
)
from coordinator.report.statuses import failed_statuses, left_out_statuses, pending_statuses, verdict_statuses
from coordinator.report.words import plural, verdict_words
from coordinator.signals import Terminated
from coordinator.workspace.export import export
from coordinator.workspace.paths import shown
from coordinator.workspace.pull_request import clone_pull_request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from coordinator.events.models import EventPullRequest
    from coordinator.flows.parts import Parts
    from coordinator.forge.models import CommitStatus, PullRequest
    from coordinator.gates.integrity.findings import Waiver
    from coordinator.gates.protocol import Verdict
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.report.redaction import CleanReport
    from coordinator.workspace.pull_request import PullRequestClone

CANCELLED = "The run was cancelled. Push again, or start it again."
FAULT = "A fault of the coordinator itself broke the check off; the log names the place. Please report it."
NEWER = "a newer push is there, and is checked by its own run"


def check_pull_request(
    parts: Parts, pull: EventPullRequest, *, verified: str, event: str, read_only: bool
) -> CleanReport:
    """Judge the head of a pull request and return the record of how it ended, free of secrets.

    With `read_only` nothing is written to the forge: no status, no comment. Expected failures end in the record, and in
    the statuses, so that none stays pending; a fault of the coordinator itself is raised, after the same.
    """
    check = _Check(parts, pull, verified=verified, event=event, read_only=read_only)
    try:
        check.go()
    except CoordinatorError as error:
        outcome = Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED
        check.break_off(outcome, str(error), error.exit_code)
    except Terminated:
        check.break_off(Outcome.FAILED, CANCELLED, ExitCode.RETRYABLE)
    except Exception:
        check.break_off(Outcome.FAILED, FAULT, ExitCode.RETRYABLE)
        raise
    return check.journal.clean


class _Check:
    """One check, step by step."""

    def __init__(self, parts: Parts, pull: EventPullRequest, *, verified: str, event: str, read_only: bool) -> None:
        self._parts = parts
        self._pull = pull
        silent = read_only or parts.settings.dry_run
        self.journal = Journal(
            _open_report(parts, pull, verified=verified, event=event),
            progress=parts.progress,
            publisher=None if silent else HeadComment(parts.forge, pull, parts.clock),
            redact=parts.redact,
            now=parts.now,
            steps=CHECK_STEPS,
        )
        self._statuses = None if silent else HeadStatuses(parts.forge, pull.head_commit, self.journal.warn)
        self._announced = False

    def go(self) -> None:
        """Do everything, in order."""
        live = self._parts.forge.pull_request(self._pull.number)
        opened = PullRequestReport(number=live.number, url=live.url, draft=live.draft)
        self.journal.record(issue_title=live.title, pull_request=opened)
        reason = self._why_not(live)
        if reason:
            self._skip(reason)
            return
        self._use_rules_of(live.base)
        self._announce()
        clone = self._fetch(live.base)
        if clone.head != self._pull.head_commit:
            self._skip_moved(clone)
            return
        self._look_at_changes(clone, live.base)
        check_confinement(replace(self._parts, agent_sandbox=self._parts.gate_sandbox), self.journal.warn)
        environment = self._prepare(clone)
        self.journal.step(GATES, StepState.CURRENT)
        started = time.monotonic()
        verdict = self._judge(clone, environment)
        seconds = time.monotonic() - started
        if self._statuses is not None:
            comments = LineComments(self._parts.forge, self._pull.number, self._parts.redact, self.journal.warn)
            comments.show(verdict, clone.repository, clone.merge_base, clone.head, only_if_newest=True)
        self._conclude(verdict, seconds)

    def break_off(self, outcome: Outcome, reason: str, code: ExitCode) -> None:
        """End a check that an error or a signal broke off."""
        self._set(failed_statuses(self.journal.report.gates, reason, target_url=self._link))
        self.journal.record(outcome=outcome, reason=reason, exit_code=int(code))
        self.journal.show(last=True)

    def _why_not(self, live: PullRequest) -> str:
        """Say why there is nothing to judge; empty when there is."""
        commit = self._pull.head_commit[:7]
        if live.state != "open":
            return f"pull request #{live.number} is closed by now"
        if live.head_commit != self._pull.head_commit:
            return f"{commit} is not the head of pull request #{live.number} any more: {NEWER}"
        return f"Dry run: the gates would judge {commit}" if self._parts.settings.dry_run else ""

    def _skip(self, reason: str) -> None:
        """End without a verdict. The comment is left as it is, to whoever has one."""
        if self._announced:
            self._set(failed_statuses(self.journal.report.gates, reason, target_url=self._link))
        self.journal.record(outcome=Outcome.SKIPPED, reason=reason)

    def _skip_moved(self, clone: PullRequestClone) -> None:
        """End because what was fetched is another commit: one verdict must never stand on the other."""
        commit = self._pull.head_commit[:7]
        if self._parts.forge.pull_request(self._pull.number).head_commit == self._pull.head_commit:
            raise Unreachable(
                f"The forge names {commit} as the head of pull request #{self._pull.number}, and its git has "
                f"{clone.head[:7]} there",
                mend="Start the run again when the forge has caught up",
            )
        self._skip(f"{commit} is not the head of pull request #{self._pull.number} any more: {NEWER}")

    def _use_rules_of(self, branch: str) -> None:
        """Take gates and set-up from the branch that the pull request is for, as it is now.

        How its code is confined is left as the configuration of the run says: whoever opens a pull request chooses the
        branch, and may choose the one that asks for least.
        """
        settings = self._parts.settings
        path = settings.configuration_path
        own = load_configuration(self._parts.forge.read_file(path, ref=branch), file=f"{path} of {branch}")
        configuration = settings.configuration.model_copy(update={"gates": own.gates, "setup": own.setup})
        self._parts = replace(
            self._parts,
            settings=settings.model_copy(update={"configuration": configuration}),
            keeper=replace(self._parts.keeper, setup=own.setup),
        )
        described = {name: str(value) for name, value in self._parts.settings.describe().items()}
        self.journal.record(gates=gate_names(own.gates), settings=described)
        require_gates(own.gates)

    def _announce(self) -> None:
        self._announced = True
        self._set(pending_statuses(self.journal.report.gates, target_url=self._link))
        self.journal.step(VERIFIED, StepState.DONE, self.journal.report.verified)

    @property
    def _link(self) -> str:
        """Where a status leads to."""
        report = self.journal.report
        return report.job_url or (report.pull_request.url if report.pull_request else "")

    def _set(self, statuses: Iterable[CommitStatus]) -> None:
        if self._statuses is not None:
            self._statuses.set(statuses)

    def _fetch(self, base_branch: str) -> PullRequestClone:
        parts = self._parts
        folder = parts.folder / "pull-request" / "clone.git"
        return clone_pull_request(
            parts.forge.git_remote(), parts.git, folder, number=self._pull.number, base_branch=base_branch
        )

    def _look_at_changes(self, clone: PullRequestClone, base_branch: str) -> None:
        changed = clone.repository.changed_files(clone.merge_base, clone.head)
        insertions, deletions = clone.repository.line_counts(clone.merge_base, clone.head)
        base = f"{base_branch}@{clone.merge_base[:7]}"
        files = tuple(map(shown, changed))
        self.journal.step(
            FETCHED,
            StepState.DONE,
            f"{clone.head[:7]} on {base}, {plural(len(changed), 'file')} changed",
            base=base,
            changes=Changes(files=files, insertions=insertions, deletions=deletions),
        )
        for note in about_changes(changed, self._parts.settings.configuration_path):
            self.journal.warn(note)

    def _prepare(self, clone: PullRequestClone) -> TargetEnvironment:
        """Prepare the environment from what was there before the pull request: its own set-up runs nowhere."""
        source = self._parts.folder / "base"
        export(clone.repository, clone.merge_base, source)
        environment = environment_of(self._parts, source)
        for note in environment.notes:
            self.journal.warn(note)
        self.journal.step(ENVIRONMENT, StepState.DONE, environment.origin)
        return environment

    def _judge(self, clone: PullRequestClone, environment: TargetEnvironment) -> Verdict:
        """Run the gates, or give the verdict that is kept; who starts a run once more wants to have it judged anew."""
        verdict = judge(
            self._parts,
            clone.repository,
            tree=clone.repository.tree_of(clone.head),
            base=clone.merge_base,
            environment=environment,
            waivers=self._waivers(),
            name_gates=self._name_gates,
            note_left_out=self._note_left_out,
            anew=self._parts.settings.environment.run_attempt > 1,
        )
        if made := kept_at(verdict):
            self.journal.say(f"  this tree was judged at {made}; start the run again to have it judged anew")
        return verdict

    def _note_left_out(self, files: Collection[str]) -> None:
        for note in about_tree(files):
            self.journal.warn(note)

    def _waivers(self) -> tuple[Waiver, ...]:
        """Return what persons have waived by now, on the pull request and on the issue that its branch is for."""
        parts, pull = self._parts, self._pull
        issue = None if pull.fork else issue_of(pull.head)
        desk = WaiverDesk(parts.forge, Permissions(parts.forge, parts.settings.configuration.allow), self.journal.warn)
        return desk.read([pull.number] if issue is None else [pull.number, issue])

    def _name_gates(self, gates: tuple[str, ...]) -> None:
        """Say which gates the tree really gets, so that no status of another one stays pending."""
        announced = self.journal.report.gates
        self._set(left_out_statuses((name for name in announced if name not in gates), target_url=self._link))
        added = [name for name in gates if name not in announced]
        self._set(pending_statuses(added, target_url=self._link) if added else ())
        self.journal.record(gates=gates)

    def _conclude(self, verdict: Verdict, seconds: float) -> None:
        attempt = AttemptReport(number=1, agent="", turns=0, seconds=round(seconds, 3), verdict=verdict)
        self.journal.verdict(verdict)
        for note in about_rejection(verdict, self.journal.report.changes.files):
            self.journal.warn(note)
        self._set(verdict_statuses(verdict, redact=self._parts.redact, target_url=self._link))
        accepted = is_accepted(verdict)
        reason = verdict_words(verdict)
        outcome = Outcome.COMPLETED if accepted else Outcome.REJECTED
        state = StepState.DONE if accepted else StepState.FAILED
        self.journal.record(attempts=(attempt,), outcome=outcome, reason=reason, exit_code=int(outcome.exit_code))
        self.journal.step(GATES, state, reason)
        self.journal.show(last=True)


def _open_report(parts: Parts, pull: EventPullRequest, *, verified: str, event: str) -> RunReport:
    started = parts.now()
    environment = parts.settings.environment
    return RunReport(
        run=str(environment.run_number or started.strftime("%Y%m%dT%H%M%S")),
        is_check=True,
        job_url=environment.run_url(),
        issue_number=pull.number,
        event=event,
        verified=verified,
        commit=pull.head_commit,
        gates=gate_names(parts.settings.configuration.gates),
        sandbox=parts.gate_sandbox.description,
        started_at=started,
        updated_at=started,
    )
