"""The other routes: accounts, rights, pull requests, statuses, files, Actions; and GraphQL as far as it is used."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml

from tests.standins.forge_api import Answer
from tests.standins.github_api import Ask, Routes, Stop, error, invalid, not_found
from tests.standins.github_state import IssueState, Json, Pull, State, User, stamp
from tests.support import git

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUTES = Routes()
NOT_FOR_APPS = "Resource not accessible by integration"


@ROUTES("GET", "/meta")
def _meta(_: Ask) -> Answer:
    return Answer(200, {"verifiable_password_authentication": True, "installed_version": "3.17.2"})


@ROUTES("GET", "/user")
def _user(ask: Ask) -> Answer:
    return error(403, NOT_FOR_APPS) if ask.doer.is_job else Answer(200, ask.doer.json())


@ROUTES("GET", "/users/{login}")
def _user_by_name(ask: Ask) -> Answer:
    user = ask.state.person(ask.groups["login"])
    return Answer(200, user.json()) if user else not_found()


@ROUTES("GET", "R")
def _repository(ask: Ask) -> Answer:
    return Answer(200, ask.state.repository_json(ask.user))


@ROUTES("GET", "R/collaborators/{login}/permission")
def _permission(ask: Ask) -> Answer:
    """A job's token may ask, because every app may read metadata; a person needs push access."""
    state = ask.state
    if not ask.doer.is_job and not state.may(ask.doer, "write"):
        return not_found() if state.private else error(403, "Must have push access to view collaborator permission.")
    user = state.person(ask.groups["login"])
    if user is None:
        return error(404, f"{ask.groups['login']} is not a user")
    level = state.level(user)
    return Answer(200, {"permission": level, "role_name": level, "user": user.json()})


@ROUTES("GET", "R/pulls")
def _pulls(ask: Ask) -> Answer:
    """A `head` without an owner is ignored."""
    state, wanted = ask.state, ask.query.get("state", "open")
    owner, colon, head = ask.query.get("head", "").partition(":")
    base = ask.query.get("base", "")
    pulls = [(one, one.pull) for one in state.issues.values() if one.pull and wanted in {one.state, "all"}]
    shown = [
        (issue, pull)
        for issue, pull in pulls
        if base in {"", pull.base} and (not colon or (pull.head == head and owner == state.full_name.split("/")[0]))
    ]
    return ask.paged([state.pull_json(issue, pull, whole=False) for issue, pull in shown])


@ROUTES("GET", "R/pulls/{number}")
def _pull(ask: Ask) -> Answer:
    return Answer(200, ask.state.pull_json(*ask.pull, whole=True))


@ROUTES("POST", "R/pulls")
def _create_pull(ask: Ask) -> Answer:
    state = ask.state
    ask.must("pulls")
    if ask.doer.is_job and not state.jobs_may_open_pulls:
        return error(403, "GitHub Actions is not permitted to create or approve pull requests.")
    title = ask.required("title", resource="PullRequest", limit=256)
    head, base = (ask.required(key, resource="PullRequest") for key in ("head", "base"))
    pair = Pull(head, base, draft=ask.fields.get("draft") is True)
    _check_pull(state, pair)
    issue = IssueState(
        state.next_number(), title, ask.text("body", resource="PullRequest") or None, ask.doer, pull=pair
    )
    state.issues[issue.number] = issue
    refresh_pull_refs(state)
    return Answer(201, state.pull_json(issue, pair, whole=True))


def _check_pull(state: State, pair: Pull) -> None:
    commits = {branch: state.repository.commit(f"refs/heads/{branch}") for branch in (pair.head, pair.base)}
    for field, branch in (("head", pair.head), ("base", pair.base)):
        if not commits[branch]:
            raise Stop(invalid("PullRequest", field=field, code="invalid"))
    owner = state.full_name.split("/")[0]
    if commits[pair.head] == commits[pair.base]:
        message = f"No commits between {pair.base} and {pair.head}"
        raise Stop(invalid("PullRequest", message=message))
    taken = [one.pull for one in state.issues.values() if one.pull and one.state == "open"]
    if any((one.head, one.base, one.head_repository) == (pair.head, pair.base, 1) for one in taken):
        raise Stop(invalid("PullRequest", message=f"A pull request already exists for {owner}:{pair.head}."))
    if pair.draft and not state.drafts:
        raise Stop(error(422, "Draft pull requests are not supported in this repository."))


@ROUTES("PATCH", "R/pulls/{number}")
def _change_pull(ask: Ask) -> Answer:
    """There is no `draft` here."""
    issue, pull = ask.pull
    ask.must("pulls")
    if "title" in ask.fields:
        issue.title = ask.required("title", resource="PullRequest", limit=256)
    if "body" in ask.fields:
        issue.body = ask.text("body", resource="PullRequest") or None
    issue.state = ask.text("state", resource="PullRequest") or issue.state
    issue.updated_at = stamp()
    return Answer(200, ask.state.pull_json(issue, pull, whole=True))


@ROUTES("POST", "R/statuses/{commit}")
def _create_status(ask: Ask) -> Answer:
    ask.must("statuses")
    state = ask.required("state", resource="Status")
    if state not in {"error", "failure", "pending", "success"}:
        return invalid("Status", field="state", message="state is not included in the list")
    description = ask.text("description", resource="Status", limit=140)
    target_url = ask.text("target_url", resource="Status")
    if ask.fields.get("target_url") is not None and not target_url.startswith(("http://", "https://")):
        return invalid("Status", field="target_url", message="target_url must use http(s) scheme")
    commit = ask.groups["commit"]
    if ask.state.repository.commit(commit) != commit:
        return error(422, f"No commit found for SHA: {commit}")
    status: dict[str, Json] = {
        "id": ask.state.new_id(),
        "state": state,
        "context": ask.text("context", resource="Status") or "default",
        "description": description,
        "target_url": target_url,
        "creator": ask.doer.json(),
    }
    ask.state.statuses.append({**status, "commit": commit})
    return Answer(201, status)


@ROUTES("GET", "R/git/ref/{ref*}")
def _ref(ask: Ask) -> Answer:
    repository = ask.state.repository
    if not repository.commit(f"refs/heads/{ask.state.default_branch}"):
        return error(409, "Git Repository is empty.")
    commit = repository.commit(f"refs/{ask.groups['ref']}")
    if not commit:
        return not_found()
    return Answer(200, {"ref": f"refs/{ask.groups['ref']}", "object": {"type": "commit", "sha": commit}})


@ROUTES("GET", "R/git/commits/{commit}")
def _commit(ask: Ask) -> Answer:
    commit = ask.groups["commit"]
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        return error(422, "The SHA is not valid")
    return Answer(200, {"sha": commit}) if ask.state.repository.commit(commit) else not_found()


@ROUTES("GET", "R/contents/{path*}")
def _contents(ask: Ask) -> Answer:
    """A folder comes as JSON whatever the client accepts."""
    state, ref, path = ask.state, ask.query.get("ref", ask.state.default_branch), ask.groups["path"]
    commit = state.repository.commit(ref if re.fullmatch(r"[0-9a-f]{40}", ref) else f"refs/heads/{ref}")
    if not commit:
        return error(404, f"No commit found for the ref {ref}")
    blob = state.repository.blob(commit, path)
    if blob is None:
        is_folder = git(state.repository.path, "ls-tree", "-d", "--name-only", commit, "--", path) == path
        return Answer(200, [{"type": "file", "path": f"{path}/x"}]) if is_folder else not_found()
    if "raw" not in ask.accept:
        return Answer(200, {"type": "file", "path": path, "encoding": "base64"})
    return Answer(200, blob, (("Content-Type", "application/vnd.github.raw+json; charset=utf-8"),))


@ROUTES("GET", "R/actions/workflows")
def _workflows(ask: Ask) -> Answer:
    return ask.paged([{"id": 1, "name": "coordinator", "path": ".github/workflows/coordinator.yml"}], "workflows")


@ROUTES("GET", "R/actions/runs/{number}")
def _run(ask: Ask) -> Answer:
    number = int(ask.groups["number"])
    if number not in ask.state.runs:
        return not_found()
    conclusion = ask.state.runs[number]
    return Answer(200, {"id": number, "status": "completed" if conclusion else "in_progress", "conclusion": conclusion})


@ROUTES("GET", "R/actions/permissions/workflow")
def _workflow_rights(ask: Ask) -> Answer:
    ask.must("admin")
    return Answer(200, {"can_approve_pull_request_reviews": ask.state.jobs_may_open_pulls})


@ROUTES("GET", "R/actions/secrets")
def _secrets(ask: Ask) -> Answer:
    ask.must("admin")
    return ask.paged([_secret(name) for name in ask.state.secrets], "secrets")


@ROUTES("GET", "R/actions/organization-secrets")
def _organization_secrets(ask: Ask) -> Answer:
    ask.must("admin")
    names = ask.state.organization_secrets
    return not_found() if names is None else ask.paged([_secret(name) for name in names], "secrets")


def _secret(name: str) -> dict[str, Json]:
    return {"name": name, "created_at": stamp(), "updated_at": stamp()}


@ROUTES("POST", "R/actions/workflows/{workflow}/dispatches")
def _dispatch(ask: Ask) -> Answer:
    ask.must("actions")
    state, ref, workflow = ask.state, ask.required("ref", resource="Workflow"), ask.groups["workflow"]
    path = f".github/workflows/{workflow}"
    if state.repository.blob(state.repository.commit(f"refs/heads/{state.default_branch}") or "HEAD", path) is None:
        return not_found()
    commit = state.repository.commit(f"refs/heads/{ref.removeprefix('refs/heads/')}")
    if not commit:
        return error(422, f"No ref found for: {ref}")
    declared = _declared_inputs(state.repository.blob(commit, path) or b"")
    if declared is None:
        return error(422, "Workflow does not have 'workflow_dispatch' trigger")
    inputs = ask.fields.get("inputs") or {}
    if not isinstance(inputs, dict):
        return error(422, "Invalid request.\n\nFor 'properties/inputs', it is not an object.")
    unknown = [name for name in inputs if name not in declared]
    if unknown:
        return error(422, f"Unexpected inputs provided: {json.dumps(unknown)}")
    state.dispatched.append({"workflow": workflow, "ref": ref, "inputs": inputs, "sender": ask.doer.login})
    return Answer(204)


def _declared_inputs(text: bytes) -> Mapping[str, object] | None:
    """YAML reads the key ``on`` as true."""
    triggers = yaml.safe_load(text).get(True)
    if not isinstance(triggers, dict) or "workflow_dispatch" not in triggers:
        return None
    return (triggers["workflow_dispatch"] or {}).get("inputs") or {}


def graphql(state: State, user: User | None, fields: Mapping[str, Json] | None) -> Answer:
    """Answer the three things that are asked by GraphQL; errors come with status 200."""
    query, variables = str((fields or {}).get("query")), (fields or {}).get("variables")
    if user is None:
        return error(401, "Bad credentials")
    if "viewer" in query:
        return _viewer(state, user)
    name = next((one for one in ("convertPullRequestToDraft", "markPullRequestReadyForReview") if one in query), "")
    wanted = str(variables.get("id")) if isinstance(variables, dict) else ""
    found = [one for one in state.issues.values() if one.pull and f"PR_{one.number}" == wanted]
    if user.is_job or not state.may(user, "pulls"):
        return _graphql_error(name, "FORBIDDEN", NOT_FOR_APPS if user.is_job else f"{user.login} may not do that")
    if not name or not found:
        return _graphql_error(name, "NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'")
    to_draft = name == "convertPullRequestToDraft"
    if to_draft and not state.drafts:
        return _graphql_error(name, "UNPROCESSABLE", "Draft pull requests are not supported in this repository.")
    assert found[0].pull is not None
    found[0].pull.draft = to_draft
    return Answer(200, {"data": {name: {"pullRequest": {"isDraft": to_draft}}}})


def _viewer(state: State, user: User) -> Answer:
    if not state.viewer_known:
        return _graphql_error("viewer", "FORBIDDEN", NOT_FOR_APPS)
    return Answer(200, {"data": {"viewer": {"login": user.login, "databaseId": user.id}}})


def _graphql_error(name: str, kind: str, message: str) -> Answer:
    return Answer(200, {"data": {name: None}, "errors": [{"type": kind, "path": [name], "message": message}]})


def refresh_pull_refs(state: State) -> None:
    """Keep ``refs/pull/N/head`` where the branches are."""
    for issue in state.issues.values():
        if issue.pull and issue.state == "open" and issue.pull.head_repository == 1:
            commit = state.repository.commit(f"refs/heads/{issue.pull.head}")
            if commit:
                state.repository.update_ref(f"refs/pull/{issue.number}/head", commit)
