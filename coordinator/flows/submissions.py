"""Judging what the agent submits: candidate tree, gates, and what the agent is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from coordinator.agent.budget import out_of_time
from coordinator.agent.protocol import Submission
from coordinator.events.permission import Permissions
from coordinator.flows.journal import GATES, IMPLEMENT
from coordinator.flows.judging import judge
from coordinator.flows.waivers import WaiverDesk
from coordinator.gates.judgement import UNFINISHED
from coordinator.report.models import AttemptReport, Changes, StepState

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.flows.journal import Journal
    from coordinator.flows.parts import Parts
    from coordinator.gates.continuation import ForcedContinuationService
    from coordinator.gates.integrity.findings import Waiver
    from coordinator.gates.protocol import Verdict
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.workspace.protocol import Candidate
    from coordinator.workspace.workspace import Workspace


LEFT_OUT_SHOWN = 10


class SubmissionDesk:
    """Takes the submissions of one agent step. Satisfies `coordinator.agent.protocol.SubmissionJudge`."""

    def __init__(
        self,
        parts: Parts,
        workspace: Workspace,
        environment: TargetEnvironment,
        journal: Journal,
        continuation: ForcedContinuationService,
        *,
        agent: str,
        remaining_seconds: Callable[[], float],
        check_claim: Callable[[], None],
    ) -> None:
        """`check_claim` raises where another run has the issue by now; `remaining_seconds` are those of the run."""
        self._remaining_seconds = remaining_seconds
        self._check_claim = check_claim
        self._parts = parts
        self._workspace = workspace
        self._environment = environment
        self._journal = journal
        self._continuation = continuation
        self._agent = agent
        self._since = time.monotonic()
        self._turns_before = 0
        self.candidate: Candidate | None = None
        """The last one that was judged."""
        self.rejection = ""
        """What the agent was told when it was rejected last; empty as long as it was not."""

    def __call__(self, summary: str, turns: int) -> Submission:
        """Judge what is in the agent's checkout now.

        Raises `BudgetExceeded` when the run's time ended while the gates were at work: what they then say is about the
        time and not about the work.
        """
        self._check_claim()
        candidate = self.take(summary)
        if candidate.empty:
            answer = self._continuation.nothing_changed()
            return Submission(accepted=False, final=answer.final, text=_with_left_out(answer.text, candidate))
        self._journal.step(IMPLEMENT, StepState.DONE, f"{turns} turns")
        self._journal.step(GATES, StepState.CURRENT)
        verdict = self._judge(candidate)
        if not verdict.passed and not self._remaining_seconds():
            self._journal.step(GATES, StepState.FAILED, "the time of the run ended")
            raise out_of_time()
        self._record(verdict, turns)
        answer = self._continuation.next(verdict)
        self.rejection = "" if answer.accepted else answer.text
        state = StepState.DONE if answer.accepted else StepState.FAILED
        self._journal.step(GATES, state, _in_one_line(verdict))
        if not answer.final:
            self._journal.step(IMPLEMENT, StepState.CURRENT, "mending what the gates rejected")
        return Submission(
            accepted=answer.accepted,
            final=answer.final,
            text=_with_left_out(answer.text, candidate),
            reason=answer.reason,
        )

    def accepts(self, summary: str) -> bool:
        """Judge what is in the checkout without counting it as a submission; a rejection is only told to people.

        `summary` is that of the earlier run which left the work. Raises what the forge, git and the gates raise.
        """
        candidate = self.take(summary)
        if candidate.empty:
            return False
        self._journal.step(GATES, StepState.CURRENT)
        verdict = self._judge(candidate)
        if verdict.passed:
            self._record(verdict, 0)
            self._journal.step(IMPLEMENT, StepState.DONE, "as an earlier run left it")
        else:
            self._since = time.monotonic()
            self._journal.note(f"the work of the earlier run is not accepted yet: {_in_one_line(verdict)}")
            self._journal.step(IMPLEMENT, StepState.CURRENT)
        self._journal.step(GATES, StepState.DONE if verdict.passed else StepState.FAILED, _in_one_line(verdict))
        return verdict.passed

    def take(self, summary: str) -> Candidate:
        """Build a candidate from the checkout, and keep it."""
        self.candidate = candidate = self._workspace.candidate(summary)
        self._journal.record(
            commit=candidate.commit,
            summary=summary,
            changes=Changes(
                files=candidate.changed_files, insertions=candidate.insertions, deletions=candidate.deletions
            ),
            refused_files=candidate.refused_files,
        )
        return candidate

    def waivers(self) -> tuple[Waiver, ...]:
        """Return what persons have waived by now, on the issue and on the pull request of the work."""
        parts, workspace = self._parts, self._workspace
        number = self._journal.report.issue_number
        desk = WaiverDesk(parts.forge, Permissions(parts.forge, parts.settings.configuration.allow), self._journal.warn)
        return desk.of_work(number, head=workspace.branch, base=workspace.base_branch)

    def _judge(self, candidate: Candidate) -> Verdict:
        """Run the gates. As long as the agent can try again, the first that fails ends the others."""
        return judge(
            self._parts,
            self._workspace.repository,
            tree=candidate.tree,
            base=candidate.base,
            environment=self._environment,
            waivers=self.waivers(),
            name_gates=lambda gates: self._journal.record(gates=gates),
            fail_fast=self._continuation.left > 1,
        )

    def _record(self, verdict: Verdict, turns: int) -> None:
        now = time.monotonic()
        number = len(self._journal.report.attempts) + 1
        attempt = AttemptReport(
            number=number,
            agent=self._agent,
            turns=turns - self._turns_before,
            seconds=round(now - self._since, 3),
            verdict=verdict,
        )
        self._turns_before, self._since = turns, now
        word = "accepted" if verdict.passed else "rejected"
        self._journal.note(f"attempt {number} {word}: {_in_one_line(verdict)}", attempt.seconds)
        self._journal.verdict(verdict)
        self._journal.record(attempts=(*self._journal.report.attempts, attempt))


def _with_left_out(text: str, candidate: Candidate) -> str:
    """Tell the agent what of its files did not get into the commit that was judged."""
    lines = [*candidate.refused_files, *candidate.left_out]
    if not lines:
        return text
    shown = "\n".join(f"- {line}" for line in lines[:LEFT_OUT_SHOWN])
    more = f"\n- and {len(lines) - LEFT_OUT_SHOWN} more" if len(lines) > LEFT_OUT_SHOWN else ""
    return f"{text}\n\nNot taken into the commit:\n{shown}{more}"


def _in_one_line(verdict: Verdict) -> str:
    failed = verdict.failed_gates()
    if not failed:
        return f"{len(verdict.gates)} of {len(verdict.gates)} gates passed"
    ended = [gate.gate for gate in failed if gate.details.get(UNFINISHED)]
    more = f", {', '.join(ended)} not finished" if ended else ""
    return f"{', '.join(gate.gate for gate in failed if gate.gate not in ended)} failed{more}"
