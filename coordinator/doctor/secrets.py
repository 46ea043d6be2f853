"""The secrets that the workflow uses, by their names; nobody is ever told their values."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, doubtful, good

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.doctor.subject import Subject

_EFFECTS = {
    "COORDINATOR_TOKEN": "the job's own token is used, which may not open pull requests on every server",
    "ANTHROPIC_API_KEY": "no Anthropic model can be called",
}

_OPTIONAL = {"COORDINATOR_WEBHOOK_SECRET": "not set; only events that `coordinator serve` passes on need it"}


def secrets_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the one check of the secrets."""
    yield Examination(Group.SECRETS, "names", partial(secrets_names, subject))


def secrets_names(subject: Subject) -> Iterator[Finding]:
    """See whether those that the workflow uses exist."""
    used = subject.workflow.needed().secrets
    known = subject.forge().secret_names()
    if known is None:
        mend = f"Look yourself, in the repository's settings, for {', '.join(used) or 'none'}"
        yield doubtful("they cannot be seen with this token", mend)
        return
    there = {name.upper() for name in known}
    for name in used:
        if name in there:
            yield good("set", name=name)
        elif name in _OPTIONAL:
            yield good(_OPTIONAL[name], name=name)
        else:
            effect = _EFFECTS.get(name, "it is empty in the job")
            mend = f"Add {name} to the secrets for Actions of the repository, unless its owner's settings have it"
            yield doubtful(f"not among the secrets that can be seen: {effect}", mend, name=name)
