"""The workflow: whether the forge runs it, on what, and whether it can be made to do somebody else's bidding."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from coordinator.doctor.examining import Examination
from coordinator.doctor.models import Finding, Group, bad, doubtful, good
from coordinator.doctor.workflow_file import EXPRESSION, READ_BY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import JsonValue

    from coordinator.doctor.subject import Subject
    from coordinator.doctor.workflow_file import Workflow

EVENTS = {
    "issues": "assigning and labelling an issue starts nothing",
    "issue_comment": "comments such as `/coordinator run` start nothing",
    "pull_request": "pull requests are not checked",
}
"""What is missing without an event; `workflow_dispatch` is looked at by itself."""
ISSUE_TYPES = {
    "opened": "an issue that is opened already assigned or labelled starts nothing",
    "assigned": "assigning an issue starts nothing",
    "unassigned": "taking the assignment back does not stop a run",
    "labeled": "labelling an issue starts nothing",
    "unlabeled": "taking the label off does not stop a run",
    "closed": "issues that waited for a closed one do not start by themselves",
}
INPUTS = {
    "issue": "a run that is dispatched for one issue drains the queue instead",
    "event": "`coordinator serve` cannot pass events on",
    "signature": "`coordinator serve` cannot pass events on",
}
"""Inputs of `workflow_dispatch`: a forge drops those that are not declared."""
PERMISSIONS = ("actions", "contents", "issues", "pull-requests", "statuses")

_WRITABLE_BY_PEOPLE = re.compile(
    r"(?<![\w.])(?:github|gitea|forgejo|forge)\b\s*(?:\.\s*|\[\s*['\"])(?:event|head_ref|ref_name)\b"
    r"|(?<![\w.])(?:github|gitea|forgejo|forge)\b(?!\s*[.\[])"
    r"|(?<![\w.])inputs\b",
    re.IGNORECASE,
)
"""Parts of an expression that hold titles, texts, branch names or inputs: what the event says, all of it at once
(``toJSON(github)``), what somebody dispatched."""
_COPY = "`coordinator init` writes a workflow that has it"


def workflow_examinations(subject: Subject) -> Iterator[Examination]:
    """Give the checks of the workflow."""
    yield Examination(Group.WORKFLOW, "file", partial(workflow_file, subject))
    looks: dict[str, Callable[[Workflow], Iterator[Finding]]] = {
        "events": workflow_events,
        "dispatch": workflow_dispatch,
        "expressions": workflow_expressions,
        "concurrency": workflow_concurrency,
        "runner": workflow_runner,
        "permissions": workflow_permissions,
    }
    for name, look in looks.items():
        yield Examination(Group.WORKFLOW, name, partial(_judged, subject, look))


def _judged(subject: Subject, look: Callable[[Workflow], Iterator[Finding]]) -> Iterator[Finding]:
    return look(subject.workflow.needed())


def workflow_file(subject: Subject) -> Iterator[Finding]:
    """Find it on the default branch, in the folder that the forge reads; what stands in the way is the error."""
    workflow = subject.workflow.find()
    product = subject.server.needed().product
    folder = workflow.path.rpartition("/")[0]
    order = READ_BY[product]
    yield good(f"{workflow.path} on {subject.default_branch}")
    if folder != order[0]:
        above = " or ".join(order[: order.index(folder)])
        what = f"any file in {above} would hide {workflow.path}: {product} reads one folder only"
        yield doubtful(what, f"Move it to {order[0]}, together with the others")
    for path in workflow.unused:
        yield doubtful(f"{path} is not read: {workflow.path} is the one that runs", f"Remove {path}")


def workflow_events(workflow: Workflow) -> Iterator[Finding]:
    """See that it runs on all that the coordinator acts upon, and on nothing dangerous."""
    events = workflow.content.events
    missing = {name: effect for name, effect in EVENTS.items() if name not in events}
    for name, effect in missing.items():
        make = bad if name == "issues" else doubtful
        yield make(f"it does not run on {name}: {effect}", f"Add {name} under `on`; {_COPY}")
    if "issues" in events:
        yield from _issue_types(events["issues"].get("types"))
    if "pull_request_target" in events:
        what = "it runs on pull_request_target, which gives the code of strangers the secrets of this repository"
        yield bad(what, "Take it out; pull_request is what is needed")
    elif not missing:
        yield good(", ".join(events))


def _issue_types(types: JsonValue) -> Iterator[Finding]:
    """See that no type is left out; without ``types`` it runs on all of them."""
    if types is None:
        return
    named = types if isinstance(types, list) else [types]
    for name, effect in ISSUE_TYPES.items():
        if name not in named:
            yield doubtful(f"it does not run on issues of type {name}: {effect}", f"Add {name} to its types")


def workflow_dispatch(workflow: Workflow) -> Iterator[Finding]:
    """See that runs can be started, and that what they are given arrives."""
    if "workflow_dispatch" not in workflow.content.events:
        what = "it has no workflow_dispatch, so neither the queue nor a closed issue can start runs"
        yield bad(what, f"Add it with the inputs {', '.join(INPUTS)}; {_COPY}")
        return
    declared = workflow.content.events["workflow_dispatch"].get("inputs")
    inputs = declared if isinstance(declared, dict) else {}
    missing = [name for name in INPUTS if name not in inputs]
    for name in missing:
        make = bad if name == "issue" else doubtful
        yield make(f"the input {name} is not declared, and gets lost: {INPUTS[name]}", f"Declare it; {_COPY}")
    wrong = [name for name in INPUTS if name in inputs and not _is_optional_text(inputs[name])]
    for name in wrong:
        what = f"the input {name} is required or no string; Forgejo before 14 mistakes other types"
        yield doubtful(what, f"Declare {name} with `type: string` and `required: false`")
    if not missing and not wrong:
        yield good(f"can be started with {', '.join(INPUTS)}")


def _is_optional_text(declared: JsonValue) -> bool:
    said = declared if isinstance(declared, dict) else {}
    return said.get("type", "string") == "string" and not said.get("required")


def workflow_expressions(workflow: Workflow) -> Iterator[Finding]:
    """See that nothing that people write is put into a step: a runner evaluates it there once more."""
    found = {f"{place} has {expression}" for place, expression in _expressions(workflow)}
    for one in sorted(found):
        mend = "Take it out: the action reads the event itself, and text of people is evaluated where it stands"
        yield bad(f"{one}, which people write", mend)
    if not found:
        yield good("no text that people write gets into a step")


def _expressions(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Give the dangerous expressions with the place where each stands."""
    for place, text in _evaluated(workflow):
        for found in EXPRESSION.finditer(text):
            if _WRITABLE_BY_PEOPLE.search(found[1]):
                yield place, " ".join(found[0].split())[:80]


def _evaluated(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Give every text that reaches a step, with the place where it stands."""
    content = workflow.content
    parts: list[tuple[str, dict[str, JsonValue] | str]] = [("env", content.env)]
    for name, job in content.jobs.items():
        parts.append((f"jobs.{name}.env", job.env))
        for number, step in enumerate(job.steps, start=1):
            place = f"step {number} of job {name}"
            parts += [(f"{place}: with", step.inputs), (f"{place}: env", step.env), (f"{place}: run", step.run)]
    for place, part in parts:
        values = [part] if isinstance(part, str) else part.values()
        yield from ((place, value) for value in values if isinstance(value, str))


def workflow_concurrency(workflow: Workflow) -> Iterator[Finding]:
    """See that no run is cancelled for another one, except by a group that no two runs share."""
    content = workflow.content
    said = [content.concurrency, *(job.concurrency for job in content.jobs.values())]
    if all(one is None or "run_id" in str(one) for one in said):
        yield good("none, so no waiting run is cancelled for another")
        return
    what = (
        "it has `concurrency`: Gitea and GitHub keep one waiting run of a group and cancel the others, which are lost"
    )
    yield bad(what, "Take it out; a claim decides which run works on an issue")


def workflow_runner(workflow: Workflow) -> Iterator[Finding]:
    """Name the labels that a runner has to have: without one a job waits for ever, and nothing says so."""
    wanted = {name: job.runs_on for name, job in workflow.content.jobs.items() if job.steps}
    for name, runs_on in wanted.items():
        if runs_on is None:
            yield bad(f"the job {name} has no runs-on", "Add `runs-on` with a label of your runner")
        else:
            labels = ", ".join(map(str, runs_on)) if isinstance(runs_on, list) else str(runs_on)
            yield good(f"the job {name} waits for a runner with the label {labels}")


def workflow_permissions(workflow: Workflow) -> Iterator[Finding]:
    """See what the workflow takes from the job's own token, which counts where no other is given."""
    content = workflow.content
    jobs = [workflow.action[0]] if workflow.action else list(content.jobs.values())
    said = next((job.permissions for job in jobs if job.permissions is not None), content.permissions)
    if said is None or said == "write-all":
        yield good("those that the server gives")
        return
    given = said if isinstance(said, dict) else {}
    missing = [name for name in PERMISSIONS if given.get(name) != "write"]
    if missing:
        what = f"the job's own token may not write {', '.join(missing)}"
        yield doubtful(what, "Grant them under `permissions` of the job, or give the action a token of its own")
    else:
        yield good(f"the job's own token may write {', '.join(PERMISSIONS)}")
