"""The routes of issues, comments and dependencies, as measured on a Gitea 1.26 server."""

from __future__ import annotations

from tests.standins.forge_api import DEFAULT_LIMIT, MAX_LIMIT, Answer, Ask, Routes, Stop, error, not_found, person
from tests.standins.forge_state import IssueState, Json, stamp

ROUTES = Routes()


@ROUTES("GET", "R/issues", "issue")
def _issues(ask: Ask) -> Answer:
    """The filter by label knows the repository's own, passes over unknown names, and wants all of one name."""
    state, kind, wanted = ask.state, ask.query.get("type"), ask.query.get("state", "open")
    names, assignee = ask.query.get("labels", "").split(","), ask.query.get("assigned_by", "")
    labels = {label for label, name in state.labels.items() if name in names}
    user = person(state, assignee)
    if assignee and user is None:
        return not_found("not found")
    shown = [
        one
        for one in reversed(state.issues.values())
        if wanted in {one.state, "all"}
        and (kind is None or (one.pull is None) == (kind == "issues"))
        and labels <= set(one.labels)
        and (user is None or user in one.assignees)
    ]
    return ask.paged(shown, state.issue_json)


@ROUTES("POST", "R/issues", "issue")
def _create_issue(ask: Ask) -> Answer:
    state = ask.state
    labels = ask.items("labels")
    if not all(isinstance(label, int) for label in labels):
        return error(
            422, "[]: json: cannot unmarshal string into Go struct field CreateIssueOption.Labels of type int64"
        )
    users = [person(state, str(login)) for login in ask.items("assignees")] if ask.writes else []
    if None in users:
        return error(422, "Assignee does not exist")
    issue = IssueState(state.next_number(), ask.required("title"), ask.text("body"), ask.doer)
    state.issues[issue.number] = issue
    if ask.writes:
        state.set_labels(issue, [label for label in state.labels if label in labels], ask.doer)
        state.set_assignees(issue, [user for user in users if user], ask.doer)
    return Answer(201, state.issue_json(issue))


@ROUTES("GET", "R/issues/{number}", "issue")
def _issue(ask: Ask) -> Answer:
    return Answer(200, ask.state.issue_json(ask.issue))


@ROUTES("PATCH", "R/issues/{number}", "issue")
def _change_issue(ask: Ask) -> Answer:
    state, issue = ask.state, ask.issue
    if issue.author != ask.doer:
        ask.must_write()
    if ask.text("state") not in {"", "open", "closed"}:
        return error(412, f"unknown state: {ask.text('state')}")
    if ask.text("state") == "closed" and any(state.issues[number].state == "open" for number in issue.blocked_by):
        return error(412, "cannot close this issue or pull request because it still has open dependencies")
    issue.title = ask.text("title") or issue.title
    issue.body = ask.text("body") if "body" in ask.fields else issue.body
    issue.state = ask.text("state") or issue.state
    if ask.fields.get("assignees") is not None and ask.writes:
        users = [person(state, str(login)) for login in ask.items("assignees")]
        if None in users:
            return error(500, "")
        state.set_assignees(issue, [user for user in users if user], ask.doer)
    issue.updated_at = stamp()
    return Answer(201, state.issue_json(issue))


@ROUTES("GET", "R/issues/{number}/timeline", "issue")
def _timeline(ask: Ask) -> Answer:
    entries: list[Json] = [*ask.issue_or_500.timeline]
    if "page" in ask.query:
        limit = min(int(ask.query.get("limit", DEFAULT_LIMIT)), MAX_LIMIT)
        entries = entries[(int(ask.query["page"]) - 1) * limit :][:limit]
    return Answer(200, entries or None, (("X-Total-Count", str(len(entries))),))


@ROUTES("GET", "R/issues/{number}/comments", "issue")
def _comments(ask: Ask) -> Answer:
    comments: list[Json] = [*ask.issue_or_500.comments]
    return Answer(200, comments, (("X-Total-Count", str(len(comments))),))


@ROUTES("POST", "R/issues/{number}/comments", "issue")
def _create_comment(ask: Ask) -> Answer:
    body, issue = ask.required("body"), ask.issue_or_500
    if issue.locked and not ask.writes:
        return error(403, "You cannot comment on a locked issue.")
    return Answer(201, ask.state.add_entry(issue, ask.doer, "comment", body=body))


@ROUTES("PATCH", "R/issues/comments/{number}", "issue")
def _change_comment(ask: Ask) -> Answer:
    body, number = ask.required("body"), int(ask.groups["number"])
    comments = [entry for issue in ask.state.issues.values() for entry in issue.comments if entry["id"] == number]
    if not comments:
        return not_found()
    if comments[0]["user"] != ask.state.user_json(ask.doer):
        ask.must_write()
    comments[0].update(body=body, updated_at=stamp())
    return Answer(200, comments[0])


@ROUTES("GET", "R/issues/{number}/dependencies", "issue")
def _dependencies(ask: Ask) -> Answer:
    issue = ask.issue
    if not ask.state.dependencies_enabled:
        return not_found()
    blockers = [ask.state.issues[number] for number in issue.blocked_by]
    return Answer(200, [ask.state.issue_json(blocker) for blocker in ask.page_of(blockers)])


@ROUTES("GET", "R/issues/{number}/blocks", "issue")
def _blocks(ask: Ask) -> Answer:
    number = ask.issue.number
    if not ask.state.dependencies_enabled:
        return not_found()
    blocked = [issue for issue in ask.state.issues.values() if number in issue.blocked_by]
    return Answer(200, [ask.state.issue_json(issue) for issue in ask.page_of(blocked)])


@ROUTES("POST", "R/issues/{number}/dependencies", "issue")
def _add_dependency(ask: Ask) -> Answer:
    ask.must_write()
    issue, blocker = ask.issue, _other_issue(ask)
    if blocker.number in issue.blocked_by or issue.number in blocker.blocked_by:
        return error(500, "")
    issue.blocked_by.append(blocker.number)
    return Answer(201, ask.state.issue_json(issue))


@ROUTES("DELETE", "R/issues/{number}/dependencies", "issue")
def _remove_dependency(ask: Ask) -> Answer:
    ask.must_write()
    issue, blocker = ask.issue, _other_issue(ask)
    if blocker.number not in issue.blocked_by:
        return error(500, "")
    issue.blocked_by.remove(blocker.number)
    return Answer(201, ask.state.issue_json(issue))


def _other_issue(ask: Ask) -> IssueState:
    other = ask.fields.get("index")
    found = ask.state.issues.get(other) if isinstance(other, int) else None
    if f"{ask.text('owner')}/{ask.text('repo')}" != ask.state.full_name or found is None:
        raise Stop(not_found())
    return found
