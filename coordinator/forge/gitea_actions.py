"""Actions on Gitea and Forgejo: starting workflows, and what can be seen of runs and secrets."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from coordinator.errors import Misconfigured
from coordinator.forge import gitea_models as answers
from coordinator.forge.http import Call
from coordinator.forge.models import Server
from coordinator.forge.protocol import DispatchUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.http import RestClient
    from coordinator.forge.reply import Reply

_REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_UNKNOWN_WORKFLOW = "workflow"
RECENT_TASKS = 20
"""Each costs the server several look-ups, and a run that works is among the newest."""


class GiteaActions:
    """The Actions of one repository."""

    def __init__(self, rest: RestClient, api: RepositoryApi, name: str) -> None:
        self._rest = rest
        self._api = api
        self._name = name

    def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow; raises `DispatchUnavailable` where that cannot be done.

        The request is sent again after a lost answer: of two runs for one issue the second finds it claimed, while a
        start that is lost is never made up. Forgejo answers 500 for a file that it does not have
        (routers/api/v1/repo/action.go), so a failure is looked into before it is tried again.
        """
        about = f"start the workflow {workflow} of {self._name} on {ref}"
        path = f"{self._api.path}/actions/workflows/{quote(workflow, safe='')}/dispatches"
        accept = (*_REFUSED, HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
        fields: JsonValue = {"ref": ref, "inputs": dict(inputs)}
        reply = self._rest.send(Call("POST", path, about, json=fields, accept=accept, repeatable=True))
        if not reply.succeeded:
            raise DispatchUnavailable(self._rest.refusal(reply).what, mend=self._mend(reply, workflow))

    @staticmethod
    def _mend(reply: Reply, workflow: str) -> str:
        if reply.status == HTTPStatus.FORBIDDEN:
            return "Switch Actions on in the repository's settings, and give the token write access to it"
        if reply.status == HTTPStatus.NOT_FOUND and _UNKNOWN_WORKFLOW not in reply.message().lower():
            return "Gitea starts workflows by its API from 1.24 on, Forgejo from 8; with an older one, use schedule"
        return f"Put {workflow} into the workflow folder of the default branch, with `on: workflow_dispatch` and inputs"

    def secret_names(self) -> tuple[str, ...] | None:
        """Return the names of the repository's secrets and of its organisation's; None where the token may not ask."""
        own = self._secrets(self._api.path)
        if own is None:
            return None
        shared = self._secrets(f"/orgs/{quote(self._name.partition('/')[0], safe='')}") or ()
        return tuple(sorted({*own, *shared}))

    def _secrets(self, place: str) -> tuple[str, ...] | None:
        about = f"see the names of the secrets of {self._name}"
        call = Call("GET", f"{place}/actions/secrets", about, query={"limit": 50}, accept=_REFUSED)
        reply = self._rest.send(call)
        return tuple(one.name for one in reply.parse(answers.SECRETS)) if reply.succeeded else None

    def is_cancelled(self, run_number: int) -> bool:
        """Whether a run was cancelled, as far as can be seen; a Gitea runner does not tell the job itself."""
        about = f"see whether run {run_number} of {self._name} was cancelled"
        path = f"{self._api.path}/actions/tasks"
        reply = self._rest.send(Call("GET", path, about, query={"limit": RECENT_TASKS}, accept=_REFUSED))
        tasks = reply.parse(answers.TASKS).workflow_runs or () if reply.succeeded else ()
        return any(task.status == "cancelled" for task in tasks if task.run_number == run_number)


def find_server(rest: RestClient) -> Server:
    """Return which server answers: Forgejo has an API of its own beside Gitea's (routers/api/forgejo/v1)."""
    host = rest.api_url.removesuffix("/api/v1")
    call = Call("GET", "/../forgejo/v1/version", f"read the version of {host}", accept=_REFUSED)
    forgejo = rest.send(call)
    if forgejo.succeeded:
        return Server(product="forgejo", version=forgejo.parse(answers.VERSION).version)
    reply = rest.send(Call("GET", "/version", f"read the version of {host}"))
    version = reply.parse(answers.VERSION).version
    if not version:
        raise Misconfigured(f"{host} is no Gitea and no Forgejo", mend="Check GITEA_URL")
    return Server(product="gitea", version=version)
