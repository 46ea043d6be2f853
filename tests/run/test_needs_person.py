"""Work that is finished but for what a person has to look at: told once, handed over, waived, accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_script import is_agent_call, say
from tests.run.processes import outcome
from tests.run.pull_requests import PullRequests
from tests.run.queueing import model
from tests.small_project import LINT_ONLY, bash, submit

if TYPE_CHECKING:
    from coordinator.demo.model_script import Reply
    from coordinator.demo.model_server import ModelServer
    from tests.run.support import Ended, Job

WITH_INTEGRITY = LINT_ONLY.replace("  integrity: {enabled: false}\n", "")
SILENCED = "ONE = 1\nTWO: str = 2  # type: ignore\n"
SILENCE = bash("printf 'ONE = 1\\nTWO: str = 2  # type: ignore\\n' > tool.py")
HONEST = bash("printf 'ONE = 1\\nTWO = 2\\n' > tool.py")
WAIVER = "Gate-Allow: type-ignore tool.py"


@pytest.fixture
def guarded(job: Job) -> Job:
    """Give a job whose gates are lint and integrity."""
    job.push({".coordinator.yml": WITH_INTEGRITY})
    return job


def served(job: Job, *script: Reply) -> tuple[Ended, ModelServer]:
    with model(*script) as server:
        job.use(server)
        ended = job.run("--format", "json")
    assert server.refused == []
    return ended, server


def told(server: ModelServer, request: int) -> str:
    return str(server.requests[request].body["messages"][-1])


def statuses(job: Job) -> dict[str, tuple[str, str]]:
    found = [entry for entry in job.forge.state.statuses if entry["commit"] == job.branch()]
    return {str(entry["context"]): (str(entry["status"]), str(entry["description"])) for entry in found}


def test_the_agent_hears_of_it_once_and_may_undo_it(guarded: Job) -> None:
    guarded.assign()
    ended, server = served(guarded, SILENCE, submit(), HONEST, submit())
    assert outcome(ended) == (0, "completed"), ended.err
    text = told(server, 2)
    assert "1 gate of 2 did not pass: integrity" in text
    assert "Undo what weakens a check, as far as the issue does not ask for it" in text
    assert "tool.py:2 [type-ignore] 1 more of type-ignore than before" in text
    assert "2 submissions left" in text


def test_work_that_stays_as_it_is_goes_to_a_person_with_the_line_that_waives_it(guarded: Job) -> None:
    guarded.push({".coordinator.yml": WITH_INTEGRITY.replace("escalate: false\n", "attempts: 5\n")})
    guarded.assign()
    ended, server = served(guarded, SILENCE, submit(), submit("It has to be silenced"))
    assert outcome(ended) == (1, "rejected"), ended.err
    assert len(server.requests) == 3, "neither another attempt nor a more capable agent"
    assert "no more capable agent" in ended.err
    assert "It needs a person: 1 finding that only somebody with write access can waive" in guarded.headline()
    (comment,) = guarded.comments
    (pull,) = guarded.pulls
    for text in (comment, pull.body):
        assert f"```text\n{WAIVER}\n```" in text
        assert "by the label `gate-allow`. Then comment `/coordinator retry`." in text
    assert pull.title.startswith("WIP:")
    gates = statuses(guarded)
    assert gates["coordinator"] == ("failure", "needs a person: integrity")
    assert gates["coordinator/lint"][0] == "success"
    assert gates["coordinator/integrity"][0] == "failure"
    assert gates["coordinator/integrity"][1].startswith("needs a person: 1 finding, first at tool.py:2")


def waive(job: Job, by: str = "comment") -> None:
    state = job.forge.state
    (pull,) = job.pulls
    if by == "label":
        state.set_labels(job.issue, [job.forge.add_label("gate-allow")], job.maintainer)
    else:
        state.add_entry(pull if by == "pull request" else job.issue, job.maintainer, "comment", body=WAIVER)


def again(job: Job, *script: Reply) -> tuple[Ended, ModelServer]:
    job.comment("/coordinator retry", by=job.maintainer)
    return served(job, *script)


@pytest.mark.parametrize("by", ["comment", "label", "pull request"])
def test_waived_work_is_accepted_as_it_is_without_asking_a_model(guarded: Job, by: str) -> None:
    guarded.assign()
    served(guarded, SILENCE, submit("First try"), submit("It has to be silenced"))
    waive(guarded, by)
    ended, server = again(guarded)
    assert outcome(ended) == (0, "completed"), ended.err
    assert server.requests == []
    assert guarded.git("show", "coordinator/issue-1:tool.py") == SILENCED.strip()
    assert "1 waived" in statuses(guarded)["coordinator/integrity"][1]
    (pull,) = guarded.pulls
    assert "with what a person has waived since" in str(ended.document["reason"])
    assert "A person decides" not in guarded.comments[0]
    assert "It has to be silenced" in pull.body
    assert not pull.title.startswith("WIP:")


@pytest.mark.parametrize("since", ["nothing", "the issue was rewritten", "somebody pushed"])
def test_an_agent_is_asked_where_the_work_may_not_be_what_is_wanted(guarded: Job, since: str) -> None:
    guarded.assign()
    served(guarded, SILENCE, submit(), submit())
    if since == "nothing":
        guarded.forge.state.add_entry(guarded.issue, guarded.maintainer, "comment", body="Gate-Allow: skip tool.py")
    else:
        waive(guarded)
    if since == "the issue was rewritten":
        guarded.issue.body += "\nAnd do something else"
    elif since == "somebody pushed":
        files = {"tool.py": SILENCED, "other.py": "THREE = 3\n"}
        guarded.push(files, branch="coordinator/issue-1", message="More\n\nIssue: #1")
    ended, server = again(guarded, HONEST, submit("Undone"))
    assert outcome(ended) == (0, "completed"), ended.err
    assert len(server.requests) == 2
    assert ("is not accepted yet: integrity failed" in ended.err) == (since == "nothing")


def test_work_that_was_broken_off_is_not_taken_for_done_by_a_waiver(guarded: Job) -> None:
    guarded.push({".coordinator.yml": f"{WITH_INTEGRITY}budget: {{run: {{turns: 2}}}}\n"})
    guarded.assign()
    ended, _ = served(guarded, SILENCE, submit(), HONEST)
    assert outcome(ended) == (1, "failed"), ended.err
    waive(guarded)
    ended, server = again(guarded, submit("Now it is done"))
    assert outcome(ended) == (0, "completed"), ended.err
    assert len(server.requests) == 1


def test_a_waiver_of_a_stranger_or_in_the_branch_is_none(guarded: Job) -> None:
    stranger = guarded.forge.add_user("outsider")
    guarded.forge.state.add_entry(guarded.issue, stranger, "comment", body=WAIVER)
    guarded.assign()
    line = say(
        *bash(f"printf 'ONE = 1\\nTWO: str = 2  # type: ignore\\n# {WAIVER}\\n' > tool.py").blocks, when=is_agent_call
    )
    ended, _ = served(guarded, line, submit(WAIVER), submit(WAIVER))
    assert outcome(ended) == (1, "rejected"), ended.err
    assert "A waiver of @outsider does not count" in ended.err


def test_a_pull_request_is_judged_with_the_waivers_on_it(guarded: Job) -> None:
    pulls = PullRequests(guarded)
    pulls.open({"tool.py": SILENCED})
    assert pulls.judge().code == 1
    assert f"```text\n{WAIVER}\n```" in pulls.comment
    assert "Then run the check again." in pulls.comment
    guarded.forge.state.add_entry(pulls.state, guarded.maintainer, "comment", body=WAIVER)
    ended = pulls.judge()
    assert ended.code == 0, ended.err
    assert "A person decides" not in pulls.comment
