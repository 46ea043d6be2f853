"""The plan: what will be done with an issue, by whom, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import CoordinatorError
from coordinator.planning.assignment import assign
from coordinator.planning.estimate import Survey, predicted_cost
from coordinator.planning.models import Difficulty, IssueMetadata, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coordinator.forge.models import Issue
    from coordinator.planning.classify import Classification, PlanningModel
    from coordinator.planning.dependencies import Blockers
    from coordinator.planning.file_index import Reader
    from coordinator.planning.metadata import PartialMetadata
    from coordinator.planning.models import AgentProfile, ContextEstimate


def make_plan(
    issue: Issue,
    *,
    files: Mapping[str, int],
    read: Reader | None,
    profiles: Mapping[str, AgentProfile],
    unavailable: Mapping[str, str],
    requested_agent: str | None,
    said: PartialMetadata,
    blockers: Blockers,
    model: PlanningModel | None,
) -> Plan:
    """Plan one issue, of which `said` is what it says and `blockers` what is in its way.

    `files` lists the base commit (path to bytes) and `read` gives one of them; `unavailable` is what
    `endpoints.unavailable_agents` returns. The model is asked only about an issue that may start and that does not
    say how hard it is. Raises `Misconfigured` as `assignment.assign` does.
    """
    may_start = issue.state == "open" and not blockers.any
    survey = Survey(issue.title, issue.body, files, read)
    metadata, estimate = _complete(issue, said, survey, blockers, model if may_start else None)
    assignment = assign(metadata, estimate, profiles, requested=requested_agent, unavailable=unavailable)
    held = blockers.reason if issue.state == "open" else "the issue is closed: reopen it to have it worked on"
    return Plan(
        number=issue.number,
        title=issue.title,
        metadata=metadata,
        estimate=estimate,
        blocked_by=blockers.blocked_by,
        missing=blockers.missing,
        foreign=blockers.foreign,
        cycle=blockers.cycle,
        blocks=blockers.blocks,
        agent=assignment.agent,
        predicted_cost_usd=predicted_cost(estimate.tokens, profiles[assignment.agent]) if assignment.agent else None,
        reason="; then ".join(part for part in (held, assignment.reason) if part),
        ready=may_start and assignment.agent is not None,
        closed=issue.state == "closed",
    )


def _complete(
    issue: Issue,
    said: PartialMetadata,
    survey: Survey,
    blockers: Blockers,
    model: PlanningModel | None,
) -> tuple[IssueMetadata, ContextEstimate]:
    """Fill in what the issue does not say: from the model, else from the repository."""
    answer, failure = None, ""
    if model is not None and said.difficulty is None:
        answer, failure = _ask(model, issue)
    source = dict(said.source)
    difficulty, source["difficulty"] = _difficulty(said, answer, survey)
    stated, stated_by = said.estimated_context, "the issue"
    if stated is None and answer is not None:
        stated, stated_by = answer.estimated_context, "the model"
    if said.estimated_context is None:
        source["estimated_context"] = "repository" if answer is None else "model"
    metadata = IssueMetadata(
        estimated_context=stated,
        difficulty=difficulty,
        assigned_agent=said.assigned_agent,
        blocks=said.blocks,
        blocked_by=said.blocked_by,
        priority=said.priority,
        source=source,
        notes=(*said.notes, *blockers.notes, *([failure] if failure else [])),
    )
    return metadata, survey.estimate(stated, stated_by)


def _ask(model: PlanningModel, issue: Issue) -> tuple[Classification | None, str]:
    """Ask the model. Its failure is a note: the repository has an answer too, and the work itself will tell."""
    try:
        return model.classify(issue.title, issue.body), ""
    except (CoordinatorError, ValueError) as error:
        what = error.what if isinstance(error, CoordinatorError) else "its answer could not be used"
        return None, f"the model was not of use for planning: {what}"


def _difficulty(said: PartialMetadata, answer: Classification | None, survey: Survey) -> tuple[Difficulty, str]:
    if said.difficulty is not None:
        return said.difficulty, said.source["difficulty"]
    if answer is not None:
        return answer.difficulty, "model"
    if survey.difficulty is not None:
        return survey.difficulty, "repository"
    return Difficulty.MEDIUM, "default"
