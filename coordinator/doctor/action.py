"""The workflow: how it calls the action, and whether that agrees with the configuration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from coordinator.configuration import TriggerSection
from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.doctor.subject import Subject
    from coordinator.doctor.workflow_file import Job, Step

_PROBE = "coordinator/preflight.py"
"""A file by which the repository of the action is known; the workflow asks for the same."""


def action_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the checks of the step that calls the action."""
    yield Examination(Group.WORKFLOW, "action", partial(action_source, subject))
    yield Examination(Group.WORKFLOW, "inputs", partial(action_inputs, subject))
    for key in TriggerSection.model_fields:
        yield Examination(Group.WORKFLOW, f"trigger {key}", partial(action_trigger, subject, key))


def _called(subject: Subject) -> tuple[Job, Step] | None:
    return subject.workflow.needed().action


def action_source(subject: Subject) -> Iterator[Finding]:
    """See where the action comes from."""
    called = _called(subject)
    if called is None:
        yield bad("no step uses the action", "Take the steps of the workflow that `coordinator init` writes")
        return
    job, step = called
    named = [
        env["ACTION_REPOSITORY"] for one in job.steps if isinstance(env := one.env, dict) and "ACTION_REPOSITORY" in env
    ]
    if not step.uses.startswith("./"):
        yield good(f"used as {step.uses}")
    elif named and named[0]:
        yield good(f"fetched from {named[0]}")
    elif subject.forge().read_file(_PROBE, ref=subject.default_branch) is not None:
        yield good("this repository itself")
    else:
        mend = "Set it to the repository of this server that holds the action, and ACTION_REF to a tag of it"
        yield bad("ACTION_REPOSITORY is not set, and this repository does not hold the action", mend)


def action_inputs(subject: Subject) -> Iterator[Finding]:
    """See that the action gets a token."""
    called = _called(subject)
    if called is None:
        return
    inputs = called[1].inputs
    if not inputs.get("token"):
        mend = "Add `token: ${{ secrets.COORDINATOR_TOKEN || github.token }}` to its `with`"
        yield bad("the action gets no token, so it can do nothing on the forge", mend)
    else:
        yield good(", ".join(inputs))


def action_trigger(subject: Subject, key: str) -> Iterator[Finding]:
    """See that ``trigger-assignee`` or ``trigger-label`` of the workflow agrees with the configuration.

    Before anything is installed the action knows its inputs and the defaults only; afterwards an input wins over the
    configuration. So a name that stands in the configuration alone is never heard of in time.
    """
    called = _called(subject)
    name = f"trigger-{key}"
    configured: str = getattr(subject.configuration.needed().trigger, key)
    default: str = TriggerSection.model_fields[key].default
    file = subject.environment.configuration_path
    if called is None:
        return
    given = str(called[1].inputs.get(name) or "").strip()
    if "${{" in given:
        yield doubtful(
            f"{name} is an expression, so it is not seen whether it agrees with {file}", f"Write it as {configured}"
        )
    elif not given and configured != default:
        what = f"{file} says {configured}, but the workflow does not: events for {configured} end before that is read"
        yield bad(what, f"Add `{name}: {configured}` to the `with` of the action")
    elif given and given != configured:
        what = (
            f"the workflow says {given} and {file} says {configured}: runs go by the one, other commands by the other"
        )
        yield doubtful(what, f"Set trigger.{key} to {given} in {file}")
    else:
        yield good(given or configured)
