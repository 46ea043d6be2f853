"""What the agent step needs from outside, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from coordinator.models import Frozen

if TYPE_CHECKING:
    from pydantic import SecretStr


class Usage(Frozen):
    """Tokens of one or several model calls. `input_tokens` is the uncached part only, as the Messages API counts it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Add up field by field."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
        )

    @property
    def prompt_tokens(self) -> int:
        """What stood in the context window before the reply."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        """Prompt and reply."""
        return self.prompt_tokens + self.output_tokens


class Price(Frozen):
    """Dollars per million tokens. All 0 for a self-hosted model."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    long_prompt_over: int | None = None
    """Prompts longer than this many tokens cost `long_prompt_factor` times as much."""
    long_prompt_factor: float = 1.0

    def cost(self, usage: Usage) -> float:
        """Return the dollars of one call."""
        dollars = (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        ) / 1_000_000
        if self.long_prompt_over is not None and usage.prompt_tokens > self.long_prompt_over:
            dollars *= self.long_prompt_factor
        return dollars


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """All that is needed to call one model: an agent profile joined with its key."""

    profile: str
    """Name of the agent profile, for messages."""
    model: str
    base_url: str
    api_key: SecretStr
    context_limit: int
    """Tokens of prompt and reply together that the profile may use."""
    max_output_tokens: int
    price: Price
    vendor_features: bool
    """True for Anthropic's own API: ``cache_control`` and ``thinking`` may be sent. Compatible servers get neither."""
    api_key_env: str = ""
    """Name of the variable that the key came from, for messages."""


class Ending(StrEnum):
    """Why the agent step ended."""

    ACCEPTED = "accepted"
    """The last submission was accepted by the gates."""
    REJECTED = "rejected"
    """The gates rejected as many submissions as were allowed."""
    BUDGET = "budget"
    """A limit on money, tokens, turns or time."""
    STUCK = "stuck"
    """The agent went round in circles, said nothing useful, or its replies could not be used."""
    DECLINED = "declined"
    """The model refused the task."""
    STOPPED = "stopped"
    """The run lost its claim, or was cancelled."""
    FAILED = "failed"
    """The model could not be reached after the tries."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What comes back for a `submit` of the agent."""

    accepted: bool
    final: bool
    """No further submission is allowed, whatever this one was."""
    text: str
    """What the agent is told: the result of the `submit` call."""
    reason: str = ""
    """Why this was the last one, for people; empty when the submissions are used up."""


class SubmissionJudge(Protocol):
    """Builds the candidate tree, runs the gates and says what comes next."""

    def __call__(self, summary: str, turns: int) -> Submission:
        """Judge what is in the agent's checkout now. `turns` counts from the start of the agent step."""
        ...


@dataclass(frozen=True, slots=True)
class WorkState:
    """What the checkout looks like now, for a handoff."""

    git: str
    """Status and difference from the base by file, bounded."""
    verdict: str
    """What the gates said last; empty when nothing was judged yet."""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What one turn was, for the log, the comment and the watch over the claim."""

    turn: int
    activity: str
    """One line without secrets: what the agent does, e.g. ``bash: pytest -q``."""
    context_tokens: int
    context_share: float
    """Of the context limit less the output limit, 0 to 1 and above."""
    cost_usd: float
    """Spent in this agent step so far."""
    usage: Usage
    """Of this agent step so far."""
    resets: int = 0
    """How often a new conversation has taken the place of one whose context was full."""


class TurnWatcher(Protocol):
    """Is told of every turn; may end the agent step by raising `StopRequested`."""

    def __call__(self, report: TurnReport) -> None:
        """Take note of one turn, before its tool calls run."""
        ...


class StopRequested(Exception):
    """The claim of this run stands no longer. The agent step ends with `Ending.STOPPED` and this reason."""


@dataclass(frozen=True, slots=True)
class AgentResult:
    """How the agent step ended and what it used."""

    ending: Ending
    reason: str
    """One line for people, with the mend where there is one."""
    summary: str
    """The agent's own last words on its work; untrusted text."""
    turns: int
    usage: Usage
    cost_usd: float
    seconds: float
