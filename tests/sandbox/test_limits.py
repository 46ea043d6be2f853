"""Bounds of time, output, files and processes, and that nothing outlives a command."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coordinator.errors import Unreachable
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.protocol import Limits
from tests.sandbox.support import IS_ROOT, coordinator, head, is_alive, processes_of, python, sh

if TYPE_CHECKING:
    from coordinator.sandbox.confined import ConfinedSandbox
    from coordinator.sandbox.protocol import CommandResult, Sandbox
    from coordinator.sandbox.running import Launcher

FORKS = """
import os, sys, time
def daemon():
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    sys.stdout.write(f"{os.getpid()}\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


def pids(result: CommandResult) -> list[int]:
    found = [int(word) for word in result.stdout.split()]
    assert found
    return found


def test_a_command_over_its_time_is_ended_and_its_output_kept(sandbox: Sandbox) -> None:
    result = sh(sandbox, "echo before; sleep 60", limits=Limits(seconds=0.3))
    assert (result.timed_out, result.exit_code, result.signal) == (True, None, signal.SIGTERM)
    assert result.stdout == b"before\n"
    assert result.seconds < 5


def test_a_command_may_tidy_up_when_its_time_is_over(sandbox: Sandbox) -> None:
    result = sh(sandbox, "trap 'echo tidy; exit 3' TERM; while :; do sleep 0.05; done", limits=Limits(seconds=0.3))
    assert (result.timed_out, result.exit_code, result.signal, result.stdout) == (True, None, None, b"tidy\n")


def test_a_command_that_ignores_sigterm_is_killed(sandbox: Sandbox) -> None:
    result = sh(sandbox, "trap '' TERM HUP INT; while :; do sleep 0.1; done", limits=Limits(seconds=0.2))
    assert (result.timed_out, result.signal) == (True, signal.SIGKILL)
    assert result.seconds < 5


def test_a_command_without_time_is_ended_at_once(sandbox: Sandbox) -> None:
    assert sh(sandbox, "sleep 60", limits=Limits(seconds=0)).timed_out


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & echo $!",
        "nohup sleep 60 >/dev/null 2>&1 & echo $!",
        "setsid sleep 60 & sleep 0.1; pgrep -x sleep --session 0 >/dev/null; echo $!",
        "(trap '' TERM; setsid bash -c 'echo $$; trap \"\" TERM; sleep 60; sleep 60') & sleep 0.3",
    ],
)
def test_no_background_process_outlives_a_command(sandbox: Sandbox, script: str) -> None:
    result = sh(sandbox, script)
    assert result.ok
    assert not any(is_alive(pid) for pid in pids(result))


def test_no_daemon_outlives_a_command(sandbox: ConfinedSandbox) -> None:
    result = python(sandbox, FORKS + "if os.fork() == 0: daemon()\ntime.sleep(0.3)")
    assert not any(is_alive(pid) for pid in pids(result))
    if IS_ROOT:
        assert sandbox.means.uid is not None
        assert processes_of(sandbox.means.uid) == []


def test_no_daemon_outlives_the_time_limit(sandbox: Sandbox) -> None:
    result = python(sandbox, FORKS + "if os.fork() == 0: daemon()\ntime.sleep(60)", seconds=1)
    assert result.timed_out
    assert not any(is_alive(pid) for pid in pids(result))


def test_something_that_forks_and_exits_in_a_circle_is_caught(sandbox: ConfinedSandbox) -> None:
    circle = "import os\nif os.fork() == 0:\n    os.setsid()\n    while True:\n        if os.fork(): os._exit(0)\n"
    assert python(sandbox, circle).ok, "a command that leaves something behind is an error"
    if IS_ROOT:
        assert sandbox.means.uid is not None
        assert processes_of(sandbox.means.uid) == []


@pytest.mark.skipif(not IS_ROOT, reason="the bound on processes needs a uid of its own, so root")
def test_a_fork_bomb_is_bounded_and_ended(sandbox: ConfinedSandbox) -> None:
    result = sh(sandbox, "bomb() { bomb | bomb & }; bomb; sleep 60", limits=Limits(seconds=1))
    assert b"fork" in result.stderr
    assert sandbox.means.uid is not None
    assert processes_of(sandbox.means.uid) == []


def test_what_a_shell_does_not_wait_for_may_still_finish(sandbox: Sandbox) -> None:
    result = sh(sandbox, "echo text > >(sleep 0.05; cat)")
    assert result.stdout == b"text\n"


def test_a_daemon_that_keeps_the_pipe_delays_nothing(sandbox: Sandbox) -> None:
    result = sh(sandbox, "echo done; setsid sleep 60 &")
    assert result.stdout == b"done\n"
    assert result.seconds < 5


def test_a_flood_of_output_is_cut_and_fills_nothing(sandbox: ConfinedSandbox) -> None:
    limits = Limits(seconds=30, output_bytes=1000)
    result = sh(sandbox, "head -c 300000000 /dev/zero; echo end >&2", limits=limits)
    assert (result.stdout, result.stderr) == (bytes(1000), b"end\n")
    assert result.truncated
    assert result.ok


def test_output_of_exactly_the_limit_is_whole(sandbox: Sandbox) -> None:
    result = sh(sandbox, "printf 12345", limits=Limits(seconds=9, output_bytes=5))
    assert (result.stdout, result.truncated) == (b"12345", False)


def test_a_flood_that_never_ends_is_ended_by_time(sandbox: Sandbox) -> None:
    result = sh(sandbox, "yes", limits=Limits(seconds=0.5, output_bytes=10))
    assert (result.stdout, result.timed_out, result.truncated) == (b"y\ny\ny\ny\ny\n", True, True)


def test_a_file_over_the_limit_cannot_be_written(sandbox: ConfinedSandbox) -> None:
    folder = sandbox.make_folder("big")
    limits = Limits(seconds=9, file_bytes=1_000_000)
    result = sh(sandbox, f"head -c 2000000 /dev/zero > {folder}/file; echo $?", limits=limits)
    assert (folder / "file").stat().st_size == 1_000_000
    assert int(result.stdout) == 128 + signal.SIGXFSZ


def test_no_core_file_is_written_and_descriptors_are_bounded(sandbox: Sandbox) -> None:
    core, files = (int(word) for word in sh(sandbox, "ulimit -c; ulimit -n").stdout.split())
    assert core == 0
    assert 0 < files <= 65536


@pytest.mark.skipif(not IS_ROOT, reason="a hidden process that is not root may not change its own score")
def test_the_out_of_memory_killer_takes_a_command_first(sandbox: Sandbox) -> None:
    assert sh(sandbox, "cat /proc/self/oom_score_adj").stdout == b"500\n"


def test_an_interrupt_in_the_middle_leaves_nothing_behind(sandbox: ConfinedSandbox) -> None:
    folder = sandbox.make_folder("interrupt")
    script = f"setsid sleep 60 & echo $! > {folder}/pid; mv {folder}/pid {folder}/pids; sleep 60"

    class Stop(BaseException):
        """As a handler of SIGTERM would raise it."""

    def stop(*_: object) -> None:
        raise Stop

    def send_when_running() -> None:
        deadline = time.monotonic() + 10
        while not (folder / "pids").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGUSR1)  # and a second one while the first is dealt with

    before = signal.signal(signal.SIGUSR1, stop)
    sender = threading.Thread(target=send_when_running)
    sender.start()
    try:
        with pytest.raises(Stop):
            sh(sandbox, script)
        alive = is_alive(int((folder / "pids").read_text(encoding="utf-8")))
    finally:
        try:
            sender.join()
        except Stop:
            sender.join()
        signal.signal(signal.SIGUSR1, before)
    assert not alive


def test_stop_all_ends_commands_of_other_threads_and_starts_no_more(launcher: Launcher) -> None:
    with open_sandbox(launcher=launcher) as opened:
        folder = opened.make_folder("stop")
        errors: list[Unreachable] = []

        def work() -> None:
            try:
                sh(opened, f"setsid sleep 60 & echo $! > {folder}/$$; sleep 60")
            except Unreachable as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        while len([path for path in folder.iterdir() if path.stat().st_size]) < len(threads):
            assert not errors
            time.sleep(0.02)
        daemons = [int(path.read_text(encoding="utf-8")) for path in folder.iterdir()]
        opened.stop_all()
        for thread in threads:
            thread.join(10)
        assert len(errors) == len(threads)
        assert not any(is_alive(pid) for pid in daemons)
        with pytest.raises(Unreachable, match="stopped because the run ends"):
            sh(opened, "true")


def started(tmp_path: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a coordinator that runs a command; gives it, and the pids of daemon, command and supervisor."""
    script = f"""
with open_sandbox() as sandbox:
    folder = sandbox.make_folder("x")
    Path({str(tmp_path)!r}, "folder").write_text(str(folder))
    sh(sandbox, f"setsid sleep 60 & echo $! $$ $PPID > {{folder}}/.pids; mv {{folder}}/.pids {{folder}}/pids; sleep 60")
"""
    process = subprocess.Popen([sys.executable, "-B", "-"], stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(head() + script)
    process.stdin.close()
    note = tmp_path / "folder"
    while not (note.exists() and Path(note.read_text(encoding="utf-8"), "pids").exists()):
        assert process.poll() is None
        time.sleep(0.02)
    return process, [int(word) for word in Path(note.read_text(encoding="utf-8"), "pids").read_text("utf-8").split()]


def all_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(is_alive(pid) for pid in pids)


def test_all_die_with_the_coordinator(tmp_path: Path) -> None:
    process, left = started(tmp_path)
    with process:
        process.kill()
    assert all_gone(left)
    shutil.rmtree(Path((tmp_path / "folder").read_text(encoding="utf-8")).parent)  # what a killed one cannot do


def test_a_command_dies_with_its_supervisor_whatever_the_coordinator_does(tmp_path: Path) -> None:
    process, (_, command, supervisor) = started(tmp_path)
    with process:
        process.send_signal(signal.SIGSTOP)
        os.kill(supervisor, signal.SIGKILL)
        assert all_gone([command])
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small disk")
def test_a_full_disk_cuts_the_output_and_nothing_else(tmp_path: Path) -> None:
    script = f"""
from coordinator.sandbox import kernel
kernel.unshare(kernel.CLONE_NEWNS)
kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
kernel.mount("tmpfs", {str(tmp_path)!r}, "tmpfs", 0, "size=256k,mode=0755")
with open_sandbox(folder=Path({str(tmp_path)!r})) as sandbox:
    result = sh(sandbox, "head -c 10000000 /dev/zero; echo fine >&2; exit 5")
    print(result.exit_code, result.truncated, 0 < len(result.stdout) <= 256 * 1024)
    try:
        sh(sandbox, "cat", stdin=bytes(1_000_000))
    except Unreachable as error:
        print(error)
"""
    first, second = coordinator(script).splitlines()
    assert first == "5 True True"
    assert "cannot start the launcher of confined commands: [Errno 28]" in second


def test_a_pipe_that_was_handed_to_a_stranger_delays_nothing(sandbox: ConfinedSandbox) -> None:
    folder = sandbox.make_folder("stranger")
    address = str(folder / "s")
    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as pool:
        server.bind(address)
        Path(address).chmod(0o777)
        server.listen()
        script = (
            "import array, socket, sys\n"
            "print('text', flush=True)\n"
            f"s = socket.socket(socket.AF_UNIX); s.connect({address!r})\n"
            "socket.send_fds(s, [b'x'], [1]); s.recv(1)"
        )
        command = pool.submit(python, sandbox, script)
        peer, _ = server.accept()
        with peer:
            _, (stranger,), _, _ = socket.recv_fds(peer, 1, 1)
        result = command.result()
        os.close(stranger)
    assert result.stdout == b"text\n"
    assert result.ok
    assert result.seconds < 5
