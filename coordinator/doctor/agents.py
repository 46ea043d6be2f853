"""The models: which profiles can be called from here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good
from coordinator.planning.models import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.doctor.subject import Subject


def agents_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the one check of the models that calls none."""
    yield Examination(Group.MODELS, "agents", partial(agents_available, subject))


def agents_available(subject: Subject) -> Iterator[Finding]:
    """See which profiles have an address and a key. No model is called, so a key may still be wrong."""
    agents = subject.agents.find()
    callable_ones = {name: profile for name, profile in agents.enabled.items() if name not in agents.reasons}
    for name, profile in callable_ones.items():
        levels = ", ".join(level.value for level in profile.capabilities)
        yield good(f"{profile.model} for {levels} issues", name=name)
    if agents.reasons:
        left_out = "; ".join(f"{name} ({reason})" for name, reason in agents.reasons.items())
        yield good(f"left out: {left_out}")
    if not callable_ones:
        mend = "Set ANTHROPIC_API_KEY, or the address of a model of your own (GLM_BASE_URL, MINIMAX_BASE_URL)"
        yield bad("no agent can be called from here", mend)
        return
    covered = {level for profile in callable_ones.values() for level in profile.capabilities}
    missing = [level.value for level in Capability if level not in covered]
    if missing:
        yield doubtful(
            f"no agent can be called for {' and '.join(missing)} issues", "Set the key of one that handles them"
        )
