"""The models of `.coordinator.yml`: every key, its default and its bounds.

The string under a field is its documentation; the published JSON Schema is made from here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from coordinator.models import Frozen
from coordinator.sandbox.protocol import Network

Share = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Dollars = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class Section(Frozen):
    """A section of the configuration: immutable, unknown keys are errors, field strings are documentation."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class TriggerSection(Section):
    """Which account and which label make an issue ours."""

    assignee: str = "coordinator"
    """Login of the account; assigning an issue to it starts a run."""
    label: str = "agent"
    """Name of the label; putting it on an issue starts a run."""


class PriceSection(Section):
    """Dollars per million tokens."""

    input: Dollars = 0.0
    output: Dollars = 0.0
    cache_read: Dollars = 0.0
    cache_write: Dollars = 0.0


class AgentSection(Section):
    """Changes to one of the five profiles, or a profile of one's own. What is not given keeps its default."""

    model: str | None = None
    """Model id as the endpoint knows it."""
    base_url: str | None = None
    """Address of a Messages API; default: the one of the profile's environment variable."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key."""
    context_limit: Count | None = None
    """Tokens of prompt and reply together."""
    max_output_tokens: Count | None = None
    """Tokens of one reply."""
    capabilities: tuple[Literal["easy", "medium", "hard"], ...] | None = None
    """Difficulties that the profile handles."""
    best_for: str | None = None
    """One line for people."""
    price: PriceSection | None = None
    """Dollars per million tokens; 0 for a self-hosted model."""
    enabled: bool = True
    """False takes the profile out of the choice."""


class ContextSection(Section):
    """When the agent's history is replaced, as a share of the context limit less the output limit."""

    compact_at: Share = 0.80
    """From here on the history is replaced by a summary."""
    rotate_at: Share = 0.95
    """From here on a new conversation is started without asking the model."""


class RunBudget(Section):
    """Limits of one run."""

    dollars: Dollars = 5.0
    tokens: Count = 5_000_000
    turns: Count = 200
    minutes: Annotated[float, Field(gt=0)] = 60.0


class IssueBudget(Section):
    """Limits of all runs on one issue."""

    dollars: Dollars = 20.0
    runs: Count = 5


class DayBudget(Section):
    """Limits of one day (UTC) over all issues."""

    dollars: Dollars = 50.0


class BudgetSection(Section):
    """What may be spent."""

    run: RunBudget = RunBudget()
    issue: IssueBudget = IssueBudget()
    day: DayBudget = DayBudget()


class GateSection(Section):
    """One gate that runs a tool."""

    enabled: bool = True
    args: tuple[str, ...] = ()
    """Added to the tool's command line."""


class TestGateSection(GateSection):
    """The test gate."""

    minutes: Annotated[float, Field(gt=0)] = 30.0
    """Wall time for the whole suite."""


class CoverageGateSection(Section):
    """The coverage gate."""

    enabled: bool = True
    threshold: Percent = 85.0
    """Per cent of the packages' lines, compared as a float."""
    changed_lines: Percent = 85.0
    """Per cent of the changed lines."""


class IntegrityGateSection(Section):
    """The gate that sees whether a check was weakened."""

    enabled: bool = True


class CommandGateSection(Section):
    """A further gate of one's own, in any language."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    run: Annotated[str, Field(min_length=1)]
    """Shell command; exit status 0 passes."""
    minutes: Annotated[float, Field(gt=0)] = 10.0
    report: str | None = None
    """Path of a junit, SARIF or lcov file that the command writes."""


class GatesSection(Section):
    """What has to hold before work counts as done."""

    build: GateSection = GateSection()
    lint: GateSection = GateSection()
    test: TestGateSection = TestGateSection()
    coverage: CoverageGateSection = CoverageGateSection()
    integrity: IntegrityGateSection = IntegrityGateSection()
    commands: tuple[CommandGateSection, ...] = ()


class SandboxSection(Section):
    """How the commands of the agent and of the repository are confined."""

    network: Network = Network.NONE
    """What they may reach: ``none``, ``loopback`` or ``open``."""
    allow_unconfined: bool = False
    """Run even where the machine offers no confinement. Said in every comment."""


class QueueSection(Section):
    """How a queue is drained."""

    parallel: Count = 2
    """Runs dispatched at once."""


class Configuration(Section):
    """The whole of `.coordinator.yml`. An empty or absent file works for a Python project."""

    trigger: TriggerSection = TriggerSection()
    allow: tuple[int | str, ...] = ()
    """Logins or numeric ids that may start runs beside those the forge says may write."""
    base_branch: str | None = None
    """Default: the repository's default branch."""
    agents: dict[str, AgentSection] = Field(default_factory=dict)
    """Changes to profiles, and profiles of one's own, by name."""
    context: ContextSection = ContextSection()
    attempts: Count = 3
    """Submissions before the run ends as rejected."""
    escalate: bool = True
    """Try a rejected run once more with the next more capable profile."""
    budget: BudgetSection = BudgetSection()
    setup: tuple[str, ...] | None = None
    """Shell commands that prepare the project; default: found from the project's own files."""
    gates: GatesSection = GatesSection()
    protected_paths: tuple[str, ...] = (".gitea/**",)
    """Glob patterns that no run may change, beside those that are always protected."""
    sandbox: SandboxSection = SandboxSection()
    queue: QueueSection = QueueSection()
