"""What a flow is given: the parts that a command has built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.gates.cache.result_cache import Caches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from coordinator.agent.model import Patience
    from coordinator.forge.protocol import Forge
    from coordinator.gates.target.preparing import EnvironmentKeeper
    from coordinator.planning.models import AgentProfile
    from coordinator.report.progress import Progress
    from coordinator.sandbox.protocol import Sandbox
    from coordinator.settings import Settings
    from coordinator.state.claims import Claims
    from coordinator.workspace.git import Git


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a flow works with. Built once, in `coordinator.commands.building`."""

    settings: Settings
    forge: Forge
    claims: Claims
    profiles: Mapping[str, AgentProfile]
    agent_sandbox: Sandbox
    """For the agent's commands."""
    gate_sandbox: Sandbox
    """For set-up and gates: the agent can leave nothing for them in HOME or TMPDIR."""
    keeper: EnvironmentKeeper
    folder: Path
    """Private to this run, gone afterwards."""
    kept: Path
    """Folder for what outlives the run: transcript, report page, and work that could not be pushed."""
    git: Git
    """With the operator's PATH, proxies and certificates."""
    progress: Progress
    redact: Callable[[str], str]
    now: Callable[[], datetime]
    clock: Callable[[], float]
    """Monotonic seconds."""
    person: Path | None
    """The repository of the person who runs the command; None in a runner."""
    caches: Caches = field(default_factory=Caches)
    """What the gates may use of earlier judgements."""
    patience: Patience | None = None
    """How long a model call is tried; None for the default."""
