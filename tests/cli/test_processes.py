"""`coordinator work` as a process: killed, told to end, and with its secrets in a real environment."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

from coordinator.demo.model_script import say
from tests.cli.support import (
    BRANCH,
    NAP,
    Project,
    Shell,
    check_report,
    everything_in,
    make_project,
    napping,
    persons_own,
    the_model,
    wait_until,
)
from tests.small_project import FILES, GOOD, LINT_ONLY, bash, submit
from tests.support import API_CANARY, git

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from coordinator.demo.model_script import Reply


def interrupted(shell: Shell, project: Project, number: signal.Signals) -> tuple[subprocess.Popen[str], float]:
    """Start a run, and send it a signal while a command of its agent runs."""
    process = shell.start("work", project.issue, "--repo", project.folder, "--format", "json")
    wait_until(napping)
    process.send_signal(number)
    return process, time.monotonic()


def test_a_run_that_was_killed_goes_on_on_the_same_branch_and_pull_request(shell: Shell, tmp_path: Path) -> None:
    project = make_project(tmp_path, {**FILES, ".coordinator.yml": f"budget: {{run: {{turns: 1}}}}\n{LINT_ONLY}"})
    with the_model(shell, GOOD):
        assert shell.run("work", project.issue, "--repo", project.folder).code == 1
    first = project.branch()
    git(project.folder, "commit", "--quiet", "--allow-empty", "--message", "Meanwhile")
    before = persons_own(project)
    with the_model(shell, bash(NAP)):
        shell.finish(interrupted(shell, project, signal.SIGKILL)[0])
        wait_until(lambda: not napping(), seconds=10)
    assert project.branch() == first
    assert persons_own(project) == before
    with the_model(shell, submit("It was there already")):
        ended = shell.run("work", "7", "--repo", project.folder, "--format", "json")
    check_report(ended)
    assert ended.code == 0
    assert ended.document["branch"] == BRANCH
    assert len(project.pulls()) == 1
    assert "draft: false" in project.pulls()[0]
    assert "Done in" in project.headline()
    lines = (project.kept / "transcript.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines].count("start") == 3
    names = [path.name for path in (project.folder / ".git" / "coordinator").rglob("*")]
    assert [name for name in names if name.startswith(".")] == [], "no file is left half written"


def test_a_run_that_is_told_to_end_saves_the_work_and_says_so(shell: Shell, project: Project) -> None:
    with the_model(shell, GOOD, bash(NAP)):
        process, since = interrupted(shell, project, signal.SIGTERM)
        ended = shell.finish(process)
        assert time.monotonic() - since < 5
    check_report(ended)
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert "cancelled" in ended.document["reason"]
    assert "Start it again" in ended.complaint()
    assert ended.document["commit"] == project.branch()
    assert project.show("tool.py") == "ONE = 1\nTWO = 2"
    assert "draft: true" in project.pulls()[0]
    assert "cancelled" in project.headline()
    assert "work saved on" in project.headline()
    assert not napping()


def test_ctrl_c_does_not_wait_for_the_model(shell: Shell, project: Project) -> None:
    """The SDK takes an exception in the middle of a request for a broken connection: that is not to be tried again."""
    since = []

    def interrupt(_body: object) -> Reply:
        since.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
        return say("word " * 2000, "more " * 2000)

    with the_model(shell, GOOD, interrupt, pace=0.2) as model:
        ended = shell.run("work", project.issue, "--repo", project.folder, "--format", "json")
        assert time.monotonic() - since[0] < 5
        assert len(model.requests) == 2
    check_report(ended)
    assert (ended.code, ended.document["outcome"]) == (4, "failed")
    assert project.show("tool.py") == "ONE = 1\nTWO = 2"
    assert "cancelled" in project.headline()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_key_comes_out_anywhere(shell: Shell, project: Project, tmp_path: Path) -> None:
    spy = bash("env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'; env > seen.txt; ls -la ~ /tmp")
    write = bash("printf 'TWO = 2\\n' >> tool.py")
    with the_model(shell, spy, write, submit()) as model:
        ended = shell.finish(shell.start("work", project.issue, "--repo", project.folder, "--format", "json"))
    check_report(ended)
    assert ended.code == 0, ended.err
    told = json.dumps(model.requests[1].body["messages"][-1])
    assert "HOME=" in told, "the agent's command did run"
    assert all(API_CANARY.encode() not in request.raw for request in model.requests)
    assert model.requests[0].headers["authorization"] == f"Bearer {API_CANARY}"
    half = API_CANARY[: len(API_CANARY) // 2]
    for secret in (API_CANARY, API_CANARY[::-1], half):
        assert secret not in ended.out + ended.err
        assert secret.encode() not in everything_in(tmp_path)
    assert (project.kept / "transcript.jsonl").stat().st_mode & 0o077 == 0


def test_a_key_that_the_model_repeats_is_masked(shell: Shell, project: Project, tmp_path: Path) -> None:
    """The model cannot know the key; if it does all the same, no copy of it is left in any record."""
    leak = bash(f"echo {API_CANARY} | tee leak.txt; printf 'TWO = 2\\n' >> tool.py; rm leak.txt")
    with the_model(shell, leak, submit(f"The key is {API_CANARY}")) as model:
        ended = shell.run("work", project.issue, "--repo", project.folder)
    assert ended.code == 0
    assert API_CANARY not in json.dumps(model.requests[1].body["messages"][-1]), "output is masked for the model"
    assert API_CANARY not in ended.out + ended.err
    assert API_CANARY.encode() not in everything_in(tmp_path)
    assert "The key is ***" in git(project.folder, "log", "-1", "--format=%B", BRANCH)


def test_standard_output_holds_the_document_and_nothing_else(shell: Shell, project: Project) -> None:
    refused = shell.finish(shell.start("work", "404", "--repo", project.folder, "--format", "json"))
    assert refused.code == 2
    assert set(refused.document) >= {"outcome", "reason", "exit_code"}
    assert refused.document["exit_code"] == 2
    assert "no issue 404" in refused.complaint()
