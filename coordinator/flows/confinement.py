"""Seeing that a confined command can read no secret, before the agent or the repository may run one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.errors import Refused
from coordinator.sandbox.selftest import self_test

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.flows.parts import Parts


def check_confinement(parts: Parts, warn: Callable[[str], None]) -> None:
    """Raise `Refused` where the confinement does not hold. What a person has accepted is a warning."""
    secrets = parts.settings.environment.all_secrets()
    leak = self_test(parts.agent_sandbox)
    if leak is None:
        leak = self_test(parts.agent_sandbox, secrets)
        if leak is None:
            return
        if parts.person is not None or parts.settings.configuration.sandbox.allow_unconfined:
            warn(f"{leak}. Run as root, or take the keys out of the shell's environment")
            return
    raise Refused(
        f"The confinement of this runner does not hold (refused): {leak}",
        mend="Let the runner run as root in a container of its own, so that commands get another uid; or set "
        "sandbox.allow_unconfined in .coordinator.yml and accept the risk",
    )
