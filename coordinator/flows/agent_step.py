"""Putting the agent step together: task, tools, limits, and the watch over the claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.agent.bash import BashTool
from coordinator.agent.edit import EditTool
from coordinator.agent.loop import AgentLoop
from coordinator.agent.model import ModelClient
from coordinator.agent.opening import Opening, binding
from coordinator.agent.output import OutputFiles
from coordinator.agent.prompt import Task, system_prompt, task_message
from coordinator.agent.protocol import StopRequested
from coordinator.agent.tools import Toolbox
from coordinator.agent.transcript import Transcript
from coordinator.errors import CoordinatorError
from coordinator.flows.checkpoints import CheckpointKeeper
from coordinator.flows.resuming import open_conversation, read_earlier
from coordinator.gates.choice import choose
from coordinator.gates.target.packages import find_sources
from coordinator.planning.endpoints import make_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coordinator.agent.budget import Budget
    from coordinator.agent.protocol import AgentResult, ModelEndpoint, SubmissionJudge, TurnReport, Usage
    from coordinator.agent.replay import Replay
    from coordinator.configuration import GatesSection, RunBudget
    from coordinator.flows.journal import Journal
    from coordinator.flows.parts import Parts
    from coordinator.forge.models import Issue
    from coordinator.gates.target.environment import TargetEnvironment
    from coordinator.planning.models import AgentProfile, Plan
    from coordinator.workspace.workspace import Workspace

TRANSCRIPT = "transcript.jsonl"
INSTRUCTION_FILES = ("AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md")


@dataclass(frozen=True, slots=True)
class AgentStep:
    """One agent at work on one issue."""

    parts: Parts
    issue: Issue
    plan: Plan
    profile: AgentProfile
    workspace: Workspace
    environment: TargetEnvironment
    journal: Journal
    why_stop: Callable[[], str]
    """Says in one line why the run has to stop; empty while it is to go on. May raise what the forge raises."""
    budget: Budget
    """Of the whole run; the step uses a part of it."""
    rejection: str = ""
    """What an earlier agent of this run was told when it was rejected last, whose work is in the checkout."""

    def run(self, judge: SubmissionJudge) -> AgentResult:
        """Let the agent work until the end, whichever it is. Raises what `AgentLoop.run` raises."""
        parts, before = self.parts, (self.journal.report.usage, self.journal.report.cost_usd)
        budget = self.budget.for_model(self.profile.price)
        endpoint = make_endpoint(self.profile, parts.settings.environment)
        with (
            ModelClient(endpoint, deadline=budget.deadline, charge=budget.charge, patience=parts.patience) as client,
            Transcript(parts.kept / TRANSCRIPT, parts.redact) as transcript,
            OutputFiles(parts.agent_sandbox.make_folder("outputs")) as outputs,
        ):
            tools, system = self._tools(outputs, budget), system_prompt()
            replay = None if self.rejection else read_earlier(self.workspace, self.journal)
            keeper = CheckpointKeeper(
                parts,
                self.issue,
                self.workspace,
                transcript,
                profile=endpoint.profile,
                binding=binding(endpoint, system, tools.definitions),
                verdict=self.rejection or (replay.verdict if replay else ""),
                warn=self.journal.warn,
            )
            loop = AgentLoop(
                client,
                tools,
                budget=budget,
                transcript=transcript,
                watcher=_Watch(self.journal, self._limits(budget), before, self.why_stop),
                judge=judge,
                system=system,
                redact=parts.redact,
                context=parts.settings.configuration.context,
                work_state=keeper.work_state,
                on_reset=self.journal.reset,
            )
            task = self._task()
            opening = self._opening(replay, task, endpoint, keeper)
            if replay and opening.messages:
                transcript.write("resumed", how=opening.how, note=opening.note, verdict=replay.verdict)
            try:
                with keeper:
                    result = loop.run(task, opening=opening.messages, note=opening.note)
                    keeper.finish(result.ending)
                    return result
            finally:
                self.journal.record(usage=before[0] + budget.usage, cost_usd=before[1] + budget.cost_usd)

    def _opening(self, replay: Replay | None, task: str, endpoint: ModelEndpoint, keeper: CheckpointKeeper) -> Opening:
        """Return how the step begins: the first agent of a run goes on where an earlier run was broken off."""
        if self.rejection:
            return Opening((), "a new conversation")
        return open_conversation(
            replay,
            task,
            issue=self.issue,
            workspace=self.workspace,
            endpoint=endpoint,
            binding=keeper.binding,
            state=keeper.work_state,
            journal=self.journal,
        )

    def _limits(self, budget: Budget) -> RunBudget:
        """Return the limits to show: an earlier agent of this run may have used some of the turns."""
        limits = self.parts.settings.configuration.budget.run
        return limits.model_copy(update={"turns": budget.remaining_turns})

    def _tools(self, outputs: OutputFiles, budget: Budget) -> Toolbox:
        sandbox, checkout = self.parts.agent_sandbox, self.workspace.checkout
        roots = [checkout / root for root in find_sources(checkout).roots]
        bash = BashTool(
            sandbox,
            checkout,
            outputs,
            environment=self.environment.variables(*roots),
            network=self.parts.settings.configuration.sandbox.network,
            remaining_seconds=lambda: budget.remaining_seconds,
            redact=self.parts.redact,
        )
        return Toolbox([bash, EditTool(sandbox, checkout, python=str(self.environment.python))])

    def _task(self) -> str:
        sources = find_sources(self.workspace.checkout)
        facts = [f"packages: {', '.join(sources.places) or 'none found'}", _about(self.environment)]
        if self.workspace.resumed:
            facts.append("the checkout holds the work of an earlier run on this issue; go on from there")
        message = task_message(
            Task(
                number=self.issue.number,
                title=self.issue.title,
                body=self.issue.body,
                base_branch=self.workspace.base_branch,
                plan=self.plan.reason,
                gates=_gate_lines(self.parts.settings.configuration.gates, self.workspace.checkout, sources.places),
                facts=facts,
                instructions=_instructions(self.workspace),
                rejection=self.rejection,
            )
        )
        return self.parts.redact(message)  # a person may have pasted a key into the issue


class _Watch:
    """Shows every turn, and looks whether the claim still stands."""

    def __init__(
        self, journal: Journal, limits: RunBudget, before: tuple[Usage, float], why_stop: Callable[[], str]
    ) -> None:
        self._journal = journal
        self._limits = limits
        self._before = before
        self._why_stop = why_stop

    def __call__(self, report: TurnReport) -> None:
        """Take note of one turn; raise `StopRequested` when the claim stands no longer."""
        self._journal.turn(report, self._limits, self._before)
        try:
            reason = self._why_stop()
        except CoordinatorError as error:
            self._journal.say(f"warning: could not look whether the run is still wanted: {error}")
            return
        if reason:
            raise StopRequested(reason)


def _about(environment: TargetEnvironment) -> str:
    if not environment.is_own:
        return "the project is not in Python: the tools are those that the machine has"
    version = ".".join(map(str, environment.version))
    return f"`python` is Python {version} with the dependencies that the base branch names; none can be added here"


def _gate_lines(gates: GatesSection, checkout: Path, places: tuple[str, ...]) -> list[str]:
    packages = " ".join(places) or "."
    choice = choose(gates, checkout, None)
    lines = {
        "build": (gates.build.enabled, f"no type errors: `mypy --strict {packages}`"),
        "lint": (gates.lint.enabled, "no findings: `ruff check`"),
        "test": (gates.test.enabled, "all tests pass: `python -m pytest`"),
        "coverage": (
            gates.coverage.enabled,
            f"at least {gates.coverage.threshold:g} % of the packages' lines are run by the tests",
        ),
    }
    python = [f"{name}: {line}" for name, (enabled, line) in lines.items() if enabled and choice.python]
    commands = [f"{command.name}: `{command.line}` ends with 0" for command in choice.commands]
    return [*python, *commands, *([_integrity_line(gates)] if gates.integrity.enabled else [])]


def _integrity_line(gates: GatesSection) -> str:
    covered = f"the tests run {gates.coverage.changed_lines:g} % of the lines that you add; " * gates.coverage.enabled
    return (
        f"integrity: {covered}no comment, cast, skip or configuration that weakens a check is added, and no test is "
        "taken out: where the issue cannot be done without it, a person has to agree"
    )


def _instructions(workspace: Workspace) -> Mapping[str, str]:
    """Return the files of the base branch that say how to work here. Never those of the checkout."""
    found: dict[str, str] = {}
    for name in INSTRUCTION_FILES:
        content = workspace.repository.read_file(workspace.base_commit, name)
        if content:
            found[name] = content.decode("utf-8", errors="replace")
    return found
