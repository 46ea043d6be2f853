"""The flow of one issue: plan, prepare, let the agent work, judge, hand over. Here is the order of these steps."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from coordinator.agent.protocol import Ending
from coordinator.errors import CoordinatorError, ExitCode, Refused, Unreachable
from coordinator.events.permission import Permissions
from coordinator.flows.agent_step import AgentStep
from coordinator.flows.checkpoints import forget
from coordinator.flows.claim import IssueClaim
from coordinator.flows.confinement import check_confinement
from coordinator.flows.escalation import escalated
from coordinator.flows.estimates import ask_estimates
from coordinator.flows.hand_over import hand_over, push_work, refuse_secrets
from coordinator.flows.journal import IMPLEMENT, PLANNED, READY, VERIFIED
from coordinator.flows.plan_issue import plan_issue
from coordinator.flows.preparing import ending_in_time, open_journal, open_workspace, prepare_environment
from coordinator.flows.run_money import RunMoney
from coordinator.flows.submissions import SubmissionDesk
from coordinator.flows.waived_work import accept_waived
from coordinator.gates.continuation import ForcedContinuationService
from coordinator.gates.suite import require_gates
from coordinator.report.models import Outcome, StepState
from coordinator.signals import Terminated
from coordinator.state.money import DaySpent

if TYPE_CHECKING:
    from coordinator.agent.protocol import AgentResult
    from coordinator.flows.parts import Parts
    from coordinator.flows.work_order import WorkOrder
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.planning.models import AgentProfile, Plan
    from coordinator.report.redaction import CleanReport
    from coordinator.state.claims import Held
    from coordinator.workspace.workspace import Workspace

HOW_TO_STOP = "comment /coordinator stop, take the assignment or label away, or close the issue"

TAKEN_OVER = "Another run has taken the issue over, because this one gave no sign of life for too long"

CANCELLED = "The run was cancelled. Start it again to go on."

FAULT = "A fault of the coordinator itself broke the run off; the log names the place. Please report it."

_ENDINGS: dict[Ending, tuple[Outcome, ExitCode]] = {
    Ending.ACCEPTED: (Outcome.COMPLETED, ExitCode.DONE),
    Ending.REJECTED: (Outcome.REJECTED, ExitCode.NOT_ACCEPTED),
    Ending.BUDGET: (Outcome.FAILED, ExitCode.NOT_ACCEPTED),
    Ending.STUCK: (Outcome.FAILED, ExitCode.NOT_ACCEPTED),
    Ending.DECLINED: (Outcome.FAILED, ExitCode.NOT_ACCEPTED),
    Ending.STOPPED: (Outcome.RELEASED, ExitCode.DONE),
    Ending.FAILED: (Outcome.FAILED, ExitCode.RETRYABLE),
}


def work_issue(parts: Parts, order: WorkOrder) -> CleanReport:
    """Work on one issue and return the record of how it ended, free of secrets.

    An issue that another run has, or whose request another run has answered, is left alone, its comment too. Expected
    failures end in the record, with the work that is there pushed; a fault of the coordinator itself is raised, after
    the same.
    """
    run = _IssueRun(parts, order)
    try:
        run.go()
    except CoordinatorError as error:
        if isinstance(error, DaySpent):
            run.journal.record(resumes_at=error.until)
        run.break_off(Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED, str(error), error.exit_code)
    except Terminated:
        run.break_off(Outcome.FAILED, CANCELLED, ExitCode.RETRYABLE)
    except Exception:
        run.break_off(Outcome.FAILED, FAULT, ExitCode.RETRYABLE)
        raise
    finally:
        run.give_back()
    return run.journal.clean


class _IssueRun:
    """One run on one issue, step by step."""

    def __init__(self, parts: Parts, order: WorkOrder) -> None:
        self._money = RunMoney(parts.settings, parts.claims, order.issue.number)
        self._parts = ending_in_time(parts, self._money.budget)
        self._order = order
        self._issue = order.issue
        self._workspace: Workspace | None = None
        self._desk: SubmissionDesk | None = None
        self._stack = ExitStack()
        self._claim: IssueClaim | None = None
        self.journal = open_journal(parts, order, how_to_stop=HOW_TO_STOP)

    def go(self) -> None:
        """Do everything, in order."""
        held = self._take_claim()
        if held is not None:
            self.journal.record(outcome=Outcome.SKIPPED, reason=held.reason)
            return
        self.journal.step(VERIFIED, StepState.DONE, self._order.verified)
        require_gates(self._parts.settings.configuration.gates)
        workspace = self._workspace = open_workspace(self._parts, self._issue.number)
        plan = self._plan(workspace)
        if plan.agent is None or not plan.ready:
            self._finish(Outcome.WAITING if plan.waits else Outcome.BLOCKED, plan.reason)
        elif self._parts.settings.dry_run:
            self._finish(Outcome.SKIPPED, f"Dry run: {plan.agent} would work on this. {plan.reason}")
        else:
            self._work(workspace, plan, plan.agent)

    def give_back(self) -> None:
        """Give the claim back, whatever the ending was. Without one there is nothing to do."""
        self._stack.close()
        if self._claim is not None:
            self._claim.finish(self.journal.report)

    def _take_claim(self) -> Held | None:
        """Take the issue for this run; return who has it. A dry run takes nothing."""
        if self._parts.settings.dry_run:
            return None
        parts = self._parts
        claim = IssueClaim(
            self._order,
            claims=parts.claims,
            forge=parts.forge,
            settings=parts.settings,
            permissions=Permissions(parts.forge, parts.settings.configuration.allow),
            money=self._money,
            warn=self.journal.warn,
            now=parts.now,
        )
        held = claim.take()
        if held is None:
            self._claim = self._stack.enter_context(claim)
        return held

    def break_off(self, outcome: Outcome, reason: str, code: ExitCode) -> None:
        """End a run that an error or a signal broke off. What the agent has done so far is pushed as it is."""
        self._stand_back()
        self.journal.record(outcome=outcome, reason=reason, exit_code=int(code))
        try:
            if self._workspace is not None and self._desk is not None:
                self._hand_over(self._workspace, self._desk, judged=False)
        except CoordinatorError as error:
            self.journal.warn(f"The work could not be handed over: {error}")
        self._finish(outcome, reason, code)

    def _plan(self, workspace: Workspace) -> Plan:
        planned = plan_issue(
            self._issue,
            settings=self._parts.settings,
            forge=self._parts.forge,
            profiles=self._parts.profiles,
            repository=workspace.repository,
            commit=workspace.base_commit,
            requested_agent=self._parts.settings.agent,
            budget=self._money.budget,
        )
        plan = planned.plan
        accuracy = ask_estimates(self._parts.claims, self.journal.warn)
        self.journal.note(f"plan: {plan.reason}")
        for note in plan.metadata.notes:
            self.journal.warn(note)
        self.journal.step(
            PLANNED,
            StepState.DONE if plan.ready else StepState.FAILED,
            f"difficulty {plan.metadata.difficulty.value}, about {plan.estimate.tokens} tokens; {plan.reason}",
            plan=plan,
            agent=plan.agent or "",
            usage=planned.usage,
            cost_usd=planned.cost_usd,
            accuracy=accuracy,
            base=f"{workspace.base_branch}@{workspace.base_commit[:7]}",
        )
        return plan

    def _work(self, workspace: Workspace, plan: Plan, agent: str) -> None:
        profile = self._parts.profiles[agent]
        self._money.check(profile)
        check_confinement(self._parts, self.journal.warn)
        environment = prepare_environment(self._parts, workspace, self.journal, self._money.budget)
        word = "continued" if workspace.resumed else "new"
        self.journal.step(READY, StepState.DONE, f"{workspace.branch} ({word}), base {self.journal.report.base}")
        self.journal.step(IMPLEMENT, StepState.CURRENT)
        desk, result = self._let_work(workspace, plan, profile, environment)
        if more := escalated(self._parts, self.journal, self._money, plan, result):
            desk, result = self._let_work(workspace, plan, more, environment, rejection=desk.rejection)
        self._close(workspace, desk, result)

    def _let_work(
        self,
        workspace: Workspace,
        plan: Plan,
        profile: AgentProfile,
        environment: TargetEnvironment,
        *,
        rejection: str = "",
    ) -> tuple[SubmissionDesk, AgentResult]:
        """Let one agent work until its end. `rejection` is what an earlier one was told, whose work is there."""
        budget = self._money.budget
        desk = self._desk = SubmissionDesk(
            self._parts,
            workspace,
            environment,
            self.journal,
            ForcedContinuationService(self._parts.settings.configuration.attempts),
            agent=profile.name,
            remaining_seconds=lambda: budget.remaining_seconds,
            check_claim=self._check_claim,
        )
        step = AgentStep(
            self._parts,
            self._issue,
            plan,
            profile,
            workspace,
            environment,
            self.journal,
            self._why_stop,
            budget,
            rejection=rejection,
        )
        result = (None if rejection else accept_waived(workspace, self._issue, desk)) or step.run(desk)
        self.journal.record(ending=result.ending, turns=self.journal.report.turns + result.turns)
        return desk, result

    def _stand_back(self) -> bool:
        """Leave the comment to the run that has the issue by now; return whether there is one."""
        is_lost = self._claim is not None and self._claim.is_lost()
        if is_lost:
            self.journal.stop_publishing()
        return is_lost

    def _check_claim(self) -> None:
        """Leave branch and pull request to the run that has the issue by now, too."""
        if self._stand_back():
            raise Unreachable(TAKEN_OVER, mend="Look at the comment of that run; nothing needs to be done here")

    def _why_stop(self) -> str:
        return self._claim.why_stop() if self._claim else ""

    def _close(self, workspace: Workspace, desk: SubmissionDesk, result: AgentResult) -> None:
        outcome, code = _ENDINGS[result.ending]
        self._stand_back()
        self.journal.record(
            outcome=outcome,
            reason=result.reason,
            exit_code=int(code),
            summary=result.summary,
            activity=None,
            resumes_at=self._money.until if result.ending is Ending.BUDGET else None,
        )
        if outcome is not Outcome.COMPLETED:
            self.journal.step(IMPLEMENT, StepState.FAILED, f"{result.turns} turns; {result.reason}")
        try:
            self._hand_over(workspace, desk, judged=result.ending in {Ending.ACCEPTED, Ending.REJECTED})
        except CoordinatorError as error:
            self._finish_undelivered(error)
        else:
            if outcome is Outcome.COMPLETED:
                forget(workspace, self.journal.warn)
            self._finish(outcome, result.reason + self._left_to_a_person(), code)

    def _finish_undelivered(self, error: CoordinatorError) -> None:
        """End a run whose work could not be handed over. What the gates said stands; it is not done all the same."""
        report = self.journal.report
        if report.outcome is Outcome.COMPLETED:
            self._finish(Outcome.FAILED, f"{report.reason}, but {error}", error.exit_code)
        else:
            self.journal.warn(f"The work could not be handed over: {error}")
            self._finish(report.outcome or Outcome.FAILED, report.reason, ExitCode(report.code))

    def _left_to_a_person(self) -> str:
        report = self.journal.report
        return f"; open the pull request by hand: {report.compare_url}" if report.compare_url else ""

    def _hand_over(self, workspace: Workspace, desk: SubmissionDesk, *, judged: bool) -> None:
        """Push what there is and open the pull request. What cannot be pushed is kept as a patch."""
        candidate = desk.candidate if judged else desk.take(self.journal.report.summary or "Work in progress")
        if candidate is None or candidate.empty:
            return
        refuse_secrets(workspace, candidate, self._parts.settings.environment.all_secrets())
        try:
            self._check_claim()
            push_work(workspace, candidate, self.journal)
        except CoordinatorError:
            patch = self._parts.kept / "work.patch"
            patch.write_text(workspace.repository.diff(candidate.base, candidate.commit), encoding="utf-8")
            self.journal.warn(f"The work could not be pushed; it is in {patch}")
            raise
        hand_over(self._parts, workspace, candidate, self.journal)

    def _finish(self, outcome: Outcome, reason: str, code: ExitCode | None = None) -> None:
        code = outcome.exit_code if code is None else code
        self.journal.record(outcome=outcome, reason=reason, exit_code=int(code), activity=None)
        self.journal.show(last=True)
