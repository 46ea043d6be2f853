"""GitHub Actions: starting workflows, which secrets they get, and what the token lets us do."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from coordinator.forge import github_models as answers
from coordinator.forge.github_address import encoded_name
from coordinator.forge.http import Call
from coordinator.forge.models import Facility
from coordinator.forge.protocol import DispatchUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from coordinator.forge.github_api import GithubApi

_REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_DISPATCH_MENDS: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "Give the job `permissions:` actions: write, or another token the right to run workflows",
    HTTPStatus.NOT_FOUND: "Put the workflow into .github/workflows on the default branch, and let the token see it",
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "Enable the workflow, and let it have `on: workflow_dispatch` with these inputs on that branch"
    ),
}


def dispatch(api: GithubApi, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
    """Start a workflow; raises `DispatchUnavailable` when it cannot be started by this token, or not so.

    An input that the file does not declare is refused (422), where Gitea drops it. The request is sent again after a
    lost answer: of two runs for one issue the second finds it claimed, while a start that is lost is never made up.
    """
    path = f"{api.path}/actions/workflows/{encoded_name(workflow)}/dispatches"
    about = f"start the workflow {workflow} of {api.name} on {ref}"
    fields: JsonValue = {"ref": ref, "inputs": dict(inputs)}
    call = Call("POST", path, about, json=fields, accept=tuple(_DISPATCH_MENDS), repeatable=True)
    reply = api.send(call)
    if not reply.succeeded:
        raise DispatchUnavailable(api.refusal(reply).what, mend=_DISPATCH_MENDS[reply.status])


def is_cancelled(api: GithubApi, run_id: int) -> bool:
    """Return whether a run ended as cancelled; False where the token may not see it.

    While its jobs are still ending it is not told, but then GitHub's runner has sent them the signal already.
    """
    reply = api.get(f"/actions/runs/{run_id}", f"see whether run {run_id} of {api.name} was cancelled", *_REFUSED)
    return reply.succeeded and reply.parse(answers.RUN).conclusion == "cancelled"


def secret_names(api: GithubApi) -> tuple[str, ...] | None:
    """Return the names of the repository's secrets and of its organisation's that it gets; None where not told.

    A job's token is never told: there is no permission for it.
    """
    about = f"see the names of the secrets of {api.name}"
    if not api.get("/actions/secrets?per_page=1", about, *_REFUSED).succeeded:
        return None
    own = api.pages("/actions/secrets", about, answers.SECRETS)
    shared = api.pages("/actions/organization-secrets", about, answers.SECRETS, accept=_REFUSED)
    return tuple(sorted({secret.name for secrets in (own, shared) for secret in secrets}))


def facilities(api: GithubApi, *, is_job: bool) -> tuple[Facility, ...]:
    """Return what this server and token offer and lack; `is_job` tells that the token is an app's."""
    reply = api.get("", f"read the repository {api.name}")
    repository = reply.parse(answers.REPOSITORY)
    pushes = True if repository.permissions and repository.permissions.push else None
    return (
        _dispatching(api, pushes=pushes),
        _permission_lookup(api),
        _dependencies(api),
        _opening(api, pushes=pushes, is_job=is_job),
        Facility(
            name="draft pull requests",
            available=None if repository.private else True,
            effect="Where the plan has none for private repositories, pull requests are opened ready for review",
        ),
        Facility(
            name="change the draft state of a pull request",
            available=False if is_job else pushes,
            effect="A pull request keeps the draft state that it was opened with",
            mend="Give the coordinator the token of an account of its own",
        ),
        Facility(
            name="start workflows by what the coordinator does",
            available=not is_job,
            effect="Its pull requests are not checked by `on: pull_request` before a person approves the run",
            mend="Give the coordinator the token of an account of its own",
        ),
        Facility(name="job summary", available=True),
    )


def _dispatching(api: GithubApi, *, pushes: bool | None) -> Facility:
    reply = api.get("/actions/workflows?per_page=1", f"see the workflows of {api.name}", *_REFUSED)
    return Facility(
        name="start workflows",
        available=pushes if reply.succeeded else False,
        effect="The queue is worked through in one job, and an issue that becomes free waits for the next run",
        mend="Switch Actions on, and give the job `permissions:` actions: write",
    )


def _permission_lookup(api: GithubApi) -> Facility:
    owner = api.name.partition("/")[0]
    about = f"see what {owner} may do in {api.name}"
    reply = api.get(f"/collaborators/{quote(owner, safe='')}/permission", about, *_REFUSED)
    return Facility(
        name="ask what an account may do",
        available=True if reply.succeeded else None if reply.status == HTTPStatus.NOT_FOUND else False,
        effect="Only accounts under `allow:` in .coordinator.yml can start a run",
        mend="List them there, or give the coordinator a token of an account with write access",
    )


def _dependencies(api: GithubApi) -> Facility:
    """Ask about the newest issue; there is no other way to see whether the server has dependencies."""
    about = f"see whether {api.name} has native dependencies"
    newest = api.get("/issues?state=all&per_page=1", about, HTTPStatus.GONE)
    found = newest.parse(answers.ISSUES) if newest.succeeded else ()
    path = f"/issues/{found[0].number}/dependencies/blocked_by" if found else ""
    gone = (*_REFUSED, HTTPStatus.GONE)
    return Facility(
        name="native dependencies",
        available=api.get(path, about, *gone).succeeded if path else None,
        effect="Only `Blocks` and `Blocked by` in the text of issues count",
        mend="Enterprise Server has them in later versions",
    )


def _opening(api: GithubApi, *, pushes: bool | None, is_job: bool) -> Facility:
    available = pushes
    if is_job:
        about = f"see whether jobs of {api.name} may open pull requests"
        reply = api.get("/actions/permissions/workflow", about, *_REFUSED)
        available = reply.parse(answers.WORKFLOW_RIGHTS).can_approve_pull_request_reviews if reply.succeeded else None
    return Facility(
        name="open pull requests",
        available=available,
        effect="The work is pushed, and a person opens the pull request by a link",
        mend='Set "Allow GitHub Actions to create and approve pull requests" under Settings, Actions, General',
    )
