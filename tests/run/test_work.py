"""Events that start work: from the event file to the pull request."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.commands.demo import make_sample
from coordinator.demo.model_script import Computed, load_script
from coordinator.demo.model_server import ModelServer
from tests.run.support import BODY, BRANCH, TITLE, Job
from tests.small_project import BAD, GOOD, LINT_ONLY, MEND, bash, submit
from tests.standins.forge_server import JOB_TOKEN
from tests.support import API_CANARY, git

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.demo.model_script import Reply

DEMO = Path(__file__).parents[2] / "coordinator" / "demo"


def model(*script: Reply | Computed) -> ModelServer:
    """Serve a scripted model that wants the job's key."""
    return ModelServer(list(script), key=API_CANARY)


def during(act: Callable[[], object], reply: Reply) -> Computed:
    """Let something happen while the model thinks about this reply."""

    def answer(_body: object) -> Reply:
        act()
        return reply

    return Computed(answer)


def assert_done(job: Job, *, commits: list[str] | None = None) -> None:
    """Look at everything that an accepted run leaves on the forge; by default with one commit on the base."""
    commit = job.branch()
    assert job.git("rev-list", f"main..{BRANCH}").split() == (commits or [commit])
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    (pull,) = job.pulls
    assert (pull.title, pull.author) == (f"{TITLE} (#1)", job.forge.bot)
    assert pull.body.startswith("Closes #1\n")
    assert "✅ Done" in job.headline()
    assert f"/pulls/{pull.number}" in job.headline()
    assert job.statuses(commit) == {"coordinator": "success", "coordinator/lint": "success"}


def test_an_assigned_issue_becomes_a_checked_pull_request(job: Job) -> None:
    base = job.branch("main")
    job.assign()
    with model(BAD, submit("First try"), MEND, submit("Add TWO\n\nIt was missing.")) as served:
        job.use(served)
        ended = job.run()
    assert ended.code == 0, ended.err
    assert not served.refused
    assert served.steps_left == 0
    assert_done(job)
    assert job.branch("main") == base
    assert job.git("log", "-1", "--format=%B", BRANCH).strip() == "Add TWO\n\nIt was missing.\n\nIssue: #1"
    posted = [line for line in job.writes if line.startswith("POST") and "/comments" in line]
    assert len(posted) == 1, "one comment, edited in place"
    assert sum(line.startswith("PATCH") for line in job.writes) > 3
    outputs = job.outputs()
    verdict = json.loads(outputs.pop("verdict"))
    assert verdict["passed"] is True
    assert verdict["tree"] == job.git("rev-parse", f"{BRANCH}^{{tree}}")
    assert [gate["gate"] for gate in verdict["gates"]] == ["lint"]
    assert int(outputs.pop("input-tokens")) == served.bill.input_tokens + served.bill.cache_read_tokens + (
        served.bill.cache_write_tokens
    )
    assert int(outputs.pop("output-tokens")) == served.bill.output_tokens
    assert float(outputs.pop("cost-usd")) > 0
    assert Path(outputs.pop("report")).read_text(encoding="utf-8").startswith("<!")
    assert outputs == {
        "outcome": "completed",
        "issue": "1",
        "agent": "haiku",
        "branch": BRANCH,
        "pull-request": str(job.pulls[0].number),
    }
    assert f"/pulls/{job.pulls[0].number}" in job.summary
    assert "F401" in job.summary
    assert "assigned by @maintainer" in ended.err
    assert "pull request" in ended.out


def test_the_document_for_scripts(job: Job) -> None:
    job.assign()
    with model(GOOD, submit()) as served:
        job.use(served)
        ended = job.run("--format", "json")
    document = ended.document
    assert (document["outcome"], document["exit_code"], ended.code) == ("completed", 0, 0)
    assert document["issue"] == {"number": 1, "title": TITLE}
    assert (document["branch"], document["commit"]) == (BRANCH, job.branch())
    (pull,) = job.pulls
    assert document["pull_request"] == {
        "number": pull.number,
        "url": f"{job.forge.url}/acme/app/pulls/{pull.number}",
        "draft": False,
    }
    assert "ruff" in ended.err, "the log goes to standard error"


def test_a_labelled_issue(job: Job) -> None:
    job.label()
    with model(GOOD, submit()) as served:
        job.use(served)
        assert job.run().code == 0
    assert_done(job)
    assert "labelled by `@maintainer`" in job.comments[0]


def test_an_issue_that_was_opened_already_assigned(job: Job) -> None:
    # Gitea writes such an `assigned` event before the commit, and every time stamp in it is 1970.
    job.assign()
    event = json.loads((job.folder / "event.json").read_bytes())
    event["issue"] |= {"created_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:00Z"}
    for name, action in (("assigned", "assigned"), ("opened", "opened")):
        job.event("issues", {**event, "action": action})
        ended = job.run("--dry-run", "--format", "json")
        assert (ended.code, ended.document["outcome"]) == (0, "skipped"), name
        assert str(ended.document["reason"]).startswith("Dry run: haiku")
    assert not job.writes
    with model(GOOD, submit()) as served:
        job.use(served)
        assert job.run().code == 0
    assert_done(job)


def test_one_click_that_starts_several_runs_is_worked_on_once(job: Job) -> None:
    job.assign()
    assigned = json.loads((job.folder / "event.json").read_bytes())
    with model(GOOD, submit()) as served:
        job.use(served)
        assert job.run().code == 0
        for number, action in enumerate(("opened", "assigned"), start=42):
            job.set(GITHUB_RUN_ID=str(number))
            job.event("issues", {**assigned, "action": action})
            ended = job.run("--format", "json")
            assert (ended.code, ended.document["outcome"]) == (0, "skipped")
            assert "has answered this request for issue #1 already" in str(ended.document["reason"])
    assert_done(job)


def test_a_new_request_is_worked_on_again(job: Job) -> None:
    job.assign()
    with model(GOOD, submit(), bash("printf 'THREE = 3\\n' >> tool.py"), submit("Add THREE")) as served:
        job.use(served)
        assert job.run().code == 0
        first = job.branch()
        job.forge.state.set_assignees(job.issue, [], job.maintainer)
        for comment in job.issue.comments:
            comment["updated_at"] = "2026-01-01T00:00:00Z"  # the stand-in counts in seconds, as Gitea does
        job.assign()
        ended = job.run()
    assert ended.code == 0, ended.err
    assert job.branch() != first


def test_a_dispatch_by_number_needs_neither_label_nor_assignee(job: Job) -> None:
    job.dispatch(issue="1")
    with model(GOOD, submit()) as served:
        job.use(served)
        assert job.run().code == 0
    assert_done(job)
    assert "dispatched by `@maintainer`" in job.comments[0]


def test_a_dispatch_takes_the_number_from_the_input_where_the_event_has_none(job: Job) -> None:
    job.dispatch(issue="", event="", signature="")
    job.set(INPUT_ISSUE="1", INPUT_DRY_RUN="true")
    ended = job.run("--format", "json")
    assert (ended.code, ended.document["issue"]) == (0, {"number": 1, "title": TITLE})
    assert not job.writes


def test_inputs_in_the_spelling_of_gitea_runners(job: Job) -> None:
    job.unset("INPUT_ANTHROPIC_API_KEY", "INPUT_DRY_RUN", "INPUT_TOKEN")
    job.set(**{"INPUT_ANTHROPIC-API-KEY": API_CANARY, "INPUT_DRY-RUN": "true", "INPUT_TOKEN": job.forge.token})
    job.set(**{"INPUT_TRIGGER-LABEL": "robot"})
    job.assign()
    ended = job.run()
    assert ended.code == 0, ended.err
    assert "Dry run: haiku" in ended.out
    assert not job.writes


def test_a_comment_of_somebody_allowed_starts_an_issue_that_is_not_ours_yet(job: Job) -> None:
    job.comment("/coordinator run\n\nplease", by=job.maintainer)
    with model(GOOD, submit()) as served:
        job.use(served)
        assert job.run().code == 0
    assert_done(job)
    assert "asked by `@maintainer` in a comment" in job.comments[0]


def test_a_comment_that_asks_for_the_plan_is_answered_in_the_comment(job: Job) -> None:
    job.comment("/coordinator plan", by=job.maintainer)
    with model() as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    assert ended.document["agent"] == "haiku"
    assert ended.document["plan"]
    assert job.outputs()["outcome"] == "skipped"
    assert not served.requests
    assert "haiku would work on this" in job.headline()
    assert [write for write in job.writes if "/comments" not in write] == []


def test_work_that_the_gates_reject_is_a_draft_that_says_so(job: Job) -> None:
    job.assign()
    with model(BAD, submit(), submit(), submit()) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"], ended.document["exit_code"]) == (1, "rejected", 1)
    assert "coordinator: rejected: " in ended.err
    (pull,) = job.pulls
    assert pull.title.startswith("WIP: ")
    assert pull.body.startswith("**Not done:**")
    assert "⚠️ Not done" in job.headline()
    assert job.statuses(job.branch()) == {"coordinator": "failure", "coordinator/lint": "failure"}
    assert job.outputs()["outcome"] == "rejected"
    assert json.loads(job.outputs()["verdict"])["passed"] is False


def test_a_second_run_goes_on_on_the_same_branch_pull_request_and_comment(job: Job) -> None:
    job.assign()
    with model(BAD, submit(), submit(), submit(), MEND, submit("Add TWO")) as served:
        job.use(served)
        assert job.run().code == 1
        rejected = job.branch()
        job.set(GITHUB_RUN_NUMBER="8", GITHUB_RUN_ATTEMPT="2")
        ended = job.run()
    assert ended.code == 0, ended.err
    assert_done(job, commits=[job.branch(), rejected])
    assert "(continued)" in job.comments[0]


def test_a_job_token_pushes_and_leaves_the_pull_request_to_a_person(job: Job) -> None:
    # The job token of Gitea may push and comment, and may open no pull request (go-gitea/gitea#32302 and measured).
    job.set(INPUT_TOKEN=JOB_TOKEN)
    job.assign()
    with model(GOOD, submit()) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    document, page = ended.document, f"{job.forge.url}/acme/app/compare/main...{BRANCH}"
    assert (document["outcome"], document["pull_request"]) == ("completed", None)
    assert page in str(document["reason"])
    assert document["commit"] == job.branch()
    assert "give the coordinator a user's token" in ended.err
    assert job.outputs()["pull-request"] == ""
    (comment,) = (str(entry["body"]) for entry in job.issue.comments)
    assert page in comment
    assert "- [x] Pull request" not in comment
    assert job.statuses(job.branch()) == {"coordinator": "success", "coordinator/lint": "success"}
    assert not job.pulls


def test_the_configuration_of_the_work_branch_has_no_say(job: Job) -> None:
    weak = {".coordinator.yml": "gates: {lint: {enabled: false}}\nattempts: 1\nagents: {haiku: {enabled: false}}\n"}
    job.push({**weak, "other.py": ""}, branch=BRANCH, message="Weaken\n\nIssue: #1")
    job.assign()
    with model(BAD, submit(), MEND, submit()) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    attempts = ended.document["attempts"]
    assert isinstance(attempts, list)
    assert len(attempts) == 2
    assert ended.document["agent"] == "haiku"


def test_the_agent_cannot_change_the_configuration_that_judges_it(job: Job) -> None:
    job.assign()
    change = "printf 'gates: {lint: {enabled: false}}\\n' > .coordinator.yml"
    with model(BAD, bash(change), submit(), submit(), submit()) as served:
        job.use(served)
        ended = job.run()
    assert ended.code == 1, ended.err
    assert job.git("show", f"{BRANCH}:.coordinator.yml") == LINT_ONLY.strip()


def test_an_issue_closed_meanwhile_gives_the_work_back(job: Job) -> None:
    def close() -> None:
        job.issue.state = "closed"

    job.assign()
    with model(GOOD, during(close, MEND), submit()) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "released")
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    assert "was closed" in job.headline()
    assert served.steps_left == 1


def test_a_cancelled_job_pushes_what_it_has(job: Job) -> None:
    job.assign()
    with model(GOOD, during(lambda: os.kill(os.getpid(), signal.SIGTERM), submit())) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"], job.outputs()["outcome"]) == (4, "failed", "failed")
    assert "cancelled" in str(ended.document["reason"])
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    assert job.pulls[0].title.startswith("WIP: ")


def test_an_issue_that_waits_for_another_starts_nothing(job: Job) -> None:
    other = job.add_issue("First this")
    job.issue.blocked_by.append(other)
    job.assign()
    with model() as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (0, "waiting")
    assert not served.requests
    assert not job.branch()
    assert f"#{other}" in job.headline()


def test_an_issue_too_big_for_all_is_blocked_and_costs_nothing(job: Job) -> None:
    job.issue.body = BODY.replace("1000 tokens", "900000 tokens")
    job.assign()
    with model() as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert (ended.code, ended.document["outcome"]) == (1, "blocked")
    assert "plit" in str(ended.document["reason"])
    assert not served.requests


ALL_GATES = ("build", "lint", "test", "coverage", "integrity")


@pytest.mark.slow
def test_all_gates_on_the_sample_project(job: Job) -> None:
    sample = make_sample(job.folder / "sample")
    git(sample, "push", "--quiet", "--force", str(job.forge.bare_repository), "HEAD:refs/heads/main")
    job.issue.body = (DEMO / "7-max-length.md").read_text(encoding="utf-8")
    job.assign()
    with ModelServer(load_script(DEMO / "script.json"), key=API_CANARY) as served:
        job.use(served)
        ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    contexts = ["coordinator", *(f"coordinator/{gate}" for gate in ALL_GATES)]
    assert job.statuses(job.branch()) == dict.fromkeys(contexts, "success")
    attempts = ended.document["attempts"]
    assert isinstance(attempts, list)
    assert len(attempts) == 2


def test_what_a_gate_says_besides_stands_in_comment_pull_request_and_log(job: Job) -> None:
    job.assign()
    with model(bash("printf 'line-length = 60\\n' > ruff.toml"), MEND, submit("Add TWO")) as served:
        job.use(served)
        ended = job.run()
    assert ended.code == 0, ended.err
    note = "ruff.toml: not in the base, so its rules for the gates do not count"
    (pull,) = job.pulls
    for text in (pull.body, job.summary, job.comments[-1]):
        assert f"\nNotes:\n\n- {note}\n" in text
    assert f"note: {note}\n" in ended.err
