"""The parts below the sandbox, by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import ValidationError

from coordinator.errors import Unreachable
from coordinator.sandbox import confined, environment, kernel, orphans
from coordinator.sandbox.launcher import supervisor, tree
from coordinator.sandbox.opening import open_sandbox
from coordinator.sandbox.orders import Failure, Report
from coordinator.sandbox.orphans import end_orphans
from coordinator.sandbox.protocol import Command, Limits, Network
from coordinator.sandbox.running import PACKAGE_ROOT, Ended, Launcher, Running
from tests.sandbox.support import coordinator, is_alive

if TYPE_CHECKING:
    from coordinator.sandbox.confined import ConfinedSandbox


def test_only_named_variables_are_passed_on() -> None:
    own = {"PIP_INDEX_URL": "https://index.invalid", "GITHUB_TOKEN": "x", "HTTPS_PROXY": "p", "ANTHROPIC_API_KEY": "y"}
    assert environment.select_passthrough(own) == {"PIP_INDEX_URL": "https://index.invalid", "HTTPS_PROXY": "p"}


def test_the_operators_folders_of_programs_are_found_and_relative_ones_are_not() -> None:
    own = {"PATH": "/usr/bin:bin::/opt/go/bin:.:/usr/bin:/no such/folder"}
    assert environment.search_path_of(own) == (Path("/usr/bin"), Path("/opt/go/bin"), Path("/no such/folder"))
    assert environment.search_path_of({}) == ()


def test_rusts_toolchains_are_named_where_commands_can_have_them(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert environment.rust_toolchains(home, closed_home=False) == {}
    (tmp_path / ".rustup").mkdir()
    assert environment.rust_toolchains(home, closed_home=False) == {"RUSTUP_HOME": str(tmp_path / ".rustup")}
    assert environment.rust_toolchains(home, closed_home=True) == {}
    assert environment.rust_toolchains({**home, "RUSTUP_HOME": "/opt/rust"}, closed_home=False) == {}
    assert environment.rust_toolchains({}, closed_home=False) == {}


def test_the_launcher_gets_what_its_interpreter_needs_and_no_more() -> None:
    passed = {"LD_LIBRARY_PATH": "/opt/python/lib", "HTTPS_PROXY": "http://user:password@proxy"}
    assert environment.launcher_environment(passed) == {"LD_LIBRARY_PATH": "/opt/python/lib"}
    assert environment.launcher_environment({}) == {}


def test_paths_are_found_in_passed_on_variables(tmp_path: Path) -> None:
    passed = {"A": f"{tmp_path}:/no/such", "B": "relative", "C": "https://host/path"}
    assert environment.paths_in(passed) == [tmp_path]


def test_children_are_found_newest_first_with_odd_names_and_dead_ones(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 ("
    program.symlink_to(sys.executable)
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen([str(program), "-S", "-c", code], stdin=subprocess.PIPE) as first:
        with subprocess.Popen(["/bin/sleep", "0"]) as second:
            time.sleep(0.1)
            found = [pid for pid in tree.children(os.getpid()) if pid in {first.pid, second.pid}]
            assert sorted(found) == sorted([first.pid, second.pid])
            assert found == sorted(found, reverse=True)
        tree.send([second.pid], signal.SIGKILL)
        assert first.stdin is not None
        first.stdin.close()


def reaches(pid: int, state: str) -> bool:
    """Wait until the kernel shows a process in this state."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == state:
            return True
        time.sleep(0.01)
    return False


def test_all_descendants_are_found_and_can_be_stopped(tmp_path: Path) -> None:
    script = f"(sleep 60 & echo $! > {tmp_path}/b; mv {tmp_path}/b {tmp_path}/a; wait) & wait"
    with subprocess.Popen(["/bin/sh", "-c", script], process_group=0) as top:
        try:
            while not (tmp_path / "a").exists():
                time.sleep(0.01)
            lowest = int((tmp_path / "a").read_text(encoding="utf-8"))
            assert reaches(lowest, "S")
            assert lowest in tree.descendants(os.getpid())
            assert len(tree.descendants(top.pid)) == 2
            tree._stop(lowest, family=set())
            time.sleep(0.05)
            assert reaches(lowest, "S")
            tree.freeze(top.pid)
            assert reaches(lowest, "T")
        finally:
            os.killpg(top.pid, signal.SIGKILL)
    tree._stop(top.pid, family={os.getpid()})


def test_orphans_are_ended_and_own_children_are_not() -> None:
    kernel.become_subreaper()
    script = (
        f"import sys; sys.path.insert(0, {str(PACKAGE_ROOT)!r})\n"
        "from coordinator.sandbox.kernel import forbid_new_privileges; forbid_new_privileges()\n"
        "import os; os.execv('/bin/sh', ['sh', '-c', 'setsid sleep 20 >/dev/null & echo $!; setsid true & exit 0'])"
    )
    sleep = ["/bin/sleep", "20"]
    can_tell = b"NoNewPrivs:\t0" in Path("/proc/self/status").read_bytes()
    with subprocess.Popen(sleep) as own, subprocess.Popen(sleep, start_new_session=can_tell) as apart:
        try:
            made = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
            orphan = int(made.stdout)
            while os.getsid(orphan) != orphan:
                time.sleep(0.01)
            assert not end_orphans(seconds=-1)
            assert end_orphans()
            assert not is_alive(orphan)
            assert own.poll() is None
            assert apart.poll() is None
        finally:
            own.kill()
            apart.kill()


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("/no/such/python",), "cannot start the launcher"),
        ((sys.executable, "-c", "import sys; sys.exit('it is broken')"), "failed: it is broken"),
        ((sys.executable, "-c", "import sys; sys.exit(3)"), "failed: no message"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "ended before it could answer"),
    ],
)
def test_a_launcher_that_does_not_work_is_told_when_opening(argv: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Unreachable, match=reason):
        open_sandbox(launcher=Launcher(argv=argv))


def test_a_process_that_is_gone_is_no_orphan() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    assert not orphans._is_adopted(process.pid)


def test_a_supervisor_without_an_order_ends_by_itself(launcher: Launcher, tmp_path: Path) -> None:
    with Running(launcher, tmp_path, b"") as running:
        pass
    assert running._process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_supervisor_that_does_not_end_is_killed(tmp_path: Path) -> None:
    with Running(Launcher(patience=0.3), tmp_path, b"") as running:
        os.kill(running._process.pid, signal.SIGSTOP)
    assert running._process.returncode == -signal.SIGKILL


def test_a_supervisor_that_is_dead_before_its_order_has_no_report(sandbox: ConfinedSandbox, tmp_path: Path) -> None:
    order = sandbox._order(Command(argv=("true",), cwd=tmp_path, limits=Limits(seconds=1)), sandbox.means.uid)
    with Running(Launcher(argv=("/bin/true",)), tmp_path, b"") as running:
        running._process.wait()
        ended = running.carry_out(order, merged=True)
    assert (ended.report, ended.returncode, ended.overdue) == (None, 0, False)


def test_the_supervisor_itself_leaves_nothing_to_the_coordinator(
    sandbox: ConfinedSandbox, launcher: Launcher, tmp_path: Path
) -> None:
    command = Command(argv=("sh", "-c", "setsid sleep 60 & echo $!"), cwd=Path("/"), limits=Limits(seconds=9))
    with Running(launcher, tmp_path, b"") as running:
        ended = running.carry_out(sandbox._order(command, sandbox.means.uid), merged=True)
    assert ended.report is not None
    assert (ended.report.status, ended.report.survivors) == (0, False)
    assert not is_alive(int(ended.stdout))


def test_an_order_that_makes_no_sense_starts_nothing(
    sandbox: ConfinedSandbox, launcher: Launcher, tmp_path: Path
) -> None:
    order = sandbox._order(Command(argv=("/bin/true",), cwd=Path("/"), limits=Limits(seconds=9)), sandbox.means.uid)
    order["env"] = cast("dict[str, str]", {"A": 1})
    with Running(launcher, tmp_path, b"") as running:
        report = running.carry_out(order, merged=True).report
    assert report is not None
    assert report.failure is not None
    assert report.failure.step == "start"


def test_a_command_whose_supervisor_is_gone_does_not_start() -> None:
    script = """
code = "import sys; sys.path.insert(0, sys.argv[1])\\n"
code += "from coordinator.sandbox.launcher import child; child._stay_with(1)"
print(subprocess.run([sys.executable, "-c", code, sys.path[0]]).returncode)
"""
    assert coordinator(script) == "126\n"


def test_a_pipe_that_somebody_else_has_emptied_does_not_block() -> None:
    source, end = os.pipe2(os.O_NONBLOCK)
    sink = supervisor.Sink(source, -1, 100)
    assert sink.pump()
    assert supervisor._read_failure(source) == b""
    os.write(end, b"text")
    assert sink.pump()
    assert sink.truncated
    os.close(end)
    assert not sink.pump()
    assert supervisor._read_failure(source) == b""
    os.close(source)


@pytest.mark.parametrize(
    ("text", "report"),
    [
        (b"status=0\n", Report(status=0)),
        (b"status=9 timed_out truncated\n", Report(status=9, timed_out=True, truncated=True)),
        (b"status=None stopped survivors\n", Report(status=None, stopped=True, survivors=True)),
        (
            b"status=32256\nview No such\nfile \xff",
            Report(status=32256, failure=Failure(step="view", error="No such\nfile \N{REPLACEMENT CHARACTER}")),
        ),
    ],
)
def test_what_the_supervisor_reports_is_read(text: bytes, report: Report) -> None:
    assert Report.from_text(text) == report


@pytest.mark.parametrize("text", [b"\n", b"status=\n", b"status=x\n", b"status=0 better\n", b"timed_out\n"])
def test_what_no_supervisor_reports_is_refused(text: bytes) -> None:
    with pytest.raises(ValidationError):
        Report.from_text(text)


@pytest.mark.parametrize("said", [b"", b"yes", b"yes no no", b"yes maybe", b"\xff no"])
def test_answers_that_do_not_fit_the_questions_are_refused(said: bytes) -> None:
    ended = Ended(Report(status=0), 0, overdue=False, clean=True, stdout=said, stderr=b"", complaint="", seconds=1)
    with pytest.raises(Unreachable, match="before it could answer"):
        confined._answers(ended, 2)


def test_who_was_killed_has_answered_nothing_even_where_nothing_was_asked() -> None:
    ended = Ended(None, -9, overdue=False, clean=True, stdout=b"", stderr=b"", complaint="", seconds=1)
    with pytest.raises(Unreachable, match="before it could answer"):
        confined._answers(ended, 0)


def test_an_order_may_hold_members_of_enums(sandbox: ConfinedSandbox) -> None:
    command = Command(("echo", Network.NONE), Path("/"), Limits(seconds=9), env={"A": Network.OPEN})
    assert sandbox.run(command).stdout == b"none\n"


def test_a_process_that_cannot_be_ended_is_told() -> None:
    ended = Ended(None, 0, overdue=False, clean=False, stdout=b"", stderr=b"", complaint="", seconds=1)
    with pytest.raises(Unreachable, match="could not be ended"):
        confined._checked(ended)


def test_a_machine_that_refuses_what_cannot_be_done_without_is_told(sandbox: ConfinedSandbox) -> None:
    refused = confined.StepRefused(Failure(step="privileges", error="Operation not permitted"))
    with pytest.raises(Unreachable, match="cannot confine commands: privileges: Operation not permitted"):
        sandbox._do_without(refused)


def test_a_kernel_call_that_fails_says_which() -> None:
    with pytest.raises(OSError, match="Invalid argument: 'prctl'"):
        kernel._prctl(-1, 0)
    kernel.hide_process()
    assert kernel.process_is_hidden()
