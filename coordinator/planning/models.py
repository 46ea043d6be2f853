"""The records of planning."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, model_validator

from coordinator.agent.protocol import Price
from coordinator.models import Frozen


class Difficulty(StrEnum):
    """How hard an issue is, as a person or a model says."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


class Capability(StrEnum):
    """A difficulty level that a profile handles."""

    LOW = "easy"
    MEDIUM = "medium"
    HIGH = "hard"


class AgentName(StrEnum):
    """The five agents that come with the coordinator."""

    OPUS = "opus"
    SONNET = "sonnet"
    HAIKU = "haiku"
    GLM = "glm"
    MINIMAX = "minimax"


class AgentProfile(Frozen):
    """One agent: what it can do, what it costs, and how it is reached."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    model: str = Field(min_length=1)
    context_limit: int = Field(gt=0)
    """Tokens of prompt and reply together."""
    max_output_tokens: int = Field(gt=0)
    price: Price
    capabilities: tuple[Capability, ...] = Field(min_length=1)
    best_for: str
    base_url_env: str
    """Environment variable that may hold the address of the Messages API."""
    api_key_env: str
    """Environment variable that holds the key."""
    base_url: str | None = None
    """Address that stands in the configuration; wins over `base_url_env`."""
    key_required: bool = True
    """False for a self-hosted endpoint that takes requests without a key."""
    vendor_features: bool = False
    """Whether this is Anthropic's own API, which knows ``cache_control`` and ``thinking``."""
    enabled: bool = True

    @property
    def cost_per_mtok(self) -> float:
        """Dollars per million tokens, by which profiles are compared: three parts input to one part output."""
        return (3 * self.price.input + self.price.output) / 4

    @model_validator(mode="after")
    def _output_fits(self) -> AgentProfile:
        if self.max_output_tokens >= self.context_limit:
            message = f"max_output_tokens {self.max_output_tokens} must be below context_limit {self.context_limit}"
            raise ValueError(message)
        return self


class IssueMetadata(Frozen):
    """What an issue says or implies about the work."""

    estimated_context: int | None = Field(default=None, ge=0)
    """Tokens, as the issue states it."""
    difficulty: Difficulty
    assigned_agent: str | None = None
    """Profile that the issue asks for by name."""
    blocks: tuple[int, ...] = ()
    blocked_by: tuple[int, ...] = ()
    priority: str | None = None
    source: dict[str, str] = Field(default_factory=dict)
    """Where each field came from: ``front matter``, ``section``, ``label``, ``model``, ``repository``, ``default``."""
    notes: tuple[str, ...] = ()
    """What was ignored in the issue and why, one line each."""


class ContextEstimate(Frozen):
    """How many tokens of context the work will need."""

    tokens: int = Field(ge=0)
    """What assignment uses: the larger of what was stated and what the files say."""
    stated: int | None = None
    """What the issue states."""
    files: int = 0
    """Files that count, among them those that the issue names."""
    file_tokens: int = 0
    """Tokens of those files."""
    reason: str
    """One line: how the number came about."""


class Plan(Frozen):
    """What will be done with an issue, and why."""

    number: int
    title: str
    metadata: IssueMetadata
    estimate: ContextEstimate
    blocked_by: tuple[int, ...] = ()
    """Open issues that this one waits for, and those that it names but that do not exist."""
    missing: tuple[int, ...] = ()
    """Those of `blocked_by` that do not exist: waiting would never end."""
    foreign: tuple[str, ...] = ()
    """Blockers in other repositories, as ``owner/name#number``: nobody here would see them closed."""
    cycle: tuple[int, ...] = ()
    """Issues that wait for each other, this one among them: waiting would never end."""
    blocks: tuple[int, ...] = ()
    agent: str | None
    """Name of the chosen profile; None when nothing fits."""
    predicted_cost_usd: float | None = None
    """Dollars that this profile will need for the work, by the estimate; None without a profile."""
    reason: str
    """One line: why this agent, or why none and what to do."""
    ready: bool
    """Whether work may start now."""
    closed: bool = False
    """Whether the issue itself is closed."""

    @property
    def waits(self) -> bool:
        """Whether nothing but open issues holds it up, so that it can start by itself once these are closed."""
        for_good = self.missing or self.foreign or self.cycle or self.closed or self.agent is None
        return bool(self.blocked_by) and not for_good
