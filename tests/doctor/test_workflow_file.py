from __future__ import annotations

import pytest

from coordinator.doctor.workflow_file import find_workflow
from coordinator.errors import Misconfigured
from tests.doctor.support import OURS, PATH, changed, workflow

FORGEJO, GITEA, GITHUB = (f".{forge}/workflows/coordinator.yml" for forge in ("forgejo", "gitea", "github"))


@pytest.mark.parametrize(
    ("product", "there", "expected", "unused"),
    [
        ("gitea", [GITEA], GITEA, []),
        ("gitea", [GITHUB], GITHUB, []),
        ("gitea", [FORGEJO, GITEA, GITHUB], GITEA, [FORGEJO, GITHUB]),
        ("forgejo", [FORGEJO, GITEA, GITHUB], FORGEJO, [GITEA, GITHUB]),
        ("forgejo", [GITHUB, GITEA], GITEA, [GITHUB]),
        ("github", [GITHUB, GITEA], GITHUB, [GITEA]),
    ],
)
def test_the_first_folder_that_a_forge_reads_wins(
    product: str, there: list[str], expected: str, unused: list[str]
) -> None:
    found = find_workflow(dict.fromkeys(there, OURS.encode()).get, product, "main")
    assert (found.path, list(found.unused)) == (expected, unused)


@pytest.mark.parametrize(
    ("product", "there", "expected"),
    [
        ("gitea", FORGEJO, f"{FORGEJO} is in a folder that gitea does not read. Move it to .gitea/workflows/"),
        ("github", GITEA, f"{GITEA} is in a folder that github does not read. Move it to .github/workflows/"),
        ("forgejo", "x", "there is no .forgejo/workflows/coordinator.yml on the branch main. Write one with"),
    ],
)
def test_a_workflow_that_no_forge_would_find(product: str, there: str, expected: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        find_workflow({there: OURS.encode()}.get, product, "main")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on: [", f"{PATH}:1: no valid YAML"),
        ("a: 1\na: 2\n", f"{PATH}:2: the key 'a' stands here a second time"),
        (b"\xff", f"{PATH}:1: the file is not UTF-8"),
        ("", f"{PATH} is no workflow: the file: "),
        ("on: push\n", f"{PATH} is no workflow: jobs: "),
        ("on: push\njobs: {}\n", f"{PATH} is no workflow: jobs: "),
        ("on: push\njobs:\n  a: {steps: no}\n", f"{PATH} is no workflow: jobs.a.steps: "),
    ],
)
def test_what_is_no_workflow_is_named_with_its_place(text: str | bytes, expected: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        workflow(text)
    assert caught.value.what.startswith(expected)
    assert "coordinator init" in caught.value.mend


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("push", {"push": {}}),
        ("[push, issues]", {"push": {}, "issues": {}}),
        ("{push: , issues: {types: [opened]}}", {"push": {}, "issues": {"types": ["opened"]}}),
    ],
)
def test_the_three_ways_to_write_events(on: str, expected: object) -> None:
    assert workflow(f"on: {on}\njobs: {{a: {{steps: []}}}}\n").content.events == expected


def test_the_secrets_are_those_of_expressions_only() -> None:
    more = changed(
        ("trigger-assignee: my-bot", "comment: secrets.COMMENT"),
        ("# env:\n", "env:\n"),
        ("#   GLM_BASE_URL: https://glm.example.com", "  GLM_BASE_URL: secrets.TEXT"),
        ("#   GLM_API_KEY: ${{ secrets.GLM_API_KEY }}", "  GLM_API_KEY: ${{ secrets['glm_key'] }}"),
    )
    assert workflow(OURS).secrets == ("ANTHROPIC_API_KEY", "COORDINATOR_TOKEN", "COORDINATOR_WEBHOOK_SECRET")
    assert set(workflow(more).secrets) == {*workflow(OURS).secrets, "GLM_KEY"}
    job_tokens = "on: push\njobs: {a: {env: {T: '${{ secrets.GITHUB_TOKEN }} ${{ secrets.FORGEJO_TOKEN }}'}}}\n"
    assert workflow(job_tokens).secrets == ()


def step(uses: str, **inputs: str) -> str:
    given = ", ".join(f"{name}: '{value}'" for name, value in inputs.items())
    return f"on: push\njobs: {{a: {{steps: [{{run: ls}}, {{uses: {uses}, with: {{{given}}}}}]}}}}\n"


def test_the_step_that_calls_the_action() -> None:
    called = workflow(OURS).action
    assert called is not None
    assert called[1].uses == "./.coordinator-action"
    renamed = workflow(step("tools/robot@v1", **{"anthropic-api-key": "x"})).action
    assert renamed is not None
    assert renamed[1].uses == "tools/robot@v1"
    assert workflow(step("tools/other@v1", token="x")).action is None
    assert workflow("on: push\njobs: {a: {uses: ./x.yml}}\n").action is None


def test_plain_inputs_have_no_expression() -> None:
    text = step("o/coordinator@v1", **{"trigger-assignee": " bot ", "trigger-label": "${{ vars.X }}"})
    assert workflow(text).plain_inputs == {"trigger-assignee": "bot"}
    assert workflow("on: push\njobs: {a: {steps: []}}\n").plain_inputs == {}


def test_mappings_without_a_value_are_empty() -> None:
    found = workflow("on: push\nenv:\njobs: {a: {env: , steps: [{uses: coordinator, with: , env: '${{ x }}'}]}}\n")
    assert found.content.env == {}
    assert found.action is not None
    assert (found.action[1].inputs, found.action[1].env) == ({}, "${{ x }}")
