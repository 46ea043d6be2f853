"""The routes of labels, as measured on a Gitea 1.26 server; Forgejo's by its source."""

from __future__ import annotations

import re

from tests.standins.forge_api import Answer, Ask, Routes, Stop, error, not_found
from tests.standins.forge_state import JOB_USER_ID

ROUTES = Routes()
_COLOUR = re.compile(r"#?[0-9a-fA-F]{6}")


@ROUTES("GET", "R/labels", "issue")
def _labels(ask: Ask) -> Answer:
    return ask.paged([*ask.state.labels], ask.state.label_json)


@ROUTES("POST", "R/labels", "issue")
def _create_label(ask: Ask) -> Answer:
    """Two labels of one name are no fault."""
    ask.must_write()
    name, colour = ask.required("name"), ask.required("color")
    if not _COLOUR.fullmatch(colour):
        return error(422, f"invalid color: {colour}")
    label = ask.state.new_label()
    ask.state.labels[label] = name
    return Answer(201, ask.state.label_json(label))


@ROUTES("DELETE", "R/labels/{id}", "issue")
def _delete_label(ask: Ask) -> Answer:
    ask.must_write()
    label = int(ask.groups["id"])
    if ask.state.labels.pop(label, None):
        for issue in ask.state.issues.values():
            issue.labels = [one for one in issue.labels if one != label]
    return Answer(204)


@ROUTES("GET", "/orgs/{org}/labels", "organization")
def _organisation_labels(ask: Ask) -> Answer:
    _must_be_the_organisation(ask)
    return ask.paged([*ask.state.organisation_labels], ask.state.label_json)


@ROUTES("POST", "/orgs/{org}/labels", "organization")
def _create_organisation_label(ask: Ask) -> Answer:
    _must_be_the_organisation(ask)
    if not ask.state.may(ask.doer, "owner"):
        return error(403, "Must be an organization owner")
    label = ask.state.new_label()
    ask.state.organisation_labels[label] = ask.required("name")
    return Answer(201, ask.state.label_json(label))


def _must_be_the_organisation(ask: Ask) -> None:
    if not ask.state.organisation or ask.groups["org"] != ask.state.full_name.partition("/")[0]:
        raise Stop(not_found())


@ROUTES("GET", "R/issues/{number}/labels", "issue")
def _labels_of_issue(ask: Ask) -> Answer:
    return Answer(200, [ask.state.label_json(label) for label in ask.issue.labels])


@ROUTES("POST", "R/issues/{number}/labels", "issue")
def _add_labels(ask: Ask) -> Answer:
    return _change_labels(ask, keep=True)


@ROUTES("PUT", "R/issues/{number}/labels", "issue")
def _replace_labels(ask: Ask) -> Answer:
    return _change_labels(ask, keep=False)


def _change_labels(ask: Ask, *, keep: bool) -> Answer:
    """Take ids or names; what is unknown is dropped silently, on Forgejo also the names of the organisation's."""
    issue, given, state = ask.issue, ask.items("labels"), ask.state
    ask.must_write("write permission is required")
    ids = [one for one in given if isinstance(one, int) and not isinstance(one, bool)]
    names = [one for one in given if isinstance(one, str)]
    if len(ids) + len(names) < len(given):
        return error(400, "a label must be an integer or a string")
    if ids and names:
        return error(400, "labels should be an array of strings or integers")
    shared = {} if state.is_forgejo else state.organisation_labels
    known = [label for label, name in {**state.labels, **shared}.items() if name in names]
    known += [label for label in ids if label in state.labels or label in state.organisation_labels]
    before = issue.labels if keep else []
    state.set_labels(issue, [*before, *(label for label in known if label not in before)], ask.doer)
    return Answer(200, [state.label_json(label) for label in issue.labels])


@ROUTES("DELETE", "R/issues/{number}/labels/{id}", "issue")
def _remove_label(ask: Ask) -> Answer:
    """Fail for a job's token before 1.27 and on Forgejo (go-gitea/gitea#37011): its rights are looked up again."""
    issue, label, state = ask.issue, int(ask.groups["id"]), ask.state
    ask.must_write()
    if label not in state.labels and label not in state.organisation_labels:
        return error(422, "label does not exist [label_id: 0]")
    if ask.doer.id == JOB_USER_ID and not state.since(1, 27):
        return error(500, "")
    state.set_labels(issue, [one for one in issue.labels if one != label], ask.doer)
    return Answer(204)
