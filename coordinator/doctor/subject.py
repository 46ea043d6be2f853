"""What the checks are about: one repository on one forge, found out piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coordinator.configuration_file import load_configuration
from coordinator.doctor.examining import NotKnown, Once
from coordinator.doctor.workflow_file import Workflow, find_workflow
from coordinator.planning.endpoints import unavailable_agents
from coordinator.planning.profiles import configured_profiles
from coordinator.settings import Settings, make_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coordinator.configuration import Configuration
    from coordinator.environment import Environment
    from coordinator.forge.models import Account, Repository, Server
    from coordinator.forge.protocol import Forge
    from coordinator.planning.models import AgentProfile


@dataclass(frozen=True, slots=True)
class Trigger:
    """Which account and which label start a run by an event."""

    assignee: str
    label: str


@dataclass(frozen=True, slots=True)
class Agents:
    """The profiles that are not disabled."""

    enabled: Mapping[str, AgentProfile]
    reasons: Mapping[str, str]
    """Why some of them cannot be called from here, by name."""


class Subject:
    """Everything that more than one check needs. Nothing is asked before it is needed, and nothing twice."""

    def __init__(self, environment: Environment, make_forge: Callable[[], Forge], *, is_local: bool) -> None:
        """Take what the shell or the job says, and how the forge is made."""
        self.environment = environment
        place = "the repository" if is_local else "the server"
        self._made = Once(place, make_forge)
        self.server: Once[Server] = Once(place, lambda: self._made.find().server())
        self.myself: Once[Account] = Once("the token's account", lambda: self.forge().myself())
        self.repository: Once[Repository] = Once("the repository", lambda: self.forge().repository())
        self.configuration_text: Once[bytes | None] = Once("the configuration", self._read_configuration)
        self.configuration: Once[Configuration] = Once("the configuration", self._load_configuration)
        self.agents: Once[Agents] = Once("the list of agents", self._find_agents)
        self.workflow: Once[Workflow] = Once("the workflow", self._find_workflow)

    def forge(self) -> Forge:
        """Return the forge, once its server has answered; raise `NotKnown` where it has not."""
        self.server.needed()
        return self._made.needed()

    @property
    def default_branch(self) -> str:
        """The default branch, whose workflows run; raises `NotKnown`."""
        return self.repository.needed().default_branch

    @property
    def base_branch(self) -> str:
        """The branch that the configuration is read from; raises `NotKnown`."""
        return self.environment.base_branch or self.default_branch

    @property
    def settings(self) -> Settings:
        """What a run would be told; raises `NotKnown`."""
        return make_settings(self.environment, self.configuration.needed())

    @property
    def trigger(self) -> Trigger:
        """What starts a run: the inputs that the workflow gives the action win over the configuration."""
        settings = self.settings
        try:
            inputs = self.workflow.needed().plain_inputs
        except NotKnown:
            inputs = {}
        return Trigger(
            inputs.get("trigger-assignee") or settings.trigger_assignee,
            inputs.get("trigger-label") or settings.trigger_label,
        )

    def _read_configuration(self) -> bytes | None:
        return self.forge().read_file(self.environment.configuration_path, ref=self.base_branch)

    def _load_configuration(self) -> Configuration:
        return load_configuration(self.configuration_text.find(), file=self.environment.configuration_path)

    def _find_agents(self) -> Agents:
        profiles = configured_profiles(self.configuration.needed().agents)
        enabled = {name: profile for name, profile in profiles.items() if profile.enabled}
        return Agents(enabled, unavailable_agents(enabled, self.environment))

    def _find_workflow(self) -> Workflow:
        branch = self.default_branch
        return find_workflow(
            lambda path: self.forge().read_file(path, ref=branch), self.server.needed().product, branch
        )
