"""Actions on Gitea and Forgejo: starting workflows, and what can be seen of runs and secrets."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from coordinator.errors import Misconfigured
from coordinator.forge import gitea_models as answers
from coordinator.forge.http import Call
from coordinator.forge.models import Server
from coordinator.forge.protocol import DispatchUnavailable, Missing
from coordinator.forge.reply import Forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from coordinator.forge.gitea_api import RepositoryApi
    from coordinator.forge.http import RestClient
    from coordinator.forge.reply import Reply

_REFUSED = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
FOLDERS = (".forgejo/workflows", ".gitea/workflows", ".github/workflows")
"""Where workflows may lie; Gitea knows the last two (modules/actions/workflows.go in both sources)."""
RECENT_TASKS = 20
"""Each costs the server several look-ups, and a run that works is among the newest."""


class ReadFile(Protocol):
    """`coordinator.forge.protocol.Forge.read_file`."""

    def __call__(self, path: str, *, ref: str) -> bytes | None:
        """Return a file; None for no such file, `Missing` for no such branch."""
        ...


class GiteaActions:
    """The Actions of one repository."""

    def __init__(self, rest: RestClient, api: RepositoryApi, name: str, read_file: ReadFile) -> None:
        self._rest = rest
        self._api = api
        self._name = name
        self._read_file = read_file

    def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow; raises `DispatchUnavailable` where that cannot be done.

        The request is sent again after a lost answer: of two runs for one issue the second finds it claimed, while a
        start that is lost is never made up. Forgejo answers 500 for a file or branch that it does not have
        (services/actions/workflows.go), so a failure is looked into before it is tried again.
        """
        about = f"start the workflow {workflow} of {self._name} on {ref}"
        path = f"{self._api.path}/actions/workflows/{quote(workflow, safe='')}/dispatches"
        accept = (*_REFUSED, HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
        fields: JsonValue = {"ref": ref, "inputs": dict(inputs)}
        call = Call("POST", path, about, json=fields, accept=accept, repeatable=True)
        reply = self._api.send_or_explain(call, lambda: self._be_sure_of(workflow, ref))
        if not reply.succeeded:
            raise self._not_started(reply, workflow, ref)

    def _be_sure_of(self, workflow: str, ref: str) -> None:
        """Raise `DispatchUnavailable` when the branch, or the file on it, is what is missing."""
        branch = ref.removeprefix("refs/heads/")
        try:
            found = any(self._read_file(f"{folder}/{workflow}", ref=branch) is not None for folder in FOLDERS)
        except Missing:
            what = f"{workflow} cannot be started: {self._name} has no branch {branch}"
            raise DispatchUnavailable(what, mend="Name a branch that exists") from None
        if not found:
            what = f"{workflow} cannot be started: there is no such workflow in {self._name} on {branch}"
            raise DispatchUnavailable(what, mend=f"Put {workflow} into the workflow folder there")

    def _not_started(self, reply: Reply, workflow: str, ref: str) -> DispatchUnavailable:
        if reply.status == HTTPStatus.FORBIDDEN:
            mend = "Switch on Actions and the workflow in the repository, and give the token write access to it"
            return DispatchUnavailable(self._rest.refusal(reply).what, mend=mend)
        self._be_sure_of(workflow, ref)
        if reply.status == HTTPStatus.NOT_FOUND and not reply.message():
            what = f"{workflow} cannot be started: {reply.host} does not start workflows by its API"
            mend = "Gitea does from 1.24 on, Forgejo from 8; with an older one, let a schedule start the workflow"
            return DispatchUnavailable(what, mend=mend)
        mend = f"Give {workflow} the trigger `on: workflow_dispatch`, and no inputs that are required"
        return DispatchUnavailable(self._rest.refusal(reply).what, mend=mend)

    def secret_names(self) -> tuple[str, ...] | None:
        """Return the names of the repository's secrets and of its organisation's; None where the token may not ask."""
        own = self._secrets(self._api.path)
        if own is None:
            return None
        shared = self._secrets(f"/orgs/{quote(self._name.partition('/')[0], safe='')}") or ()
        return tuple(sorted({*own, *shared}))

    def _secrets(self, place: str) -> tuple[str, ...] | None:
        about = f"see the names of the secrets of {self._name}"
        try:
            found = self._api.pages_of(Call("GET", f"{place}/actions/secrets", about), answers.SECRETS)
            return tuple(secret.name for secret in found)
        except (Missing, Forbidden):
            return None

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
