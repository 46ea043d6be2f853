from __future__ import annotations

import pytest

from coordinator.doctor.workflow import (
    EVENTS,
    INPUTS,
    ISSUE_TYPES,
    workflow_concurrency,
    workflow_dispatch,
    workflow_events,
    workflow_expressions,
    workflow_permissions,
    workflow_runner,
)
from tests.doctor.support import OURS, changed, told, workflow

RULES = (
    workflow_events,
    workflow_dispatch,
    workflow_expressions,
    workflow_concurrency,
    workflow_runner,
    workflow_permissions,
)


def test_there_is_nothing_to_say_against_the_workflow_of_init() -> None:
    assert [[state for state, _ in told(rule(workflow(OURS)))] for rule in RULES] == [["ok"]] * len(RULES)


def on(text: str) -> str:
    return f"on: {text}\njobs: {{a: {{steps: []}}}}\n"


@pytest.mark.parametrize("missing", list(EVENTS))
def test_an_event_that_is_missing(missing: str) -> None:
    rest = [name for name in EVENTS if name != missing]
    found = told(workflow_events(workflow(on(f"[{', '.join(rest)}]"))))
    state = "error" if missing == "issues" else "warning"
    assert found == [(state, f"it does not run on {missing}: {EVENTS[missing]}")]


@pytest.mark.parametrize("missing", list(ISSUE_TYPES))
def test_a_type_of_issues_that_is_missing(missing: str) -> None:
    text = changed((f"{missing}, ", "")) if missing != "closed" else changed((", closed", ""))
    state, message = told(workflow_events(workflow(text)))[0]
    assert (state, message) == ("warning", f"it does not run on issues of type {missing}: {ISSUE_TYPES[missing]}")


def test_one_type_as_a_text_and_no_types_at_all() -> None:
    one = told(workflow_events(workflow(on("{issues: {types: assigned}, issue_comment: , pull_request: }"))))
    assert [state for state, _ in one] == ["warning"] * 5 + ["ok"]
    none = told(workflow_events(workflow(on("{issues: , issue_comment: , pull_request: }"))))
    assert none == [("ok", "issues, issue_comment, pull_request")]


def test_pull_request_target_is_an_error() -> None:
    found = told(workflow_events(workflow(changed(("  pull_request:\n", "  pull_request:\n  pull_request_target:\n")))))
    assert [state for state, _ in found] == ["error"]
    assert "pull_request_target" in found[0][1]


@pytest.mark.parametrize("missing", list(INPUTS))
def test_an_input_of_a_dispatch_that_is_not_declared(missing: str) -> None:
    rest = ", ".join(f"{name}: {{type: string}}" for name in INPUTS if name != missing)
    found = told(workflow_dispatch(workflow(on(f"{{workflow_dispatch: {{inputs: {{{rest}}}}}}}"))))
    state = "error" if missing == "issue" else "warning"
    assert found == [(state, f"the input {missing} is not declared, and gets lost: {INPUTS[missing]}")]


@pytest.mark.parametrize("declared", ["{type: number}", "{type: boolean}", "{type: string, required: true}"])
def test_an_input_of_a_dispatch_that_is_no_optional_text(declared: str) -> None:
    inputs = f"{{issue: {declared}, event: {{}}, signature: }}"
    found = told(workflow_dispatch(workflow(on(f"{{workflow_dispatch: {{inputs: {inputs}}}}}"))))
    assert [state for state, _ in found] == ["warning"]
    assert "the input issue is required or no string" in found[0][1]


@pytest.mark.parametrize("text", ["issues", "{issues: }"])
def test_a_workflow_that_cannot_be_dispatched(text: str) -> None:
    assert [state for state, _ in told(workflow_dispatch(workflow(on(text))))] == ["error"]


def test_a_dispatch_without_any_input() -> None:
    assert [state for state, _ in told(workflow_dispatch(workflow(on("workflow_dispatch"))))] == [
        "error",
        "warning",
        "warning",
    ]


DANGEROUS = [
    "${{ github.event.issue.title }}",
    "${{ gitea.event.comment.body }}",
    "${{ forgejo.event.issue.body }}",
    "${{ github.event }}",
    "${{ toJSON(github.event) }}",
    "${{ toJSON(github) }}",
    "${{ toJSON( github ) }}",
    "${{ github['event']['issue']['title'] }}",
    "${{ github [ 'event' ].issue }}",
    "${{ GitHub.Event.issue.title }}",
    "${{ github.head_ref }}",
    "${{ github.ref_name }}",
    "${{ github.head_ref || github.sha }}",
    "${{ inputs.event }}",
    "${{ github.event.inputs.event }}",
    "before ${{ secrets.X }} and ${{ github . event . issue . title }} after",
    "${{\n github.event.issue.title\n}}",
]


@pytest.mark.parametrize("expression", DANGEROUS)
@pytest.mark.parametrize("place", ["env", "job env", "step env", "with", "run"])
def test_what_people_write_may_not_get_into_a_step(expression: str, place: str) -> None:
    quoted = '"' + expression.replace("\n", "\\n") + '"'
    parts = dict.fromkeys(("env", "job env", "step env", "with"), "{}") | {"run": "ls"}
    parts[place] = quoted if place == "run" else f"{{X: {quoted}}}"
    steps = f"[{{run: ls}}, {{uses: a, run: {parts['run']}, with: {parts['with']}, env: {parts['step env']}}}]"
    text = f"on: push\nenv: {parts['env']}\njobs: {{j: {{env: {parts['job env']}, steps: {steps}}}}}\n"
    [(state, message)] = told(workflow_expressions(workflow(text)))
    assert state == "error"
    named = {"env": "env has", "job env": "jobs.j.env has", "step env": "step 2 of job j: env has"}
    named |= {"with": "step 2 of job j: with has", "run": "step 2 of job j: run has"}
    assert message.startswith(f"{named[place]} ${{{{")


@pytest.mark.parametrize(
    "expression",
    [
        "${{ github.token }}",
        "${{ github.event_name }}",
        "${{ github.event_path }}",
        "${{ secrets.COORDINATOR_TOKEN || github.token }}",
        "${{ github['token'] }}",
        "${{ steps.a.outputs.github }}",
        "github.event.issue.title",
        "$GITHUB_EVENT_PATH",
        "${{ vars.EVENT }}",
    ],
)
def test_what_nobody_can_write_may(expression: str) -> None:
    text = f'on: push\njobs: {{j: {{steps: [{{uses: a, with: {{X: "{expression}"}}}}]}}}}\n'
    assert [state for state, _ in told(workflow_expressions(workflow(text)))] == ["ok"]


def test_an_expression_in_place_of_a_whole_env() -> None:
    text = "on: push\nenv: '${{ github.event }}'\njobs: {j: {steps: []}}\n"
    assert [state for state, _ in told(workflow_expressions(workflow(text)))] == ["error"]


@pytest.mark.parametrize("place", ["workflow", "job"])
@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("all", "error"),
        ("{group: '${{ github.ref }}', cancel-in-progress: true}", "error"),
        ("'issue-${{ github.event.issue.number }}'", "error"),
        ("{group: '${{ github.run_id }}'}", "ok"),
    ],
)
def test_concurrency_loses_issues(place: str, said: str, state: str) -> None:
    of_workflow, of_job = (said, "") if place == "workflow" else ("", said)
    text = f"on: push\nconcurrency: {of_workflow}\njobs:\n  a:\n    steps: []\n    concurrency: {of_job}\n"
    assert [one for one, _ in told(workflow_concurrency(workflow(text)))] == [state]


def test_the_label_that_a_runner_needs() -> None:
    text = "on: push\njobs: {a: {runs-on: [linux, x64], steps: [{run: ls}]}, b: {steps: [{run: ls}]}, c: {uses: ./x}}\n"
    assert told(workflow_runner(workflow(text))) == [
        ("ok", "the job a waits for a runner with the label linux, x64"),
        ("error", "the job b has no runs-on"),
    ]


@pytest.mark.parametrize(
    ("top", "job", "expected"),
    [
        ("", "", ("ok", "those that the server gives")),
        ("{}", "", ("warning", "actions, contents, issues, pull-requests, statuses")),
        ("read-all", "", ("warning", "actions, contents, issues, pull-requests, statuses")),
        ("write-all", "", ("ok", "those that the server gives")),
        ("{}", "write-all", ("ok", "those that the server gives")),
        ("write-all", "{contents: write, issues: read}", ("warning", "actions, issues, pull-requests, statuses")),
    ],
)
def test_the_rights_of_the_jobs_own_token(top: str, job: str, expected: tuple[str, str]) -> None:
    text = f"on: push\npermissions: {top}\njobs: {{other: {{permissions: write-all}}, a: {{permissions: {job}"
    text += ", steps: [{uses: o/coordinator@v1}]}}\n"
    [(state, message)] = told(workflow_permissions(workflow(text)))
    assert (state, message.removeprefix("the job's own token may not write ")) == expected


def test_without_a_step_of_the_action_any_job_counts() -> None:
    text = "on: push\njobs: {a: {permissions: {}, steps: []}}\n"
    assert [state for state, _ in told(workflow_permissions(workflow(text)))] == ["warning"]
