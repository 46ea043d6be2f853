"""Planning one issue against the commit that the work would start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.agent.protocol import Usage
from coordinator.events.permission import Permissions
from coordinator.flows.dependencies import DependencyReader
from coordinator.planning.classify import ModelClassifier, question
from coordinator.planning.endpoints import make_endpoint, unavailable_agents
from coordinator.planning.estimate import BYTES_PER_TOKEN
from coordinator.planning.plan import make_plan
from coordinator.planning.profiles import get_agent_profile
from coordinator.report.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.agent.budget import Budget
    from coordinator.forge.models import Issue
    from coordinator.forge.protocol import Forge
    from coordinator.planning.classify import Classification
    from coordinator.planning.models import AgentProfile, Plan
    from coordinator.settings import Settings
    from coordinator.workspace.objects import TrustedRepository

PLANNING_PROFILE = "sonnet"
"""The profile that is asked how hard an issue is."""
PLANNING_SECONDS = 120.0


class Classifier:
    """Asks the planning profile, and keeps account of what that cost."""

    def __init__(self, profile: AgentProfile, settings: Settings, budget: Budget) -> None:
        """`budget` is that of the run."""
        self._endpoint = make_endpoint(profile, settings.environment)
        self._redact = Redactor(settings.environment.all_secrets())
        self.budget = budget.for_model(profile.price, seconds=PLANNING_SECONDS)

    def classify(self, title: str, body: str) -> Classification:
        """Judge an issue; see `coordinator.planning.classify.PlanningModel`."""
        title, body = self._redact(title), self._redact(body)
        self.budget.check(len(question(title, body)) // BYTES_PER_TOKEN)
        from coordinator.agent.model import ModelClient  # noqa: PLC0415  (the SDK costs a second; a stated issue needs none)

        with ModelClient(self._endpoint, deadline=self.budget.deadline, charge=self.budget.charge) as client:
            return ModelClassifier(client.structured).classify(title, body)


class PlannedIssue:
    """A plan, and what making it cost."""

    def __init__(self, plan: Plan, usage: Usage, cost_usd: float) -> None:
        self.plan = plan
        self.usage = usage
        self.cost_usd = cost_usd


def plan_issue(
    issue: Issue,
    *,
    settings: Settings,
    forge: Forge,
    profiles: Mapping[str, AgentProfile],
    repository: TrustedRepository,
    commit: str,
    requested_agent: str | None,
    budget: Budget,
) -> PlannedIssue:
    """Plan the issue against the files of a commit, on the run's budget.

    Raises `Misconfigured` when no agent can be called at all.
    """
    if requested_agent is not None:
        get_agent_profile(requested_agent, profiles)  # before a model is asked anything
    unavailable = unavailable_agents(profiles, settings.environment)
    classifier = None
    if PLANNING_PROFILE in profiles and PLANNING_PROFILE not in unavailable:
        classifier = Classifier(profiles[PLANNING_PROFILE], settings, budget)

    reader = DependencyReader(
        forge,
        assignee=settings.trigger_assignee,
        label=settings.trigger_label,
        permissions=Permissions(forge, settings.configuration.allow),
    )
    plan = make_plan(
        issue,
        files={entry.path: entry.size for entry in repository.entries(commit) if entry.is_file},
        read=lambda path: repository.read_file(commit, path),
        profiles=profiles,
        unavailable=unavailable,
        requested_agent=requested_agent,
        said=reader.said(issue),
        blockers=reader.blockers(issue),
        model=classifier,
    )
    if classifier is None:
        return PlannedIssue(plan, Usage(), 0.0)
    return PlannedIssue(plan, classifier.budget.usage, classifier.budget.cost_usd)
