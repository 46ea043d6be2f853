"""The routes of issues, events, comments, labels and dependencies, as GitHub's documentation has them."""

from __future__ import annotations

from tests.standins.forge_api import Answer
from tests.standins.github_api import Ask, Routes, error, invalid, not_found
from tests.standins.github_state import IssueState, Json, User, stamp

ROUTES = Routes()


@ROUTES("GET", "R/issues")
def _issues(ask: Ask) -> Answer:
    """Pull requests are in the list."""
    state, wanted = ask.state, ask.query.get("state", "open")
    issues = [one for one in state.issues.values() if wanted in {one.state, "all"} and not one.deleted]
    if names := ask.query.get("labels"):
        needed = {name.strip().casefold() for name in names.split(",")}
        issues = [one for one in issues if needed <= {label.casefold() for label in one.labels}]
    assignee = ask.query.get("assignee")
    if assignee == "none":
        issues = [one for one in issues if not one.assignees]
    elif assignee == "*":
        issues = [one for one in issues if one.assignees]
    elif assignee is not None:
        person = state.person(assignee)
        if person is None:
            return invalid("Issue", field="assignee", code="invalid")
        issues = [one for one in issues if person in one.assignees]
    ascending = ask.query.get("direction") == "asc"
    issues.sort(key=lambda one: one.number, reverse=not ascending)
    return ask.paged([state.issue_json(one) for one in issues])


@ROUTES("POST", "R/issues")
def _create_issue(ask: Ask) -> Answer:
    """Labels and assignees of whoever may not push are dropped silently."""
    state = ask.state
    issue = IssueState(
        state.next_number(),
        ask.required("title", resource="Issue", limit=256),
        ask.text("body", resource="Issue") or None,
        ask.doer,
    )
    if state.may(ask.doer, "issues"):
        users = [state.person(login) for login in ask.texts("assignees")]
        if None in users:
            return invalid("Issue", field="assignees", code="invalid")
        state.add_labels(issue, ask.texts("labels"), ask.doer)
        state.set_assignees(issue, [user for user in users if user], ask.doer)
    state.issues[issue.number] = issue
    return Answer(201, state.issue_json(issue))


@ROUTES("GET", "R/issues/{number}")
def _issue(ask: Ask) -> Answer:
    return Answer(200, ask.state.issue_json(ask.issue))


@ROUTES("PATCH", "R/issues/{number}")
def _change_issue(ask: Ask) -> Answer:
    issue = ask.issue
    ask.must("issues")
    if "state" in ask.fields:
        issue.state = ask.required("state", resource="Issue")
        ask.state.add_event(issue, "closed" if issue.state == "closed" else "reopened", ask.doer)
    if "assignees" in ask.fields:
        users = [ask.state.person(login) for login in ask.texts("assignees")]
        if None in users:
            return invalid("Issue", field="assignees", code="invalid")
        ask.state.set_assignees(issue, [user for user in users if user], ask.doer)
    return Answer(200, ask.state.issue_json(issue))


@ROUTES("GET", "R/issues/{number}/events")
def _events(ask: Ask) -> Answer:
    return ask.paged(ask.issue.events)


@ROUTES("POST", "R/issues/{number}/labels")
def _add_labels(ask: Ask) -> Answer:
    issue = ask.issue
    ask.must("issues")
    ask.state.add_labels(issue, ask.texts("labels"), ask.doer)
    return Answer(200, [ask.state.label_json(name) for name in issue.labels])


@ROUTES("DELETE", "R/issues/{number}/labels/?")
def _remove_all_labels(ask: Ask) -> Answer:
    issue = ask.issue
    ask.must("issues")
    for name in list(issue.labels):
        ask.state.remove_label(issue, name, ask.doer)
    return Answer(204)


@ROUTES("DELETE", "R/issues/{number}/labels/{label}")
def _remove_label(ask: Ask) -> Answer:
    issue = ask.issue
    ask.must("issues")
    if not ask.state.remove_label(issue, ask.groups["label"], ask.doer):
        return error(404, "Label does not exist")
    return Answer(200, [ask.state.label_json(name) for name in issue.labels])


@ROUTES("GET", "R/issues/{number}/comments")
def _comments(ask: Ask) -> Answer:
    return ask.paged(ask.issue.comments)


@ROUTES("POST", "R/issues/{number}/comments")
def _create_comment(ask: Ask) -> Answer:
    body, issue = ask.required("body", resource="IssueComment"), ask.issue
    if ask.doer.is_job:
        ask.must("pulls" if issue.pull else "issues")
    number = ask.state.new_id()
    place = f"{ask.state.url}/{ask.state.full_name}/issues/{issue.number}"
    comment: dict[str, Json] = {
        "id": number,
        "user": ask.doer.json(),
        "body": body,
        "created_at": stamp(),
        "updated_at": stamp(),
        "html_url": f"{place}#issuecomment-{number}",
    }
    issue.comments.append(comment)
    return Answer(201, comment)


@ROUTES("PATCH", "R/issues/comments/{number}")
def _change_comment(ask: Ask) -> Answer:
    body, number = ask.required("body", resource="IssueComment"), int(ask.groups["number"])
    found = [one for issue in ask.state.issues.values() for one in issue.comments if one["id"] == number]
    if not found:
        return not_found()
    if found[0]["user"] != ask.doer.json():
        ask.must("issues")
    found[0].update(body=body, updated_at=stamp())
    return Answer(200, found[0])


@ROUTES("GET", "R/issues/{number}/dependencies/blocked_by")
def _blocked_by(ask: Ask) -> Answer:
    state, issue = ask.state, ask.issue
    if not state.dependencies:
        return not_found()
    own = [state.issue_json(state.issues[number]) for number in issue.blocked_by]
    return ask.paged([*own, *(_foreign(ask, *one) for one in issue.foreign_blockers)])


@ROUTES("GET", "R/issues/{number}/dependencies/blocking")
def _blocking(ask: Ask) -> Answer:
    if not ask.state.dependencies:
        return not_found()
    number = ask.issue.number
    return ask.paged([ask.state.issue_json(one) for one in ask.state.issues.values() if number in one.blocked_by])


def _foreign(ask: Ask, name: str, number: int) -> dict[str, Json]:
    issue = IssueState(number, "Elsewhere", None, User(77, "other", ""))
    return {**ask.state.issue_json(issue), "repository_url": f"{ask.state.api_url}/repos/{name}"}
