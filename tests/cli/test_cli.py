"""The command line itself: help, version, wrong use, and what nobody expected."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from coordinator import __version__
from tests.cli.support import NAP, PROJECT, Project, Shell, napping, wait_until
from tests.support import API_CANARY, git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMANDS = ("run", "work", "gate", "plan", "demo")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_teaches(shell: Shell, command: str) -> None:
    ended = shell.run(command, "--help")
    assert ended.code == 0
    assert "exit codes:" in ended.out
    assert "--format" in ended.out
    assert f"\n  coordinator {command}" in ended.out, "there is an example to copy"


def test_the_help_names_every_command_and_where_to_start(shell: Shell) -> None:
    ended = shell.run("--help")
    assert ended.code == 0
    assert "Start with `coordinator demo`" in ended.out
    for command in COMMANDS:
        assert f"\n    {command} " in ended.out


def test_the_version(shell: Shell) -> None:
    assert shell.run("--version").out == f"coordinator {__version__}\n"


@pytest.mark.parametrize(
    "words", [(), ("wrok",), ("work",), ("gate", "--format", "yaml"), ("plan", "7", "--forge", "svn"), ("demo", "x")]
)
def test_wrong_use_shows_how(shell: Shell, words: tuple[str, ...]) -> None:
    ended = shell.run(*words)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("usage: coordinator")


def test_nothing_is_looked_through_on_the_way_out(tmp_path: Path) -> None:
    script = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from coordinator.cli import main\n"
        "sys.exit(main(['gate', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "nowhere")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "True\n"), done.stderr


@pytest.mark.parametrize("as_json", [True, False])
def test_a_fault_of_our_own_is_one_line_without_its_message(shell: Shell, as_json: bool, tmp_path: Path) -> None:
    """Here an object that git misses, where nobody looked; the message of an exception may hold anything."""
    folder = make_repository(tmp_path / API_CANARY, {"a.py": ""})
    tree = git(folder, "rev-parse", "HEAD^{tree}")
    (folder / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    ended = shell.run("gate", folder, "--format", "json" if as_json else "text")
    assert ended.code == 4
    assert ended.complaint().startswith("coordinator: error: internal error: GitFailed in ")
    assert ".py:" in ended.err
    assert API_CANARY not in ended.out + ended.err
    assert tree not in ended.out + ended.err
    assert "report this line" in ended.err
    if as_json:
        assert ended.document["exit_code"] == 4


@contextmanager
def open_for_a_reader(pipe: Path) -> Iterator[None]:
    """Hold a named pipe open from the moment that somebody reads from it."""
    writers: list[int] = []

    def has_reader() -> bool:
        with suppress(OSError):
            writers.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(writers)

    wait_until(has_reader)
    time.sleep(0.5)  # until it waits for data: a signal just before that is seen only when the data comes
    yield
    os.close(writers[0])


def test_ctrl_c_is_no_traceback(shell: Shell, project: Project, tmp_path: Path) -> None:
    """Also where no work is to be saved yet: here while the issue is read, from a pipe that nobody writes to."""
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    process = shell.start("plan", pipe, "--repo", project.folder)
    with open_for_a_reader(pipe):
        process.send_signal(signal.SIGINT)
        ended = shell.finish(process)
    assert (ended.code, ended.err) == (130, "coordinator: interrupted\n")


def test_gates_that_are_told_to_end_leave_nothing_behind(shell: Shell, tmp_path: Path) -> None:
    only_test = "gates:\n  build: {enabled: false}\n  lint: {enabled: false}\n  coverage: {enabled: false}\n"
    test = f"import os\n\n\ndef test_slow():\n    os.execvp('sleep', {NAP.split()!r})\n"
    folder = make_repository(tmp_path / "toy", {".coordinator.yml": only_test, "test_toy.py": test})

    def end() -> None:
        wait_until(napping)
        os.kill(os.getpid(), signal.SIGTERM)

    ender = threading.Thread(target=end)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        ender.start()
        ended = shell.run("gate", folder, "--format", "json")
    finally:
        ender.join()
        signal.signal(signal.SIGTERM, before)
    assert (ended.code, ended.document["exit_code"]) == (4, 4)
    assert "cancelled" in ended.complaint()
    assert not napping()


def test_a_process_ends_with_the_code_of_its_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coordinator", "gate", str(tmp_path / "gone")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("coordinator: error: ")
    assert len(done.stderr.splitlines()) == 1


def test_no_command_loads_what_only_others_need() -> None:
    """`import anthropic` costs a second, and the help needs none of it."""
    script = (
        "import sys\nfrom coordinator.cli import main\n"
        "try:\n    main(['work', '--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', sorted({'anthropic', 'httpx', 'rich', 'jinja2', 'pydantic', 'yaml'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"
