"""The models of `.coordinator.yml`: every key, its default and its bounds.

The string under a field is its documentation: see `coordinator.configuration_help`. The published JSON Schema is made
from here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from coordinator.checks import check_branch, check_key_variable, check_path, check_url
from coordinator.gates.integrity.kinds import Kind
from coordinator.models import Frozen
from coordinator.sandbox.protocol import Network

Share = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Dollars = Annotated[float, Field(ge=0)]
Minutes = Annotated[float, Field(gt=0, le=10_080)]
"""At most a week: more than any runner gives a job, and no more than a timer can hold."""
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]
ProfileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class Section(Frozen):
    """A section of the configuration: immutable, unknown keys are errors."""

    model_config = ConfigDict(allow_inf_nan=False)


class TriggerSection(Section):
    """Which account and which label make an issue ours."""

    assignee: Text = "coordinator"
    """Login of the account; assigning an issue to it starts a run. The workflow's `trigger-assignee` has to agree."""
    label: Text = "agent"
    """Name of the label; putting it on an issue starts a run. The workflow's `trigger-label` has to agree."""


class PriceSection(Section):
    """Dollars per million tokens."""

    input: Dollars = 0.0
    """Prompt tokens that are not cached."""
    output: Dollars = 0.0
    """Tokens of replies."""
    cache_read: Dollars = 0.0
    """Prompt tokens read from the cache."""
    cache_write: Dollars = 0.0
    """Prompt tokens written into the cache."""


class AgentSection(Section):
    """Changes to one of the five profiles, or a profile of one's own. What is not given keeps its default."""

    model: Text | None = None
    """Model id as the endpoint knows it."""
    base_url: Annotated[str, AfterValidator(check_url)] | None = None
    """Address of a Messages API; default: the one of the profile's environment variable."""
    api_key_env: Annotated[str, AfterValidator(check_key_variable)] | None = None
    """Name of the environment variable that holds the key: it ends in ``_KEY`` or ``_TOKEN``."""
    context_limit: Count | None = None
    """Tokens of prompt and reply together."""
    max_output_tokens: Count | None = None
    """Tokens of one reply."""
    capabilities: Annotated[tuple[Literal["easy", "medium", "hard"], ...], Field(min_length=1)] | None = None
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

    @model_validator(mode="after")
    def _in_order(self) -> ContextSection:
        if self.compact_at > self.rotate_at:
            message = "a compact_at that is not above rotate_at"
            raise ValueError(message)
        return self


class RunBudget(Section):
    """Limits of one run."""

    dollars: Dollars = 5.0
    """Cost of all model calls."""
    tokens: Count = 5_000_000
    """Prompt and reply tokens of all model calls."""
    turns: Count = 200
    """Replies of the model."""
    minutes: Minutes = 60.0
    """Wall time."""


class IssueBudget(Section):
    """Limits of all runs on one issue."""

    dollars: Dollars = 20.0
    """Cost of all model calls."""
    runs: Count = 5
    """Runs that started to work."""


class DayBudget(Section):
    """Limits of one day (UTC) over all issues."""

    dollars: Dollars = 50.0
    """Cost of all model calls."""


class BudgetSection(Section):
    """What may be spent."""

    run: RunBudget = RunBudget()
    """Limits of one run."""
    issue: IssueBudget = IssueBudget()
    """Limits of all runs on one issue."""
    day: DayBudget = DayBudget()
    """Limits of one day (UTC) over all issues."""


class GateSection(Section):
    """One gate that runs a tool."""

    enabled: bool = True
    """False leaves the gate out."""
    args: tuple[str, ...] = ()
    """Added to the tool's command line."""


class TestGateSection(GateSection):
    """The test gate."""

    __test__: ClassVar[bool] = False
    """No test of pytest's."""

    minutes: Minutes = 30.0
    """Wall time for the whole suite."""


class CoverageGateSection(Section):
    """The coverage gate."""

    enabled: bool = True
    """False leaves the gate out."""
    threshold: Percent = 85.0
    """Per cent of the packages' lines, compared as a float."""
    changed_lines: Percent = 85.0
    """Per cent of the changed lines."""


class IntegrityGateSection(Section):
    """The gate that sees whether a check was weakened."""

    enabled: bool = True
    """False leaves the gate out."""
    allow: dict[Kind, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """How many new ones of a kind need no person, e.g. ``{cast: 1}``; 0 for each that is not named."""
    mutants: Annotated[int, Field(ge=0, le=100)] = 4
    """Changes to changed lines that the tests have to notice, at most; 0 tries none."""
    flaky_counts: bool = False
    """Whether a test that fails on the base too, or passes when it is tried again, counts as failed."""


class CommandGateSection(Section):
    """A further gate of one's own, in any language."""

    name: ProfileName
    """Name of the gate in reports and statuses."""
    run: Text
    """Shell command; exit status 0 passes."""
    minutes: Minutes = 10.0
    """Wall time for the command."""
    report: Annotated[str, AfterValidator(check_path)] | None = None
    """Path of a junit, SARIF or lcov file that the command writes."""
    threshold: Percent | None = None
    """Per cent of the lines that an lcov report has to show; without it, the share is said and not judged."""


class GatesSection(Section):
    """What has to hold before work counts as done."""

    build: GateSection = GateSection()
    """Types: ``mypy --strict`` on the packages."""
    lint: GateSection = GateSection()
    """``ruff`` on the whole checkout; warnings fail."""
    test: TestGateSection = TestGateSection()
    """``pytest``: all tests pass, and there is at least one."""
    coverage: CoverageGateSection = CoverageGateSection()
    """How much of the packages the tests run through."""
    integrity: IntegrityGateSection = IntegrityGateSection()
    """Whether a check was weakened."""
    commands: tuple[CommandGateSection, ...] = ()
    """Further gates of one's own, in any language."""

    @model_validator(mode="after")
    def _names_differ(self) -> GatesSection:
        names = [*(name for name in type(self).model_fields if name != "commands"), *(c.name for c in self.commands)]
        if len(set(names)) < len(names):
            message = "a name for each command that no other gate has"
            raise ValueError(message)
        return self


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
    """Which account and which label make an issue ours."""
    allow: tuple[Annotated[int, Field(ge=1)] | Text, ...] = ()
    """Logins or numeric ids that may start runs beside those the forge says may write."""
    base_branch: Annotated[str, AfterValidator(check_branch)] | None = None
    """The branch that work starts from and goes to; default: the repository's default branch."""
    agents: dict[ProfileName, AgentSection] = Field(default_factory=dict)
    """Changes to profiles, and profiles of one's own, by name."""
    context: ContextSection = ContextSection()
    """When the agent's history is replaced."""
    attempts: Count = 3
    """Submissions before the run ends as rejected."""
    escalate: bool = True
    """Try a rejected run once more with the next more capable profile."""
    budget: BudgetSection = BudgetSection()
    """What may be spent."""
    setup: tuple[Text, ...] | None = None
    """Shell commands that prepare the project; default: found from the project's own files."""
    gates: GatesSection = GatesSection()
    """What has to hold before work counts as done."""
    protected_paths: tuple[Text, ...] = (".gitea/**",)
    """Glob patterns that no run may change, beside those that are always protected."""
    sandbox: SandboxSection = SandboxSection()
    """How the commands of the agent and of the repository are confined."""
    queue: QueueSection = QueueSection()
    """How a queue is drained."""
