"""The routes of Actions, as measured on a Gitea 1.26 server; Forgejo's by its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import yaml
from pydantic import TypeAdapter

from tests.standins.forge_api import Answer, Ask, Routes, Stop, error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.standins.forge_state import Json, State

ROUTES = Routes()
FOLDERS = {
    "gitea": (".gitea/workflows", ".github/workflows"),
    "forgejo": (".forgejo/workflows", ".gitea/workflows", ".github/workflows"),
}
"""The first that exists has the workflows, and hides the others."""
_NO_ROUTE = Answer(404, b"404 page not found\n")
_INPUTS_LIMIT = 10

Inputs: TypeAlias = "dict[str, dict[str, str]]"
_DECLARED: TypeAdapter[Inputs] = TypeAdapter(dict[str, dict[str, str]])


@ROUTES("GET", "R/actions/secrets", "repository")
def _secrets(ask: Ask) -> Answer:
    _must_own(ask, "user should be the owner of the repo")
    return ask.paged(ask.state.secrets, _secret_json)


@ROUTES("GET", "/orgs/{org}/actions/secrets", "organization")
def _organisation_secrets(ask: Ask) -> Answer:
    if not ask.state.organisation:
        return error(404, "not found")
    _must_own(ask, "Must be an organization owner")
    return ask.paged(ask.state.organisation_secrets, _secret_json)


def _secret_json(name: str) -> Json:
    return {"name": name, "description": "", "created_at": "2026-01-01T00:00:00Z"}


@ROUTES("GET", "R/actions/tasks", "repository")
def _tasks(ask: Ask) -> Answer:
    _must_have_actions(ask)
    limit = int(ask.query.get("limit", 30))
    return Answer(200, {"workflow_runs": [*ask.state.tasks[:limit]], "total_count": len(ask.state.tasks)})


@ROUTES("GET", "R/actions/workflows", "repository")
def _workflows(ask: Ask) -> Answer:
    if not ask.state.since(1, 24):
        return _NO_ROUTE
    _must_have_actions(ask)
    return Answer(200, {"workflows": [], "total_count": 0})


@ROUTES("POST", "R/actions/workflows/{workflow}/dispatches", "repository")
def _dispatch(ask: Ask) -> Answer:
    if not ask.state.is_forgejo and not ask.state.since(1, 24):
        return _NO_ROUTE
    _must_have_actions(ask)
    ask.must_write("user should have a permission to write to a repo")
    return _dispatch_on_forgejo(ask) if ask.state.is_forgejo else _dispatch_on_gitea(ask)


def _dispatch_on_gitea(ask: Ask) -> Answer:
    state, ref, workflow = ask.state, ask.required("ref"), ask.groups["workflow"]
    given = _given_inputs(ask)
    if workflow in state.disabled_workflows:
        return error(403, "workflow is disabled")
    commit = state.repository.commit(f"refs/heads/{ref.removeprefix('refs/heads/')}")
    if not commit:
        return error(404, f'ref "{ref}" doesn\'t exist')
    content = _workflow(state, commit, workflow)
    if content is None:
        return error(404, f'workflow "{workflow}" doesn\'t exist')
    inputs = {name: given.get(name, one.get("default", "")) for name, one in _declared(content).items()}
    return _start(ask, {"workflow": workflow, "ref": ref}, inputs)


def _dispatch_on_forgejo(ask: Ask) -> Answer:
    """By services/actions/workflows.go: its faults are 500, a required input is asked for, and booleans get lost."""
    state, ref, workflow = ask.state, ask.text("ref"), ask.groups["workflow"]
    if not ref:
        return error(400, "ref is required parameter")
    given = _given_inputs(ask)
    branch = ref.removeprefix("refs/heads/")
    commit = state.repository.commit(f"refs/heads/{branch}") or state.repository.commit(ref)
    content = _workflow(state, commit, workflow) if commit else None
    if content is None or len(_declared(content)) > _INPUTS_LIMIT:
        return error(500, "")
    inputs: dict[str, str] = {}
    for name, one in _declared(content).items():
        value = given.get(name, "")
        if not value and one.get("required") == "true":
            return error(400, f"input required: {name}")
        if one.get("type") == "boolean":
            value = "true" if value == "on" else "false"
        if value or one.get("default"):
            inputs[name] = value or one["default"]
    return _start(ask, {"workflow": f".forgejo/workflows/{workflow}", "ref": f"refs/heads/{branch}"}, inputs)


def _start(ask: Ask, named: Mapping[str, str], inputs: Mapping[str, str]) -> Answer:
    state = ask.state
    event: dict[str, Json] = {
        **named,
        "inputs": dict(inputs),
        "repository": state.repository_json(),
        "sender": state.user_json(ask.doer),
    }
    state.dispatched.append(
        {
            "workflow": ask.groups["workflow"],
            "ref": ask.text("ref"),
            "inputs": dict(inputs),
            "sender": ask.doer.login,
            "event": event,
        }
    )
    return Answer(204)


def _given_inputs(ask: Ask) -> dict[str, str]:
    inputs = ask.fields.get("inputs", {})
    if not isinstance(inputs, dict) or not all(isinstance(value, str) for value in inputs.values()):
        raise Stop(error(422, "[]: json: cannot unmarshal into Go struct field Inputs of type string"))
    return {name: str(value) for name, value in inputs.items()}


def _workflow(state: State, commit: str, name: str) -> bytes | None:
    """Return a file of the first folder that exists."""
    folders = (folder for folder in FOLDERS[state.flavour] if state.repository.has_folder(commit, folder))
    folder = next(folders, None)
    return state.repository.blob(commit, f"{folder}/{name}") if folder else None


def _declared(content: bytes) -> Inputs:
    """Return the inputs that a workflow declares, with every scalar as a string."""
    document: object = yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506  (it makes nothing but strings)
    triggers = document.get("on") if isinstance(document, dict) else None
    trigger = triggers.get("workflow_dispatch") if isinstance(triggers, dict) else None
    inputs = trigger.get("inputs") if isinstance(trigger, dict) else None
    inputs = inputs if isinstance(inputs, dict) else {}
    return _DECLARED.validate_python({name: one if isinstance(one, dict) else {} for name, one in inputs.items()})


def _must_own(ask: Ask, message: str) -> None:
    if not ask.doer.site_admin and not ask.state.may(ask.doer, "owner"):
        raise Stop(error(403, message))


def _must_have_actions(ask: Ask) -> None:
    if not ask.state.actions_enabled:
        text = "user should have specific read permission or be a repo admin or a site admin"
        raise Stop(error(403, text))
