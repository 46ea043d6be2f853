"""The other routes: accounts, rights, pull requests, statuses, files; as measured on a Gitea 1.26 server."""

from __future__ import annotations

import base64
import re

from tests.standins.forge_api import Answer, Ask, Routes, Stop, error, not_found, person
from tests.standins.forge_state import JOB_USER_ID, IssueState, Json, Pull, State, stamp

ROUTES = Routes()


@ROUTES("GET", "/version", "")
def _version(ask: Ask) -> Answer:
    return Answer(200, {"version": ask.state.version})


@ROUTES("GET", "/admin/users", "admin")
def _users(ask: Ask) -> Answer:
    if not ask.doer.site_admin:
        return error(403, "user should be the site admin")
    return ask.paged([user for user in ask.state.users.values() if user.id > 0], ask.state.user_json)


@ROUTES("GET", "/user", "user")
def _user(ask: Ask) -> Answer:
    return Answer(200, ask.state.user_json(ask.doer))


@ROUTES("GET", "/users/{login}", "user")
def _user_by_name(ask: Ask) -> Answer:
    user = person(ask.state, ask.groups["login"])
    return Answer(200, ask.state.user_json(user)) if user else not_found("user redirect does not exist")


@ROUTES("GET", "R", "repository")
def _repository(ask: Ask) -> Answer:
    return Answer(200, ask.state.repository_json(ask.user))


@ROUTES("PATCH", "R", "repository")
def _change_repository(ask: Ask) -> Answer:
    state, fields = ask.state, ask.fields
    if not state.may(ask.doer, "admin"):
        return error(403, "user should be an owner or a collaborator with admin write of a repository")
    state.actions_enabled = bool(fields.get("has_actions", state.actions_enabled))
    state.private = bool(fields.get("private", state.private))
    state.archived = bool(fields.get("archived", state.archived))
    return Answer(200, state.repository_json(ask.user))


@ROUTES("GET", "R/assignees", "repository")
def _assignees(ask: Ask) -> Answer:
    return Answer(200, [ask.state.user_json(user) for user in ask.state.assignable()])


@ROUTES("GET", "R/teams", "repository")
def _teams(ask: Ask) -> Answer:
    if not ask.state.organisation:
        return error(405, "repo is not owned by an organization")
    teams: list[Json] = [{"name": team.name, "permission": "none", "units_map": team.units} for team in ask.state.teams]
    return Answer(200, [{"name": "Owners", "permission": "owner", "units_map": {"repo.code": "owner"}}, *teams])


@ROUTES("GET", "R/collaborators/{login}/permission", "repository")
def _permission(ask: Ask) -> Answer:
    """On Forgejo an account may not even ask about itself: compared is the login name, empty for a local account."""
    login = ask.groups["login"]
    about_itself = not ask.state.is_forgejo and ask.doer.login.casefold() == login.casefold()
    if not (ask.doer.site_admin or ask.state.may(ask.doer, "admin") or about_itself):
        return error(403, "Only admins can query all permissions, repo admins can query all repo permissions")
    user = person(ask.state, login)
    if user is None:
        return error(404, f"user does not exist [uid: 0, name: {login}]")
    level = ask.state.level(user)
    return Answer(200, {"permission": level, "role_name": level, "user": ask.state.user_json(user)})


@ROUTES("GET", "R/pulls", "repository")
def _pulls(ask: Ask) -> Answer:
    wanted, base = ask.query.get("state", "open"), ask.query.get("base_branch", "")
    pulls = [(one, one.pull) for one in ask.state.issues.values() if one.pull and wanted in {one.state, "all"}]
    shown = [(one, pull) for one, pull in pulls if base in {"", pull.base}]
    return ask.paged(shown, lambda pair: ask.state.pull_json(*pair))


@ROUTES("GET", "R/pulls/{number}", "repository")
def _pull(ask: Ask) -> Answer:
    return Answer(200, ask.state.pull_json(*ask.pull))


@ROUTES("POST", "R/pulls", "repository")
def _create_pull(ask: Ask) -> Answer:
    state, head, base = ask.state, ask.required("head"), ask.required("base")
    title = ask.required("title")
    if ask.doer.id == JOB_USER_ID and state.private:
        return not_found()
    if ask.doer.id == JOB_USER_ID and not state.is_forgejo:
        return error(403, "user should have a permission to create pull requests")
    if head == base:
        return error(422, "Invalid PullRequest: There are no changes between the head and the base")
    if not all(state.repository.commit(f"refs/heads/{branch}") for branch in (head, base)):
        return not_found()
    pair = Pull(head, base)
    if any(issue.pull == pair and issue.state == "open" for issue in state.issues.values()):
        return error(409, f"pull request already exists for these targets [head_branch: {head}, base_branch: {base}]")
    issue = IssueState(state.next_number(), title, ask.text("body"), ask.doer, pull=pair)
    state.issues[issue.number] = issue
    refresh_pull_refs(state)
    return Answer(201, state.pull_json(issue, pair))


@ROUTES("PATCH", "R/pulls/{number}", "repository")
def _change_pull(ask: Ask) -> Answer:
    issue, pull = ask.pull
    if issue.author != ask.doer:
        ask.must_write()
    issue.title = ask.text("title") or issue.title
    issue.body = ask.text("body") if "body" in ask.fields else issue.body
    issue.state = ask.text("state") or issue.state
    issue.updated_at = stamp()
    return Answer(201, ask.state.pull_json(issue, pull))


@ROUTES("POST", "R/statuses/{commit}", "repository")
def _create_status(ask: Ask) -> Answer:
    ask.must_write("user should have a permission to write to a repo")
    commit = ask.state.repository.commit(ask.groups["commit"])
    if not commit:
        return error(500, "")
    status: dict[str, Json] = {
        "id": len(ask.state.statuses) + 1,
        "commit": commit,
        "status": ask.text("state"),
        "context": ask.text("context"),
        "description": ask.text("description"),
        "target_url": ask.text("target_url"),
        "creator": None if ask.doer.id == JOB_USER_ID else ask.state.user_json(ask.doer),
    }
    ask.state.statuses.append(status)
    return Answer(201, status)


@ROUTES("GET", "R/commits/{commit}/statuses", "repository")
def _statuses(ask: Ask) -> Answer:
    commit = ask.state.repository.commit(ask.groups["commit"])
    found = [status for status in reversed(ask.state.statuses) if status["commit"] == commit]
    return ask.paged(found, dict)


@ROUTES("GET", "R/branches/{branch*}", "repository")
def _branch(ask: Ask) -> Answer:
    branch = ask.groups["branch"]
    commit = ask.state.repository.commit(f"refs/heads/{branch}")
    return Answer(200, {"name": branch, "commit": {"id": commit}, "protected": False}) if commit else not_found()


@ROUTES("GET", "R/git/commits/{commit}", "repository")
def _commit(ask: Ask) -> Answer:
    commit = ask.state.repository.commit(ask.groups["commit"])
    return Answer(200, {"sha": commit}) if commit else not_found(f"commit doesn't exist: {ask.groups['commit']}")


def _blob(ask: Ask) -> bytes:
    """Return a file; where a branch is unknown the default branch answers, as on the real server."""
    state, ref = ask.state, ask.query.get("ref", "")
    commit = state.repository.commit(ref or "HEAD")
    if not commit and re.fullmatch(r"[0-9a-f]{40}", ref):
        raise Stop(not_found("unable to find a git ref"))
    blob = state.repository.blob(commit or state.repository.commit("HEAD"), ask.groups["path"])
    if blob is None:
        raise Stop(not_found())
    return blob


@ROUTES("GET", "R/raw/{path*}", "repository")
def _raw(ask: Ask) -> Answer:
    return Answer(200, _blob(ask), (("Content-Type", "text/plain; charset=utf-8"),))


@ROUTES("GET", "R/contents/{path*}", "repository")
def _contents(ask: Ask) -> Answer:
    blob, path = _blob(ask), ask.groups["path"]
    content = base64.b64encode(blob).decode()
    return Answer(200, {"path": path, "type": "file", "size": len(blob), "encoding": "base64", "content": content})


def refresh_pull_refs(state: State) -> None:
    """Keep ``refs/pull/N/head`` where the branches are."""
    for issue in state.issues.values():
        if issue.pull and issue.state == "open" and issue.pull.head_repository == 1:
            commit = state.repository.commit(f"refs/heads/{issue.pull.head}")
            if commit:
                state.repository.update_ref(f"refs/pull/{issue.number}/head", commit)
