"""A run is broken off, and another one goes on with its conversation and its files, on a machine that has neither.

The second run gets the forge and nothing else of the first: its folders are its own.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from coordinator.agent.mending import KILLED
from coordinator.demo.model_script import call, say, thinking
from coordinator.state.records import ClaimRecord
from tests.run.processes import RunProcess, descendants, outcome, wait_until
from tests.run.queueing import claims_of, close, during, model, record, take_back
from tests.run.support import BODY, BRANCH, Job, objects_of
from tests.small_project import LINT_ONLY, MEND, bash, submit
from tests.support import API_CANARY, FORGE_CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coordinator.demo.model_prompt import Json
    from coordinator.demo.model_script import Computed, Reply
    from coordinator.demo.model_server import ModelServer
    from tests.run.support import Ended

LONG = timedelta(hours=1)
REF = "refs/coordinator/runs/issue-1"
NAP = "sleep 4567.8"
THINK = say(thinking("Hm."), call("bash", {"command": "printf 'x\\n' > new.txt; printf 'import os\\n' >> tool.py"}))
"""Leaves a new file, and what the gate rejects."""
REJECTED = (THINK, submit("One"))
MENDED = (MEND, submit("Two"))


def saved(job: Job) -> str:
    """Return where the checkpoint is; empty for nowhere."""
    return job.forge.state.repository.commit(REF)


@contextmanager
def talking(job: Job, *script: Reply | Computed) -> Iterator[ModelServer]:
    """Serve one model for all runs of a test: it sees whether anything is asked or done twice."""
    with model(*script) as served:
        job.use(served)
        yield served
    assert served.refused == []
    assert served.steps_left == 0


def run_until_it_naps(job: Job, number: signal.Signals = signal.SIGKILL, run: str = "41") -> Ended:
    """Run as a process of its own, and send it a signal while a command of the agent runs."""
    with RunProcess(job, run) as process:
        wait_until("a nap", lambda: any(NAP in line for line in descendants(process.pid).values()), seconds=60)
        if number is signal.SIGKILL:
            process.kill()
        else:
            os.kill(process.pid, number)
        ended = process.wait()
        wait_until("nobody naps", lambda: not any(NAP in line for line in descendants(1).values()))
    return ended


def go_on(job: Job, **variables: str) -> Ended:
    """Run once more, on a machine with folders of its own."""
    for name in ("temp", "workspace"):
        (job.folder / f"second-{name}").mkdir(exist_ok=True)
    again = {"GITHUB_RUN_ATTEMPT": "2", **variables}
    job.set(RUNNER_TEMP=job.folder / "second-temp", GITHUB_WORKSPACE=job.folder / "second-workspace", **again)
    return job.run("--format", "json")


def messages(served: ModelServer, request: int) -> list[Json]:
    found: list[Json] = served.requests[request].body["messages"]
    return found


def done_once(job: Job, ended: Ended) -> None:
    """See that everything is there, once."""
    assert outcome(ended) == (0, "completed"), ended.err
    assert job.git("show", f"{BRANCH}:tool.py") == "ONE = 1\nTWO = 2"
    assert job.git("show", f"{BRANCH}:new.txt") == "x", "what only the first run has written"
    assert job.git("for-each-ref", "--format=%(refname)", "refs/heads/coordinator") == f"refs/heads/{BRANCH}"
    (pull,) = job.pulls
    assert not pull.title.startswith("WIP: ")
    assert len(job.comments) == 1
    assert record(job).claim is None


def test_a_killed_run_goes_on_in_the_same_conversation(job: Job) -> None:
    job.assign()
    with talking(job, *REJECTED, bash(NAP), *MENDED) as served:
        assert run_until_it_naps(job).code == -signal.SIGKILL
        assert saved(job)
        assert not job.branch()
        ended = go_on(job)
    done_once(job, ended)
    assert messages(served, 3) == messages(served, 2), "what the model had been sent when it was saved"
    assert messages(served, 4)[: len(messages(served, 3))] == messages(served, 3)
    assert "resumed from run 41/" in ended.err
    assert "the conversation goes on after 2 turns" in ended.err
    assert not saved(job), "it is not needed any more"
    assert job.git("rev-list", "--count", f"main..{BRANCH}") == "1"


def test_a_run_that_is_told_to_end_in_the_middle_of_a_command_answers_its_call_later(job: Job) -> None:
    job.assign()
    with talking(job, THINK, bash(NAP), *MENDED) as served:
        ended = run_until_it_naps(job, signal.SIGTERM)
        assert outcome(ended) == (4, "failed")
        assert job.git("show", f"{BRANCH}:new.txt") == "x", "the work is on the branch"
        assert saved(job)
        done_once(job, go_on(job))
    *before, answer = messages(served, 2)
    assert before[:3] == messages(served, 1)
    (called,) = before[3]["content"]
    (result,) = answer["content"]
    assert called["input"] == {"command": NAP}
    assert result == {"type": "tool_result", "tool_use_id": called["id"], "content": KILLED, "is_error": True}


def test_no_call_runs_twice(job: Job) -> None:
    job.assign()
    count = "echo once >> new.txt"
    with talking(job, bash(count), bash(f"{count}; {NAP}"), MEND, submit("Two")) as served:
        run_until_it_naps(job, signal.SIGTERM)
        assert outcome(go_on(job)) == (0, "completed")
    assert job.git("show", f"{BRANCH}:new.txt") == "once\nonce"
    asked = [block for message in messages(served, 3) for block in message["content"] if block["type"] == "tool_use"]
    assert len({block["id"] for block in asked}) == len(asked) == 3


def text_of(served: ModelServer, request: int) -> str:
    """Return the one text that a new conversation starts with."""
    (message,) = messages(served, request)
    (block,) = message["content"]
    assert message["role"] == "user"
    return str(block["text"])


def test_another_model_is_told_in_words(job: Job) -> None:
    job.assign()
    with talking(job, *REJECTED, bash(NAP), *MENDED) as served:
        run_until_it_naps(job)
        ended = go_on(job, INPUT_AGENT="opus")
    done_once(job, ended)
    told = text_of(served, 3)
    assert served.requests[3].body["model"] != served.requests[2].body["model"]
    assert "it was led by haiku" in told
    assert "TWO" in told, "the task"
    assert "F401" in told, "the last verdict"
    assert "new.txt" in told, "what is in the checkout"
    assert "Hm." not in json.dumps(served.requests[3].body["messages"]), "no thought of another model is sent"


def test_a_branch_that_somebody_has_pushed_to_wins(job: Job) -> None:
    job.assign()
    with talking(job, THINK, bash(NAP), submit("It is there")) as served:
        run_until_it_naps(job, signal.SIGTERM)
        job.git("fsck")
        files = {"tool.py": "ONE = 1\nTWO = 2\n", "new.txt": "x\n", "theirs.txt": "y\n", ".coordinator.yml": LINT_ONLY}
        message = "Mend it\n\nIssue: #1"
        pushed = job.push(files, BRANCH, message)
        ended = go_on(job)
    done_once(job, ended)
    told = text_of(served, 2)
    assert f"the branch {BRANCH} was changed by somebody else" in told
    assert "theirs.txt" in told, "the state of the checkout was read again"
    assert job.git("merge-base", pushed, BRANCH) == pushed
    assert job.git("show", f"{BRANCH}:theirs.txt") == "y"


def test_what_came_to_the_base_meanwhile_is_not_taken_back(job: Job) -> None:
    job.assign()
    with talking(job, *REJECTED, bash(NAP), *MENDED) as served:
        run_until_it_naps(job)
        job.push({"other.py": "NEW = 1\n"})
        ended = go_on(job)
    done_once(job, ended)
    assert messages(served, 3) == messages(served, 2)
    assert job.git("diff", "--name-only", f"main...{BRANCH}").split() == ["new.txt", "tool.py"]


def test_an_edited_issue_is_read_again(job: Job) -> None:
    job.assign()
    with talking(job, *REJECTED, bash(NAP), *MENDED) as served:
        run_until_it_naps(job)
        job.issue.body = BODY.replace("needs `TWO`", "needs `TWO`, and `THREE` later")
        job.assign()
        ended = go_on(job, GITHUB_RUN_ATTEMPT="1", GITHUB_RUN_ID="41")
    done_once(job, ended)
    told = text_of(served, 3)
    assert "and `THREE` later" in told
    assert "the issue has been edited" in told


def test_a_run_whose_submissions_are_used_up_goes_on_from_what_the_gates_said(job: Job) -> None:
    job.assign()
    job.push({".coordinator.yml": f"attempts: 1\n{LINT_ONLY}"})
    with talking(job, *REJECTED, *MENDED) as served:
        assert outcome(job.run("--format", "json")) == (1, "rejected")
        assert saved(job)
        ended = go_on(job)
    done_once(job, ended)
    told = text_of(served, 2)
    assert "it had ended (rejected)" in told
    assert "F401" in told


def test_a_stopped_run_goes_on_when_it_is_asked_for_again(job: Job) -> None:
    job.assign()
    with talking(job, THINK, during(lambda: take_back(job), bash("touch never")), *MENDED) as served:
        assert outcome(job.run("--format", "json")) == (0, "released")
        assert saved(job)
        job.assign()
        ended = go_on(job, GITHUB_RUN_ID="42")
    done_once(job, ended)
    assert "it had ended (stopped)" in text_of(served, 2)


def test_nothing_is_kept_of_an_issue_that_was_closed(job: Job) -> None:
    job.assign()
    with talking(job, *REJECTED, during(lambda: close(job), bash("true"))):
        assert outcome(job.run("--format", "json")) == (0, "released")
    assert not saved(job)


def test_nothing_is_kept_when_an_issue_is_closed_later(job: Job) -> None:
    job.assign()
    with talking(job, THINK, during(lambda: take_back(job), bash("true"))):
        assert outcome(job.run("--format", "json")) == (0, "released")
    assert saved(job)
    close(job)
    assert job.run("--format", "json").code == 0
    assert not saved(job)


def test_a_forge_that_does_not_take_the_checkpoint_costs_a_warning(job: Job) -> None:
    job.assign()
    hook = job.forge.bare_repository / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ncase $1 in refs/coordinator/runs/*) exit 1;; esac\n")
    hook.chmod(0o755)
    with talking(job, *REJECTED, submit("Again"), *MENDED):
        ended = job.run("--format", "json")
    done_once(job, ended)
    assert ended.err.count("what a next run needs to go on could not be saved in the forge") == 1


def test_a_run_that_has_lost_its_claim_saves_nothing(job: Job) -> None:
    job.assign()

    def take_over() -> None:
        later = claims_of(job, "99/other", later=LONG)
        assert isinstance(later.take(1, request=None, most_runs=None), ClaimRecord)

    with talking(job, THINK, during(take_over, submit())):
        ended = job.run("--format", "json")
    assert "Another run has taken the issue over" in ended.err
    assert not saved(job)


def test_no_secret_is_saved(job: Job) -> None:
    job.assign()
    leak = bash(f"echo {API_CANARY} > leak.txt; cat leak.txt; printf 'import os\\n' >> tool.py")
    with talking(job, leak, submit("One"), bash(NAP), bash("cat tool.py; rm -f leak.txt"), *MENDED) as served:
        run_until_it_naps(job)
        assert saved(job)
        ended = go_on(job)
    assert outcome(ended) == (0, "completed")
    assert API_CANARY.encode() not in objects_of(job.forge.bare_repository)
    assert FORGE_CANARY.encode() not in objects_of(job.forge.bare_repository)
    assert "its files were not kept, because a secret was among them" in text_of(served, 3)
