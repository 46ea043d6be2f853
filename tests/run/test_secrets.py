"""Token and key go to the two servers they are for, in an Authorization header, and nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from coordinator.demo.model_server import ModelServer
from tests.run.support import BRANCH, Job, bearer, files_below, found_in, objects_of
from tests.small_project import BAD, bash, submit
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator

PRY = (
    "env > out.txt; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline >> out.txt 2>/dev/null;"
    " cat .git/config >> out.txt 2>/dev/null; find / -xdev -name event.json -newer /proc/1/cmdline"
    " -exec cat {} + >> out.txt 2>/dev/null; cp out.txt pried.txt; printf 'TWO = 2\\n' >> tool.py"
)
"""What a curious agent tries: every environment, every command line, every configuration."""


@pytest.fixture
def model(job: Job) -> Iterator[ModelServer]:
    """Serve a model whose agent pries, and is rejected before it is accepted."""
    script = [BAD, submit("One"), bash(PRY), bash("sed -i '/import os/d' tool.py"), submit("Two"), submit("Three")]
    with ModelServer(script, key=API_CANARY) as served:
        job.use(served)
        yield served


def told_to_people(job: Job) -> bytes:
    """Return all that people get to see: log, outputs, summary, comments, pull requests, statuses."""
    state = job.forge.state
    texts = [*job.said, json.dumps(job.outputs()), job.summary, *job.comments]
    texts += [f"{pull.title}\n{pull.body}" for pull in job.pulls]
    texts += [json.dumps(status) for status in state.statuses]
    return "\n".join(texts).encode()


@pytest.mark.usefixtures("model")
def test_the_canaries_are_nowhere(job: Job) -> None:
    job.assign()
    ended = job.run("--format", "json")
    assert ended.code == 0, ended.err
    assert "PATH=" in job.git("show", f"{BRANCH}:pried.txt"), "the agent saw something, and it is on the branch"
    assert not found_in(told_to_people(job))
    assert not found_in(objects_of(job.forge.bare_repository))
    for place in ("temp", "home", "workspace"):
        for name, content in files_below(job.folder / place).items():
            assert not found_in(content), name
    kept = files_below(job.folder / "temp")
    assert {name.rpartition("/")[2] for name in kept} >= {"transcript.jsonl", "report.html"}


def test_each_secret_goes_to_its_server_only_and_in_one_header(job: Job, model: ModelServer) -> None:
    job.assign()
    assert job.run().code == 0
    assert len(job.forge.requests) > 20
    for request in job.forge.requests:
        assert bearer(request) == FORGE_CANARY, request.path
        rest = [request.path, *(value for name, value in request.headers.items() if name != "authorization")]
        assert not found_in("\n".join(rest).encode() + request.body), request.path
    assert len(model.requests) == 5
    for asked in model.requests:
        assert API_CANARY in {asked.headers.get("x-api-key"), asked.headers.get("authorization", "")[7:]}
        others = [value for name, value in asked.headers.items() if name not in {"x-api-key", "authorization"}]
        assert FORGE_CANARY not in "\n".join(asked.headers.values())
        assert not found_in("\n".join(others).encode() + asked.raw)


def test_an_issue_that_holds_a_secret_is_not_passed_on(job: Job) -> None:
    # Somebody pasted the token into the issue: the coordinator does not repeat it anywhere.
    job.issue.title = f"Why is {FORGE_CANARY} refused"
    job.issue.body += f"\nThe key is {API_CANARY}.\n"
    script = [bash(f"printf 'TWO = 2  # {API_CANARY}\\n' >> tool.py; echo {FORGE_CANARY}"), submit(f"Use {API_CANARY}")]
    with ModelServer(script, key=API_CANARY) as served:
        job.use(served)
        job.assign()
        ended = job.run("--format", "json")
    assert not found_in(told_to_people(job))
    assert not any(found_in(asked.raw) for asked in served.requests[:1]), "the model is not told either"
    assert ended.code == 3
    assert "The work was refused: tool.py holds one of the secrets of this run" in str(ended.document["reason"])
    assert not found_in(objects_of(job.forge.bare_repository)), "and what the agent wrote is not pushed"
    for name, content in files_below(job.folder / "temp").items():
        assert not found_in(content), name
