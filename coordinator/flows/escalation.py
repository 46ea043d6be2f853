"""Whether work that the gates have rejected is tried once more, by which agent, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.protocol import Ending
from coordinator.errors import BudgetExceeded
from coordinator.flows.journal import IMPLEMENT
from coordinator.gates.judgement import needs_person
from coordinator.planning.assignment import more_capable
from coordinator.planning.endpoints import unavailable_agents
from coordinator.report.models import StepState

if TYPE_CHECKING:
    from coordinator.agent.protocol import AgentResult
    from coordinator.flows.journal import Journal
    from coordinator.flows.parts import Parts
    from coordinator.flows.run_money import RunMoney
    from coordinator.planning.models import AgentProfile, Plan


def escalated(parts: Parts, journal: Journal, money: RunMoney, plan: Plan, result: AgentResult) -> AgentProfile | None:
    """Return the profile that tries it once more, and say so where people look; None where the result stands.

    Only a rejection by the gates is tried again: an agent that the budget, a person or itself has stopped has not
    shown that a more capable one is needed. What the first one spent counts, and one prompt of the size that the plan
    expects has to be within the budgets of run, issue and day.
    """
    used = parts.profiles[journal.report.agent]
    if result.ending is not Ending.REJECTED or not parts.settings.configuration.escalate:
        return None
    if journal.report.verdict is not None and needs_person(journal.report.verdict):
        journal.note("not tried again: what is left needs a person, and no more capable agent")
        return None
    unavailable = unavailable_agents(parts.profiles, parts.settings.environment)
    profile = more_capable(used, plan.estimate, parts.profiles, unavailable=unavailable)
    if profile is None:
        journal.note(f"not tried again: no agent that can be called here is more capable than {used.name}")
        return None
    try:
        money.check(profile, prompt_tokens=plan.estimate.tokens)
    except BudgetExceeded as error:
        journal.warn(f"{profile.name} did not try it again: {error}")
        return None
    _announce(journal, used, profile)
    return profile


def _announce(journal: Journal, used: AgentProfile, profile: AgentProfile) -> None:
    report = journal.report
    failed = ", ".join(gate.gate for gate in report.verdict.failed_gates()) if report.verdict else ""
    note = f"was {used.name}: {failed or 'rejected'}{' failed' if failed else ''}"
    journal.note(f"{used.name} was rejected {len(report.attempts)} times; {profile.name} tries it once more")
    limit = report.attempt_limit
    journal.record(
        agent=profile.name,
        agent_note=note,
        escalated_from=used.name,
        attempt_limit=limit and limit * 2,
    )
    journal.step(IMPLEMENT, StepState.CURRENT, f"{profile.name} goes on ({note})")
